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

extension IssuerApplicationData {
    /// The cryptogram version number, read in the first format that fits.
    package var cryptogramVersionNumber: UInt8 { bytes[bytes.startIndex + format.places.version] }

    /// The derivation key index, read in the first format that fits: which version of IMK-AC the card has.
    package var derivationKeyIndex: UInt8 { derivationKeyIndex(in: format) }

    /// The card verification results, read in the first format that fits, without a length byte.
    package var cardVerificationResults: ArraySlice<UInt8> {
        let range = format.places.results
        return bytes[bytes.startIndex + range.lowerBound..<bytes.startIndex + range.upperBound]
    }

    /// Names the first thing wrong with bytes that fit no format.
    static func diagnosis(of iad: ArraySlice<UInt8>) -> IssuerApplicationDataError {
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
