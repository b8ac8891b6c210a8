/// A data object that the cryptogram is made over is not there or has the wrong length.
package struct CryptogramInputError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The object at fault.
    package let tag: Tag
    /// Bytes that the object should have; nil where its length may vary.
    package let expectedCount: Int?
    /// Bytes that it has; nil where it is absent.
    package let foundCount: Int?

    /// One line for people.
    package var description: String {
        switch (expectedCount, foundCount) {
        case (_, nil): "tag \(tag) missing"
        case (let expected?, let found?): "tag \(tag) has \(found) bytes, \(expected) are expected"
        case (nil, let found?): "tag \(tag) of \(found) bytes is too short for the profile"
        }
    }
}

/// The padded input of a MAC over card data (EMV Book 2 8.1.1): held inline, no allocation.
package struct CryptogramInput: Sendable {
    /// 33 bytes of objects, 32 of IAD and the padding.
    package static let countMax = 80

    private var storage: InlineArray<80, UInt8> = .init(repeating: 0)
    /// A multiple of eight, unless the MAC pads.
    package private(set) var count = 0
    /// The first object that is absent from the chip data and stands as zeros here; nil where all are there.
    package fileprivate(set) var takenAsZeros: Tag?

    fileprivate init() {}

    /// For issuer authentication, vectors and tools: any data, padded.
    /// - Returns: nil where there is no data or more than 80 bytes after padding.
    package init?(_ data: some Collection<UInt8>, padding: CryptogramPadding) {
        let most = padding != .method2 ? CryptogramInput.countMax : CryptogramInput.countMax - 1
        guard (1...most).contains(data.count) else { return nil }
        append(data)
        pad(padding)
    }

    /// Lends the padded bytes.
    package func withUnsafeBytes<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let count = count
        return try storage.span.withUnsafeBytes { (raw) throws(Failure) in
            try body(UnsafeRawBufferPointer(rebasing: raw[..<count]))
        }
    }

    /// The padded bytes, for tools.
    package var bytes: [UInt8] { withUnsafeBytes { Array($0) } }

    fileprivate mutating func append(_ bytes: some Collection<UInt8>) {
        for byte in bytes {
            storage[count] = byte
            count += 1
        }
    }

    fileprivate mutating func append(_ bytes: UnsafeRawBufferPointer) {
        var mutableSpan = storage.mutableSpan
        let start = count
        mutableSpan.withUnsafeMutableBytes {
            UnsafeMutableRawBufferPointer(rebasing: $0[start..<start + bytes.count]).copyMemory(from: bytes)
        }
        count += bytes.count
    }

    fileprivate mutating func appendZeros(_ number: Int, for tag: Tag) {
        // The storage is zero from the start.
        count += number
        takenAsZeros = takenAsZeros ?? tag
    }

    fileprivate mutating func pad(_ padding: CryptogramPadding) {
        // The storage is zero from the start, so padding is a matter of counting.
        if padding == .method2 {
            storage[count] = 0x80
            count += 1
        }
        if padding != .none { count = (count + 7) / 8 * 8 }
    }
}

extension CryptogramProfile {
    /// The data objects in the order of the input, with their lengths: terminal data first, then AIP and ATC
    /// (EMV Book 2 table 26).
    static let inputObjects: InlineArray<10, (tag: Tag, count: Int)> = [
        (.amountAuthorised, 6), (.amountOther, 6), (.terminalCountryCode, 2),
        (.terminalVerificationResults, 5), (.transactionCurrencyCode, 2), (.transactionDate, 3),
        (.transactionType, 1), (.unpredictableNumber, 4), (.applicationInterchangeProfile, 2),
        (.applicationTransactionCounter, 2),
    ]

    /// What a terminal gives the card as zeros where it has none (EMV Book 3 5.4), and senders then leave out: 9F03
    /// without cash-back is the usual one. Every terminal makes an unpredictable number, and without it a cryptogram could
    /// be had in advance; what the card itself says is always there.
    private static func mayBeLeftOut(_ tag: Tag) -> Bool {
        switch tag {
        case .unpredictableNumber, .applicationInterchangeProfile, .applicationTransactionCounter: false
        default: true
        }
    }

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
        case .iadBytes(let first, let second):
            guard max(first.upperBound, second.upperBound) <= iad.bytes.count else {
                throw CryptogramInputError(
                    tag: .issuerApplicationData, expectedCount: nil, foundCount: iad.bytes.count)
            }
            iad.bytes.withUnsafeBytes {
                input.append(UnsafeRawBufferPointer(rebasing: $0[first]))
                input.append(UnsafeRawBufferPointer(rebasing: $0[second]))
            }
        }
        input.pad(padding)
        return input
    }
}
