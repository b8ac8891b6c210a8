import Foundation
import Glibc

/// A listener on a free loopback port: one thread, one connection at a time, frames of two length bytes. It
/// ends by itself after ten idle seconds.
struct LoopbackServer {
    let port: UInt16

    /// What the server does after a frame.
    enum Reaction {
        /// Sends these bytes, frame lengths included.
        case send([UInt8])
        /// Sends them one by one.
        case trickle([UInt8])
        /// Closes the connection.
        case close
    }

    /// - Parameter react: gets each frame's content.
    init(_ react: @escaping @Sendable ([UInt8]) -> Reaction) throws {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var count = socklen_t(MemoryLayout<sockaddr_in>.size)
        let done = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, count) == 0 && listen(listener, 4) == 0
                    && getsockname(listener, $0, &count) == 0
            }
        }
        guard done else { throw POSIXError(.EADDRINUSE) }
        port = UInt16(bigEndian: address.sin_port)
        Thread.detachNewThread {
            while LoopbackServer.readable(listener) {
                let connection = accept(listener, nil, nil)
                LoopbackServer.serve(connection, react)
                close(connection)
            }
            close(listener)
        }
    }

    /// A port on which nobody listens.
    static func closedPort() throws -> UInt16 {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var count = socklen_t(MemoryLayout<sockaddr_in>.size)
        let done = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, count) == 0 && getsockname(descriptor, $0, &count) == 0
            }
        }
        guard done else { throw POSIXError(.EADDRINUSE) }
        return UInt16(bigEndian: address.sin_port)
    }

    /// Asks a page of the terminal and reads until it closes.
    static func web(_ port: UInt16, method: String, path: String, body: [UInt8]) throws -> String {
        let connection = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(connection) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        address.sin_port = port.bigEndian
        let connected = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(connection, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        guard connected else { throw POSIXError(.ECONNREFUSED) }
        let head =
            "\(method) \(path) HTTP/1.1\r\nhost: 127.0.0.1\r\nx-terminal: 1\r\ncontent-length: \(body.count)\r\n\r\n"
        write((Array(head.utf8) + body)[...], connection)
        var answer: [UInt8] = []
        while let byte = read(1, connection) { answer += byte }
        return String(decoding: answer, as: UTF8.self)
    }

    static func framed(_ payload: [UInt8]) -> [UInt8] {
        [UInt8(payload.count >> 8), UInt8(payload.count & 0xFF)] + payload
    }

    private static func readable(_ descriptor: Int32) -> Bool {
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&entry, 1, 10_000) > 0
    }

    private static func serve(_ connection: Int32, _ react: ([UInt8]) -> Reaction) {
        while let head = read(2, connection), let frame = read(Int(head[0]) << 8 | Int(head[1]), connection) {
            switch react(frame) {
            case .close: return
            case .send(let bytes): write(bytes[...], connection)
            case .trickle(let bytes): for index in bytes.indices { write(bytes[index...index], connection) }
            }
        }
    }

    private static func read(_ count: Int, _ connection: Int32) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        var have = 0
        while have < count {
            guard readable(connection) else { return nil }
            let got = bytes.withUnsafeMutableBytes { raw in
                let rest = UnsafeMutableRawBufferPointer(rebasing: raw[have...])
                return recv(connection, rest.baseAddress, rest.count, 0)
            }
            guard got > 0 else { return nil }
            have += got
        }
        return bytes
    }

    private static func write(_ bytes: ArraySlice<UInt8>, _ connection: Int32) {
        _ = bytes.withUnsafeBytes { send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
    }
}
