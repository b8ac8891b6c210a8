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

extension CryptogramInput {
    /// For issuer authentication, vectors and tools: any data, padded.
    /// - Returns: nil where there is no data or more than 80 bytes after padding.
    package init?(_ data: some Collection<UInt8>, padding: CryptogramPadding) {
        let most = padding != .method2 ? CryptogramInput.countMax : CryptogramInput.countMax - 1
        guard (1...most).contains(data.count) else { return nil }
        append(data)
        pad(padding)
    }

    /// The padded bytes, for tools.
    package var bytes: [UInt8] { withUnsafeBytes { Array($0) } }

    fileprivate mutating func append(_ bytes: some Collection<UInt8>) {
        for byte in bytes {
            storage[count] = byte
            count += 1
        }
    }

    /// Two pieces of the IAD.
    mutating func append(
        _ first: Range<Int>, _ second: Range<Int>, of iad: IssuerApplicationData
    ) throws(CryptogramInputError) {
        guard max(first.upperBound, second.upperBound) <= iad.bytes.count else {
            throw CryptogramInputError(
                tag: .issuerApplicationData, expectedCount: nil, foundCount: iad.bytes.count)
        }
        iad.bytes.withUnsafeBytes {
            append(UnsafeRawBufferPointer(rebasing: $0[first]))
            append(UnsafeRawBufferPointer(rebasing: $0[second]))
        }
    }

    mutating func appendZeros(_ number: Int, for tag: Tag) {
        // The storage is zero from the start.
        count += number
        takenAsZeros = takenAsZeros ?? tag
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
    static func mayBeLeftOut(_ tag: Tag) -> Bool {
        switch tag {
        case .unpredictableNumber, .applicationInterchangeProfile, .applicationTransactionCounter: false
        default: true
        }
    }
}
