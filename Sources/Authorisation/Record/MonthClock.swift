internal import ByteCoding

/// Times of messages have a month and a day and no year: `MMDDhhmmss` as a number.
enum MonthClock {
    /// A leap year, so that every day has a place.
    private static let daysBefore = [0, 31, 60, 91, 121, 152, 182, 213, 244, 274, 305, 335]
    /// How far a local time may lie from UTC, in seconds.
    static let zoneSeconds: Int64 = 14 * 3_600
    /// Seconds of a year of 366 days.
    private static let year: Int64 = 366 * 86_400

    /// Seconds since the year began; nil for what is no such time.
    static func seconds(_ time: UInt32) -> Int64? {
        let number = Int64(time)
        let (month, day) = (number / 100_000_000, number / 1_000_000 % 100)
        let (hour, minute, second) = (number / 10_000 % 100, number / 100 % 100, number % 100)
        guard (1...12).contains(month), (1...31).contains(day), hour < 24, minute < 60, second < 62 else {
            return nil
        }
        let days = Int64(daysBefore[Int(month) - 1]) + day - 1
        return days * 86_400 + hour * 3_600 + minute * 60 + second
    }

    /// How far two times lie apart, whichever is the earlier, across the turn of the year too; nil where one is none.
    static func distance(_ left: UInt32, _ right: UInt32) -> Int64? {
        guard let one = seconds(left), let other = seconds(right) else { return nil }
        let apart = abs(one - other)
        return min(apart, year - apart)
    }

    /// How long before a moment a time lay, in seconds, below zero where it lies after it; nil where it is none.
    /// - Parameter now: seconds since 1970.
    static func age(of time: UInt32, at now: Int64) -> Int64? {
        guard let then = seconds(time), let today = seconds(at(now)) else { return nil }
        let age = today - then
        if age > year / 2 { return age - year }
        return age < -year / 2 ? age + year : age
    }

    /// A moment as messages have it, in UTC.
    static func at(_ unixSeconds: Int64) -> UInt32 {
        let today = CalendarDay(unixSeconds: unixSeconds)
        let second = unixSeconds % 86_400
        return UInt32(
            Int64(today.month) * 100_000_000 + Int64(today.day) * 1_000_000 + second / 3_600 * 10_000
                + second / 60 % 60 * 100 + second % 60)
    }
}
