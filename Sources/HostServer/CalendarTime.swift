internal import ByteCoding

/// A moment as a calendar has it, in UTC.
struct CalendarTime {
    private let date: CalendarDay
    private let secondOfDay: Int

    init(unixSeconds: Int64) {
        secondOfDay = Int(unixSeconds % CalendarDay.secondsOfDay)
        date = CalendarDay(unixSeconds: unixSeconds)
    }

    /// MMDDhhmmss (ISO 8583:1987 DE7).
    var transmissionTime: String { ([date.month, date.day] + clock).map(twoDigits).joined() }

    /// YYMMDDhhmmss (ISO 8583:1993 DE12).
    var localTime: String { twoDigits(date.year % 100) + transmissionTime }

    /// `2026-11-24T19:30:00.123Z` (RFC 3339).
    func text(milliseconds: Int) -> String {
        let fraction = String("\(1_000 + milliseconds)".dropFirst())
        return "\(date.year)-" + [date.month, date.day].map(twoDigits).joined(separator: "-") + "T"
            + clock.map(twoDigits).joined(separator: ":") + ".\(fraction)Z"
    }

    private var clock: [Int] { [secondOfDay / 3_600, secondOfDay / 60 % 60, secondOfDay % 60] }

    private func twoDigits(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
}
