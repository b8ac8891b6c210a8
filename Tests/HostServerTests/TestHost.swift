import Authorisation
import Dispatch
import Foundation
import ISO8583
import IssuerMessages
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle
import SocketSupport
import Synchronization

@testable import HostServer

/// Links on loopback with real sockets. What decides is the test: it answers when the test says so, as a token that
/// works, is slow or stands still.
final class TestHost: Sendable {
    /// What makes the MACs of the links.
    typealias Authenticate =
        @Sendable (MessageMAC, [UInt8], Deadline) async -> Result<
            [UInt8], CryptographyUnavailable
        >

    /// What the test lets happen to a request.
    typealias Decide = @Sendable (AuthorisationRequest) async -> Result<Decision, CouldNotDecide>

    /// What takes new keys of the links.
    typealias ChangeKey = @Sendable (KeyChangeRequest, String) async -> ResponseCode

    let server: HostServer
    let group: MultiThreadedEventLoopGroup
    private let services: ServiceGroup
    private let running: Task<Void, any Error>
    private let bound: Mutex<[HostServer.BoundLink]>
    private let noted: Noted

    init(
        _ links: [LinkConfiguration], loops: Int = 1, drainTimeout: Duration = .seconds(10),
        decide: @escaping Decide = TestHost.unavailable, mac: @escaping Authenticate = TestHost.noToken,
        changeKey: ChangeKey? = nil
    ) async throws {
        group = MultiThreadedEventLoopGroup(numberOfThreads: loops)
        let (ready, tell) = AsyncStream<[HostServer.BoundLink]>.makeStream()
        let noted = Noted()
        self.noted = noted
        var logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        logger.logLevel = .debug
        server = try HostServer(
            links: links, group: group,
            loops: group.makeIterator().map { loop in
                var services = LoopServices(eventLoop: loop, decide: decide, mac: mac) { request, event in
                    noted.add(request, event)
                }
                if let changeKey { services.changeKey = changeKey }
                return services
            },
            admin: .init(host: "127.0.0.1", port: 0), drainTimeout: drainTimeout, logger: logger,
            clock: { DispatchTime.now().uptimeNanoseconds }, unixSeconds: { 1_795_000_000 },
            ready: { links in
                tell.yield(links)
                tell.finish()
            })
        let services = ServiceGroup(services: [server], logger: logger)
        self.services = services
        let running = Task { try await services.run() }
        self.running = running
        var found: [HostServer.BoundLink]?
        for await links in ready { found = links }
        guard let found else {
            try await running.value
            throw SocketFailure(description: "the host did not become ready")
        }
        bound = Mutex(found)
    }

    /// As a token that is away.
    static let unavailable: Decide = { _ in .failure(.state(StateUnavailable("away"))) }

    /// The same for MACs.
    static let noToken: Authenticate = { _, _, _ in .failure(.tokenFailed("away")) }

    /// What the journal was told of requests beside their decisions: number and event.
    var notes: [(stan: UInt32, event: JournalNote.Event)] { noted.all }

    func port(_ link: String = "a") -> UInt16 {
        let address = bound.withLock { $0 }.first { $0.name == link }?.address ?? ""
        return UInt16(address.split(separator: ":").last ?? "") ?? 0
    }

    func connect(_ link: String = "a") throws -> Socket { try Socket(port: port(link)) }

    /// Whether a new connection of a link is served.
    func serves(_ link: String = "a", stan: Int) throws -> Bool {
        let socket = try connect(link)
        return try socket.echoes(stan: stan)
    }

    /// What a path of the admin port says.
    func admin(_ path: String) throws -> String {
        let socket = try Socket(port: port("admin"))
        socket.send(Array("GET \(path) HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".utf8))
        var text: [UInt8] = []
        while let byte = socket.receive(1) { text += byte }
        return String(decoding: text, as: UTF8.self)
    }

    /// The value of one line of `/metrics`.
    func metric(_ name: String) throws -> Int {
        let line = try admin("/metrics").split(whereSeparator: \.isNewline).first { $0.hasPrefix(name + " ") }
        return line.flatMap { Int($0.split(separator: " ").last ?? "") } ?? -1
    }

    /// The end begins; does not wait for it.
    func beginDrain() {
        let services = services
        Task { await services.triggerGracefulShutdown() }
    }

    func stop() async throws {
        await services.triggerGracefulShutdown()
        try await running.value
        try await group.shutdownGracefully()
    }
}

private final class Noted: Sendable {
    private let state = Mutex<[(stan: UInt32, event: JournalNote.Event)]>([])

    var all: [(stan: UInt32, event: JournalNote.Event)] { state.withLock { $0 } }

    func add(_ request: AuthorisationRequest, _ event: JournalNote.Event) {
        state.withLock { $0.append((request.transmission.stan, event)) }
    }
}

/// How often something happened.
final class Count: Sendable {
    private let value = Atomic<Int>(0)

    var now: Int { value.load(ordering: .relaxed) }

    /// - Returns: how often by now.
    @discardableResult func add() -> Int { value.wrappingAdd(1, ordering: .relaxed).newValue }
}

/// Runs a body against a host and stops it in every case. The body may block: it has a thread of its own.
func withHost(
    _ links: [LinkConfiguration], loops: Int = 1, drainTimeout: Duration = .seconds(10),
    decide: @escaping TestHost.Decide = TestHost.unavailable,
    mac: @escaping TestHost.Authenticate = TestHost.noToken, changeKey: TestHost.ChangeKey? = nil,
    _ body: @escaping @Sendable (TestHost) throws -> Void
) async throws {
    let host = try await TestHost(
        links, loops: loops, drainTimeout: drainTimeout, decide: decide, mac: mac, changeKey: changeKey)
    let result = await onThread { Result { try body(host) } }
    try await host.stop()
    try result.get()
}

/// Runs blocking work where it keeps no task waiting.
func onThread<Value: Sendable>(_ body: @escaping @Sendable () -> Value) async -> Value {
    await withCheckedContinuation { continuation in
        let thread = Thread { continuation.resume(returning: body()) }
        thread.start()
    }
}

/// Looks again and again, as the admin port tells of nothing by itself, but not for ever.
func eventually(_ condition: () throws -> Bool) throws {
    for _ in 0..<2_000 {
        if try condition() { return }
        usleep(10_000)
    }
    throw SocketFailure(description: "what was waited for did not happen")
}

/// Waits on a thread of its own for work that does not block.
func waiting<Value: Sendable>(_ body: @escaping @Sendable () async throws -> Value) throws -> Value {
    let done = DispatchSemaphore(value: 0)
    let result = Mutex<Result<Value, any Error>?>(nil)
    Task {
        do {
            let value = try await body()
            result.withLock { $0 = .success(value) }
        } catch { result.withLock { $0 = .failure(error) } }
        done.signal()
    }
    done.wait()
    guard let result = result.withLock({ $0 }) else { throw SocketFailure(description: "no result") }
    return try result.get()
}

/// Messages of the dialect `ascii87-binbitmap`.
enum TestMessages {
    static let root = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "../..").standardized.path

    static func link(_ name: String = "a", codec: MessageCodec? = nil) throws -> LinkConfiguration {
        LinkConfiguration(
            profile: LinkProfile(name: name, zonePINKey: nil), host: "127.0.0.1", port: 0,
            codec: try codec ?? TestMessages.codec(), framing: .twoByteBigEndian)
    }

    /// Read once: tests take thousands of messages.
    private static let ascii = Result { try codec("ascii87-binbitmap") }

    static func codec() throws -> MessageCodec { try ascii.get() }

    static func codec(_ name: String) throws -> MessageCodec {
        MessageCodec(dialect: try Dialect(contentsOf: "\(root)/Config/iso8583/\(name).json"))
    }

    static func network(_ code: String = "301", stan: Int) throws -> [UInt8] {
        var message = Message(mti: .networkManagementRequest)
        message.set(.transmissionTime, text: "1123120000")
        message.set(.stan, text: digits(stan))
        message.set(.networkManagementCode, text: code)
        return try codec().encode(message)
    }

    static func request(stan: Int) throws -> [UInt8] {
        var message = Message(mti: .authorisationRequest)
        message.set(.pan, text: "4761739001010010")
        message.set(.processingCode, text: "000000")
        message.set(.transactionAmount, text: "000000001000")
        message.set(.transmissionTime, text: "1123120000")
        message.set(.stan, text: digits(stan))
        message.set(.panSequenceNumber, text: "001")
        message.set(.retrievalReferenceNumber, text: "000000" + digits(stan))
        message.set(.currency, text: "752")
        return try codec().encode(message)
    }

    static func digits(_ number: Int) -> String { String(String(1_000_000 + number).dropFirst()) }
}

extension Socket {
    /// The next message, nil at the end of the stream.
    func receiveMessage() throws -> Message? {
        try receiveFrame().map { try TestMessages.codec().decode($0) }
    }

    /// Sends an echo and takes its answer.
    func echoes(stan: Int) throws -> Bool {
        sendFrame(try TestMessages.network(stan: stan))
        let answer = try receiveMessage()
        return answer?.text(.responseCode) == "00" && answer?.text(.stan) == TestMessages.digits(stan)
    }
}

/// A door that a request waits at until the test opens it.
final class Gate: Sendable {
    private struct State {
        var isOpen = false
        var waiting: [CheckedContinuation<Void, Never>] = []
    }
    private let state = Mutex(State())

    var isOpen: Bool { state.withLock { $0.isOpen } }

    func pass() async {
        await withCheckedContinuation { continuation in
            let open = state.withLock { state in
                if !state.isOpen { state.waiting.append(continuation) }
                return state.isOpen
            }
            if open { continuation.resume() }
        }
    }

    func open() {
        let waiting = state.withLock { state in
            state.isOpen = true
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }
}
