import DialectTools
import ISO8583
import Testing

/// Editors and tools save specifications in every form of Unicode, and in what came before it.
@Suite("The encodings of files to be imported") struct FileTextTests {
    private static let packager = """
        <?xml version="1.0" encoding="ENCODING"?>
        <!DOCTYPE isopackager SYSTEM "genericpackager.dtd">
        <isopackager><isofield id="0" length="4" name="MTI" class="org.jpos.iso.IFA_NUMERIC"/>
        <isofield id="1" length="16" name="BITMAP" class="org.jpos.iso.IFB_BITMAP"/>
        <isofield id="43" length="40" name="Händler, Łódź 😀" class="org.jpos.iso.IFA_CHAR"/></isopackager>
        """

    private static let specification = """
        {"name":"x","fields":{"0":{"type":"String","length":4,"enc":"ASCII","prefix":"ASCII.Fixed"},
        "1":{"type":"Bitmap","length":8,"enc":"Binary","prefix":"Binary.Fixed"},
        "43":{"type":"String","length":40,"description":"Händler, Łódź 😀","enc":"ASCII","prefix":"ASCII.Fixed"}}}
        """

    private static func units<Unit: FixedWidthInteger>(
        _ text: some Sequence<Unit>, bigEndian: Bool
    ) -> [UInt8] {
        text.flatMap { unit in
            withUnsafeBytes(of: bigEndian ? unit.bigEndian : unit.littleEndian) { Array($0) }
        }
    }

    /// In a form of Unicode by its name.
    private static func encoded(_ text: String, _ form: String) -> [UInt8] {
        switch form {
        case "UTF-16BE": units(text.utf16, bigEndian: true)
        case "UTF-16LE": units(text.utf16, bigEndian: false)
        case "UTF-32BE": units(text.unicodeScalars.map(\.value), bigEndian: true)
        case "UTF-32LE": units(text.unicodeScalars.map(\.value), bigEndian: false)
        default: Array(text.utf8)
        }
    }

    @Test(
        "Every form of Unicode is read, with and without a byte order mark, whatever the file says of itself",
        arguments: ["UTF-8", "UTF-16BE", "UTF-16LE", "UTF-32BE", "UTF-32LE"],
        [true, false])
    func unicode(form: String, marked: Bool) throws {
        for text in ["UTF-8", "UTF-16", form, "windows-1252"].map({
            Self.packager.replacing("ENCODING", with: $0)
        }) + [Self.specification, "\r\n " + Self.specification] {
            let bytes = Self.encoded((marked ? "\u{FEFF}" : "") + text, form)
            let imported = try ImportedDialect.importing(bytes, name: "imported")
            #expect(imported.dialect[.merchantNameAndLocation]?.name == "Händler, Łódź 😀")
            #expect(
                imported.notes.contains { $0.hasPrefix("the file is \(form.prefix(6)),") }
                    == (form != "UTF-8"))
        }
    }

    @Test(
        "Older encodings with ASCII in its place are read: names decide nothing",
        arguments: ["ISO-8859-1", "windows-1251", "Shift_JIS", "GBK", ""])
    func singleBytes(encoding: String) throws {
        let text = Self.packager.replacing("ENCODING", with: encoding).replacing(
            "Händler, Łódź 😀", with: "N#")
        // A byte over 7F, and one that ends a character of two bytes in East Asian encodings.
        let bytes = text.utf8.flatMap { $0 == UInt8(ascii: "#") ? [0xFA, 0x5C] : [$0] }
        let imported = try ImportedDialect.importing(bytes, name: "imported")
        #expect(imported.dialect[.merchantNameAndLocation]?.name == "N\u{FA}\\")
        #expect(imported.notes.contains { $0.contains("not UTF-8") })
    }

    private static let refused: [(bytes: [UInt8], words: String)] = [
        ([0x4C, 0x6F, 0xA7, 0x94, 0x93], "EBCDIC"), ([0x1F, 0x8B, 0x08], "compressed"),
        (Array("PK\u{3}\u{4}".utf8), "compressed"),
        (Array(packager.replacing("ENCODING", with: "iso-2022-jp").utf8), "encoding ISO-2022-JP is not read"),
        (Array(packager.replacing("ENCODING", with: "UTF-7").utf8), "encoding UTF-7 is not read"),
        (Array(encoded("\u{FEFF}" + packager, "UTF-16LE").dropLast()), "cut short within a character"),
        (Array(encoded(packager, "UTF-32BE").dropLast(3)), "cut short within a character"),
        (encoded("\u{FEFF}<a b=\"", "UTF-16BE") + [0xD8, 0x00, 0x00, 0x20], "a character that is none"),
        (encoded("<", "UTF-32LE") + [0x00, 0x00, 0x11, 0x00], "a character that is none"),
        (encoded("\u{FEFF}", "UTF-16LE"), "no JSON object"), ([0xEF, 0xBB, 0xBF], "no JSON object"),
        ([], "no JSON object"), ([0x00], "no JSON object"),
    ]

    @Test("What cannot be read is refused in words", arguments: refused.indices)
    func refusals(number: Int) {
        let (bytes, words) = Self.refused[number]
        let error = #expect(throws: DialectImportError.self) {
            try ImportedDialect.importing(bytes, name: "imported")
        }
        #expect(error?.reason.contains(words) == true, "\(error?.reason ?? "")")
    }
}
