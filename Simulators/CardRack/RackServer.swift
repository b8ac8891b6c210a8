package import CardReaders
internal import Foundation
internal import Glibc

/// A port that cannot be listened on.
package struct RackError: Error, Sendable, CustomStringConvertible {
    /// One line for people.
    package let description: String
}

/// Connections of a rack, a thread each.
package final class RackServer: Sendable {
    private let descriptor: Int32
    /// Where it listens.
    package let port: UInt16
    private let rack: CardRack

    /// Listens at once.
    /// - Parameters:
    ///   - host: an address of this machine.
    ///   - port: 0 takes a free one.
    package init(_ rack: CardRack, host: String, port: UInt16) throws(RackError) {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        guard inet_pton(AF_INET, host, &address.sin_addr) == 1 else {
            throw RackError(description: "\(host): an IPv4 address of this machine is needed")
        }
        let made = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var on: Int32 = 1
        setsockopt(made, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                bind(made, generic, size) == 0 && listen(made, 512) == 0
                    && getsockname(made, generic, &size) == 0
            }
        }
        guard made >= 0, bound else {
            let reason = String(cString: strerror(errno))
            if made >= 0 { close(made) }
            throw RackError(description: "\(host):\(port) cannot be listened on: \(reason)")
        }
        descriptor = made
        self.port = UInt16(bigEndian: address.sin_port)
        self.rack = rack
    }

    /// How long a connection waits before it is tried again, while nothing is free to take it with.
    private static let pauseMicroseconds: UInt32 = 20_000

    /// Takes connections on a thread of its own. Without a free descriptor or memory for another one they wait in the
    /// queue of the port until a reader is given back.
    package func start() {
        let (descriptor, rack) = (descriptor, rack)
        Thread.detachNewThread {
            while true {
                let made = accept(descriptor, nil, nil)
                if made < 0 {
                    let reason = errno
                    if reason == EBADF || reason == EINVAL { return }
                    // These stay until something is given back. All others are of the one connection, which is gone.
                    if [EMFILE, ENFILE, ENOBUFS, ENOMEM].contains(reason) { usleep(Self.pauseMicroseconds) }
                    continue
                }
                _ = fcntl(made, F_SETFD, FD_CLOEXEC)
                Thread.detachNewThread {
                    rack.serve(CardSocket(made))
                    close(made)
                }
            }
        }
    }

    /// Listens no more.
    package func stop() { shutdown(descriptor, Int32(SHUT_RDWR)) }
}

/// A reader that the rack goes to: pcscd listens, the card connects.
package struct RackConnection: Sendable {
    /// Of the reader.
    package let socket: CardSocket

    /// Connects.
    package init(host: String, port: UInt16) throws(RackError) {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        guard inet_pton(AF_INET, host, &address.sin_addr) == 1 else {
            throw RackError(description: "\(host): an IPv4 address is needed")
        }
        let made = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isConnected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(made, $0, size) == 0 }
        }
        guard made >= 0, isConnected else {
            throw RackError(
                description: "\(host):\(port) cannot be reached: \(String(cString: strerror(errno)))")
        }
        socket = CardSocket(made)
    }
}
