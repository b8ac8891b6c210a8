/// A moment as a calendar has it, in UTC.
struct CalendarTime {
    private let year: Int
    private let month: Int
    private let day: Int
    private let secondOfDay: Int

    init(unixSeconds: Int64) {
        secondOfDay = Int(unixSeconds % 86_400)
        // Years that begin in March, so that the leap day is the last one (the civil calendar's usual arithmetic);
        // 719,468 days lie between the first of March of the year 0 and the beginning of 1970.
        let days = Int(unixSeconds / 86_400) + 719_468
        let dayOfEra = days % 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        year = days / 146_097 * 400 + yearOfEra + (month <= 2 ? 1 : 0)
    }

    /// MMDDhhmmss (ISO 8583:1987 DE7).
    var transmissionTime: String { ([month, day] + clock).map(twoDigits).joined() }

    /// YYMMDDhhmmss (ISO 8583:1993 DE12).
    var localTime: String { twoDigits(year % 100) + transmissionTime }

    /// `2026-11-24T19:30:00.123Z` (RFC 3339).
    func text(milliseconds: Int) -> String {
        let fraction = String("\(1_000 + milliseconds)".dropFirst())
        return "\(year)-" + [month, day].map(twoDigits).joined(separator: "-") + "T"
            + clock.map(twoDigits).joined(separator: ":") + ".\(fraction)Z"
    }

    private var clock: [Int] { [secondOfDay / 3_600, secondOfDay / 60 % 60, secondOfDay % 60] }

    private func twoDigits(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
}
