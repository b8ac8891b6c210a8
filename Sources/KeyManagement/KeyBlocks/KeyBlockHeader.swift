internal import ByteCoding

/// A key block that is not one, or that this product refuses. Never holds a key.
package struct KeyBlockError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The field at fault, as ANSI X9.143 names it.
    package let field: String
    /// What is wrong with it.
    package let reason: String

    init(_ field: String, _ reason: String) {
        self.field = field
        self.reason = reason
    }

    /// One line for people.
    package var description: String { "key block, \(field): \(reason)" }
}

/// How a key block protects its key (ANSI X9.143-2021, 5.3; TR-31:2018).
package enum KeyBlockVersion: Character, Sendable, CaseIterable {
    /// TDES, key variants; replaced, here for what still comes so.
    case a = "A"
    /// TDES, derived keys and CMAC.
    case b = "B"
    /// TDES, key variants: as A, with another header byte.
    case c = "C"
    /// AES, derived keys and CMAC.
    case d = "D"
    /// As D, but enciphered as a stream (ISO 20038).
    case e = "E"

    /// Bytes of a block of the protecting cipher.
    package var blockCount: Int { self == .d || self == .e ? 16 : 8 }
    /// True where key data are filled up to whole blocks.
    package var fillsBlocks: Bool { self != .e }
    /// Bytes of the MAC at the end.
    package var macCount: Int {
        switch self {
        case .a, .c: 4
        case .b: 8
        case .d, .e: 16
        }
    }
    /// True where the keys are the protecting key xor a constant.
    package var usesVariants: Bool { self == .a || self == .c }
}

/// An optional block (ANSI X9.143, 6.3.6): `KS`, `LB`, `TS` …
package struct OptionalBlock: Hashable, Sendable {
    /// Two characters.
    package let identifier: String
    /// Printable ASCII.
    package let data: String

    package init(_ identifier: String, _ data: String) {
        self.identifier = identifier
        self.data = data
    }
}

/// The header of a key block, everything that stands in clear and is authenticated (ANSI X9.143, 6.2).
package struct KeyBlockHeader: Hashable, Sendable {
    /// How the key is protected.
    package var version: KeyBlockVersion
    /// Key usage, two characters: `E0`.
    package var usage: String
    /// Algorithm: `T` triple DES, `A` AES, `H` HMAC.
    package var algorithm: Character
    /// Mode of use: `X` derives keys.
    package var mode: Character
    /// Key version number, two characters: `00` where versions are not used.
    package var keyVersion: String
    /// `E` exportable under a trusted key, `N` not, `S` sensitive.
    package var exportability: Character
    /// What else is said of the key, in order; without the padding block `PB`.
    package var optionalBlocks: [OptionalBlock]

    package init(
        version: KeyBlockVersion, usage: String, algorithm: Character, mode: Character,
        keyVersion: String = "00", exportability: Character, optionalBlocks: [OptionalBlock] = []
    ) {
        self.version = version
        self.usage = usage
        self.algorithm = algorithm
        self.mode = mode
        self.keyVersion = keyVersion
        self.exportability = exportability
        self.optionalBlocks = optionalBlocks
    }

    /// Characters of the fixed part.
    static let fixedCount = 16

    /// The header as it stands in a block whose whole length is given, padded with `PB` to whole blocks.
    func encode(bodyCharacters: Int) throws(KeyBlockError) -> String {
        var blocks = optionalBlocks
        if !blocks.isEmpty {
            let filled = blocks.reduce(0) { sum, block in
                let count = block.data.utf8.count + 4
                return sum + (count < 256 ? count : count + 6)
            }
            let excess = filled % version.blockCount
            // Four characters are the least that a block has.
            if excess != 0 {
                var padding = version.blockCount - excess
                if padding < 4 { padding += version.blockCount }
                blocks.append(OptionalBlock("PB", String(repeating: "0", count: padding - 4)))
            }
        }
        let encoded = try blocks.map { (block) throws(KeyBlockError) in
            let count = block.data.utf8.count + 4
            guard block.identifier.utf8.count == 2 else {
                throw KeyBlockError("optional block \(block.identifier)", "an identifier has two characters")
            }
            guard count >= 256 else { return block.identifier + Hex.encode([UInt8(count)]) + block.data }
            // The extended form: 00, how many bytes the length has, the length itself (6.3.6).
            let whole = count + 6
            guard whole <= 9_992 else {
                throw KeyBlockError("optional block \(block.identifier)", "more than 9992 characters")
            }
            return block.identifier + "0002" + Hex.encode([UInt8(whole >> 8), UInt8(whole & 0xFF)])
                + block.data
        }.joined()
        let total = KeyBlockHeader.fixedCount + encoded.count + bodyCharacters
        guard total <= 9_992, blocks.count < 100 else {
            throw KeyBlockError("length", "more than 9992 characters")
        }
        return "\(version.rawValue)\(KeyBlockHeader.digits(total, 4))\(usage)\(algorithm)\(mode)\(keyVersion)"
            + "\(exportability)\(KeyBlockHeader.digits(blocks.count, 2))00\(encoded)"
    }

    private static func digits(_ number: Int, _ count: Int) -> String {
        let text = String(number)
        return String(repeating: "0", count: count - text.count) + text
    }
}

/// A key block in its parts: header, enciphered key data, MAC.
package struct KeyBlock: Hashable, Sendable {
    /// What stands in clear.
    package let header: KeyBlockHeader
    /// The header's characters as they came: they are authenticated as they stand.
    let headerBytes: [UInt8]
    /// Length, key and padding, enciphered.
    let encipheredData: [UInt8]
    let mac: [UInt8]

    /// - Parameter text: printable ASCII.
    /// - Throws: `KeyBlockError`, naming the field.
    package init(parsing text: String) throws(KeyBlockError) {
        let characters = Array(text.utf8)
        let (header, end) = try KeyBlock.head(characters, whole: characters.count)
        self.header = header
        func field(_ range: Range<Int>) -> String { String(decoding: characters[range], as: UTF8.self) }
        let version = header.version
        headerBytes = Array(characters[..<end])
        guard let body = try? Hex.decode(field(end..<characters.count)) else {
            throw KeyBlockError("key data", "not hexadecimal")
        }
        let dataCount = body.count - version.macCount
        guard dataCount >= 2 + 8, !version.fillsBlocks || dataCount.isMultiple(of: version.blockCount) else {
            throw KeyBlockError("key data", "too short or not of whole blocks")
        }
        encipheredData = Array(body[..<dataCount])
        mac = Array(body[dataCount...])
    }

    /// A header by itself, as one of a block without a body.
    static func header(parsing text: String) throws(KeyBlockError) -> KeyBlockHeader {
        let characters = Array(text.utf8)
        return try head(characters, whole: characters.count).header
    }

    private static func head(
        _ characters: [UInt8], whole: Int
    ) throws(KeyBlockError) -> (header: KeyBlockHeader, end: Int) {
        guard characters.count >= KeyBlockHeader.fixedCount,
            characters.allSatisfy({ (0x20...0x7E).contains($0) })
        else { throw KeyBlockError("header", "sixteen printable characters are needed") }
        func field(_ range: Range<Int>) -> String { String(decoding: characters[range], as: UTF8.self) }
        guard let version = KeyBlockVersion(rawValue: Character(field(0..<1))) else {
            throw KeyBlockError("version", "\(field(0..<1)) is none of A, B, C, D, E")
        }
        guard field(1..<5).allSatisfy(\.isWholeNumber), Int(field(1..<5)) == whole else {
            throw KeyBlockError("length", "\(field(1..<5)) is not the block's \(whole) characters")
        }
        guard field(12..<14).allSatisfy(\.isWholeNumber), let count = Int(field(12..<14)) else {
            throw KeyBlockError("number of optional blocks", "\(field(12..<14)) is no number")
        }
        let (blocks, end) = try KeyBlock.optionalBlocks(count, characters)
        guard end.isMultiple(of: version.blockCount) else {
            throw KeyBlockError("optional blocks", "the header is not of whole blocks")
        }
        let header = KeyBlockHeader(
            version: version, usage: field(5..<7), algorithm: Character(field(7..<8)),
            mode: Character(field(8..<9)), keyVersion: field(9..<11),
            exportability: Character(field(11..<12)),
            optionalBlocks: blocks)
        return (header, end)
    }

    private static func optionalBlocks(
        _ count: Int, _ characters: [UInt8]
    ) throws(KeyBlockError) -> (blocks: [OptionalBlock], end: Int) {
        var blocks: [OptionalBlock] = []
        var offset = KeyBlockHeader.fixedCount
        for number in 0..<count {
            guard offset + 4 <= characters.count else {
                throw KeyBlockError("optional block \(number + 1)", "the key block ends before it")
            }
            let identifier = String(decoding: characters[offset..<offset + 2], as: UTF8.self)
            let digits = String(decoding: characters[offset + 2..<offset + 4], as: UTF8.self)
            var (head, length) = (4, UInt8(digits, radix: 16).map(Int.init) ?? 0)
            if digits == "00" { (head, length) = extendedLength(characters, offset) }
            guard length >= head, offset + length <= characters.count else {
                throw KeyBlockError("optional block \(identifier)", "length \(digits) is impossible")
            }
            let data = String(decoding: characters[offset + head..<offset + length], as: UTF8.self)
            if identifier != "PB" {
                guard !blocks.contains(where: { $0.identifier == identifier }) else {
                    throw KeyBlockError("optional block \(identifier)", "comes twice")
                }
                blocks.append(OptionalBlock(identifier, data))
            }
            offset += length
        }
        return (blocks, offset)
    }

    /// More than 255 characters: 00, the count of the length's bytes, the length (6.3.6). Zero for nonsense.
    private static func extendedLength(_ characters: [UInt8], _ offset: Int) -> (head: Int, length: Int) {
        func number(_ range: Range<Int>) -> Int? {
            guard range.upperBound <= characters.count else { return nil }
            let digits = characters[range]
            guard digits.allSatisfy({ Character(UnicodeScalar($0)).isHexDigit }) else { return nil }
            return Int(String(decoding: digits, as: UTF8.self), radix: 16)
        }
        guard let bytes = number(offset + 4..<offset + 6), (1...4).contains(bytes),
            let length = number(offset + 6..<offset + 6 + 2 * bytes)
        else { return (1, 0) }
        return (6 + 2 * bytes, length)
    }
}
