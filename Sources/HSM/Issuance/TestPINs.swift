package import Authorisation
package import ByteCoding
package import EMV
internal import PKCS11

/// A PIN that cannot be one, or no key for it.
package struct TestPINError: Error, Sendable, CustomStringConvertible {
    /// One line for people.
    package let description: String
}

/// Reference blocks and verification values of TEST cards, whose PINs are public. Production PINs arrive enciphered:
/// `PINIssuance`.
package struct TestPINs: ~Copyable {
    private var session: Session
    private let references: ObjectHandle?
    private let verificationValues: ObjectHandle?

    /// - Parameters: wrap-only keys: a block becomes an object in the token and leaves it enciphered.
    package init(
        under references: KeyName?, verificationValues: KeyName? = nil, at location: TokenLocation
    ) throws {
        var session = try location.openSession()
        let references = try TestPINs.key(references, &session)
        let values = try TestPINs.key(verificationValues, &session)
        self.references = references
        self.verificationValues = values
        self.session = session
    }

    private static func key(_ name: KeyName?, _ session: inout Session) throws -> ObjectHandle? {
        guard let name else { return nil }
        return try KeyRing.workingKey(KeyRing.tokenKey(name.rawValue, &session), &session)
    }

    /// The card's format 0 PIN block (ISO 9564-1 9.3.2) under the PIN verification key.
    ///
    /// - Parameter pin: 4 to 12 ASCII digits.
    package mutating func reference(pin: borrowing SecretBytes, pan: PAN) throws -> EncipheredPINBlock {
        guard let references else { throw TestPINError(description: "no PIN verification key") }
        let field = try TestPINs.field(pin)
        return EncipheredPINBlock(rawValue: try wrap(field ^ PINBlock.panField(for: pan), references))
    }

    /// Visa's PIN verification value.
    ///
    /// - Parameters:
    ///   - pin: 4 to 12 ASCII digits, of which the first four count.
    ///   - keyIndex: 0…9.
    package mutating func verificationValue(
        pin: borrowing SecretBytes, pan: PAN, keyIndex: UInt8
    ) throws -> PINVerificationValue {
        guard let verificationValues else {
            throw TestPINError(description: "no key of PIN verification values")
        }
        let digits = try TestPINs.field(pin) >> 40 & 0xFFFF
        let known = PINVerificationValue.publicPart(for: pan, keyIndex: keyIndex)
        let enciphered = try wrap(known << 16 | digits, verificationValues)
        guard let value = PINVerificationValue(keyIndex: keyIndex, enciphered: enciphered) else {
            throw TestPINError(description: "key index 0 to 9")
        }
        return value
    }

    /// Length, digits, fill F (ISO 9564-1 9.3.2.2).
    private static func field(_ pin: borrowing SecretBytes) throws -> UInt64 {
        guard pinDigits.contains(pin.count) else {
            throw TestPINError(description: "4 to 12 digits are needed")
        }
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
        return field
    }

    private mutating func wrap(_ clear: UInt64, _ key: ObjectHandle) throws -> UInt64 {
        let value = SecretBytes(count: 8) { $0.storeBytes(of: clear.bigEndian, as: UInt64.self) }
        let block = try session.createKey(SessionTemplates.pinBlock, value: value)
        defer { try? session.destroy(block) }
        return try session.wrapBlock(block, key: key)
    }
}
