internal import Glibc
internal import VirtualCard

/// The moment of a transaction, split as the data elements want it.
struct TerminalTime {
    /// DE7, MMDDhhmmss in UTC.
    let transmission: String
    /// DE12, hhmmss.
    let localTime: String
    /// DE13, MMDD.
    let localDate: String
    /// YY, which goes before DE13 and DE12 in DE12 of ISO 8583:1993.
    let localYear: String
    /// Year's last digit, day of the year and hour in UTC: the usual start of DE37.
    let referencePrefix: String
    /// Tag 9A; nil if the year does not fit.
    let transactionDate: TransactionDate?

    init(unixSeconds: Int64) {
        var seconds = time_t(unixSeconds)
        var utc = tm()
        var local = tm()
        gmtime_r(&seconds, &utc)
        localtime_r(&seconds, &local)
        func two(_ number: Int32) -> String { MoneyText.digits(UInt64(max(number, 0)), count: 2) }
        transmission =
            two(utc.tm_mon + 1) + two(utc.tm_mday) + two(utc.tm_hour) + two(utc.tm_min) + two(utc.tm_sec)
        localTime = two(local.tm_hour) + two(local.tm_min) + two(local.tm_sec)
        localDate = two(local.tm_mon + 1) + two(local.tm_mday)
        localYear = two(local.tm_year % 100)
        referencePrefix =
            "\(utc.tm_year % 10)" + MoneyText.digits(UInt64(utc.tm_yday + 1), count: 3) + two(utc.tm_hour)
        transactionDate = TransactionDate(
            year: Int(local.tm_year % 100), month: Int(local.tm_mon + 1), day: Int(local.tm_mday))
    }
}

/// Time and chance, so that tests can hold both still.
package struct TerminalSurroundings: Sendable {
    /// Seconds since 1970.
    package var unixSeconds: @Sendable () -> Int64
    /// 32 random bits.
    package var random: @Sendable () -> UInt32

    package init(unixSeconds: @escaping @Sendable () -> Int64, random: @escaping @Sendable () -> UInt32) {
        self.unixSeconds = unixSeconds
        self.random = random
    }

    /// The machine's.
    package static let real = TerminalSurroundings(
        unixSeconds: { Int64(time(nil)) }, random: { UInt32.random(in: 0 ... .max) })
}
