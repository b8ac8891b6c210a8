internal import Glibc

/// Where a key came from and when, written into `CKA_ID` when the key is made. No key of this product is modifiable,
/// so the token itself keeps anyone from writing it anew: `ceremony/20261124T190733Z/08D7B4/imk-ac-476173.v2`. The label
/// belongs to it because NSS takes a second secret key with the same `CKA_ID` for the first one, and writes over it.
package struct KeyProvenance: Hashable, Sendable, CustomStringConvertible {
    /// How a key got into the token.
    package enum Origin: String, Sendable, CaseIterable {
        /// Put together from components under M-of-N control.
        case ceremony
        /// Made by the token; nobody has ever seen it.
        case generated
        /// Came under another key.
        case imported
        /// A public test value.
        case test
    }

    /// How.
    package let origin: Origin
    /// When, seconds since 1970.
    package let created: Int
    /// The check value at that time in hex, nil where it was not known before the key was made.
    package let checkValue: String?
    /// The header of the key block that it came in, nil for a key that came otherwise: what the sender allows.
    package let blockHeader: String?

    /// Takes the parts; `created` is now unless given.
    package init(
        _ origin: Origin, created: Int? = nil, checkValue: String? = nil, blockHeader: String? = nil
    ) {
        self.blockHeader = blockHeader
        self.origin = origin
        self.created = created ?? time(nil)
        self.checkValue = checkValue
    }

    /// - Parameter identifier: `CKA_ID`; nil for a key that this product did not make.
    package init?(identifier: [UInt8]) {
        let parts = String(decoding: identifier, as: UTF8.self).split(
            separator: "/", maxSplits: 4, omittingEmptySubsequences: false)
        guard parts.count >= 4, let origin = Origin(rawValue: String(parts[0])) else {
            return nil
        }
        guard let created = KeyProvenance.seconds(from: String(parts[1])) else { return nil }
        self.init(
            origin, created: created, checkValue: parts[2].isEmpty ? nil : String(parts[2]),
            blockHeader: parts.count == 5 ? String(parts[4]) : nil)
    }

    private static func seconds(from text: String) -> Int? {
        let digits = text.utf8.map { Int($0) - 0x30 }
        guard digits.count == 16 else { return nil }
        func number(_ range: Range<Int>) -> Int32 { Int32(range.reduce(0) { $0 * 10 + digits[$1] }) }
        var fields = tm()
        fields.tm_year = number(0..<4) - 1900
        fields.tm_mon = number(4..<6) - 1
        fields.tm_mday = number(6..<8)
        fields.tm_hour = number(9..<11)
        fields.tm_min = number(11..<13)
        fields.tm_sec = number(13..<15)
        let seconds = timegm(&fields)
        // Only what is written exactly so was meant.
        return self.text(of: seconds) == text ? seconds : nil
    }

    private static let form = "%Y%m%dT%H%M%SZ"

    /// When, `20261124T190733Z`.
    package var createdText: String { KeyProvenance.text(of: created) }

    /// A time of UTC as ISO 8601 writes it without marks.
    package static func text(of seconds: Int) -> String {
        var seconds = seconds
        var fields = tm()
        gmtime_r(&seconds, &fields)
        var text = [CChar](repeating: 0, count: 32)
        let count = strftime(&text, text.count, form, &fields)
        return String(decoding: text.prefix(count).map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    /// `CKA_ID` of the key with this label.
    package func identifier(of label: String) -> [UInt8] {
        Array((["\(self)", label] + [blockHeader].compactMap { $0 }).joined(separator: "/").utf8)
    }

    /// As it stands in `CKA_ID`, before the label.
    package var description: String { "\(origin.rawValue)/\(createdText)/\(checkValue ?? "")" }
}
