import Glibc
import NIOCore
import SocketSupport
import Testing

@testable import LoadGenerator

@Suite("When answers came")
struct ArrivalClockTests {
    private func connected(to port: UInt16) -> Int32 {
        let near = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let status = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(near, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        #expect(status == 0)
        return near
    }

    @Test("what the kernel takes is said, and nothing of it is sent twice or left out")
    func writing() throws {
        let listener = try Listener()
        let near = connected(to: listener.port)
        defer { close(near) }
        let far = try listener.accept()
        let clock = try #require(ArrivalClock(near))
        // More than the kernel keeps for a peer that reads nothing.
        let sent = (0..<16_000_000).map { UInt8(truncatingIfNeeded: $0 ^ $0 >> 8) }
        let taken = sent.withUnsafeBytes(clock.write)
        #expect(taken > 0 && taken < sent.count)
        #expect(sent[taken...].withUnsafeBytes(clock.write) == 0)
        let received = far.receive(taken)
        #expect(received.map { $0.elementsEqual(sent[..<taken]) } == true)
    }

    @Test("a sleep ends no sooner than it was asked to")
    func sleeping() throws {
        let sleep = try #require(PreciseSleep())
        for nanoseconds in [0, 50_000, 2_000_000] as [UInt64] {
            let end = NIODeadline.now().uptimeNanoseconds + nanoseconds
            sleep.until(end)
            #expect(NIODeadline.now().uptimeNanoseconds >= end)
        }
    }

    @Test("what is read late came when the kernel got it, and an end is told from nothing")
    func late() throws {
        let listener = try Listener()
        let near = connected(to: listener.port)
        defer { close(near) }
        var far: Socket? = try listener.accept()
        let clock = try #require(ArrivalClock(near))
        func waitUntilReadable() -> Bool {
            var watched = pollfd(fd: near, events: Int16(POLLIN), revents: 0)
            return poll(&watched, 1, 10_000) == 1
        }
        var space = [UInt8](repeating: 0, count: 64)
        func read() -> ArrivalClock.Outcome { space.withUnsafeMutableBytes { clock.read(into: $0) } }
        guard case .nothing = read() else {
            Issue.record("bytes out of nothing")
            return
        }

        // The kernel begins to keep times a moment after it was asked; what came before that counts as come when it is read.
        var isKnown = false
        for _ in 0..<50 where !isKnown {
            let before = NIODeadline.now().uptimeNanoseconds
            #expect(far?.send([1, 2, 3]) == true && waitUntilReadable())
            let readable = NIODeadline.now().uptimeNanoseconds
            // Longer than anything between the two readings of the clock above may take.
            while NIODeadline.now().uptimeNanoseconds < readable + 200_000_000 { usleep(1_000) }
            guard case .bytes(3, let moment) = read() else {
                Issue.record("not the three bytes")
                return
            }
            #expect(moment >= before)
            isKnown = moment < readable + 200_000_000
        }
        #expect(isKnown)
        far = nil
        #expect(waitUntilReadable())
        guard case .ended = read() else {
            Issue.record("an end is no end")
            return
        }
    }
}
