/// What an ACS knows when it makes an authentication value; the proof is put in by whoever has the key.
package struct AuthenticationValueDraft: Sendable {
    /// How it is made.
    package var form: AuthenticationValueForm
    /// What became of the authentication.
    package var status = AuthenticationStatus.authenticated
    /// How the cardholder was authenticated: of a CAVV two digits, of an AAV one, as the scheme codes it.
    package var method: UInt8 = 1
    /// See `AuthenticationValue.keySelector`.
    package var keySelector: UInt16 = 1
    /// See `AuthenticationValue.number`.
    package var number: UInt64
    /// The merchant's name as the ACS was told it.
    package var merchant: [UInt8] = []
    /// Minor units.
    package var minorUnits: Int64 = 0
    /// Numeric (ISO 4217).
    package var currency: UInt16 = 0

    /// Takes what has no default.
    package init(_ form: AuthenticationValueForm, number: UInt64) {
        self.form = form
        self.number = number
    }

    /// The value with zeros for its proof: what it is made over can be asked of it.
    /// - Returns: nil where a number has no place in the form.
    package func value() -> AuthenticationValue? { value(proof: 0) }

    /// - Parameter proof: as `AuthenticationValue.proof`.
    package func value(proof: UInt64) -> AuthenticationValue? {
        switch form {
        case .cvvWithTrackingNumber: trackingNumberValue(proof)
        case .hmacSHA1: sequenceNumberValue(proof)
        case .hmacSHA256: referenceValue(proof)
        }
    }

    private func trackingNumberValue(_ proof: UInt64) -> AuthenticationValue? {
        guard number < 10_000_000_000_000_000, method <= 99, keySelector <= 0x99 else { return nil }
        // Transaction status Y is code 0, A is 7, N and R are 9 (gocavv, after the scheme's table).
        let code: UInt8 =
            switch status {
            case .authenticated: 0
            case .attempted: 7
            case .notAuthenticated: 9
            }
        let digits = Self.bcd(number)
        let head = [code, (method / 10) << 4 | method % 10, UInt8(keySelector)]
        return AuthenticationValue(
            form,
            head + Self.bytes(proof, 2) + Self.bytes(digits & 0xFFFF, 2) + Self.bytes(digits, 8)
                + [0, 0, 0, 0, 0])
    }

    private func sequenceNumberValue(_ proof: UInt64) -> AuthenticationValue? {
        guard number <= UInt64(UInt32.max), method <= 15, keySelector <= 0xFFF, status != .notAuthenticated
        else {
            return nil
        }
        let keys = [UInt8(keySelector >> 4), method << 4 | UInt8(keySelector & 0x0F)]
        return AuthenticationValue(
            form,
            [status == .authenticated ? 0x8C : 0x86] + Self.bytes(form.merchantHash(merchant), 8) + keys
                + Self.bytes(number, 4) + Self.bytes(proof, 5))
    }

    private func referenceValue(_ proof: UInt64) -> AuthenticationValue? {
        guard number <= UInt64(UInt32.max), status == .authenticated, currency <= 999,
            let code = AuthenticationAmount.code(minorUnits)
        else { return nil }
        let hash = Self.bytes(form.merchantHash(merchant) >> 32, 4)
        return AuthenticationValue(
            form,
            [0xC6, 0x04] + Self.bytes(proof, 4) + hash + Self.bytes(UInt64(code), 2)
                + Self.bytes(Self.bcd(UInt64(currency)), 2) + Self.bytes(number, 4) + [0, 0])
    }

    private static func bytes(_ word: UInt64, _ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: word >> UInt64(8 * (count - 1 - $0))) }
    }

    private static func bcd(_ number: UInt64) -> UInt64 {
        var (rest, digits) = (number, UInt64(0))
        for place in 0..<16 {
            digits |= (rest % 10) << UInt64(4 * place)
            rest /= 10
        }
        return digits
    }
}
