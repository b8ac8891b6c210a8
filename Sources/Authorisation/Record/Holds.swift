/// A pre-authorisation that may still be completed. What it holds of the money stands with its transaction.
struct Hold {
    /// The transaction's.
    let number: UInt32
    /// What was approved, in minor units of the account.
    let approved: Int64
    /// What completions have come to so far.
    var completed: Int64
    /// Seconds since 1970.
    let expiresAt: UInt32
    /// DE18; 0: none.
    let merchantCategory: UInt16
}

/// All of an account, oldest first.
struct Holds {
    /// At most; another pre-authorisation is declined until one ends.
    static let countMax = 64
    private static let byteCount = 26

    var holds: [Hold] = []

    init(_ content: ArraySlice<UInt8>) {
        let bytes = Array(content)
        var place = 0
        while place + Self.byteCount <= bytes.count {
            holds.append(
                Hold(
                    number: bytes.load(place, as: UInt32.self),
                    approved: bytes.load(place + 4, as: Int64.self),
                    completed: bytes.load(place + 12, as: Int64.self),
                    expiresAt: bytes.load(place + 20, as: UInt32.self),
                    merchantCategory: bytes.load(place + 24, as: UInt16.self)))
            place += Self.byteCount
        }
    }

    var content: [UInt8] {
        var bytes: [UInt8] = []
        for hold in holds {
            bytes.append(bigEndian: hold.number)
            bytes.append(bigEndian: hold.approved)
            bytes.append(bigEndian: hold.completed)
            bytes.append(bigEndian: hold.expiresAt)
            bytes.append(bigEndian: hold.merchantCategory)
        }
        return bytes
    }

    func hold(of number: UInt32) -> Hold? { holds.first { $0.number == number } }
}

/// How much more than a hold its completions may come to, and how long it lasts, by merchant category (ISO 18245).
package struct HoldRules: Sendable {
    /// One rule for a span of categories.
    package struct Rule: Hashable, Sendable {
        /// Categories that it is for.
        package let categories: ClosedRange<UInt16>
        /// Per cent of the approved amount on top.
        package let excessPercent: Int64
        /// Days that the hold lasts.
        package let days: Int64

        package init(_ categories: ClosedRange<UInt16>, excessPercent: Int64, days: Int64) {
            self.categories = categories
            self.excessPercent = excessPercent
            self.days = days
        }
    }

    /// Where no rule fits.
    package var excessPercent: Int64 = 15
    /// Where no rule fits.
    package var days: Int64 = 7
    /// The first that fits counts.
    package var rules: [Rule]

    /// The usual ones: fuel, restaurants, hotels, car rental.
    package init(
        excessPercent: Int64 = 15, days: Int64 = 7, rules: [Rule] = HoldRules.usualRules
    ) {
        self.excessPercent = excessPercent
        self.days = days
        self.rules = rules
    }

    /// Fuel is approved for the most that may be tapped, restaurants add tips, hotels and cars stay longer.
    package static let usualRules = [
        Rule(5_541...5_542, excessPercent: 0, days: 1), Rule(5_811...5_814, excessPercent: 20, days: 3),
        Rule(3_351...3_500, excessPercent: 25, days: 31), Rule(7_512...7_513, excessPercent: 25, days: 31),
        Rule(3_501...3_999, excessPercent: 20, days: 31), Rule(7_011...7_011, excessPercent: 20, days: 31),
    ]

    func excessPercent(_ category: UInt16?) -> Int64 { rule(category)?.excessPercent ?? excessPercent }
    func days(_ category: UInt16?) -> Int64 { rule(category)?.days ?? days }

    private func rule(_ category: UInt16?) -> Rule? {
        category.flatMap { category in rules.first { $0.categories.contains(category) } }
    }
}
