/// Application transaction counter (tag 9F36): the card counts its transactions, 1…65,535.
public struct ApplicationTransactionCounter: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The counter.
    public let rawValue: UInt16

    /// Takes the counter.
    public init(rawValue: UInt16) { self.rawValue = rawValue }

    /// By number; the counter never wraps (EMV Book 3 6.5.5: the card blocks itself at 65,535).
    public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }

    /// Decimal.
    public var description: String { String(rawValue) }
}

/// Unpredictable number of the terminal (tag 9F37), four bytes.
public struct UnpredictableNumber: Hashable, Sendable {
    /// The four bytes, big endian.
    public let rawValue: UInt32

    /// Takes the number.
    public init(rawValue: UInt32) { self.rawValue = rawValue }
}

/// Application cryptogram (tag 9F26), eight bytes.
public struct ApplicationCryptogram: Hashable, Sendable {
    /// The eight bytes, big endian.
    public let rawValue: UInt64

    /// Takes the cryptogram.
    public init(rawValue: UInt64) { self.rawValue = rawValue }
}

/// What kind of cryptogram the card gave (tag 9F27, bits 8 and 7; EMV Book 3 table 14).
public enum CryptogramKind: Sendable, CustomStringConvertible {
    /// Declined by the card.
    case aac
    /// Approved by the card, offline.
    case tc
    /// The card asks the issuer.
    case arqc

    /// - Parameter cryptogramInformationData: the byte; nil for the value that is reserved.
    public init?(cryptogramInformationData: UInt8) {
        switch cryptogramInformationData >> 6 {
        case 0: self = .aac
        case 1: self = .tc
        case 2: self = .arqc
        default: return nil
        }
    }

    /// The abbreviation everybody uses.
    public var description: String {
        switch self {
        case .aac: "AAC"
        case .tc: "TC"
        case .arqc: "ARQC"
        }
    }
}

/// Authorisation response code (tag 8A): two alphanumeric characters for the card. Not DE39, though often
/// equal to it.
public struct AuthorisationResponseCode: Hashable, Sendable, CustomStringConvertible {
    /// The two ASCII bytes, big endian.
    public let rawValue: UInt16

    /// - Returns: nil unless the text is two ASCII letters or digits.
    public init?(_ text: String) {
        let ascii = Array(text.utf8)
        guard ascii.count == 2, ascii.allSatisfy(AuthorisationResponseCode.isAlphanumeric) else { return nil }
        rawValue = UInt16(ascii[0]) << 8 | UInt16(ascii[1])
    }

    /// Two bytes as they came in tag 8A or 91; not checked, since a card computes over whatever it is given.
    public init(rawValue: UInt16) { self.rawValue = rawValue }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
    }

    /// The two characters; a byte that is none is shown as `.`.
    public var description: String {
        String(
            [UInt8(rawValue >> 8), UInt8(rawValue & 0xFF)].map { byte -> Character in
                (0x20...0x7E).contains(byte) ? Character(UnicodeScalar(byte)) : "."
            })
    }
}

/// Card status update (EMV Book 3 C10, CCD): four bytes that tell the card what to do.
public struct CardStatusUpdate: Hashable, Sendable {
    /// The four bytes, big endian.
    public let rawValue: UInt32

    /// Takes the bytes.
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    /// Byte 2: bit 8 issuer approves online transaction; bits 2–1 `10` reset the offline counters to zero.
    public static let approve = CardStatusUpdate(rawValue: 0x0082_0000)
    /// No approval, counters left alone.
    public static let decline = CardStatusUpdate(rawValue: 0x0000_0000)

    /// Byte 2, bit 8.
    public var approves: Bool { rawValue & 0x0080_0000 != 0 }
}
