internal import Authorisation
internal import ByteCoding
internal import EMV
internal import Foundation
internal import HSM
internal import IssuerConfiguration

extension CardFile {
    /// One card as the file has it. What is wrong with it is a `CardFault`.
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

        private enum CodingKeys: String, CodingKey, CaseIterable {
            case name, pan, panSequenceNumber, expiry, cryptogramProfile, status, availableMinorUnits,
                currency, pin
            case pinReference, limits, issuerApplicationData, pinVerificationValue, pinVerification
        }

        /// The key that was meant by one that is none and looks like it. Others are for other readers of the file.
        static func misspelt(_ key: String) -> String? {
            let known = CodingKeys.allCases.map(\.rawValue)
            guard !known.contains(key) else { return nil }
            return ConfigurationSchema.nearest(key, among: known, changesMax: 3)
        }

        /// What messages call it.
        var title: String { "card \(name ?? "without a name")" }

        func identity() throws -> CardIdentity {
            let pan: PAN
            do { pan = try PAN(self.pan) } catch { throw CardFault("pan", "\(error)") }
            guard let text = panSequenceNumber else { return CardIdentity(pan: pan, panSequenceNumber: nil) }
            guard Self.isDigits(text, 1...2),
                let number = UInt8(text).flatMap(PANSequenceNumber.init(rawValue:))
            else { throw CardFault("panSequenceNumber", "has to be 00 to 99") }
            return CardIdentity(pan: pan, panSequenceNumber: number)
        }

        private static func isDigits(_ text: String, _ count: ClosedRange<Int>) -> Bool {
            count.contains(text.utf8.count) && text.utf8.allSatisfy { (0x30...0x39).contains($0) }
        }

        /// Everything that needs no token.
        func checkForm() throws {
            _ = try (cardStatus(), expiryDate(), currencyCode(), spendingLimits())
            guard availableMinorUnits >= 0, availableMinorUnits <= Amount.minorUnitsMax else {
                throw CardFault("availableMinorUnits", "has to be of up to twelve digits")
            }
            _ = try pinOnFile()
        }

        private func cardStatus() throws -> CardStatus {
            guard let status = CardStatus(rawValue: status) else {
                let all = CardStatus.allCases.map(\.rawValue).joined(separator: ", ")
                throw CardFault("status", "has to be one of \(all)")
            }
            return status
        }

        private func expiryDate() throws -> ExpiryDate {
            guard let expiry = ExpiryDate(ascii: Array(expiry.utf8)) else {
                throw CardFault("expiry", "has to be YYMM")
            }
            return expiry
        }

        private func currencyCode() throws -> CurrencyCode {
            guard Self.isDigits(currency, 3...3),
                let number = UInt16(currency), ISO4217.currency(number) != nil,
                let currency = CurrencyCode(rawValue: number)
            else { throw CardFault("currency", "\(currency) is no numeric code of ISO 4217") }
            return currency
        }

        private func spendingLimits() throws -> SpendingLimits? {
            do { return try limits.map { try SpendingLimits($0, place: "limits") } } catch {
                throw CardFault("limits", "\(error)")
            }
        }

        /// A profile that its range does not have would decline every cryptogram of the card.
        ///
        /// - Parameter range: that of the PAN, nil where it has none.
        func profileFault(_ range: IssuerRange?) -> CardFault? {
            guard CryptogramProfile.named(cryptogramProfile) != nil else {
                let known = CryptogramProfile.all.map(\.name).joined(separator: ", ")
                return CardFault("cryptogramProfile", "\(cryptogramProfile) is none of \(known)")
            }
            guard let range else { return CardFault("pan", "no range of `issuers` begins like it") }
            let profiles = range.profiles.map(\.name)
            guard !profiles.contains(cryptogramProfile) else { return nil }
            return CardFault(
                "cryptogramProfile",
                "issuers.\(range.name).profiles has \(profiles.joined(separator: ", ")), not \(cryptogramProfile)"
            )
        }

        func definition(
            _ desk: CardDesk, _ pins: inout TestPINs?, ranges: IssuerRangeTable, withPIN: Bool
        ) throws -> CardDefinition {
            CardDefinition(
                sequenceNumber: try identity().panSequenceNumber?.rawValue ?? 0, status: try cardStatus(),
                expiry: try expiryDate(),
                pin: withPIN ? try storedPIN(desk, &pins) : .none,
                pinTriesMax: UInt8(clamping: desk.configuration.policy.pinTriesMax),
                availableMinorUnits: availableMinorUnits, currency: try currencyCode(),
                profile: cryptogramProfile,
                issuerMasterKey: try issuerMasterKey(ranges)?.rawValue ?? "",
                limits: try spendingLimits())
        }

        /// The PIN as the record keeps it.
        private func storedPIN(_ desk: CardDesk, _ pins: inout TestPINs?) throws -> PINOnRecord {
            if let onFile = try pinOnFile() { return onFile }
            guard let pin else { return .none }
            return try testPIN(pin, desk, pins: &pins)
        }

        /// As the file has it; nil where it has none, or a clear one.
        private func pinOnFile() throws -> PINOnRecord? {
            guard [pinReference, pinVerificationValue, pin].count(where: { $0 != nil }) <= 1 else {
                throw CardFault("", "pinReference, pinVerificationValue and pin exclude each other")
            }
            if let pinReference {
                guard pinReference.utf8.count == 16,
                    pinReference.utf8.allSatisfy({ $0 != 0x2B && $0 != 0x2D }),
                    let block = UInt64(pinReference, radix: 16)
                else { throw CardFault("pinReference", "has to be 16 hex digits") }
                return .reference(EncipheredPINBlock(rawValue: block))
            }
            return try pinVerificationValue.map { .verificationValue(try value($0)) }
        }

        private func value(_ text: String) throws -> PINVerificationValue {
            let parts = text.split(separator: ":", omittingEmptySubsequences: false)
            guard parts.count == 2, parts[0].utf8.count == 1, parts[1].utf8.count == 4,
                let index = UInt8(parts[0]), let digits = UInt16(parts[1], radix: 16),
                let value = PINVerificationValue(keyIndex: index, digits: digits)
            else {
                throw CardFault("pinVerificationValue", "has to be key index and value, as 1:1234")
            }
            return value
        }

        private func testPIN(
            _ pin: String, _ desk: CardDesk, pins: inout TestPINs?
        ) throws -> PINOnRecord {
            guard desk.configuration.profile == .demo else {
                throw CardFault("pin", "a clear one is for test cards in the demo profile only")
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
                throw error as? CardFault ?? CardFault("pin", "\(error)")
            }
        }

        /// As the card says, or else as its range does.
        private func verification(of pan: PAN, _ desk: CardDesk) throws -> PINVerification {
            switch pinVerification {
            case "reference": return .reference
            case "pvv": return .verificationValue(keyIndex: 1)
            case nil:
                return try desk.configuration.rangeTable().range(for: pan)?.pinVerification ?? .reference
            case let other?: throw CardFault("pinVerification", "reference or pvv, not \(other)")
            }
        }
    }
}
