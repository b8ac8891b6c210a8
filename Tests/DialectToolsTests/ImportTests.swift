import ByteCoding
import DialectTools
import Foundation
import ISO8583
import Testing

/// Specifications in the forms of two other libraries, and the messages that they have to read.
@Suite struct ImportTests {
    private static let tests = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent()

    private static func fixture(_ name: String) throws -> [UInt8] {
        Array(try Data(contentsOf: tests.appending(path: "Fuzz/corpus/dialect/\(name)")))
    }

    private static func shipped(_ name: String) throws -> Dialect {
        try Dialect(
            contentsOf: tests.deletingLastPathComponent().appending(path: "Config/iso8583/\(name).json")
                .path())
    }

    private struct Vectors: Decodable {
        struct Case: Decodable {
            let id: String
            let spec: String
            let encoded: String
        }
        let cases: [Case]
    }

    /// Messages that another library has made (pyiso8583), by dialect.
    private static func messages(of dialect: String) throws -> [Vectors.Case] {
        let data = try Data(contentsOf: tests.appending(path: "Vectors/iso8583-messages.json"))
        return try JSONDecoder().decode(Vectors.self, from: data).cases.filter { $0.spec == dialect }
    }

    @Test(
        "An imported specification reads and writes what another library wrote, as the shipped dialect does",
        arguments: [
            ("moov-ascii-hex.json", "ascii87-hexbitmap"), ("moov-ascii-binary.json", "ascii87-binbitmap"),
            ("moov-ebcdic.json", "ebcdic87"), ("jpos-ascii.xml", "ascii87-hexbitmap"),
            ("jpos-ebcdic.xml", "ebcdic87"),
        ])
    func vectors(file: String, name: String) throws {
        let imported = try ImportedDialect.importing(try Self.fixture(file), name: "imported")
        let shipped = MessageCodec(dialect: try Self.shipped(name))
        let codec = MessageCodec(dialect: imported.dialect)
        let messages = try Self.messages(of: name)
        #expect(!messages.isEmpty)
        // These specifications count DE55 in bytes, or carry it raw; the shipped dialect counts its hex digits. The rest
        // has to be the same; `binaryContent` has DE55.
        let withoutChip = name == "ascii87-hexbitmap"
        for vector in messages {
            var message = try shipped.decode(try Hex.decode(vector.encoded))
            if withoutChip { message.remove(.iccData) }
            let bytes = try shipped.encode(message)
            let (same, back) = (try codec.decode(bytes) == message, try codec.encode(message) == bytes)
            #expect(same && back, "\(file), \(vector.id)")
        }
    }

    @Test(
        "An imported DE55 is written as its specification says",
        arguments: [
            ("moov-ascii-hex.json", Array("0049F010203".utf8)),
            ("jpos-ascii.xml", [0x30, 0x30, 0x34, 0x9F, 1, 2, 3]),
        ])
    func binaryContent(file: String, written: [UInt8]) throws {
        let imported = try ImportedDialect.importing(try Self.fixture(file), name: "imported")
        let codec = MessageCodec(dialect: imported.dialect)
        var message = Message(mti: .authorisationRequest)
        message.set(.iccData, bytes: [0x9F, 1, 2, 3])
        let bytes = try codec.encode(message)
        #expect(bytes.suffix(written.count) == written[...])
        let read = try codec.decode(bytes)
        #expect(read == message)
    }

    @Test("An imported jPOS packager has the elements of the shipped dialect of that name")
    func packedDigits() throws {
        let imported = try ImportedDialect.importing(try Self.fixture("jpos-binary.xml"), name: "imported")
            .dialect
        let shipped = try Self.shipped("jpos-iso87b")
        #expect(imported.messageType == shipped.messageType && imported.bitmap == shipped.bitmap)
        #expect(imported.definedElements == shipped.definedElements)
        for element in shipped.definedElements {
            guard let one = imported[element], let other = shipped[element] else { continue }
            #expect(one.length == other.length && one.max == other.max, "\(element)")
            #expect(one.encoding == other.encoding, "\(element)")
            if other.length != .fixed { #expect(one.lengthEncoding == other.lengthEncoding, "\(element)") }
            if other.encoding == .bcd { #expect(one.pad == other.pad, "\(element)") }
        }
        var message = Message(mti: .authorisationRequest)
        message.set(.pan, text: "4761739001010010")
        message.set(.stan, text: "000123")
        message.set(.panSequenceNumber, text: "001")
        message.set(.track2, text: "4761739001010010=29122010")
        let encoded = try MessageCodec(dialect: imported).encode(message)
        let same = try MessageCodec(dialect: shipped).encode(message) == encoded
        #expect(same)
    }

    @Test(
        "What cannot be imported is named",
        arguments: [
            ("{}", nil, "no specification"), ("{\"fields\":{}}", "0", "missing"),
            ("not a specification", nil, "no JSON object"), ("<isopackager></isopackager>", "0", "missing"),
            ("<!DOCTYPE x [<!ENTITY a \"b\">]><isopackager x=\"&c;\"/>", nil, "the entity c"),
            ("<!DOCTYPE x [<!ELEMENT x", nil, "cut short"), ("<?xml version=\"1.0\"?><?a", nil, "cut short"),
            ("<isopackager><isofield></isopackager>", nil, "closes nothing"),
            ("<isopackager", nil, "cut short"), ("<isopackager><a>", nil, "not closed"),
            ("<isopackager thirdBitmapField=\"65\"/>", nil, "thirdBitmapField"),
            (moov("\"enc\":\"Morse\",\"prefix\":\"ASCII.Fixed\""), "2", "unknown encoding Morse"),
            (moov("\"enc\":\"ASCII\",\"prefix\":\"Hex.LL\""), "2", "hex digits"),
            (moov("\"enc\":\"ASCII\",\"prefix\":\"ASCII.XX\""), "2", "unknown prefix ASCII.XX"),
            (moov("\"enc\":\"ASCII\",\"prefix\":\"ASCII.LL\"", length: 0), "2", "length"),
            (jpos("IFX_CHAR"), "2", "unknown class IFX_CHAR"), (jpos("IFB_LLFOO"), "2", "unknown class"),
            (jpos("IFB_BITMAP"), "2", "a bitmap"), (jpos("IFB_LLNUM", length: "many"), "2", "length"),
        ] as [(String, String?, String)])
    func faults(file: String, field: String?, words: String) {
        do throws(DialectImportError) {
            _ = try ImportedDialect.importing(Array(file.utf8), name: "imported")
            Issue.record("\(file) was imported")
        } catch {
            #expect(error.field == field && error.reason.contains(words), "\(error)")
        }
        #expect(throws: DialectImportError.self) {
            try ImportedDialect.importing([UInt8](repeating: 0x20, count: 2 << 20), name: "imported")
        }
    }

    @Test("What the page of who was tried says of refusals is what the importer says")
    func refusalsOnThePage() throws {
        let path = Self.tests.deletingLastPathComponent().appending(path: "docs/interoperability.md")
        let text = try String(contentsOf: path, encoding: .utf8)
        let noBitmap = Self.jpos("IFB_LLNUM").replacing("IFB_BITMAP", with: "IFA_NUMERIC")
        for file in [noBitmap, "{\"elements\": {\"2\": {\"Describe\": \"n..19\"}}}"] {
            do throws(DialectImportError) {
                _ = try ImportedDialect.importing(Array(file.utf8), name: "imported")
                Issue.record("\(file) was imported")
            } catch {
                #expect(text.contains("refused: `\(error.reason)`"), "\(error.reason)")
            }
        }
        #expect(text.components(separatedBy: "refused: `").count == 3)
    }

    private static func moov(_ attributes: String, length: Int = 19) -> String {
        """
        {"fields":{"0":{"type":"String","length":4,"enc":"BCD","prefix":"BCD.Fixed"},
        "1":{"type":"Bitmap","length":8,"enc":"Binary","prefix":"Binary.Fixed"},
        "2":{"type":"String","length":\(length),"description":"PAN",\(attributes)}}}
        """
    }

    private static func jpos(_ name: String, length: String = "19") -> String {
        """
        <isopackager><isofield id="0" length="4" name="MTI" class="org.jpos.iso.IFB_NUMERIC"/>
        <isofield id="1" length="16" name="BITMAP" class="org.jpos.iso.IFB_BITMAP"/>
        <isofield id="2" length="\(length)" name="PAN" class="org.jpos.iso.\(name)"/></isopackager>
        """
    }

    @Test(
        "A packager with an internal subset is read, marks and blanks and all, and what was assumed is said")
    func internalSubset() throws {
        let file = try Self.fixture("jpos-internal-subset.xml")
        for bytes in [file, [0xEF, 0xBB, 0xBF] + file] {
            let imported = try ImportedDialect.importing(bytes, name: "imported")
            let dialect = imported.dialect
            #expect(dialect.header.bytes == 9 && dialect.header.answer == .kept)
            #expect(dialect.messageType.encoding == .ebcdic && dialect.messageType.version == 1)
            #expect(dialect[.pan]?.name == "PAN & more" && dialect[.stan]?.name == "Trace number")
            #expect(dialect.definedElements.map(\.rawValue) == [2, 4, 11, 12, 35, 39, 41, 44, 56])
            for words in [
                "header of 9 bytes", "field 39 is given more than once", "length 255, of which",
                "field 60 is left out",
                "ISO 8583:1993, 1xxx: field 12",
            ] {
                #expect(imported.notes.contains { $0.contains(words) }, "\(words)")
            }
            let codec = MessageCodec(dialect: dialect)
            var message = Message(mti: MTI(rawValue: 0x1100), header: Array(1...9))
            message.set(.pan, text: "4761739001010010003")
            message.set(.transactionAmount, text: "000000001000")
            message.set(.track2, text: "4761739001010010=2912")
            message.set(.responseCode, text: "000")
            message.set(.additionalResponseData, text: "ABC")
            let encoded = try codec.encode(message)
            // EBCDIC length in bytes, packed digits with an F behind them.
            #expect(
                encoded[21...].starts(with: [
                    0xF1, 0xF0, 0x47, 0x61, 0x73, 0x90, 0x01, 0x01, 0x00, 0x10, 0x00, 0x3F,
                ]))
            #expect(encoded.suffix(22).elementsEqual(Array("03ABC                 ".utf8)))
            #expect(try codec.decode(encoded) == message)
        }
    }

    @Test("A file that is not UTF-8 is read all the same: its names decide nothing")
    func latin1() throws {
        let latin = Array(
            Self.jpos("IFB_LLNUM").replacing("PAN", with: "N\u{FA}mero").unicodeScalars.map {
                UInt8($0.value)
            })
        let imported = try ImportedDialect.importing(latin, name: "imported")
        #expect(imported.dialect[.pan]?.name == "N\u{FA}mero")
        #expect(imported.notes.contains { $0.contains("not UTF-8") })
    }

    @Test("A first bitmap alone ends at element 64, and earlier exports of moov name fields in words")
    func otherForms() throws {
        let single = """
            <isopackager><isofield id="0" length="4" name="T" class="org.jpos.iso.IFB_NUMERIC"/>
            <isofield id="1" length="8" name="B" class="org.jpos.iso.IFB_BITMAP"/>
            <isofield id="64" length="8" name="M" class="org.jpos.iso.IFB_BINARY"/>
            <isofield id="70" length="3" name="N" class="org.jpos.iso.IFB_NUMERIC"/></isopackager>
            """
        let imported = try ImportedDialect.importing(Array(single.utf8), name: "imported")
        #expect(imported.dialect.definedElements == [.mac])
        #expect(imported.notes.contains { $0.contains("fields 70 to 70 are left out") })
        let earlier = """
            {"name":"x","fields":{
            "Field000":{"type":"String","length":4,"enc":"asciiEncoder","prefix":"ASCII.fixed"},
            "Field001":{"type":"Bitmap","length":16,"enc":"hexEncoder","prefix":"Hex.fixed"},
            "Field011":{"type":"Numeric","length":6,"enc":"asciiEncoder","prefix":"ASCII.fixed"}}}
            """
        let moov = try ImportedDialect.importing(Array(earlier.utf8), name: "imported").dialect
        #expect(moov.definedElements == [.stan] && moov.bitmap.encoding == .hex)
    }

    @Test func whatStaysTogetherIsSaid() throws {
        let composite = """
            {"fields":{"0":{"type":"String","length":4,"enc":"ASCII","prefix":"ASCII.Fixed"},
            "1":{"type":"Bitmap","length":8,"enc":"Binary","prefix":"Binary.Fixed"},
            "3":{"type":"Composite","length":6,"prefix":"ASCII.Fixed","subfields":{
            "1":{"type":"String","length":2,"enc":"ASCII","prefix":"ASCII.Fixed"}}},
            "55":{"type":"Composite","length":255,"prefix":"ASCII.LLL","tag":{"enc":"BerTLVTag"},"subfields":{
            "9F02":{"type":"Binary","enc":"Binary","prefix":"BerTLV"}}},
            "130":{"type":"String","length":4,"enc":"ASCII","prefix":"ASCII.Fixed"}}}
            """
        let imported = try ImportedDialect.importing(Array(composite.utf8), name: "imported")
        #expect(imported.notes.count == 4)
        #expect(
            imported.dialect[.iccData]?.type == .binary && imported.dialect[.processingCode]?.type == .text)
        let nested = """
            <isopackager><isofield id="0" length="4" name="MTI" class="org.jpos.iso.IFA_NUMERIC"/>
            <isofield id="1" length="8" name="BITMAP" class="org.jpos.iso.IFA_BITMAP"/>
            <isofieldpackager id="48" length="999" name="PRIVATE" class="org.jpos.iso.IFA_LLLCHAR"
              packager="org.jpos.iso.packager.GenericSubFieldPackager">
            <isofield id="1" length="2" name="INSIDE" class="org.jpos.iso.IFA_NUMERIC"/></isofieldpackager>
            </isopackager>
            """
        let packager = try ImportedDialect.importing(Array(nested.utf8), name: "imported")
        #expect(packager.notes.count == 2 && packager.dialect.definedElements == [.additionalData])
        #expect(packager.dialect.bitmap.secondary == .never)
    }

    @Test func aMessageIsListedMaskedAndItsChipDataOpened() throws {
        let dialect = try Self.shipped("ascii87-binbitmap")
        var message = Message(mti: .authorisationRequest)
        message.set(.pan, text: "4761739001010010")
        message.set(.pinData, bytes: [1, 2, 3, 4, 5, 6, 7, 8])
        message.set(
            .iccData, bytes: [0x9F, 0x36, 2, 0, 5, 0x5A, 8] + [0x47, 0x61, 0x73, 0x90, 1, 1, 0, 0x10])
        let text = MessageListing.lines(message, dialect: dialect).joined(separator: "\n")
        let clear = text.contains("4761739001010010") || text.contains("0102030405060708")
        #expect(!clear)
        #expect(text.contains("476173******0010") && text.contains("9F36") && text.contains("= 5"))
        message.set(.iccData, bytes: [0x9F])
        #expect(MessageListing.lines(message, dialect: dialect).contains { $0.contains("no BER-TLV") })
        let listing = DialectListing.lines(dialect)
        #expect(
            listing.contains { $0.hasPrefix("DE2") && $0.contains("n ..19") && $0.contains("llvar ascii") })
    }
}
