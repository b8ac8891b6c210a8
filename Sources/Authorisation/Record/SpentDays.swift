/// What an account spent on the days that limits count, newest first: one for each day of the last 31.
struct SpentDays {
    struct Day {
        /// Days since 1970, UTC.
        var day: UInt16
        var minorUnits: Int64
        var count: UInt32
        var cashMinorUnits: Int64
        var cashCount: UInt32
    }

    /// 1…31 may be asked for, so so many are kept.
    static let keptDays: UInt16 = 31
    private static let byteCount = 26

    private(set) var days: [Day] = []

    /// - Parameter days: newest first.
    init(_ days: [Day]) { self.days = days }

    /// What several cards spent, day by day.
    init(adding all: [SpentDays]) {
        var sums: [UInt16: Day] = [:]
        for day in all.flatMap(\.days) {
            guard let sum = sums[day.day] else {
                sums[day.day] = day
                continue
            }
            sums[day.day] = Day(
                day: day.day, minorUnits: sum.minorUnits + day.minorUnits, count: sum.count + day.count,
                cashMinorUnits: sum.cashMinorUnits + day.cashMinorUnits,
                cashCount: sum.cashCount + day.cashCount)
        }
        days = Array(sums.values.sorted { $0.day > $1.day }.prefix(Int(Self.keptDays)))
    }

    init(_ content: ArraySlice<UInt8>) {
        let bytes = Array(content)
        var place = 0
        while place + Self.byteCount <= bytes.count {
            days.append(
                Day(
                    day: bytes.load(place, as: UInt16.self),
                    minorUnits: bytes.load(place + 2, as: Int64.self),
                    count: bytes.load(place + 10, as: UInt32.self),
                    cashMinorUnits: bytes.load(place + 14, as: Int64.self),
                    cashCount: bytes.load(place + 22, as: UInt32.self)))
            place += Self.byteCount
        }
    }

    var content: [UInt8] {
        var bytes: [UInt8] = []
        for day in days {
            bytes.append(bigEndian: day.day)
            bytes.append(bigEndian: day.minorUnits)
            bytes.append(bigEndian: day.count)
            bytes.append(bigEndian: day.cashMinorUnits)
            bytes.append(bigEndian: day.cashCount)
        }
        return bytes
    }

    /// Counts an amount, unless a bound would be passed.
    /// - Parameters:
    ///   - today: days since 1970. Hosts do not agree on midnight to the second: the newest day that is known is today,
    ///     so that no day is ever begun twice.
    ///   - cash: nil for what is no cash.
    /// - Returns: why not, or nil and the day that it was counted on.
    mutating func spend(
        _ minorUnits: Int64, cash: Int64?, today: UInt16, limits: SpendingLimits
    ) -> (declined: DeclineReason?, day: UInt16) {
        let day = max(today, days.first?.day ?? 0)
        days.removeAll { Int(day) - Int($0.day) >= Int(Self.keptDays) }
        var new = Day(day: day, minorUnits: 0, count: 0, cashMinorUnits: 0, cashCount: 0)
        let isBegun = days.first?.day == day
        if let first = days.first, isBegun { new = first }
        new.minorUnits += minorUnits
        new.count += 1
        new.cashMinorUnits += cash ?? 0
        new.cashCount += cash == nil ? 0 : 1
        var (rolling, times) = (new.minorUnits, Int64(new.count))
        for earlier in days.dropFirst(isBegun ? 1 : 0)
        where Int64(day) - Int64(earlier.day) < limits.rollingDays {
            rolling += earlier.minorUnits
            times += Int64(earlier.count)
        }
        func isOver(_ value: Int64, _ bound: Int64?) -> Bool { bound.map { value > $0 } ?? false }
        if cash != nil {
            if isOver(new.cashMinorUnits, limits.dailyCash.minorUnits) { return (.cashAmountExceeded, day) }
            if isOver(Int64(new.cashCount), limits.dailyCash.count) { return (.cashCountExceeded, day) }
        }
        if isOver(new.minorUnits, limits.daily.minorUnits) { return (.dailyAmountExceeded, day) }
        if isOver(Int64(new.count), limits.daily.count) { return (.dailyCountExceeded, day) }
        if isOver(rolling, limits.rolling.minorUnits) { return (.rollingAmountExceeded, day) }
        if isOver(times, limits.rolling.count) { return (.rollingCountExceeded, day) }
        if isBegun { days[0] = new } else { days.insert(new, at: 0) }
        return (nil, day)
    }

    /// Takes an amount out of the day that it was counted on; the transaction too, if nothing of it is left.
    mutating func giveBack(_ minorUnits: Int64, of transaction: KeptTransaction, isWhole: Bool) {
        guard let index = days.firstIndex(where: { $0.day == transaction.day }) else { return }
        let cash = max(0, transaction.cash - (transaction.taken - minorUnits))
        days[index].minorUnits = max(0, days[index].minorUnits - minorUnits)
        days[index].cashMinorUnits = max(0, days[index].cashMinorUnits - cash)
        guard isWhole else { return }
        if days[index].count > 0 { days[index].count -= 1 }
        if transaction.cash > 0, days[index].cashCount > 0 { days[index].cashCount -= 1 }
    }
}
