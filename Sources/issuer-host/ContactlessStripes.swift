internal import Authorisation
internal import EMV
internal import IssuerConfiguration

extension IssuerConfiguration.Issuer {
    /// Label of the issuer master key of its contactless magnetic stripes; nil: none passes.
    var contactlessStripeKey: String? {
        guard let nonChip, nonChip.contactlessStripe != "none" else { return nil }
        if let own = nonChip.contactlessStripeKey { return own }
        return nonChip.contactlessStripe == "dcvv" && keyVersions.count == 1
            ? keyVersions[0].issuerMasterKey : nil
    }

    /// - Parameter place: where `nonChip` stands, for errors.
    func contactlessStripe(_ option: MasterKeyOption, place: String) throws -> ContactlessStripe? {
        guard let nonChip, nonChip.contactlessStripe != "none" else { return nil }
        guard option != .c else { throw WiringError("\(place).contactlessStripe: AES cards have none") }
        guard let key = contactlessStripeKey else {
            throw WiringError(
                "\(place).contactlessStripeKey is missing: the key of \(nonChip.contactlessStripe)")
        }
        return ContactlessStripe(
            issuerMasterKey: KeyName(key), masterKeyOption: option,
            form: nonChip.contactlessStripe == "dcvv"
                ? try offsets(nonChip.contactlessStripePlaces ?? "5:8", place)
                : try positions(nonChip.contactlessStripePlaces ?? "", place))
    }

    private func offsets(_ text: String, _ place: String) throws -> ContactlessStripe.Form {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map { Int($0) ?? -1 }
        guard parts.count == 2, (0...13).contains(parts[0]), (0...12).contains(parts[1]),
            parts[0] + 3 <= parts[1] || parts[1] + 4 <= parts[0]
        else {
            throw WiringError(
                "\(place).contactlessStripePlaces: two offsets that do not overlap are needed, such as 5:8, not \(text)"
            )
        }
        return .dcvv(valueOffset: parts[0], atcOffset: parts[1])
    }

    private func positions(_ text: String, _ place: String) throws -> ContactlessStripe.Form {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 3, let value = UInt16(parts[0], radix: 16),
            let numbers = UInt16(parts[1], radix: 16),
            let digits = Int(parts[2]),
            let track = ContactlessTrack(valuePositions: value, numberPositions: numbers, atcDigits: digits)
        else {
            throw WiringError(
                "\(place).contactlessStripePlaces: PCVC3:PUNATC:NATC are needed, such as 0E00:01FE:4, not \(text)"
            )
        }
        guard track.isStrong else {
            throw WiringError(
                "\(place).contactlessStripePlaces: \(text): three digits of CVC3 and of the ATC are needed at least"
            )
        }
        return .cvc3(track)
    }
}
