internal import Foundation
internal import Glibc
internal import Synchronization

/// A capture file (libpcap 2.4, raw IPv4) of what terminals sent and received, for Wireshark and tshark. TCP's
/// handshake and ends are made up around the real bytes, since no packet was caught: addresses other than IPv4 stand
/// there as 127.0.0.1. It holds card data in clear, so only its owner can read it.
package final class CaptureFile: Sendable {
    private struct Stream {
        let server: UInt32
        let serverPort: UInt16
        let clientPort: UInt16
        var sent: UInt32 = 1
        var received: UInt32 = 1
    }

    private struct State {
        var streams: [Int: Stream] = [:]
        var count = 0
        var failed = false
    }

    private static let loopback: UInt32 = 0x7F00_0001
    private static let firstPort = 49_152
    /// A TCP segment within one IPv4 packet, options none.
    private static let segmentBytesMax = 65_000

    private let file: FileHandle
    private let state = Mutex(State())

    /// Begins the file anew.
    /// - Throws: `StepError` where it cannot be written.
    package init(path: String) throws {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw StepError("\(path) cannot be written: \(String(cString: strerror(errno)))")
        }
        file = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        // Magic number of microseconds, version 2.4, zone, accuracy, longest packet, LINKTYPE_RAW.
        var head = little(UInt32(0xA1B2_C3D4)) + little(UInt16(2)) + little(UInt16(4))
        head += little(UInt32(0)) + little(UInt32(0)) + little(UInt32(262_144)) + little(UInt32(101))
        try file.write(contentsOf: Data(head))
    }

    /// - Returns: the connection's number.
    func opened(_ endpoint: Endpoint) -> Int {
        state.withLock { state in
            state.count += 1
            let port = UInt16(CaptureFile.firstPort + state.count % (65_535 - CaptureFile.firstPort))
            let stream = Stream(
                server: CaptureFile.address(endpoint.host), serverPort: endpoint.port, clientPort: port)
            state.streams[state.count] = stream
            write(packet(stream, fromClient: true, flags: 0x02, sequence: 0, acknowledged: 0), &state)
            write(packet(stream, fromClient: false, flags: 0x12, sequence: 0, acknowledged: 1), &state)
            write(packet(stream, fromClient: true, flags: 0x10, sequence: 1, acknowledged: 1), &state)
            return state.count
        }
    }

    func closed(_ number: Int) {
        state.withLock { state in
            guard let stream = state.streams.removeValue(forKey: number) else { return }
            let (mine, other) = (stream.sent, stream.received)
            write(packet(stream, fromClient: true, flags: 0x11, sequence: mine, acknowledged: other), &state)
            write(
                packet(stream, fromClient: false, flags: 0x11, sequence: other, acknowledged: mine &+ 1),
                &state)
            write(
                packet(stream, fromClient: true, flags: 0x10, sequence: mine &+ 1, acknowledged: other &+ 1),
                &state)
        }
    }

    func passed(_ direction: WireMessage.Direction, _ bytes: [UInt8], number: Int) {
        state.withLock { state in
            guard var stream = state.streams[number] else { return }
            for start in stride(from: 0, to: bytes.count, by: CaptureFile.segmentBytesMax) {
                let part = bytes[start..<min(start + CaptureFile.segmentBytesMax, bytes.count)]
                let isSent = direction == .sent
                write(
                    packet(
                        stream, fromClient: isSent, flags: 0x18,
                        sequence: isSent ? stream.sent : stream.received,
                        acknowledged: isSent ? stream.received : stream.sent, payload: part), &state)
                if isSent {
                    stream.sent &+= UInt32(part.count)
                } else {
                    stream.received &+= UInt32(part.count)
                }
            }
            state.streams[number] = stream
        }
    }

    private static func address(_ host: String) -> UInt32 {
        var address = in_addr()
        return inet_pton(AF_INET, host, &address) == 1 ? UInt32(bigEndian: address.s_addr) : loopback
    }

    /// A full disk must not end a run; what is there stays readable.
    private func write(_ packet: [UInt8], _ state: inout State) {
        guard !state.failed else { return }
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        var record = little(UInt32(truncatingIfNeeded: now.tv_sec)) + little(UInt32(now.tv_nsec / 1_000))
        record += little(UInt32(packet.count)) + little(UInt32(packet.count)) + packet
        do { try file.write(contentsOf: Data(record)) } catch { state.failed = true }
    }

    /// An IPv4 packet (RFC 791) with a TCP segment (RFC 9293), both checksums right.
    private func packet(
        _ stream: Stream, fromClient: Bool, flags: UInt8, sequence: UInt32, acknowledged: UInt32,
        payload: ArraySlice<UInt8> = []
    ) -> [UInt8] {
        let (source, target) =
            fromClient ? (CaptureFile.loopback, stream.server) : (stream.server, CaptureFile.loopback)
        let ports =
            fromClient ? [stream.clientPort, stream.serverPort] : [stream.serverPort, stream.clientPort]
        var segment = ports.flatMap(big) + big(sequence) + big(acknowledged)
        segment += [0x50, flags] + big(UInt16(65_535)) + [0, 0, 0, 0] + payload
        let addresses = big(source) + big(target)
        let sum = checksum(addresses + [0, 6] + big(UInt16(segment.count)) + segment)
        segment.replaceSubrange(16..<18, with: big(sum))
        var head: [UInt8] = [0x45, 0] + big(UInt16(20 + segment.count)) + [0, 0, 0x40, 0, 64, 6, 0, 0]
        head += addresses
        head.replaceSubrange(10..<12, with: big(checksum(head)))
        return head + segment
    }

    private func checksum(_ bytes: [UInt8]) -> UInt16 {
        var sum: UInt32 = 0
        for index in stride(from: 0, to: bytes.count, by: 2) {
            sum += UInt32(bytes[index]) << 8 | (index + 1 < bytes.count ? UInt32(bytes[index + 1]) : 0)
        }
        while sum > 0xFFFF { sum = (sum >> 16) + (sum & 0xFFFF) }
        return ~UInt16(sum)
    }
}

private func little<Value: FixedWidthInteger>(_ value: Value) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian) { Array($0) }
}

private func big<Value: FixedWidthInteger>(_ value: Value) -> [UInt8] {
    withUnsafeBytes(of: value.bigEndian) { Array($0) }
}
