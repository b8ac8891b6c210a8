extension ApplicationTransactionCounter {
    /// By number; the counter never wraps (EMV Book 3 6.5.5: the card blocks itself at 65,535).
    package static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }

    /// Decimal.
    package var description: String { String(rawValue) }
}

extension CryptogramKind {
    /// The abbreviation everybody uses.
    package var description: String {
        switch self {
        case .aac: "AAC"
        case .tc: "TC"
        case .arqc: "ARQC"
        }
    }
}

/// Authorisation response code (tag 8A): two alphanumeric characters for the card. Not DE39, though often
/// equal to it.
package struct AuthorisationResponseCode: Hashable, Sendable, CustomStringConvertible {
    /// The two ASCII bytes, big endian.
    package let rawValue: UInt16

    /// - Returns: nil unless the text is two ASCII letters or digits.
    package init?(_ text: String) {
        let ascii = Array(text.utf8)
        guard ascii.count == 2, ascii.allSatisfy(AuthorisationResponseCode.isAlphanumeric) else { return nil }
        rawValue = UInt16(ascii[0]) << 8 | UInt16(ascii[1])
    }

    /// Two bytes as they came in tag 8A or 91; not checked, since a card computes over whatever it is given.
    package init(rawValue: UInt16) { self.rawValue = rawValue }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
    }

    /// The two characters; a byte that is none is shown as `.`.
    package var description: String {
        String(
            [UInt8(rawValue >> 8), UInt8(rawValue & 0xFF)].map { byte -> Character in
                (0x20...0x7E).contains(byte) ? Character(UnicodeScalar(byte)) : "."
            })
    }
}

/// Card status update (EMV Book 3 C10, CCD): four bytes that tell the card what to do.
package struct CardStatusUpdate: Hashable, Sendable {
    /// The four bytes, big endian.
    package let rawValue: UInt32

    package init(rawValue: UInt32) { self.rawValue = rawValue }

    /// Byte 2: bit 8 issuer approves online transaction; bits 2–1 `10` reset the offline counters to zero.
    package static let approve = CardStatusUpdate(rawValue: 0x0082_0000)
    /// No approval, counters left alone.
    package static let decline = CardStatusUpdate(rawValue: 0x0000_0000)

    /// Byte 2, bit 8.
    package var approves: Bool { rawValue & 0x0080_0000 != 0 }
}
