internal import Authorisation
internal import ByteCoding
internal import EMV
internal import Foundation
internal import HSM
internal import IssuerConfiguration

/// A file of cards as `cards import` reads it.
struct CardFile: Decodable {
    let cards: [Card]

    static func read(_ path: String) throws -> [Card] {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw WiringError("\(path) cannot be read")
        }
        do { return try JSONDecoder().decode(CardFile.self, from: data).cards } catch {
            throw WiringError("\(path): \(CardFile.words(error))")
        }
    }

    /// Cards of one PAN share one account: what the file says of it has to be the same for each.
    static func checkAccounts(_ cards: [Card]) throws {
        var accounts: [PAN: Card] = [:]
        for card in cards {
            guard let other = accounts.updateValue(card, forKey: try card.identity().pan) else { continue }
            guard other.availableMinorUnits == card.availableMinorUnits, other.currency == card.currency
            else {
                throw WiringError(
                    "card \(card.name ?? "without a name"): availableMinorUnits and currency have to be those of "
                        + "the other card with this PAN: they share one account")
            }
        }
    }

    /// Names the place of a decoding error, not the value there.
    private static func words(_ error: any Error) -> String {
        switch error {
        case DecodingError.keyNotFound(let key, let context):
            "\(place(context.codingPath)): \(key.stringValue) is missing"
        case DecodingError.typeMismatch(_, let context), DecodingError.valueNotFound(_, let context):
            "\(place(context.codingPath)): of the wrong type"
        case DecodingError.dataCorrupted(let context) where !context.codingPath.isEmpty:
            "\(place(context.codingPath)) \(context.debugDescription)"
        default: "not JSON of the expected form"
        }
    }

    private static func place(_ path: [any CodingKey]) -> String {
        path.map { $0.intValue.map { "[\($0)]" } ?? $0.stringValue }.joined(separator: ".")
    }

    struct Card: Decodable {
        let name: String?
        let pan: String
        let panSequenceNumber: String?
        let expiry: String
        let cryptogramProfile: String
        let status: String
        let availableMinorUnits: Int64
        let currency: String
        let pin: String?
        let pinReference: String?
        /// Of its own, in place of those of its range.
        let limits: IssuerConfiguration.Limits?
        let issuerApplicationData: String?
        let pinVerificationValue: String?
        let pinVerification: String?

        private var place: String { "card \(name ?? "without a name")" }

        func identity() throws -> CardIdentity {
            let pan: PAN
            do { pan = try PAN(self.pan) } catch { throw WiringError("\(place): pan: \(error)") }
            guard let text = panSequenceNumber else { return CardIdentity(pan: pan, panSequenceNumber: nil) }
            guard let number = UInt8(text).flatMap(PANSequenceNumber.init(rawValue:)) else {
                throw WiringError("\(place): panSequenceNumber has to be 00 to 99")
            }
            return CardIdentity(pan: pan, panSequenceNumber: number)
        }

        func definition(
            _ desk: CardDesk, _ pins: inout TestPINs?, ranges: IssuerRangeTable, withPIN: Bool
        ) throws -> CardDefinition {
            guard let status = CardStatus(rawValue: status) else {
                let all = CardStatus.allCases.map(\.rawValue).joined(separator: ", ")
                throw WiringError("\(place): status has to be one of \(all)")
            }
            guard let expiry = ExpiryDate(ascii: Array(expiry.utf8)) else {
                throw WiringError("\(place): expiry has to be YYMM")
            }
            guard let currency = UInt16(currency).flatMap(CurrencyCode.init(rawValue:)) else {
                throw WiringError("\(place): currency has to be three digits")
            }
            guard availableMinorUnits >= 0, availableMinorUnits <= Amount.minorUnitsMax else {
                throw WiringError("\(place): availableMinorUnits has to be of up to twelve digits")
            }
            return CardDefinition(
                sequenceNumber: try identity().panSequenceNumber?.rawValue ?? 0, status: status,
                expiry: expiry,
                pin: withPIN ? try storedPIN(desk, &pins) : .none,
                pinTriesMax: UInt8(clamping: desk.configuration.policy.pinTriesMax),
                availableMinorUnits: availableMinorUnits, currency: currency, profile: cryptogramProfile,
                issuerMasterKey: try issuerMasterKey(ranges)?.rawValue ?? "",
                limits: try limits.map { try SpendingLimits($0, place: "\(place): limits") })
        }

        /// The PIN as the record keeps it.
        private func storedPIN(_ desk: CardDesk, _ pins: inout TestPINs?) throws -> PINOnRecord {
            guard [pinReference, pinVerificationValue, pin].count(where: { $0 != nil }) <= 1 else {
                throw WiringError("\(place): pinReference, pinVerificationValue and pin exclude each other")
            }
            if let pinReference {
                guard pinReference.utf8.count == 16, let block = UInt64(pinReference, radix: 16) else {
                    throw WiringError("\(place): pinReference has to be 16 hex digits")
                }
                return .reference(EncipheredPINBlock(rawValue: block))
            }
            if let pinVerificationValue { return .verificationValue(try value(pinVerificationValue)) }
            guard let pin else { return .none }
            return try testPIN(pin, desk, pins: &pins)
        }

        private func value(_ text: String) throws -> PINVerificationValue {
            let parts = text.split(separator: ":", omittingEmptySubsequences: false)
            guard parts.count == 2, parts[0].utf8.count == 1, parts[1].utf8.count == 4,
                let index = UInt8(parts[0]), let digits = UInt16(parts[1], radix: 16),
                let value = PINVerificationValue(keyIndex: index, digits: digits)
            else {
                throw WiringError("\(place): pinVerificationValue has to be key index and value, as 1:1234")
            }
            return value
        }

        private func testPIN(
            _ pin: String, _ desk: CardDesk, pins: inout TestPINs?
        ) throws -> PINOnRecord {
            guard desk.configuration.profile == .demo else {
                throw WiringError("\(place): a clear pin is for test cards in the demo profile only")
            }
            let pan = try identity().pan
            let verification = try verification(of: pan, desk)
            do {
                if pins == nil {
                    pins = try TestPINs(
                        under: desk.configuration.pinVerificationKey.map { KeyName($0) },
                        verificationValues: desk.configuration.pinVerificationValueKey.map { KeyName($0) },
                        at: desk.location)
                }
                let secret = SecretBytes(copying: Array(pin.utf8))
                switch verification {
                case .reference: return .reference(try pins!.reference(pin: secret, pan: pan))
                case .verificationValue(let keyIndex):
                    return .verificationValue(
                        try pins!.verificationValue(pin: secret, pan: pan, keyIndex: keyIndex))
                }
            } catch {
                throw WiringError("\(place): pin: \(error)")
            }
        }

        /// As the card says, or else as its range does.
        private func verification(of pan: PAN, _ desk: CardDesk) throws -> PINVerification {
            switch pinVerification {
            case "reference": return .reference
            case "pvv": return .verificationValue(keyIndex: 1)
            case nil:
                return try desk.configuration.rangeTable().range(for: pan)?.pinVerification ?? .reference
            case let other?: throw WiringError("\(place): pinVerification: reference or pvv, not \(other)")
            }
        }
    }
}
