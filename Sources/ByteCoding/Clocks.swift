internal import Glibc

/// Nanoseconds of CLOCK_MONOTONIC.
@Sendable package func monotonicNanoseconds() -> UInt64 {
    var now = timespec()
    clock_gettime(CLOCK_MONOTONIC, &now)
    return UInt64(now.tv_sec) * 1_000_000_000 + UInt64(now.tv_nsec)
}

/// Milliseconds since 1970 of CLOCK_REALTIME, which may be set at any time.
@Sendable package func unixMilliseconds() -> Int64 {
    var now = timespec()
    clock_gettime(CLOCK_REALTIME, &now)
    return Int64(now.tv_sec) * 1_000 + Int64(now.tv_nsec) / 1_000_000
}

/// A day of the civil calendar, in UTC: the one place that knows months and leap years.
package struct CalendarDay: Hashable, Sendable {
    package static let secondsOfDay: Int64 = 86_400

    package let year: Int
    /// 1…12.
    package let month: Int
    /// 1…31.
    package let day: Int

    /// - Parameter unixSeconds: 0 or more.
    package init(unixSeconds: Int64) { self.init(daysSince1970: unixSeconds / Self.secondsOfDay) }

    /// - Parameter daysSince1970: 0 or more.
    package init(daysSince1970: Int64) {
        // Years that begin in March, so that the leap day is the last one; 719,468 days lie between the first of March of
        // the year 0 and the beginning of 1970.
        let days = Int(daysSince1970) + 719_468
        let (era, dayOfEra) = days.quotientAndRemainder(dividingBy: 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shifted = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * shifted + 2) / 5 + 1
        month = shifted < 10 ? shifted + 3 : shifted - 9
        year = era * 400 + yearOfEra + (month <= 2 ? 1 : 0)
    }
}
