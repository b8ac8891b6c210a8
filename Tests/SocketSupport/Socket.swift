import Foundation
import Glibc

/// A socket that cannot be had.
package struct SocketFailure: Error, CustomStringConvertible {
    /// Why.
    package let description: String

    /// - Parameter description: one line.
    package init(description: String) { self.description = description }
}

/// A port that was free a moment ago.
package func freePort() throws -> UInt16 {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    var address = loopback(0)
    let bound = withUnsafePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
    }
    guard bound == 0 else { throw SocketFailure(description: "no free port") }
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    _ = withUnsafeMutablePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) }
    }
    return UInt16(bigEndian: address.sin_port)
}

/// A free port of a range.
package func freePort(in range: Range<UInt16>) throws -> UInt16 {
    for port in range.shuffled() where (try? Listener(port: port)) != nil { return port }
    throw SocketFailure(description: "no free port")
}

private func loopback(_ port: UInt16) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    return address
}

/// A blocking connection with a time limit on every read.
package final class Socket: Sendable {
    private let descriptor: Int32

    /// Connects to a port of this machine.
    /// - Parameter receiveBufferBytes: how much the system keeps of what is not read; nil: as it likes.
    package init(port: UInt16, timeoutSeconds: Int = 10, receiveBufferBytes: Int32? = nil) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        if var bytes = receiveBufferBytes {
            setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &bytes, socklen_t(MemoryLayout<Int32>.size))
        }
        var limit = timeval(tv_sec: timeoutSeconds, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var address = loopback(port)
        let connected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard connected == 0 else {
            throw SocketFailure(description: "no connection to port \(port)")
        }
    }

    fileprivate init(accepted descriptor: Int32, timeoutSeconds: Int) {
        self.descriptor = descriptor
        var limit = timeval(tv_sec: timeoutSeconds, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit { close(descriptor) }

    /// Sends all of it.
    /// - Returns: false once the peer is gone.
    @discardableResult
    package func send(_ bytes: [UInt8]) -> Bool {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress! + sent, bytes.count - sent, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return false }
            sent += count
        }
        return true
    }

    /// Sends a frame behind its length of two bytes.
    package func sendFrame(_ payload: [UInt8]) {
        send([UInt8(payload.count >> 8), UInt8(payload.count & 0xFF)] + payload)
    }

    /// No more requests; answers are still read.
    package func shutdownWriting() { shutdown(descriptor, Int32(SHUT_WR)) }

    /// The payload of the next frame, nil at the end of the stream or after the time limit.
    package func receiveFrame() -> [UInt8]? {
        guard let prefix = receive(2) else { return nil }
        return receive(Int(prefix[0]) << 8 | Int(prefix[1]))
    }

    /// So many bytes, nil at the end of the stream or after the time limit.
    package func receive(_ count: Int) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        var filled = 0
        while filled < count {
            let got = bytes.withUnsafeMutableBytes {
                recv(descriptor, $0.baseAddress! + filled, count - filled, 0)
            }
            guard got > 0 else { return nil }
            filled += got
        }
        return bytes
    }
}

/// A listener on a free port, for what connects out.
package final class Listener: Sendable {
    private let descriptor: Int32
    /// Where it listens.
    package let port: UInt16

    /// Listens from now on.
    /// - Parameter port: nil takes a free one.
    package init(port: UInt16? = nil) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        self.port = if let port { port } else { try freePort() }
        var on: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
        var limit = timeval(tv_sec: 10, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var address = loopback(self.port)
        let bound = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard bound == 0, listen(descriptor, 16) == 0 else {
            throw SocketFailure(description: "cannot listen")
        }
    }

    deinit { close(descriptor) }

    /// Waits for a connection.
    package func accept() throws -> Socket {
        let connected = Glibc.accept(descriptor, nil, nil)
        guard connected >= 0 else { throw SocketFailure(description: "nobody connected") }
        return Socket(accepted: connected, timeoutSeconds: 10)
    }
}
