/// How a message is filled up to whole blocks before a MAC (ISO/IEC 9797-1).
package enum CryptogramPadding: Sendable {
    /// Zeros, none if the blocks are full.
    case method1
    /// `80`, then zeros.
    case method2
    /// None: the MAC has its own (CMAC).
    case none
}

/// The block cipher of a card's keys.
package enum CardCipher: Sendable {
    /// Triple DES; cryptograms are MACs by ISO/IEC 9797-1 algorithm 3.
    case tripleDES
    /// AES; cryptograms are the leftmost eight bytes of a CMAC (EMV Book 2 8.1.2).
    case aes
}

/// How the key of a cryptogram follows from the ICC master key.
package enum SessionKeyMethod: Sendable {
    /// The ICC master key itself.
    case none
    /// EMV common session key derivation from the ATC (EMV Book 2 A1.3.1).
    case common
    /// Mastercard session key derivation from ATC and unpredictable number.
    case mastercard
}

/// How the issuer answers (EMV Book 2 8.2).
package enum IssuerResponseMethod: Sendable {
    /// ARPC of eight bytes over the response code.
    case method1
    /// ARPC of four bytes over the card status update.
    case method2
}

/// Which bytes of the IAD are part of the cryptogram's input.
package enum CryptogramTail: Hashable, Sendable {
    /// All of them.
    case wholeIAD
    /// The bytes of the first range, then those of the second, which may be empty.
    case iadBytes(Range<Int>, Range<Int>)
}

extension CryptogramProfile {
    /// All rows.
    package static let all: [CryptogramProfile] = [
        .visaCVN10, .visaCVN17, .visaCVN18, .visaCVN22, .mcCVN10h, .mcCVN11h, .mcCVN14h, .mcCVN15h, .ccd,
        .ccdAES,
        .interacCVN133,
    ]

    private static let mChipCVR = CryptogramTail.iadBytes(2..<8, 0..<0)
    private static let mChipCVRAndCounters = CryptogramTail.iadBytes(2..<8, 10..<18)

    /// Visa CVN 10: the ICC master key signs; only the CVR of the IAD is covered.
    package static let visaCVN10 = CryptogramProfile(
        name: "visa-cvn10", format: .visa, versionNumber: 0x0A, tail: .iadBytes(3..<7, 0..<0),
        padding: .method1,
        sessionKey: .none, responseKey: .none, responseMethod: .method1, defaultMasterKeyOption: .a)
    /// Visa CVN 17, of contactless cards: amount, unpredictable number, ATC and one byte of the CVR under the ICC master key.
    /// Unconfirmed: no public source has a value of it. Transaction type and currency are not signed.
    package static let visaCVN17 = CryptogramProfile(
        name: "visa-cvn17", format: .visa, versionNumber: 0x11, tail: .iadBytes(4..<5, 0..<0),
        padding: .method1,
        sessionKey: .none, responseKey: .none, responseMethod: .method1, defaultMasterKeyOption: .a,
        signedObjects: 1 << 0 | 1 << 7 | 1 << 9)
    /// Visa CVN 18: common session key, the whole IAD, card status update.
    package static let visaCVN18 = CryptogramProfile(
        name: "visa-cvn18", format: .visa, versionNumber: 0x12, tail: .wholeIAD, padding: .method2,
        sessionKey: .common, responseKey: .common, responseMethod: .method2, defaultMasterKeyOption: .b)
    /// Visa CVN 22: as 18, with the IAD in format 2.
    package static let visaCVN22 = CryptogramProfile(
        name: "visa-cvn22", format: .visaFormat2, versionNumber: 0x22, tail: .wholeIAD, padding: .method2,
        sessionKey: .common, responseKey: .common, responseMethod: .method2, defaultMasterKeyOption: .b)
    /// M/Chip CVN 10h: Mastercard session key for the ARQC, ICC master key for the ARPC.
    package static let mcCVN10h = CryptogramProfile(
        name: "mc-cvn10h", format: .mChip, versionNumber: 0x10, tail: mChipCVR, padding: .method2,
        sessionKey: .mastercard, responseKey: .none, responseMethod: .method1, defaultMasterKeyOption: .a)
    /// M/Chip CVN 11h: as 10h, the counters covered too.
    package static let mcCVN11h = CryptogramProfile(
        name: "mc-cvn11h", format: .mChip, versionNumber: 0x11, tail: mChipCVRAndCounters, padding: .method2,
        sessionKey: .mastercard, responseKey: .none, responseMethod: .method1, defaultMasterKeyOption: .a)
    /// M/Chip CVN 14h: common session key for both directions.
    package static let mcCVN14h = CryptogramProfile(
        name: "mc-cvn14h", format: .mChip, versionNumber: 0x14, tail: mChipCVR, padding: .method2,
        sessionKey: .common, responseKey: .common, responseMethod: .method1, defaultMasterKeyOption: .a)
    /// M/Chip CVN 15h: as 14h, the counters covered too.
    package static let mcCVN15h = CryptogramProfile(
        name: "mc-cvn15h", format: .mChip, versionNumber: 0x15, tail: mChipCVRAndCounters, padding: .method2,
        sessionKey: .common, responseKey: .common, responseMethod: .method1, defaultMasterKeyOption: .a)
    /// Common core definitions with cryptogram version 5 (EMV Book 2 8, Book 3 C).
    package static let ccd = CryptogramProfile(
        name: "ccd", format: .commonCore, versionNumber: 0xA5, tail: .wholeIAD, padding: .method2,
        sessionKey: .common, responseKey: .common, responseMethod: .method2, defaultMasterKeyOption: .a)
    /// Common core definitions with cryptogram version 6: AES throughout. No published example of these computations
    /// is known; two of our own agree, the token's and the virtual card's.
    package static let ccdAES = CryptogramProfile(
        name: "ccd-aes", format: .commonCore, versionNumber: 0xA6, tail: .wholeIAD, padding: .none,
        sessionKey: .common, responseKey: .common, responseMethod: .method2, defaultMasterKeyOption: .c,
        cipher: .aes)
    /// Interac CVN 133: Mastercard session key for both directions.
    package static let interacCVN133 = CryptogramProfile(
        name: "interac-cvn133", format: .interac, versionNumber: 0x85, tail: .wholeIAD, padding: .method2,
        sessionKey: .mastercard, responseKey: .mastercard, responseMethod: .method1,
        defaultMasterKeyOption: .a)

    /// The row with this name, nil where there is none.
    package static func named(_ name: String) -> CryptogramProfile? { all.first { $0.name == name } }
}

/// The IAD is readable, but does not lead to exactly one profile of the issuer range.
package enum CryptogramProfileError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The range allows no profile with this version number in this format.
    case notAllowed(format: IssuerApplicationDataFormat, versionNumber: UInt8)
    /// The bytes fit these two profiles, and the range allows both.
    case ambiguous(String, String)

    /// One line for people.
    package var description: String {
        switch self {
        case .notAllowed(let format, let versionNumber):
            "CVN \(String(versionNumber, radix: 16, uppercase: true))h in format \(format) not allowed here"
        case .ambiguous(let first, let second): "IAD fits both \(first) and \(second)"
        }
    }
}
