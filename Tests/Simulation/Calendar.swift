/// Times as messages have them, UTC.
enum Calendar {
    /// `MMDDhhmmss` as a number.
    /// - Parameter seconds: since 1970.
    static func digits(_ seconds: Int64) -> UInt32 {
        var (year, days) = (Int64(1_970), seconds / 86_400)
        func isLeap(_ year: Int64) -> Bool { year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) }
        while days >= (isLeap(year) ? 366 : 365) {
            days -= isLeap(year) ? 366 : 365
            year += 1
        }
        let lengths: [Int64] = [31, isLeap(year) ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        var month = 0
        while days >= lengths[month] {
            days -= lengths[month]
            month += 1
        }
        let second = seconds % 86_400
        let date = Int64(month + 1) * 100_000_000 + (days + 1) * 1_000_000
        return UInt32(date + second / 3_600 * 10_000 + second / 60 % 60 * 100 + second % 60)
    }
}
