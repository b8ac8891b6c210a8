/// How an issuer application data is laid out. Each format is known by its content.
package enum IssuerApplicationDataFormat: Hashable, Sendable, CaseIterable {
    /// Visa format 0/1/3: `06` DKI CVN CVR(4, begins with `03`), then nothing or a length and issuer's data.
    case visa
    /// Visa format 2: `1F` CVN DKI CVR(5) …, 32 bytes.
    case visaFormat2
    /// M/Chip: DKI CVN CVR(6) DAC(2) counters(8) …; 18, 20, 26 or 28 bytes, CVN `1x`.
    case mChip
    /// Common core definitions (EMV Book 3 C7): `0F` CCI DKI … `0F` …, 32 bytes.
    case commonCore
    /// Interac: `15` DKI CVN …, 22 bytes.
    case interac

    /// True if the bytes can be read in this format.
    func matches(_ iad: ArraySlice<UInt8>) -> Bool {
        let start = iad.startIndex
        let count = iad.count
        guard count >= 3 else { return false }
        switch self {
        case .visa:
            return count >= 7 && iad[start] == 0x06 && iad[start + 3] == 0x03
                && (count == 7 || Int(iad[start + 7]) == count - 8)
        case .visaFormat2:
            return count == 32 && iad[start] == 0x1F
        case .mChip:
            return (count == 18 || count == 20 || count == 26 || count == 28)
                && iad[start + 1] & 0xF0 == 0x10
        case .commonCore:
            return count == 32 && iad[start] == 0x0F && iad[start + 16] == 0x0F
                && iad[start + 1] & 0xF0 == 0xA0
        case .interac:
            return count == 22 && iad[start] == 0x15
        }
    }

    /// Where the cryptogram version number (for CCD the common core identifier) stands.
    var versionOffset: Int {
        switch self {
        case .visa, .interac: 2
        case .visaFormat2, .mChip, .commonCore: 1
        }
    }

    /// The order in which the formats are tried.
    static let inOrder: InlineArray<5, IssuerApplicationDataFormat> = [
        .visa, .visaFormat2, .mChip, .commonCore, .interac,
    ]

    /// Where the card verification results stand.
    package var verificationResults: Range<Int> {
        switch self {
        case .visa: 4..<7
        case .visaFormat2, .commonCore: 3..<8
        case .mChip: 2..<8
        case .interac: 4..<8
        }
    }

    /// Where the derivation key index stands.
    var derivationKeyIndexOffset: Int {
        switch self {
        case .visa, .interac: 1
        case .visaFormat2, .commonCore: 2
        case .mChip: 0
        }
    }
}

/// Why no format fits. Says lengths and identifying bytes only.
package enum IssuerApplicationDataError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Longer than the 32 bytes of tag 9F10.
    case tooLong(Int)
    /// It begins as the format does and then departs from it.
    case malformed(IssuerApplicationDataFormat, fault: IssuerApplicationDataFault)
    /// No known format begins so.
    case unknownFormat(count: Int)

    /// One line for people.
    package var description: String {
        switch self {
        case .tooLong(let count): "IAD of \(count) bytes, at most 32 are possible"
        case .malformed(let format, let fault): "IAD begins as format \(format), but \(fault.words)"
        case .unknownFormat(let count): "IAD of \(count) bytes in no known format"
        }
    }
}

/// What keeps an IAD from the format that its first bytes announce.
package enum IssuerApplicationDataFault: Hashable, Sendable {
    /// Its length is impossible in the format.
    case count(Int)
    /// The length byte of the CVR is not the format's.
    case verificationResultsLength
    /// The length byte of the issuer discretionary data does not lead to the end.
    case discretionaryDataLength
    /// The second length byte of CCD (byte 17) is not 0F.
    case secondLength
    /// The common core identifier is none that is known.
    case commonCoreIdentifier

    var words: String {
        switch self {
        case .count(let count): "has \(count) bytes"
        case .verificationResultsLength: "its CVR length byte is not 03"
        case .discretionaryDataLength: "its discretionary data length does not lead to the end"
        case .secondLength: "byte 17 is not 0F"
        case .commonCoreIdentifier: "its common core identifier is unknown"
        }
    }
}

/// Issuer application data (tag 9F10): what the card tells its issuer beside the cryptogram.
package struct IssuerApplicationData: Sendable {
    /// The bytes as received, at most 32.
    package let bytes: ArraySlice<UInt8>
    /// The first format that fits. Bytes can fit two; which one is meant follows from the issuer range.
    package let format: IssuerApplicationDataFormat

    /// - Throws: `IssuerApplicationDataError` where no format fits: the caller fails closed.
    package init(parsing bytes: ArraySlice<UInt8>) throws(IssuerApplicationDataError) {
        guard bytes.count <= 32 else { throw .tooLong(bytes.count) }
        // Written out, since a list of the cases would be an allocation for each card.
        for index in IssuerApplicationDataFormat.inOrder.indices {
            let format = IssuerApplicationDataFormat.inOrder[index]
            if format.matches(bytes) {
                self.bytes = bytes
                self.format = format
                return
            }
        }
        throw IssuerApplicationData.diagnosis(of: bytes)
    }

    /// The cryptogram version number, read in the first format that fits.
    package var cryptogramVersionNumber: UInt8 { bytes[bytes.startIndex + format.versionOffset] }

    /// The derivation key index, read in the first format that fits: which version of IMK-AC the card has.
    package var derivationKeyIndex: UInt8 { derivationKeyIndex(in: format) }

    /// The derivation key index, read in the format that the card's profile has.
    package func derivationKeyIndex(in format: IssuerApplicationDataFormat) -> UInt8 {
        bytes[bytes.startIndex + format.derivationKeyIndexOffset]
    }

    /// The card verification results, read in the first format that fits, without a length byte.
    package var cardVerificationResults: ArraySlice<UInt8> {
        let range = format.verificationResults
        return bytes[bytes.startIndex + range.lowerBound..<bytes.startIndex + range.upperBound]
    }

    /// Names the first thing wrong with bytes that fit no format.
    private static func diagnosis(of iad: ArraySlice<UInt8>) -> IssuerApplicationDataError {
        guard let first = iad.first else { return .unknownFormat(count: 0) }
        let start = iad.startIndex
        switch first {
        case 0x06 where iad.count < 7: return .malformed(.visa, fault: .count(iad.count))
        case 0x06 where iad[start + 3] != 0x03: return .malformed(.visa, fault: .verificationResultsLength)
        case 0x06: return .malformed(.visa, fault: .discretionaryDataLength)
        case 0x0F where iad.count != 32: return .malformed(.commonCore, fault: .count(iad.count))
        case 0x0F where iad[start + 16] != 0x0F: return .malformed(.commonCore, fault: .secondLength)
        case 0x0F: return .malformed(.commonCore, fault: .commonCoreIdentifier)
        case 0x1F: return .malformed(.visaFormat2, fault: .count(iad.count))
        case 0x15: return .malformed(.interac, fault: .count(iad.count))
        case _ where iad.count > 1 && iad[start + 1] & 0xF0 == 0x10:
            return .malformed(.mChip, fault: .count(iad.count))
        default: return .unknownFormat(count: iad.count)
        }
    }
}
