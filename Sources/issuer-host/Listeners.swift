internal import Foundation
internal import IssuerConfiguration
internal import NIOCore

/// Where the host would listen.
extension IssuerConfiguration {
    private struct Listener {
        /// `links.NAME` or `admin`.
        let name: String
        let host: String
        let port: Int

        var place: String { "\(host):\(port)" }

        func address() throws -> SocketAddress {
            do { return try SocketAddress.makeAddressResolvingHost(host, port: port) } catch {
                throw WiringError("\(name).host: \(host) is no address of this machine: \(error)")
            }
        }
    }

    private var listeners: [Listener] {
        var listeners = links.filter { $0.role == "server" }.map {
            Listener(name: "links.\($0.name)", host: $0.host, port: $0.port)
        }
        if let adminPort { listeners.append(Listener(name: "admin", host: adminHost, port: adminPort)) }
        return listeners
    }

    /// Every listener needs an address of its own.
    func listenerFindings() -> [Finding] {
        [
            Finding("listeners") {
                var known: [(Listener, SocketAddress)] = []
                for listener in listeners {
                    let address = try listener.address()
                    if let (other, _) = known.first(where: { $0.1.overlaps(address) }) {
                        throw WiringError(
                            "\(listener.name).port: \(listener.place) is where \(other.name) listens "
                                + "(\(other.place)): give one of them another port")
                    }
                    known.append((listener, address))
                }
                return listeners.map(\.place).joined(separator: ", ")
            }
        ]
    }

    /// Whether each address can be had now. One that is taken may be the running host's own.
    func bindFindings() -> [Finding] {
        listeners.compactMap { listener in
            guard let address = try? listener.address(), let code = address.bindError() else { return nil }
            let words =
                "\(listener.name): cannot listen on \(listener.place): \(String(cString: strerror(code)))"
            return code == EADDRINUSE
                ? Finding("listeners", .warning, detail: words + "; fine where it is this host that runs")
                : Finding("listeners", .failed, detail: words)
        }
    }
}

extension SocketAddress {
    /// Whether two listeners could not have both: an address that means every interface takes the port on all.
    fileprivate func overlaps(_ other: SocketAddress) -> Bool {
        guard port == other.port else { return false }
        if ipAddress == other.ipAddress { return true }
        // A listener on every IPv6 address takes IPv4 as well.
        if ipAddress == "::" || other.ipAddress == "::" { return true }
        return self.protocol == other.protocol && (ipAddress == "0.0.0.0" || other.ipAddress == "0.0.0.0")
    }

    /// The error number of a bind, nil where it succeeds.
    fileprivate func bindError() -> Int32? {
        let family = self.protocol == .inet6 ? AF_INET6 : AF_INET
        let descriptor = socket(family, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { return errno }
        defer { close(descriptor) }
        var yes: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        return withSockAddr { address, size in
            bind(descriptor, address, socklen_t(size)) == 0 ? nil : errno
        }
    }
}
