/// What the name of a jPOS field class says: family (IF and IFA ASCII, IFB binary, IFE EBCDIC; of IFEA, IFEB and IFAE the
/// first letter is the length's, the second the content's), L's of the length indicator, H for a binary one, F for
/// content filled up to its greatest length, and the kind of content.
struct JPOSClass {
    let type: String
    let encoding: String
    let ls: Int
    let lengthEncoding: String?
    /// What fills up an odd digit, where the class fixes it.
    let pad: String?
    let countsBytes: Bool
    let isFilled: Bool
    let isBitmap: Bool
    /// The field takes no bytes of a message.
    let isAbsent: Bool

    /// The greatest length that the indicator can say, in units of the field's own length; nil for a fixed field.
    var lengthMax: Int? {
        switch lengthEncoding {
        case nil: nil
        case "binary": ls <= 2 ? 255 : 65_535
        default: (0..<ls).reduce(1) { power, _ in power * 10 } - 1
        }
    }

    private enum Family: String {
        case plain = "IF"
        case ascii = "IFA"
        case binary = "IFB"
        case ebcdic = "IFE"
        case ebcdicThenASCII = "IFEA"
        case ebcdicThenBinary = "IFEB"
        case asciiThenEBCDIC = "IFAE"
    }

    init(_ field: JPOSPackager.Field) throws(DialectImportError) {
        let name = field.className.split(separator: ".").last.map(String.init) ?? ""
        let unknown = DialectImportError(field: field.id, "unknown class \(name)")
        let parts = name.split(separator: "_", maxSplits: 1)
        guard parts.count == 2, let family = Family(rawValue: String(parts[0])) else { throw unknown }
        var rest = Substring(parts[1])
        isAbsent = family == .plain && rest == "NOP"
        if isAbsent { rest = "CHAR" }
        isFilled = rest.hasPrefix("FL")
        if isFilled { rest = rest.dropFirst() }
        ls = rest.prefix { $0 == "L" }.count
        rest = rest.dropFirst(ls)
        // H before the content's name: the indicator is a binary number.
        let isBinaryLength = ls > 0 && rest.first == "H" && rest != "HEX"
        if isBinaryLength { rest = rest.dropFirst() }
        let isEBCDICText = rest == "ECHAR"
        if isEBCDICText { rest = "CHAR" }
        let contentIsEBCDIC = family == .ebcdic || family == .asciiThenEBCDIC || isEBCDICText
        let isPacked = family == .binary || family == .ebcdicThenBinary
        (type, encoding) = try Self.content(
            rest, isVariable: ls > 0, isPacked: isPacked, isEBCDIC: contentIsEBCDIC, unknown: unknown)
        isBitmap = rest == "BITMAP"
        // Packed digits behind an EBCDIC length are counted in bytes, an F says that one nibble is none; filled ones
        // are digits of text only.
        countsBytes = family == .ebcdicThenBinary
        pad = family == .ebcdicThenBinary || rest == "FNUMERIC" ? "rightF" : nil
        guard ls <= 6, !isFilled || !isPacked && encoding != "binary" else { throw unknown }
        let lengthIsEBCDIC =
            contentIsEBCDIC && family != .asciiThenEBCDIC || family == .ebcdicThenASCII
            || family == .ebcdicThenBinary
        lengthEncoding =
            ls == 0
            ? nil
            : isBinaryLength ? "binary" : family == .binary ? "bcd" : lengthIsEBCDIC ? "ebcdic" : "ascii"
    }

    private static func content(
        _ kind: Substring, isVariable: Bool, isPacked: Bool, isEBCDIC: Bool, unknown: DialectImportError
    ) throws(DialectImportError) -> (type: String, encoding: String) {
        let text = isEBCDIC ? "ebcdic" : "ascii"
        let digits = isPacked ? "bcd" : text
        // Fixed binary content of the text families is written in hex digits; after an indicator it is raw.
        let fixedBinary = isPacked ? "binary" : isEBCDIC ? "ebcdicHex" : "hex"
        return switch (kind, isVariable) {
        case ("CHAR", _): ("ans", text)
        case ("NUMERIC", false), ("NUM", true), ("AMOUNT2003", false), ("FNUMERIC", false): ("n", digits)
        case ("AMOUNT", false): ("x+n", digits)
        case ("BINARY", false), ("BITMAP", false): ("b", fixedBinary)
        case ("BINARY", true): ("b", "binary")
        case ("ABINARY", true): ("b", "hex")
        default: throw unknown
        }
    }
}
