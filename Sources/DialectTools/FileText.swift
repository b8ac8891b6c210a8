/// Whatever Unicode form a file is written in, as UTF-8: XML processors have to take UTF-16 (XML 1.0 4.3.3), and editors on
/// Windows save it. What a file is in is told by its first bytes; what it says of itself is only believed where these leave
/// it open (XML 1.0 annex F).
enum FileText {
    /// A form of Unicode that is not UTF-8.
    private enum Form: String {
        case utf16BE = "UTF-16, the higher byte first"
        case utf16LE = "UTF-16, the lower byte first"
        case utf32BE = "UTF-32, the highest byte first"
        case utf32LE = "UTF-32, the lowest byte first"

        var unitBytes: Int { self == .utf16BE || self == .utf16LE ? 2 : 4 }
        var isBigEndian: Bool { self == .utf16BE || self == .utf32BE }
    }

    /// - Parameter notes: what was assumed is added.
    /// - Returns: UTF-8 without a byte order mark.
    /// - Throws: in words for what cannot be read: cut short, compressed, in EBCDIC, with shifts between character sets.
    static func utf8(_ file: [UInt8], _ notes: inout [String]) throws(DialectImportError) -> [UInt8] {
        if let (form, mark) = form(file) {
            notes.append("the file is \(form.rawValue)")
            return try decoded(file[mark...], form)
        }
        let bytes = file.starts(with: [0xEF, 0xBB, 0xBF]) ? Array(file.dropFirst(3)) : file
        if let reason = refusal(bytes) { throw DialectImportError(reason) }
        guard String(validating: bytes, as: UTF8.self) == nil else { return bytes }
        notes.append("the file is not UTF-8: names are read as ISO 8859-1")
        return Array(String(String.UnicodeScalarView(bytes.map { Unicode.Scalar($0) })).utf8)
    }

    /// How files begin: with a byte order mark, or with a character of ASCII (nil) and its zeros. The longer ones first.
    private static let beginnings: [(bytes: [UInt8?], form: Form, markBytes: Int)] = [
        ([0x00, 0x00, 0xFE, 0xFF], .utf32BE, 4), ([0xFF, 0xFE, 0x00, 0x00], .utf32LE, 4),
        ([0xFE, 0xFF], .utf16BE, 2), ([0xFF, 0xFE], .utf16LE, 2),
        ([0, 0, 0, nil], .utf32BE, 0), ([nil, 0, 0, 0], .utf32LE, 0),
        ([0, nil], .utf16BE, 0), ([nil, 0], .utf16LE, 0),
    ]

    private static func form(_ file: [UInt8]) -> (Form, markBytes: Int)? {
        let found = beginnings.first { beginning in
            file.count >= beginning.bytes.count
                && zip(beginning.bytes, file).allSatisfy { wanted, byte in
                    wanted.map { $0 == byte } ?? (1..<0x80).contains(byte)
                }
        }
        return found.map { ($0.form, $0.markBytes) }
    }

    private static func decoded(
        _ bytes: ArraySlice<UInt8>, _ form: Form
    ) throws(DialectImportError) -> [UInt8] {
        let count = form.unitBytes
        guard bytes.count.isMultiple(of: count) else {
            throw DialectImportError("the file is \(form.rawValue), and cut short within a character")
        }
        let units = stride(from: bytes.startIndex, to: bytes.endIndex, by: count).map { start in
            let unit = bytes[start..<start + count]
            return (form.isBigEndian ? Array(unit) : unit.reversed()).reduce(UInt32(0)) {
                $0 << 8 | UInt32($1)
            }
        }
        let text =
            count == 2
            ? String(validating: units.map { UInt16(truncatingIfNeeded: $0) }, as: UTF16.self)
            : String(validating: units, as: UTF32.self)
        guard let text else {
            throw DialectImportError("the file is \(form.rawValue), with a character that is none")
        }
        return Array(text.utf8)
    }

    /// What is no text whose ASCII stands as ASCII.
    private static func refusal(_ bytes: [UInt8]) -> String? {
        // `<?xm` in EBCDIC.
        if bytes.starts(with: [0x4C, 0x6F, 0xA7, 0x94]) {
            return "the file is in EBCDIC: convert it to UTF-8, for instance with iconv"
        }
        if bytes.starts(with: [0x1F, 0x8B]) || bytes.starts(with: [0x50, 0x4B, 0x03, 0x04]) {
            return "the file is compressed: unpack it first"
        }
        // Escapes change what the bytes behind them mean, quotes and brackets among them.
        let name = declaredEncoding(bytes)?.uppercased() ?? ""
        let shifts = name.hasPrefix("ISO-2022") || name.hasPrefix("UTF-7") || name.hasPrefix("HZ")
        return shifts ? "the encoding \(name) is not read: convert the file to UTF-8" : nil
    }

    /// Of the XML declaration; nil where there is none.
    private static func declaredEncoding(_ bytes: [UInt8]) -> String? {
        guard bytes.starts(with: Array("<?xml".utf8)), let end = bytes.firstIndex(of: UInt8(ascii: ">"))
        else {
            return nil
        }
        let text = String(decoding: bytes[..<end], as: UTF8.self)
        guard let start = text.firstRange(of: "encoding")?.upperBound else { return nil }
        let parts = text[start...].split(
            omittingEmptySubsequences: false, whereSeparator: { $0 == "\"" || $0 == "'" })
        return parts.count > 1 ? String(parts[1].prefix(40)) : nil
    }
}
