internal import Authorisation
internal import Books

/// A shop in another country: its currency, what that comes to, and who says so. The arithmetic is the simulation's own.
struct Shop: Hashable {
    /// ISO 4217.
    let currency: UInt16
    /// Minor units of the account for one of the shop's: a fraction.
    let numerator: Int64
    let denominator: Int64
    /// As DE10 and the host's table have it, between whole units.
    let rate: String
    /// The host's table has it.
    let isInTable: Bool
    /// DE6 comes with the message.
    var isBilled = true
    /// By so much DE6 is another than what DE10 makes.
    var shift: Int64 = 0

    /// With two, none, three and none decimal places.
    static let all = [
        Shop(currency: 978, numerator: 112_045, denominator: 10_000, rate: "11.2045", isInTable: true),
        Shop(currency: 392, numerator: 683, denominator: 100, rate: "0.0683", isInTable: false),
        Shop(currency: 414, numerator: 341_875, denominator: 100_000, rate: "34.1875", isInTable: false),
        Shop(currency: 410, numerator: 75, denominator: 100, rate: "0.0075", isInTable: true),
    ]

    /// What the account pays, half a minor unit rounded up.
    func paid(_ minorUnits: Int64) -> Int64 { max(0, exact(minorUnits) + (isBilled ? shift : 0)) }

    private func exact(_ minorUnits: Int64) -> Int64 {
        (2 * minorUnits * numerator + denominator) / (2 * denominator)
    }

    /// Nobody says what it costs.
    var isUnserved: Bool { !isBilled && !isInTable }
    /// More than rounding.
    func isWrong(_ minorUnits: Int64) -> Bool { abs(paid(minorUnits) - exact(minorUnits)) > 1 }

    static func share(_ amount: Int64, _ part: Int64, of whole: Int64) -> Int64 {
        part == 0 ? 0 : part >= whole ? amount : (2 * amount * part + whole) / (2 * whole)
    }

    /// One for a new transaction of so many minor units of the account, or none.
    static func draw(_ numbers: inout SimulatedNumbers) -> Shop? {
        guard numbers.chance(25) else { return nil }
        var shop = all.randomElement(using: &numbers)!
        shop.isBilled = numbers.chance(75)
        shop.shift = numbers.chance(70) ? 0 : [-1, 1, -1, 1, 5, -7].randomElement(using: &numbers)!
        return shop
    }

    /// The host's table.
    static let table: RateTable = {
        var table = RateTable()
        for shop in all where shop.isInTable {
            _ = table.add(
                ConversionRate(decimal: shop.rate)!, from: CurrencyCode(rawValue: shop.currency)!,
                to: Plan.currency)
        }
        return table
    }()

    /// DE6, DE51 and DE10.
    func billing(_ minorUnits: Int64) -> CardholderBilling? {
        guard isBilled else { return nil }
        return CardholderBilling(
            amount: Amount(minorUnits: paid(minorUnits), currency: Plan.currency)!,
            rate: ConversionRate(decimal: rate))
    }
}
