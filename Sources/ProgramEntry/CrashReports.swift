import Glibc

/// Swift's report of a crash prints registers with the memory behind them, and a program that serves cards has account
/// numbers there. It is off in every executable of this package, whoever starts it; a crash ends the process by its signal.
package enum CrashReports {
    /// Those that the runtime catches to report.
    static let signals = [SIGQUIT, SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGTRAP]
    /// Rules the report; whoever asks for it there by name gets it.
    static let variable = "SWIFT_BACKTRACE"

    /// Takes back what the runtime set up before `main`, and keeps programs that this one starts from it, too.
    static func turnOff() {
        let asked = getenv(variable).map { String(cString: $0) } ?? ""
        guard !asked.split(separator: ",").contains(where: { ["enable=yes", "enable=true"].contains($0) })
        else {
            return
        }
        for number in signals { signal(number, SIG_DFL) }
        setenv(variable, "enable=no", 1)
        // And no file with that memory either.
        var none = rlimit(rlim_cur: 0, rlim_max: 0)
        getrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &none)
        none.rlim_cur = 0
        setrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &none)
    }
}
