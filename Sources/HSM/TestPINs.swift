public import Authorisation
public import ByteCoding
public import EMV
internal import PKCS11

/// A PIN that cannot be one.
public struct TestPINError: Error, Sendable, CustomStringConvertible {
    /// One line for people.
    public let description: String
}

/// Reference blocks of TEST cards, whose PINs are public. Production PINs arrive enciphered.
public struct TestPINs: ~Copyable {
    private var session: Session
    private let wrapping: ObjectHandle

    /// - Parameter key: a wrap-only key: a block becomes an object in the token and leaves it enciphered.
    public init(under key: KeyName, at location: TokenLocation) throws {
        var session = try location.openSession()
        wrapping = try KeyRing.workingKey(KeyRing.tokenKey(key.rawValue, &session), &session)
        self.session = session
    }

    /// The card's format 0 PIN block (ISO 9564-1 9.3.2) under the PIN verification key.
    ///
    /// - Parameter pin: 4 to 12 ASCII digits.
    public mutating func reference(pin: borrowing SecretBytes, pan: PAN) throws -> EncipheredPINBlock {
        guard (4...12).contains(pin.count) else {
            throw TestPINError(description: "4 to 12 digits are needed")
        }
        let account = PINBlock.panField(for: pan)
        let field: UInt64? = pin.withUnsafeBytes { digits in
            var field = UInt64(digits.count)
            for index in 0..<14 {
                guard index < digits.count else {
                    field = field << 4 | 0x0F
                    continue
                }
                let digit = digits[index] &- 0x30
                guard digit <= 9 else { return nil }
                field = field << 4 | UInt64(digit)
            }
            return field
        }
        guard let field else { throw TestPINError(description: "a PIN has decimal digits only") }
        let value = SecretBytes(count: 8) { bytes in
            bytes.storeBytes(of: (field ^ account).bigEndian, as: UInt64.self)
        }
        let block = try session.createKey(SessionTemplates.pinBlock, value: value)
        defer { try? session.destroy(block) }
        return EncipheredPINBlock(rawValue: try session.wrapBlock(block, key: wrapping))
    }
}
