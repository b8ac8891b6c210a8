import ISO8583
import Testing

@Suite("Dialect loading")
struct DialectLoadingTests {
    private func load(_ json: String) throws -> Dialect {
        try Dialect(json: Array(json.utf8), name: "test")
    }

    private func element(_ keys: String) -> String {
        #"{ "elements": { "2": { "name": "PAN", \#(keys) } } }"#
    }

    @Test func everyDialectOfTheFolderLoads() throws {
        #expect(VectorFiles.dialectNames.count >= 7)
        for name in VectorFiles.dialectNames {
            let dialect = try VectorFiles.dialect(name)
            #expect(!dialect.description.isEmpty && !dialect.definedElements.isEmpty, "\(name)")
        }
    }

    @Test func absentKeysHaveTheirStandardMeaning() throws {
        let dialect = try load(element(#""type": "n", "max": 19, "length": "llvar""#))
        #expect(dialect[.pan]?.encoding == .ascii && dialect[.pan]?.lengthEncoding == .ascii)
        #expect(dialect.header.bytes == 0 && dialect.bitmap.secondary == .announced)
        #expect(dialect[.stan] == nil)
    }

    @Test func misspeltKeysAreRefusedWithTheNearest() {
        #expect(
            throws: DialectError.unknownKey(
                dialect: "test", key: "elements.2.lenght", nearest: "length")
        ) { try load(element(#""lenght": "llvar""#)) }
        #expect(throws: DialectError.unknownKey(dialect: "test", key: "bitmaps", nearest: "bitmap")) {
            try load(#"{ "bitmaps": {} }"#)
        }
        #expect(throws: DialectError.unknownKey(dialect: "test", key: "header.byte", nearest: "bytes")) {
            try load(#"{ "header": { "byte": 5 } }"#)
        }
    }

    @Test(arguments: [
        #""type": "n", "max": 19, "encoding": "hex""#,
        #""type": "n", "max": 19, "length": "lvar""#,
        #""type": "n", "max": 0"#,
        #""type": "n", "max": 19, "length": "llvar", "encoding": "bcd", "unit": "bytes", "pad": "left0""#,
        #""type": "z", "max": 37, "separator": "F""#,
        #""type": "b", "max": 8, "encoding": "bcd""#,
        #""type": "x+n", "max": 9, "encoding": "bcd", "length": "llvar""#,
    ])
    func contradictionsAreRefused(_ keys: String) {
        let error = #expect(throws: DialectError.self) { try load(element(keys)) }
        guard case .element(_, "2", _)? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test(arguments: [
        "", "[]", #"{ "elements": { "2": { "name": "PAN" } } }"#, #"{ "bitmap": { "bits": 60 } }"#,
        #"{ "bitmap": { "bits": 32 } }"#, #"{ "header": { "bytes": 4, "tpdu": true } }"#,
        #"{ "header": { "bytes": -1 } }"#, #"{ "messageType": { "version": 12 } }"#,
        #"{ "elements": { "129": { "name": "x", "type": "n", "max": 1 } } }"#,
        #"{ "elements": { "1": { "name": "x", "type": "n", "max": 1 } } }"#,
        #"{ "bitmap": { "encoding": "octal" } }"#, #"{ "extends": "other" }"#,
    ])
    func malformedFilesAreRefused(_ json: String) {
        #expect(throws: DialectError.self) { try load(json) }
    }

    @Test func circlesAreRefused() {
        let json = Array(#"{ "extends": "b" }"#.utf8)
        #expect(throws: DialectError.tooDeep(dialect: "b")) {
            try Dialect(json: json, name: "a") { _ in json }
        }
    }

    @Test func aDialectIsLookedForInItsOwnFolderOnly() {
        #expect(throws: DialectError.self) { try VectorFiles.dialect("no-such-dialect") }
    }

    @Test func packedDigitsCanBeCountedInBytes() throws {
        let json = """
            { "messageType": { "encoding": "bcd" }, "encodings": { "digits": "bcd", "length": "bcd" },
              "elements": { "2": { "name": "PAN", "type": "n", "length": "llvar", "max": 19,
                                   "unit": "bytes", "pad": "rightF" } } }
            """
        let codec = MessageCodec(dialect: try load(json))
        var message = Message(mti: .authorisationRequest)
        message.set(.pan, text: "12345")
        let bytes = try codec.encode(message)
        #expect(bytes == [0x01, 0x00, 0x40, 0, 0, 0, 0, 0, 0, 0, 0x03, 0x12, 0x34, 0x5F])
        #expect(try codec.decode(bytes).text(.pan) == "12345")
    }
}
