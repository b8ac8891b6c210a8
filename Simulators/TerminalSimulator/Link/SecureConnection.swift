internal import ByteCoding
internal import Foundation
internal import NIOConcurrencyHelpers
internal import NIOCore
internal import NIOPosix
internal import NIOSSL
internal import NIOTLS
internal import Synchronization

/// How a terminal shows itself on a TLS link, and whom it trusts. Files are PEM.
package struct TLSIdentity: Hashable, Sendable {
    /// Authorities of the host's certificate; nil for the machine's own.
    package var trustedFile: String?
    /// The terminal's certificate chain; nil shows none.
    package var certificateFile: String?
    /// Its private key.
    package var privateKeyFile: String?
    /// The name that the host's certificate has to bear, if it does not bear the address connected to; nil: that
    /// of the address.
    package var serverName: String?

    /// No certificate, the machine's authorities.
    package init() {}

    /// - Throws: `.tls` with the file at fault.
    func context() throws(ConnectionError) -> NIOSSLContext {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = .tlsv12
        for file in [trustedFile, certificateFile, privateKeyFile].compactMap(\.self) {
            // The library passes one over.
            guard let text = try? Data(contentsOf: URL(filePath: file)), PEM.hasRevocationList(text) else {
                continue
            }
            throw .tls(
                "\(file) has a list of revoked certificates in it: simulators do not look at revocation, take it out"
            )
        }
        if let trustedFile {
            let roots = try TLSIdentity.reading(trustedFile, "PEM certificates of authorities") {
                try NIOSSLCertificate.fromPEMFile(trustedFile)
            }
            configuration.trustRoots = .certificates(roots)
        }
        if let certificateFile {
            let chain = try TLSIdentity.reading(certificateFile, "a PEM certificate") {
                try NIOSSLCertificate.fromPEMFile(certificateFile)
            }
            configuration.certificateChain = chain.map { .certificate($0) }
        }
        if let privateKeyFile {
            let key = try TLSIdentity.reading(privateKeyFile, "a PEM private key without a passphrase") {
                try NIOSSLPrivateKey(file: privateKeyFile, format: .pem)
            }
            configuration.privateKey = .privateKey(key)
        }
        do { return try NIOSSLContext(configuration: configuration) } catch {
            throw .tls(
                "\(certificateFile ?? "") and \(privateKeyFile ?? "") do not go together: \(SecureConnection.words(error))"
            )
        }
    }

    /// Names the file where the body fails, and what belongs into it.
    private static func reading<Value>(_ file: String, _ content: String, body: () throws -> Value)
        throws(ConnectionError) -> Value
    {
        guard FileManager.default.isReadableFile(atPath: file) else {
            throw .tls("\(file) cannot be read: is it there, and readable?")
        }
        do { return try body() } catch { throw .tls("\(file) has to hold \(content)") }
    }
}

/// A TLS connection for threads that block: the bytes come and go on an event loop, whoever waits is woken.
final class SecureConnection: Sendable {
    private let channel: any Channel
    private let inbox: Inbox

    /// Connects and shakes hands; the host's certificate is verified, its name too.
    init(
        to endpoint: Endpoint, identity: TLSIdentity, timeout: Duration
    ) throws(ConnectionError) {
        let context = try identity.context()
        let inbox = Inbox()
        self.inbox = inbox
        let limit = TimeLimit(timeout)
        // A certificate's name is checked against the host's; an address is none (RFC 6066 3).
        let isAddress = (try? SocketAddress(ipAddress: endpoint.host, port: 0)) != nil
        let name = identity.serverName ?? (isAddress ? nil : endpoint.host)
        do {
            channel = try ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .channelOption(.socketOption(.tcp_nodelay), value: 1)
                .connectTimeout(.milliseconds(Int64(limit.millisecondsLeft)))
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        let client = try NIOSSLClientHandler(context: context, serverHostname: name)
                        try channel.pipeline.syncOperations.addHandlers([client, InboxHandler(inbox)])
                    }
                }
                .connect(host: endpoint.host, port: Int(endpoint.port)).wait()
        } catch {
            throw SecureConnection.failure(error, endpoint, timeout: timeout)
        }
        guard inbox.wait(limit, until: { $0.isSecure || $0.isClosed }) else {
            throw .timedOut(waitingFor: "TLS handshake with \(endpoint)", timeout)
        }
        if let failure = inbox.state.withLock({ $0.isSecure ? nil : $0.failure ?? "the host closed" }) {
            throw .tls(failure)
        }
    }

    private static func failure(
        _ error: any Error, _ endpoint: Endpoint, timeout: Duration
    ) -> ConnectionError {
        switch error {
        case let error as NIOConnectionError
        where error.connectionErrors.contains(where: { ($0.error as? IOError)?.errnoCode == 111 }):
            .refused(endpoint)
        case is ChannelError: .timedOut(waitingFor: "connection to \(endpoint)", timeout)
        default: .tls(words(error))
        }
    }

    /// BoringSSL's reason without its numbers and file names: `certificate required`, as the host's alert says it.
    static func words(_ error: any Error) -> String {
        let text = "\(error)"
        guard let start = text.firstRange(of: "OPENSSL_internal:")?.upperBound else { return text }
        var reason = text[start...].prefix { $0 == "_" || $0.isUppercase || $0.isNumber }
        let alert = reason.firstRange(of: "_ALERT_")
        if let alert { reason = reason[alert.upperBound...] }
        let words = reason.lowercased().replacing("_", with: " ")
        return alert == nil ? words : "the host says \(words)"
    }

    deinit { channel.close(promise: nil) }

    func send(_ bytes: [UInt8]) throws(ConnectionError) {
        do { try channel.writeAndFlush(ByteBuffer(bytes: bytes)).wait() } catch {
            // A host that refuses a certificate says so first and closes then.
            if let failure = inbox.state.withLock({ $0.failure }) { throw .tls(failure) }
            throw .closed(afterBytes: 0)
        }
    }

    /// Appends what has come, at least one byte.
    /// - Returns: false if nothing came within the limit.
    func receive(into bytes: inout [UInt8], limit: TimeLimit) throws(ConnectionError) -> Bool {
        guard inbox.wait(limit, until: { !$0.bytes.isEmpty || $0.isClosed }) else { return false }
        let (taken, failure) = inbox.state.withLock { state in
            defer { state.bytes = [] }
            return (state.bytes, state.failure)
        }
        guard !taken.isEmpty else {
            if let failure { throw .tls(failure) }
            throw .closed(afterBytes: bytes.count)
        }
        bytes += taken
        return true
    }
}

/// What has come, and a bell for whoever waits for it.
private final class Inbox: Sendable {
    struct State {
        var bytes: [UInt8] = []
        var isSecure = false
        var isClosed = false
        var failure: String?
    }

    let state = Mutex(State())
    private let bell = ConditionLock(value: 0)

    func change(_ body: (inout State) -> Void) {
        state.withLock { body(&$0) }
        bell.lock()
        bell.unlock(withValue: 1)
    }

    /// - Returns: false if the limit passed first.
    func wait(_ limit: TimeLimit, until holds: (State) -> Bool) -> Bool {
        while true {
            if state.withLock({ holds($0) }) { return true }
            guard bell.lock(whenValue: 1, timeoutSeconds: Double(limit.millisecondsLeft) / 1_000) else {
                return state.withLock { holds($0) }
            }
            bell.unlock(withValue: 0)
        }
    }
}

private final class InboxHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let inbox: Inbox

    init(_ inbox: Inbox) { self.inbox = inbox }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let buffer = unwrapInboundIn(data)
        inbox.change { $0.bytes += buffer.readableBytesView }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .handshakeCompleted? = event as? TLSUserEvent { inbox.change { $0.isSecure = true } }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        inbox.change { $0.failure = $0.failure ?? SecureConnection.words(error) }
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) { inbox.change { $0.isClosed = true } }
}
