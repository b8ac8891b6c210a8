internal import Glibc

/// A card at the other end of a connection: a length of two bytes, big endian, and a command; the same back.
package final class TCPCardReader: CardReader {
    package let name: String
    private var descriptor: Int32
    private let socket: CardSocket

    /// - Parameter seconds: that one answer may take.
    package init(host: String, port: UInt16, seconds: Int = 60) throws(CardReaderError) {
        name = "tcp:\(host):\(port)"
        descriptor = try TCPCardReader.connect(host, port)
        var limit = timeval(tv_sec: seconds, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        socket = CardSocket(descriptor)
    }

    deinit { close() }

    private static func connect(_ host: String, _ port: UInt16) throws(CardReaderError) -> Int32 {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var found: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, String(port), &hints, &found) == 0, let first = found else {
            throw CardReaderError(.unreachable, "\(host): no such host")
        }
        defer { freeaddrinfo(first) }
        var next: UnsafeMutablePointer<addrinfo>? = first
        var reason = ""
        while let address = next {
            let made = Glibc.socket(
                address.pointee.ai_family, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
            if made >= 0, Glibc.connect(made, address.pointee.ai_addr, address.pointee.ai_addrlen) == 0 {
                return made
            }
            reason = String(cString: strerror(errno))
            if made >= 0 { Glibc.close(made) }
            next = address.pointee.ai_next
        }
        throw CardReaderError(.unreachable, "\(host):\(port) cannot be reached: \(reason)")
    }

    package func transmit(_ command: [UInt8]) throws(CardReaderError) -> [UInt8] {
        guard descriptor >= 0 else { throw CardReaderError(.gone, "\(name): the reader is closed") }
        guard socket.send(command), let answer = socket.receive() else {
            close()
            throw CardReaderError(.gone, "\(name): the card was pulled out")
        }
        return answer
    }

    package func close() {
        guard descriptor >= 0 else { return }
        Glibc.close(descriptor)
        descriptor = -1
    }
}

/// Frames of length and content on a connected socket.
package struct CardSocket: Sendable {
    /// Of the socket.
    package let descriptor: Int32

    /// Sets what small frames in turns need: no delay on either side.
    package init(_ descriptor: Int32) {
        self.descriptor = descriptor
        var on: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
    }

    /// False where the other side is gone.
    package func send(_ content: [UInt8]) -> Bool {
        guard content.count <= 0xFFFF else { return false }
        return sendRaw([UInt8(content.count >> 8), UInt8(content.count & 0xFF)] + content)
    }

    /// The same without a length before it.
    package func sendRaw(_ bytes: [UInt8]) -> Bool {
        var offset = 0
        while offset < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress! + offset, bytes.count - offset, Int32(MSG_NOSIGNAL))
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return false }
            offset += count
        }
        return true
    }

    /// The next frame; nil where the other side is gone or nothing comes in time.
    package func receive() -> [UInt8]? {
        guard let head = read(2) else { return nil }
        return read(Int(head[0]) << 8 | Int(head[1]))
    }

    private func read(_ count: Int) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        var offset = 0
        while offset < count {
            // The other side may write a frame in two parts and wait for an acknowledgement between them.
            var on: Int32 = 1
            setsockopt(
                descriptor, Int32(IPPROTO_TCP), TCP_QUICKACK, &on, socklen_t(MemoryLayout<Int32>.size))
            let found = bytes.withUnsafeMutableBytes {
                recv(descriptor, $0.baseAddress! + offset, count - offset, 0)
            }
            if found < 0, errno == EINTR { continue }
            guard found > 0 else { return nil }
            offset += found
        }
        return bytes
    }
}
