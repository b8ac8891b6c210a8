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
