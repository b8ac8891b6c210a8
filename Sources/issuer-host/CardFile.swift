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

        func record(_ desk: CardDesk, _ pins: inout TestPINs?, withPIN: Bool) throws -> CardRecord {
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
            return CardRecord(
                status: status, expiry: expiry, pinReference: withPIN ? try reference(desk, &pins) : nil,
                pinTriesMax: desk.configuration.policy.pinTriesMax, pinTriesUsed: 0, highestATC: nil,
                availableMinorUnits: availableMinorUnits, currency: currency, profile: cryptogramProfile,
                limits: try limits.map { try SpendingLimits($0, place: "\(place): limits") })
        }

        private func reference(_ desk: CardDesk, _ pins: inout TestPINs?) throws -> EncipheredPINBlock? {
            if let pinReference {
                guard pinReference.utf8.count == 16, let block = UInt64(pinReference, radix: 16) else {
                    throw WiringError("\(place): pinReference has to be 16 hex digits")
                }
                return EncipheredPINBlock(rawValue: block)
            }
            guard let pin else { return nil }
            guard desk.configuration.profile == .demo else {
                throw WiringError("\(place): a clear pin is for test cards in the demo profile only")
            }
            guard let key = desk.configuration.pinVerificationKey else {
                throw WiringError("\(place): pin without keys.pinVerification")
            }
            do {
                if pins == nil { pins = try TestPINs(under: KeyName(key), at: desk.location) }
                return try pins!.reference(
                    pin: SecretBytes(copying: Array(pin.utf8)), pan: try identity().pan)
            } catch {
                throw WiringError("\(place): pin: \(error)")
            }
        }
    }
}
