internal import Glibc

/// Sleep of the thread that makes it, as exact as the kernel's clock.
struct PreciseSleep {
    /// The kernel lets a thread sleep 50 microseconds longer than it asked for, so that it wakes several at once (proc(5),
    /// timerslack_ns): half of what an answer takes.
    /// - Returns: nil where the kernel keeps to that.
    init?() {
        // A link to PID/task/TID; the file lies beside a thread's number among the processes.
        let thread = String(unsafeUninitializedCapacity: 64) { buffer in
            buffer.withMemoryRebound(to: CChar.self) {
                max(0, readlink("/proc/thread-self", $0.baseAddress!, $0.count))
            }
        }
        let number = thread.split(separator: "/").last ?? ""
        let descriptor = open("/proc/\(number)/timerslack_ns", O_WRONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        guard write(descriptor, "1", 1) == 1 else { return nil }
    }

    /// - Parameter nanoseconds: of the monotonic clock. A time that has passed costs a system call.
    func until(_ nanoseconds: UInt64) {
        var time = timespec(
            tv_sec: Int(nanoseconds / 1_000_000_000), tv_nsec: Int(nanoseconds % 1_000_000_000))
        while clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, nil) == EINTR {}
    }
}
