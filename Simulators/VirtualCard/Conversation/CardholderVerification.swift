internal import EMV
internal import LibCrypto

/// Cardholder verification (EMV Book 3 10.5 and annex C3).
extension CardConversation {
    /// Codes of methods, bits 6 to 1 of a rule's first byte.
    private enum Method {
        static let fail: UInt8 = 0x00
        static let plaintextPIN: UInt8 = 0x01
        static let onlinePIN: UInt8 = 0x02
        static let encipheredPIN: UInt8 = 0x04
        static let signature: UInt8 = 0x1E
        static let none: UInt8 = 0x1F

        static let names: [UInt8: String] = [
            fail: "fail", plaintextPIN: "plaintext PIN by the card", onlinePIN: "enciphered PIN online",
            encipheredPIN: "enciphered PIN by the card", signature: "signature", none: "none required",
        ]
    }

    /// Byte 3 of 9F34.
    private enum Outcome: UInt32 {
        case unknown = 0
        case failed = 1
        case successful = 2
    }

    /// The first rule that applies and succeeds. Without contact nobody is asked below the reader's limit.
    mutating func verifyCardholder(_ transaction: TerminalTransaction, pin: PIN?) throws {
        if risk.interface == .contactless, transaction.amount <= risk.verificationLimit {
            verificationMethodResults = UInt32(Method.none) << 16 | Outcome.successful.rawValue
            notes.append("cardholder verification: none required, not above the contactless CVM limit")
            return
        }
        let list = application.verificationMethods
        guard list.count >= 10 else { return }
        for index in stride(from: 8, to: list.count - 1, by: 2) {
            let (method, condition) = (list[index] & 0x3F, list[index + 1])
            guard applies(condition, transaction, list: list) else { continue }
            let outcome = try attempt(method, pin)
            verificationMethodResults =
                UInt32(list[index]) << 16 | UInt32(condition) << 8 | outcome.rawValue
            if outcome != .failed {
                notes.append("cardholder verification: \(Method.names[method] ?? "other")")
                return
            }
            if list[index] & 0x40 == 0 { break }
        }
        verificationResults |= VerificationBit.cardholderVerificationFailed
        notes.append("cardholder verification: not successful")
    }

    /// Annex C3, second byte of a rule. Amounts X and Y stand in the list's first eight bytes.
    private func applies(_ condition: UInt8, _ transaction: TerminalTransaction, list: [UInt8]) -> Bool {
        func amount(_ start: Int) -> UInt64 {
            list[start..<start + 4].reduce(0) { $0 << 8 | UInt64($1) }
        }
        let isCash = transaction.type == 0x01
        let isCashBack = transaction.type == 0x09 || transaction.amountOther > 0 && !isCash
        // Terminal types 14 to 16 and 24 to 26 stand unattended (EMV Book 4 A1).
        let isUnattended = transaction.terminalType & 0x0F >= 4
        return switch condition {
        case 0x00, 0x03: true
        case 0x01: isCash && isUnattended
        case 0x02: !isCash && !isCashBack
        case 0x04: isCash && !isUnattended
        case 0x05: isCashBack
        case 0x06: transaction.amount < amount(0)
        case 0x07: transaction.amount > amount(0)
        case 0x08: transaction.amount < amount(4)
        case 0x09: transaction.amount > amount(4)
        default: false
        }
    }

    private mutating func attempt(_ method: UInt8, _ pin: PIN?) throws -> Outcome {
        switch method {
        case Method.none: return .successful
        case Method.signature: return .unknown
        case Method.onlinePIN:
            guard pin != nil else {
                verificationResults |= VerificationBit.pinNotEntered
                return .failed
            }
            // Its result is unknown to the terminal: the issuer learns it.
            verificationResults |= VerificationBit.onlinePINEntered
            return .unknown
        case Method.plaintextPIN, Method.encipheredPIN:
            guard let pin else {
                verificationResults |= VerificationBit.pinNotEntered
                return .failed
            }
            return try verify(pin, enciphered: method == Method.encipheredPIN) ? .successful : .failed
        case Method.fail: return .failed
        default:
            verificationResults |= VerificationBit.unrecognisedMethod
            return .failed
        }
    }

    /// VERIFY (EMV Book 3 6.5.12). The PIN block is no object of the trace.
    private mutating func verify(_ pin: PIN, enciphered: Bool) throws -> Bool {
        do {
            guard enciphered else {
                try exchange("VERIFY", [0x00, 0x20, 0x00, 0x80], sent: [], hidden: pin.format2) {
                    $0.verify(pin)
                }
                return true
            }
            let data = try encipher(pin)
            try exchange("VERIFY (enciphered)", [0x00, 0x20, 0x00, 0x88], sent: [], hidden: data) {
                try $0.verifyEnciphered(data)
            }
            return true
        } catch let error as CardConversationError {
            if error.status == ChipApplet.Status.pinBlocked || error.status == 0x63C0 {
                verificationResults |= VerificationBit.pinTryLimitExceeded
            }
            notes.append("offline PIN: \(error)")
            return false
        } catch let fault as CertificateFault {
            notes.append("offline PIN: no key to encipher it under, \(fault)")
            return false
        }
    }

    /// Under the card's key, for this challenge alone (EMV Book 2 7.2).
    private mutating func encipher(_ pin: PIN) throws -> [UInt8] {
        let key = try pinKey()
        let challenge = try exchange("GET CHALLENGE", [0x00, 0x84, 0, 0], sent: []) { try $0.giveChallenge() }
        let random = try Random.bytes(key.byteCount - 17)
        let clear = EncipheredPIN.data(block: pin.format2, challenge: challenge, random: random)
        guard let enciphered = PublicKeyArithmetic.libcrypto.power(clear, key) else {
            throw CertificateFault.length
        }
        return enciphered
    }
}
