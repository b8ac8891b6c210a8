/// What an ARPC is made over, by method.
extension IssuerAuthentication {
    /// Method 1 (8.2.1): the block whose encipherment is the ARPC: ARQC xor (ARC ‖ zeros). Big endian.
    package static func block(
        _ cryptogram: ApplicationCryptogram, code: AuthorisationResponseCode
    ) -> UInt64 {
        cryptogram.rawValue ^ UInt64(code.rawValue) << 48
    }

    /// Method 2 with proprietary authentication data: the padded input of the MAC, 16 or 24 bytes.
    /// - Returns: nil for more than eight bytes of proprietary data.
    package static func input(
        _ cryptogram: ApplicationCryptogram, statusUpdate: CardStatusUpdate,
        proprietary: some Collection<UInt8>
    ) -> CryptogramInput? {
        input(cryptogram, statusUpdate, proprietary: proprietary, padding: .method2)
    }

    /// The same for an AES card, whose MAC pads itself: 12 to 20 bytes.
    package static func aesInput(
        _ cryptogram: ApplicationCryptogram, statusUpdate: CardStatusUpdate,
        proprietary: some Collection<UInt8>
    ) -> CryptogramInput? {
        input(cryptogram, statusUpdate, proprietary: proprietary, padding: .none)
    }

    private static func input(
        _ cryptogram: ApplicationCryptogram, _ statusUpdate: CardStatusUpdate,
        proprietary: some Collection<UInt8>, padding: CryptogramPadding
    ) -> CryptogramInput? {
        guard proprietary.count <= 8 else { return nil }
        var data: [UInt8] = []
        data.reserveCapacity(20)
        for index in stride(from: 56, through: 0, by: -8) {
            data.append(UInt8(truncatingIfNeeded: cryptogram.rawValue >> UInt64(index)))
        }
        for index in stride(from: 24, through: 0, by: -8) {
            data.append(UInt8(truncatingIfNeeded: statusUpdate.rawValue >> UInt32(index)))
        }
        data.append(contentsOf: proprietary)
        return CryptogramInput(data, padding: padding)
    }
}

extension IssuerAuthenticationData {
    /// Method 1 (EMV Book 2 8.2.1): ARPC (8 bytes) and the response code it was made over.
    package init(arpc: UInt64, code: AuthorisationResponseCode) {
        packed = UInt128(arpc) << 64 | UInt128(code.rawValue) << 48
        count = 10
    }

    /// Method 2 with proprietary authentication data.
    /// - Returns: nil for more than eight bytes of it.
    package init?(arpc: UInt32, statusUpdate: CardStatusUpdate, proprietary: some Collection<UInt8>) {
        guard proprietary.count <= 8 else { return nil }
        let start = IssuerAuthenticationData(arpc: arpc, statusUpdate: statusUpdate)
        let value = proprietary.reduce(UInt128(0)) { $0 << 8 | UInt128($1) }
        packed = start.packed | value << UInt128(8 * (8 - proprietary.count))
        count = 8 + proprietary.count
    }

    /// - Returns: nil unless there are 8…16 bytes.
    package init?(bytes: some Collection<UInt8>) {
        guard (8...16).contains(bytes.count) else { return nil }
        let value = bytes.reduce(UInt128(0)) { $0 << 8 | UInt128($1) }
        packed = value << UInt128(8 * (16 - bytes.count))
        count = bytes.count
    }

    /// All bytes.
    package var bytes: [UInt8] { (0..<count).map { self[$0] } }

    /// The card's reading in method 1: nil unless there are ten bytes.
    package var method1: (arpc: UInt64, code: AuthorisationResponseCode)? {
        guard count == 10 else { return nil }
        return (
            UInt64(truncatingIfNeeded: packed >> 64),
            AuthorisationResponseCode(rawValue: UInt16(truncatingIfNeeded: packed >> 48))
        )
    }

    /// The card's reading in method 2: the proprietary data is what follows the first eight bytes.
    package var method2: (arpc: UInt32, statusUpdate: CardStatusUpdate, proprietary: [UInt8]) {
        (
            UInt32(truncatingIfNeeded: packed >> 96),
            CardStatusUpdate(rawValue: UInt32(truncatingIfNeeded: packed >> 64)),
            (8..<count).map { self[$0] }
        )
    }
}
