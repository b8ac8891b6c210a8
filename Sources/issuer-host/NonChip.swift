internal import Authorisation
internal import ISO8583
internal import IssuerConfiguration
internal import IssuerMessages

extension NonChipPolicy {
    /// - Parameter place: where it stands, for errors.
    init(_ file: IssuerConfiguration.NonChip, place: String) throws {
        self.init(cardVerificationKey: KeyName(file.cardVerificationKey))
        guard file.stripeValueOffset <= 13 else {
            throw WiringError("\(place).stripeValueOffset: at most 13, not \(file.stripeValueOffset)")
        }
        guard ["YYMM", "MMYY"].contains(file.printedValueDate) else {
            throw WiringError("\(place).printedValueDate: YYMM or MMYY, not \(file.printedValueDate)")
        }
        stripeValueOffset = file.stripeValueOffset
        acceptsMagneticStripe = file.magneticStripe
        acceptsFallback = file.fallback
        acceptsCardNotPresent = file.cardNotPresent
        printedValueTakesMonthFirst = file.printedValueDate == "MMYY"
        remote = try RemotePolicy(file, place: place)
    }
}

extension RemotePolicy {
    /// - Parameter place: where it stands, for errors.
    init(_ file: IssuerConfiguration.NonChip, place: String) throws {
        self.init()
        needsFirst = file.firstPayment == "required"
        for text in file.withoutCVV2 {
            let parts = text.split(separator: ":", omittingEmptySubsequences: false)
            let kinds = RemoteKind.allCases.map(\.rawValue).joined(separator: ", ")
            guard let kind = RemoteKind(rawValue: String(parts[0])) else {
                throw WiringError("\(place).withoutCVV2: \(parts[0]) is none of \(kinds)")
            }
            guard most[kind] == nil else {
                throw WiringError("\(place).withoutCVV2: \(kind.rawValue) stands twice")
            }
            if kind == .accountVerification, parts.count == 1 {
                most[kind] = 0
                continue
            }
            guard kind != .accountVerification, parts.count == 2, let number = Int64(parts[1]),
                (1...Amount.minorUnitsMax).contains(number)
            else {
                throw WiringError(
                    "\(place).withoutCVV2: \(text): KIND:MOST is needed, the most from 1 to \(Amount.minorUnitsMax) minor units; "
                        + "accountVerification stands by itself, since no money moves")
            }
            most[kind] = number
        }
    }
}

extension IssuerConfiguration {
    func printedValue(_ link: Link) throws -> PrintedValuePlace? {
        guard let number = link.cvv2Element else { return nil }
        guard let element = UInt8(exactly: number).flatMap(DataElement.init(rawValue:)), number > 1 else {
            throw WiringError("links.\(link.name).cvv2Element: 2 to 128, not \(number)")
        }
        return PrintedValuePlace(element: element, offset: link.cvv2Offset)
    }
}
