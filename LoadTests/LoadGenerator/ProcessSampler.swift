internal import FoundationEssentials
internal import Glibc

/// CPU time and memory of one process, from `/proc`.
struct ProcessSample: Sendable {
    /// User and system, seconds.
    let cpuSeconds: Double
    /// Resident, in 2^20 bytes.
    let megabytes: Double

    /// Several processes together, such as the nodes of a store.
    /// - Parameter pids: numbers with commas between them.
    /// - Returns: nil if one of them is not there.
    init?(pids: String) {
        let samples = pids.split(separator: ",").map { ProcessSample(pid: String($0)) }
        guard !samples.isEmpty, !samples.contains(where: { $0 == nil }) else { return nil }
        cpuSeconds = samples.reduce(0) { $0 + ($1?.cpuSeconds ?? 0) }
        megabytes = samples.reduce(0) { $0 + ($1?.megabytes ?? 0) }
    }

    /// - Returns: nil if there is no such process, or no `/proc`.
    init?(pid: String) {
        guard let stat = readSmallFile("/proc/\(pid)/stat"), let statm = readSmallFile("/proc/\(pid)/statm")
        else { return nil }
        // The second field is the command's name in parentheses and may hold anything, spaces too.
        guard let end = stat.lastIndex(of: ")") else { return nil }
        let fields = stat[stat.index(after: end)...].split(separator: " ")
        let pages = statm.split(separator: " ")
        guard fields.count > 12, pages.count > 1, let user = Double(fields[11]),
            let system = Double(fields[12]), let resident = Double(pages[1])
        else { return nil }
        cpuSeconds =
            ProcessSample.preciseSeconds(pid) ?? (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
        megabytes = resident * Double(sysconf(Int32(_SC_PAGESIZE))) / 1_048_576
    }
}

extension ProcessSample {
    /// To the nanosecond, where `/proc` counts in hundredths: a step of some seconds at a low rate is no more than ten of
    /// those.
    private static func preciseSeconds(_ pid: String) -> Double? {
        var clock = clockid_t()
        var time = timespec()
        guard clock_getcpuclockid(pid == "self" ? 0 : pid_t(pid) ?? -1, &clock) == 0,
            clock_gettime(clock, &time) == 0
        else { return nil }
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}

/// A file of `/proc` or `/sys`; nil if it cannot be read.
func readSmallFile(_ path: String) -> String? {
    guard let file = fopen(path, "r") else { return nil }
    defer { fclose(file) }
    var bytes = [UInt8](repeating: 0, count: 65_536)
    let count = fread(&bytes, 1, bytes.count, file)
    return String(decoding: bytes.prefix(count), as: UTF8.self)
}

/// The processes of a measurement, sampled together.
struct ProcessSampler: Sendable {
    /// What all of them had used at one moment.
    struct Moment: Sendable {
        let host: ProcessSample?
        let redis: ProcessSample?
        let generator: ProcessSample?
    }

    let hostPID: String?
    let redisPID: String?

    func moment() -> Moment {
        Moment(
            host: hostPID.flatMap { ProcessSample(pids: $0) },
            redis: redisPID.flatMap { ProcessSample(pids: $0) }, generator: ProcessSample(pid: "self"))
    }
}

extension ProcessSampler.Moment {
    /// CPU seconds between two moments; nil where one has no sample.
    static func cpu(
        _ process: KeyPath<Self, ProcessSample?>, from: Self, to: Self
    ) -> Double? {
        guard let first = from[keyPath: process], let last = to[keyPath: process] else { return nil }
        return last.cpuSeconds - first.cpuSeconds
    }
}
