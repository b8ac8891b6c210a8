import Foundation
import ISO8583
import Testing

/// The form of `iso8583-specs.json`: properties as pyiso8583 names them.
private struct SpecificationFile: Decodable {
    var specs: [String: Specification]

    struct Specification: Decodable {
        var fields: [String: Field]
    }

    struct Field: Decodable {
        var data_enc: String
        var len_enc: String
        var len_type: Int
        var max_len: Int
        var len_count: String?
        var left_pad: String?
        var right_pad: String?
    }
}

/// Each dialect against the specification of its name, element by element: what the messages do not use too.
@Suite("Dialect specification vectors")
struct DialectVectorsTests {
    @Test func everyElementIsAsSpecified() throws {
        let files = VectorFiles.all(SpecificationFile.self)
        var compared = 0
        for (name, specification) in files.flatMap(\.content.specs) {
            let dialect = try VectorFiles.dialect(name)
            for (number, field) in specification.fields {
                guard let value = UInt8(number), let element = DataElement(rawValue: value) else { continue }
                // 1 is the second bitmap, 65 would announce a third one: no dialect has one.
                guard value != 1, value != 65 else {
                    #expect(dialect[element] == nil, "\(name) \(element)")
                    continue
                }
                let definition = try #require(dialect[element], "\(name) \(element)")
                check(definition, field, "\(name) \(element)")
                compared += 1
            }
            #expect(dialect.definedElements.allSatisfy { specification.fields["\($0.rawValue)"] != nil })
        }
        #expect(compared > 0)
        print("dialect specification vectors: \(compared) elements")
    }

    private func check(
        _ definition: ElementDefinition, _ field: SpecificationFile.Field, _ label: String
    ) {
        let encodings: [ElementDefinition.ContentEncoding]
        switch (field.data_enc, field.len_count) {
        case ("b", "nibbles"): encodings = [.bcd]
        case ("b", _): encodings = [.binary]
        case ("cp500", _): encodings = [.ebcdic]
        default: encodings = [.ascii, .hex]
        }
        #expect(encodings.contains(definition.encoding), "\(label)")
        // In their notation hex digits are counted one by one, in ours the bytes. Chip data is longer in the field than
        // these specifications have it: as long as its indicator can say.
        let counted = definition.max * (definition.encoding == .hex ? 2 : 1)
        let isChipData = definition.name == "ICC data"
        #expect(isChipData ? 998...999 ~= counted : counted == field.max_len, "\(label)")
        #expect((definition.length == .fixed) == (field.len_type == 0), "\(label)")
        if field.len_type > 0 {
            let digits = definition.length.digits
            let (encoding, bytes): (String, Int) =
                switch definition.lengthEncoding {
                case .ascii: ("ascii", digits)
                case .ebcdic: ("cp500", digits)
                case .bcd: ("bcd", (digits + 1) / 2)
                case .binary: ("b", digits <= 2 ? 1 : 2)
                }
            #expect(encoding == field.len_enc && bytes == field.len_type, "\(label)")
        }
        if definition.encoding == .bcd {
            let pad = (field.left_pad ?? "").isEmpty ? "right" + (field.right_pad ?? "") : "left0"
            #expect(definition.pad.rawValue == pad, "\(label)")
        }
    }
}
