internal import Glibc
internal import NIOCore

/// Writes and reads a connection without the event loop, and learns from the kernel when what it reads had come (SO_TIMESTAMPNS,
/// socket(7)). So an open load wakes for what it has to send and for nothing else, and looks for answers then: the moments
/// at which answers came are as true, and the generator costs about half.
struct ArrivalClock {
    private let descriptor: NIOBSDSocket.Handle

    /// asm-generic/socket.h, where C has an expression that Swift cannot take over.
    private static let timestamps: Int32 = 35

    /// What a read came to.
    enum Outcome {
        /// So many bytes, the last of them come at this monotonic time in nanoseconds.
        case bytes(Int, at: UInt64)
        /// Nothing is there.
        case nothing
        /// The peer has closed, or the connection is broken.
        case ended
    }

    /// - Returns: nil where the kernel keeps no such times.
    init?(_ descriptor: NIOBSDSocket.Handle) {
        self.descriptor = descriptor
        var on: Int32 = 1
        guard
            setsockopt(
                descriptor, SOL_SOCKET, ArrivalClock.timestamps, &on, socklen_t(MemoryLayout<Int32>.size))
                == 0
        else { return nil }
    }

    /// Writes without the event loop, whose way costs as much as the kernel's. Never waits.
    /// - Returns: how many bytes the kernel took; 0 as well where the connection is broken, which the event loop finds out.
    func write(_ bytes: UnsafeRawBufferPointer) -> Int {
        let count = send(descriptor, bytes.baseAddress, bytes.count, Int32(MSG_DONTWAIT | MSG_NOSIGNAL))
        return max(0, count)
    }

    /// Never waits. Several answers read at once all count as come with the last of them: none looks quicker than it was.
    func read(into buffer: UnsafeMutableRawBufferPointer) -> Outcome {
        var vector = iovec(iov_base: buffer.baseAddress, iov_len: buffer.count)
        // A header of 16 bytes and a timespec.
        var control: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
        return withUnsafeMutablePointer(to: &vector) { vector in
            withUnsafeMutableBytes(of: &control) { control in
                var message = msghdr()
                message.msg_iov = vector
                message.msg_iovlen = 1
                message.msg_control = control.baseAddress
                message.msg_controllen = control.count
                let count = recvmsg(descriptor, &message, Int32(MSG_DONTWAIT))
                guard count > 0 else {
                    return count < 0 && (errno == EAGAIN || errno == EINTR) ? .nothing : .ended
                }
                let controls = UnsafeRawBufferPointer(rebasing: control[..<message.msg_controllen])
                return .bytes(count, at: ArrivalClock.moment(controls))
            }
        }
    }

    /// The kernel's time on the monotonic clock; the present where it says none.
    private static func moment(_ control: UnsafeRawBufferPointer) -> UInt64 {
        var present = timespec()
        clock_gettime(CLOCK_REALTIME, &present)
        // The later of the two clocks that are read: what comes in between makes an answer look slower, never quicker.
        let now = NIODeadline.now().uptimeNanoseconds
        guard control.count >= 32, control.load(fromByteOffset: 8, as: Int32.self) == SOL_SOCKET,
            control.load(fromByteOffset: 12, as: Int32.self) == timestamps
        else { return now }
        let seconds = present.tv_sec - control.load(fromByteOffset: 16, as: Int.self)
        let age = seconds * 1_000_000_000 + present.tv_nsec - control.load(fromByteOffset: 24, as: Int.self)
        // A clock that was set meanwhile says nothing.
        return (0..<60_000_000_000).contains(age) ? now - UInt64(age) : now
    }
}
