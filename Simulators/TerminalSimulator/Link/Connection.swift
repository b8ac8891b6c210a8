internal import Glibc

/// A point in monotonic time by which something has to be done.
struct TimeLimit {
    private let end: ContinuousClock.Instant

    /// So long from now.
    init(_ duration: Duration) { end = .now + duration }

    /// What is left, rounded up to whole milliseconds, so that a wait never ends just before the limit.
    var millisecondsLeft: Int32 {
        let left = ContinuousClock.Instant.now.duration(to: end)
        guard left > .zero else { return 0 }
        return Int32(clamping: (left / .milliseconds(1)).rounded(.up).asInteger)
    }
}

extension Double {
    fileprivate var asInteger: Int64 { Int64(exactly: self) ?? .max }
}

/// Why a connection gives nothing (more).
package enum ConnectionError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The name has no address.
    case unknownHost(String)
    /// Nobody listens there.
    case refused(Endpoint)
    /// Not reached, or no answer, within the time.
    case timedOut(waitingFor: String, Duration)
    /// No TLS connection came about; the words say why.
    case tls(String)
    /// The other side has closed the connection.
    case closed(afterBytes: Int)
    /// Any other failure of a system call.
    case failed(function: String, reason: String)

    /// One line for people, with what to do about it.
    package var description: String {
        switch self {
        case .unknownHost(let host): "there is no host \(host)"
        case .refused(let endpoint):
            "connection to \(endpoint) refused: is the issuer host running there? (`make run` starts one)"
        case .timedOut(let what, let duration): "no \(what) within \(duration)"
        case .tls(let reason): "TLS: \(reason)"
        case .closed(let count):
            count == 0
                ? "the host closed the connection without an answer"
                : "the host closed the connection \(count) bytes into an answer"
        case .failed(let function, let reason): "\(function): \(reason)"
        }
    }
}

/// A TCP connection, closed with its value. Every operation has a time limit.
struct Connection: ~Copyable {
    private let descriptor: Int32

    /// Tries the addresses of the host one after the other, all within the limit.
    init(to endpoint: Endpoint, timeout: Duration) throws(ConnectionError) {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(endpoint.host, String(endpoint.port), &hints, &list) == 0, let list else {
            throw .unknownHost(endpoint.host)
        }
        defer { freeaddrinfo(list) }
        let limit = TimeLimit(timeout)
        var failure = ConnectionError.unknownHost(endpoint.host)
        var next: UnsafeMutablePointer<addrinfo>? = list
        while let address = next {
            do throws(ConnectionError) {
                descriptor = try Connection.open(address.pointee, endpoint, limit: limit, timeout: timeout)
                return
            } catch {
                failure = error
            }
            next = address.pointee.ai_next
        }
        throw failure
    }

    deinit { _ = close(descriptor) }

    private static func open(
        _ address: addrinfo, _ endpoint: Endpoint, limit: TimeLimit, timeout: Duration
    ) throws(ConnectionError) -> Int32 {
        let flags = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let descriptor = socket(address.ai_family, flags, 0)
        guard descriptor >= 0 else { throw failed("socket", errno) }
        do throws(ConnectionError) {
            var code: Int32 = 0
            if connect(descriptor, address.ai_addr, address.ai_addrlen) != 0 { code = errno }
            if code == EINPROGRESS {
                guard try wait(descriptor, for: POLLOUT, limit: limit) else {
                    throw .timedOut(waitingFor: "connection to \(endpoint)", timeout)
                }
                var count = socklen_t(MemoryLayout<Int32>.size)
                guard getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &count) == 0 else {
                    throw failed("getsockopt", errno)
                }
            }
            guard code != ECONNREFUSED else { throw .refused(endpoint) }
            guard code == 0 else { throw failed("connect to \(endpoint)", code) }
            var one: Int32 = 1
            // A request is one small segment: it must not wait for the acknowledgement of the one before.
            setsockopt(
                descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
            return descriptor
        } catch {
            _ = close(descriptor)
            throw error
        }
    }

    /// Sends everything.
    func send(_ bytes: [UInt8], limit: TimeLimit, timeout: Duration) throws(ConnectionError) {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes { raw in
                let rest = UnsafeRawBufferPointer(rebasing: raw[sent...])
                return Glibc.send(descriptor, rest.baseAddress, rest.count, Int32(MSG_NOSIGNAL))
            }
            if count > 0 {
                sent += count
            } else if errno == EAGAIN || errno == EINTR {
                guard try Connection.wait(descriptor, for: POLLOUT, limit: limit) else {
                    throw .timedOut(waitingFor: "room to send", timeout)
                }
            } else if errno == EPIPE || errno == ECONNRESET {
                throw .closed(afterBytes: 0)
            } else {
                throw Connection.failed("send", errno)
            }
        }
    }

    /// Appends what has come, at least one byte.
    /// - Returns: false if nothing came within the limit.
    func receive(into bytes: inout [UInt8], limit: TimeLimit) throws(ConnectionError) -> Bool {
        var chunk = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = recv(descriptor, &chunk, chunk.count, 0)
            if count > 0 {
                bytes += chunk[..<count]
                return true
            }
            if count == 0 || errno == ECONNRESET { throw .closed(afterBytes: bytes.count) }
            guard errno == EAGAIN || errno == EINTR else { throw Connection.failed("recv", errno) }
            guard try Connection.wait(descriptor, for: POLLIN, limit: limit) else { return false }
        }
    }

    /// - Returns: false if the limit passed first.
    private static func wait(
        _ descriptor: Int32, for events: Int32, limit: TimeLimit
    ) throws(ConnectionError) -> Bool {
        var entry = pollfd(fd: descriptor, events: Int16(events), revents: 0)
        while true {
            let count = poll(&entry, 1, limit.millisecondsLeft)
            if count > 0 { return true }
            if count == 0 { return false }
            guard errno == EINTR else { throw failed("poll", errno) }
        }
    }

    private static func failed(_ function: String, _ code: Int32) -> ConnectionError {
        .failed(function: function, reason: String(cString: strerror(code)))
    }
}
