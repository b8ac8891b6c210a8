/// One row of the table of cryptogram profiles: values only.
package struct CryptogramProfile: Sendable {
    /// The name in configuration, traces and reports.
    package let name: String
    /// The IAD format by which the profile is known.
    package let format: IssuerApplicationDataFormat
    /// The cryptogram version number by which it is known; for CCD the common core identifier.
    package let versionNumber: UInt8
    /// What follows the terminal's and card's data objects in the input.
    package let tail: CryptogramTail
    /// How the input is padded.
    package let padding: CryptogramPadding
    /// The key of the ARQC.
    package let sessionKey: SessionKeyMethod
    /// The key of the ARPC.
    package let responseKey: SessionKeyMethod
    /// The form of the answer.
    package let responseMethod: IssuerResponseMethod
    /// The master key option that the scheme prescribes where the issuer says nothing.
    package let defaultMasterKeyOption: MasterKeyOption
    /// The cipher of its keys.
    package var cipher = CardCipher.tripleDES
    /// Which of the ten usual data objects are signed, the first in the lowest bit.
    package var signedObjects: UInt16 = 0x3FF

    /// Tag 9C is part of the input.
    package var signsTransactionType: Bool { signedObjects & 1 << 6 != 0 }

    /// The one profile among those allowed that the IAD carries.
    ///
    /// The bytes of an IAD can be read in two formats; the issuer's list decides, and where it leaves two
    /// readings open nobody guesses.
    /// - Throws: `CryptogramProfileError` where none fits, or more than one does.
    package static func select(
        for iad: IssuerApplicationData, among allowed: [CryptogramProfile]
    ) throws(CryptogramProfileError) -> CryptogramProfile {
        var found: CryptogramProfile?
        for profile in allowed where profile.carries(iad) {
            if let found, found.name != profile.name { throw .ambiguous(found.name, profile.name) }
            found = profile
        }
        guard let found else {
            throw .notAllowed(format: iad.format, versionNumber: iad.cryptogramVersionNumber)
        }
        return found
    }

    private func carries(_ iad: IssuerApplicationData) -> Bool {
        format.matches(iad.bytes) && iad.bytes[iad.bytes.startIndex + format.places.version] == versionNumber
    }
}

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

    /// As they are tried. Asked of `allCases`, the list could be an allocation for each card.
    static let inOrder = allCases

    /// Where the cryptogram version number (for CCD the common core identifier), the derivation key index and the card
    /// verification results stand.
    package var places: (version: Int, keyIndex: Int, results: Range<Int>) {
        switch self {
        case .visa: (2, 1, 4..<7)
        case .visaFormat2, .commonCore: (1, 2, 3..<8)
        case .mChip: (1, 0, 2..<8)
        case .interac: (2, 1, 4..<8)
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
        guard let format = IssuerApplicationDataFormat.inOrder.first(where: { $0.matches(bytes) }) else {
            throw IssuerApplicationData.diagnosis(of: bytes)
        }
        (self.bytes, self.format) = (bytes, format)
    }

    /// The derivation key index, read in the format that the card's profile has.
    package func derivationKeyIndex(in format: IssuerApplicationDataFormat) -> UInt8 {
        bytes[bytes.startIndex + format.places.keyIndex]
    }
}

/// The padded input of a MAC over card data (EMV Book 2 8.1.1): held inline, no allocation.
package struct CryptogramInput: Sendable {
    /// 33 bytes of objects, 32 of IAD and the padding.
    package static let countMax = 80

    var storage: InlineArray<80, UInt8> = .init(repeating: 0)
    /// A multiple of eight, unless the MAC pads.
    package internal(set) var count = 0
    /// The first object that is absent from the chip data and stands as zeros here; nil where all are there.
    package internal(set) var takenAsZeros: Tag?

    fileprivate init() {}

    /// Lends the padded bytes.
    package func withUnsafeBytes<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let count = count
        return try storage.span.withUnsafeBytes { (raw) throws(Failure) in
            try body(UnsafeRawBufferPointer(rebasing: raw[..<count]))
        }
    }

    mutating func append(_ bytes: UnsafeRawBufferPointer) {
        var mutableSpan = storage.mutableSpan
        let start = count
        mutableSpan.withUnsafeMutableBytes {
            UnsafeMutableRawBufferPointer(rebasing: $0[start..<start + bytes.count]).copyMemory(from: bytes)
        }
        count += bytes.count
    }

    mutating func pad(_ padding: CryptogramPadding) {
        // The storage is zero from the start, so padding is a matter of counting.
        if padding == .method2 {
            storage[count] = 0x80
            count += 1
        }
        if padding != .none { count = (count + 7) / 8 * 8 }
    }
}

extension CryptogramProfile {
    /// Puts the input together and pads it. Objects of the terminal that are not there are taken as zeros: that they are
    /// what the card signed, the cryptogram proves.
    /// - Throws: `CryptogramInputError` with the tag that is missing or of the wrong length.
    package func cryptogramInput(
        from chip: ICCData, iad: IssuerApplicationData
    ) throws(CryptogramInputError) -> CryptogramInput {
        var input = CryptogramInput()
        for index in CryptogramProfile.inputObjects.indices where signedObjects & 1 << UInt16(index) != 0 {
            let object = CryptogramProfile.inputObjects[index]
            guard chip.withValue(of: object.tag, count: object.count, body: { input.append($0) }) != nil
            else {
                // An object without a value says as little as none.
                if chip.isLeftOut(object.tag), CryptogramProfile.mayBeLeftOut(object.tag) {
                    input.appendZeros(object.count, for: object.tag)
                    continue
                }
                throw CryptogramInputError(
                    tag: object.tag, expectedCount: object.count, foundCount: chip[object.tag]?.count)
            }
        }
        switch tail {
        case .wholeIAD:
            iad.bytes.withUnsafeBytes { input.append($0) }
        case .iadBytes(let first, let second): try input.append(first, second, of: iad)
        }
        input.pad(padding)
        return input
    }
}
