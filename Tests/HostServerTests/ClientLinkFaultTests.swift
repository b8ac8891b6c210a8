import Foundation
import Glibc
import ISO8583
import SocketSupport
import Synchronization
import Testing

@testable import Authorisation
@testable import HostServer

/// What switches that the host dials do to it: half frames, refused sign-ons, connections that come and go; plain and over
/// TLS, on two loops. Each link serves again, and every approval was told or has its note.
@Suite(.timeLimit(.minutes(3))) struct ClientLinkFaultTests {
    @Test("A switch with four connections breaks each of them in its own way, again and again")
    func plain() async throws {
        let switchSide = try Listener()
        var link = try TestMessages.link()
        (link.role, link.port, link.connectionsMax, link.signsOn) = (.client, Int(switchSide.port), 4, true)
        (link.signOnRequired, link.frameTimeoutNanoseconds) = (false, 300_000_000)
        let decided = ApprovalCount()
        try await withHost([link], loops: 2, decide: decided.approve) { host in
            var told = 0
            for _ in 0..<3 {
                let sockets = try (0..<4).map { _ in try switchSide.accept() }
                for socket in sockets { try SwitchSide.answerSignOn(socket, "00") }
                told += try SwitchSide.purchases(20, on: sockets[0])
                let half = Array(try SwitchSide.frame(21).dropLast(9))
                // Half a frame and no more of it, half a frame and the end, and a whole one in two halves.
                sockets[1].send(half)
                sockets[2].send(half)
                sockets[2].shutdownWriting()
                sockets[3].send(Array(half.prefix(40)))
                usleep(50_000)
                sockets[3].send(Array(try SwitchSide.frame(21).dropFirst(40)))
                #expect(try sockets[3].receiveMessage()?.text(.responseCode) == "00")
                told += 1
                #expect(sockets[1].receive(1) == nil && sockets[2].receive(1) == nil)
            }
            // All of them are dialled again, none of the losses has made the waits longer.
            let begun = ContinuousClock.now
            let last = try (0..<4).map { _ in try switchSide.accept() }
            #expect(ContinuousClock.now - begun < .seconds(2))
            for socket in last {
                try SwitchSide.answerSignOn(socket, "00")
                told += try SwitchSide.purchases(5, on: socket)
            }
            #expect(try host.admin("/ready").hasPrefix("HTTP/1.1 200"))
            #expect(decided.now == told && host.notes.isEmpty, "\(decided.now) decided, \(told) told")
            #expect(try host.metric("issuer_connections") == 4)
        }
    }

    @Test("A refused sign-on is sent again, and served once it is accepted")
    func refusedThenAccepted() async throws {
        let switchSide = try Listener()
        var link = try TestMessages.link()
        (link.role, link.port, link.connectionsMax, link.signsOn) = (.client, Int(switchSide.port), 2, true)
        link.signOnRequired = true
        let decided = ApprovalCount()
        try await withHost([link], loops: 2, decide: decided.approve) { host in
            let sockets = try (0..<2).map { _ in try switchSide.accept() }
            for socket in sockets { try SwitchSide.answerSignOn(socket, "91") }
            try eventually { try host.admin("/links").contains("the peer refused the sign-on") }
            #expect(try host.admin("/ready").contains("the peer refused the sign-on"))
            #expect(try SwitchSide.purchases(1, on: sockets[0]) == 0)
            for socket in sockets { try SwitchSide.answerSignOn(socket, "00") }
            try eventually { try host.admin("/ready").hasPrefix("HTTP/1.1 200") }
            #expect(try SwitchSide.purchases(3, on: sockets[0]) == 3)
            #expect(try host.metric("issuer_sign_ons_refused_total") == 2)
        }
    }

    @Test(
        "A TLS switch that shows wrong certificates, refuses, flaps and sends half frames"
    )
    func overTLS() async throws {
        let certificates = try Certificates()
        defer { certificates.remove() }
        let port = try freePort(in: 20_000..<32_000)
        var link = try TestMessages.link()
        (link.role, link.port, link.connectionsMax, link.signsOn) = (.client, Int(port), 1, true)
        link.frameTimeoutNanoseconds = 1_000_000_000
        link.tls = LinkTLS(
            certificateFile: certificates.path("acquirer.pem"),
            privateKeyFile: certificates.path("acquirer.key"), trustedFile: certificates.path("ca.pem"),
            serverName: "host.example")
        let decided = ApprovalCount()
        let links = [link]
        try await withHost(links, loops: 2, decide: decided.approve) { host in
            // Not the name that the link asks for, and one that nobody trusts.
            for wrong in ["neighbour", "unknown"] {
                let refusedBefore = try host.metric("issuer_tls_refused_total")
                let switchSide = try TLSSwitch(port: port, certificates, certificate: wrong)
                try eventually { try host.metric("issuer_tls_refused_total") > refusedBefore }
                switchSide.kill()
            }
            #expect(try host.admin("/ready").contains("FAILED link a"))
            var told = 0
            for version in ["-tls1_2", "-tls1_3", "-tls1_3"] {
                let switchSide = try TLSSwitch(port: port, certificates, certificate: "host", [version])
                try SwitchSide.answerSignOn(switchSide, version == "-tls1_2" ? "91" : "00")
                told += try SwitchSide.purchases(10, on: switchSide)
                #expect(switchSide.send(Array(try SwitchSide.frame(11).dropLast(9))))
                switchSide.kill()
                // Gone in the middle of a frame: dialled again.
                try eventually { try !host.admin("/links").contains("\"state\":\"connected\"") }
            }
            let begun = ContinuousClock.now
            let switchSide = try TLSSwitch(port: port, certificates, certificate: "host")
            try SwitchSide.answerSignOn(switchSide, "00")
            #expect(ContinuousClock.now - begun < .seconds(6), "the longest wait is five seconds")
            told += try SwitchSide.purchases(10, on: switchSide)
            #expect(try host.admin("/ready").hasPrefix("HTTP/1.1 200"))
            #expect(decided.now == told && told == 40, "\(decided.now) decided, \(told) told")
        }
    }
}

/// The switch's end of a link that the host has dialled.
protocol SwitchEnd {
    func send(_ bytes: [UInt8]) -> Bool
    func receive(_ count: Int) -> [UInt8]?
}

extension Socket: SwitchEnd {}

/// What a switch says over it.
enum SwitchSide {
    static func frame(_ stan: Int) throws -> [UInt8] {
        let payload = try TestMessages.request(stan: stan)
        return [UInt8(payload.count >> 8), UInt8(payload.count & 0xFF)] + payload
    }

    static func message(_ end: some SwitchEnd) throws -> Message? {
        guard let prefix = end.receive(2) else { return nil }
        return try end.receive(Int(prefix[0]) << 8 | Int(prefix[1])).map {
            try TestMessages.codec().decode($0)
        }
    }

    static func answerSignOn(_ end: some SwitchEnd, _ code: String) throws {
        let request = try #require(try message(end))
        #expect(request.text(.networkManagementCode) == "001")
        var answer = Message(mti: .networkManagementResponse)
        for element in [DataElement.stan, .transmissionTime, .networkManagementCode] {
            answer.copy(element, from: request)
        }
        answer.set(.responseCode, text: code)
        let payload = try TestMessages.codec().encode(answer)
        #expect(end.send([UInt8(payload.count >> 8), UInt8(payload.count & 0xFF)] + payload))
    }

    /// - Returns: how many of so many purchases were told 00.
    static func purchases(_ count: Int, on end: some SwitchEnd) throws -> Int {
        #expect(end.send(try (1...count).flatMap { try frame($0) }))
        var told = 0
        for _ in 0..<count where try message(end)?.text(.responseCode) == "00" { told += 1 }
        return told
    }
}

/// `openssl s_server`: a switch over TLS that is not this host's implementation. It takes one connection at a time.
final class TLSSwitch: SwitchEnd {
    private let process = Process()
    private let input = Pipe()
    private let output = Pipe()

    init(port: UInt16, _ certificates: Certificates, certificate: String, _ arguments: [String] = []) throws {
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments =
            [
                "openssl", "s_server", "-quiet", "-accept", "127.0.0.1:\(port)", "-Verify", "2", "-CAfile",
                certificates.path("ca.pem"), "-cert", certificates.path("\(certificate).pem"), "-key",
                certificates.path("\(certificate).key"),
            ] + arguments
        process.standardInput = input
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        signal(SIGPIPE, SIG_IGN)
        try process.run()
    }

    deinit { kill() }

    func kill() {
        guard process.isRunning else { return }
        Glibc.kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }

    func send(_ bytes: [UInt8]) -> Bool {
        (try? input.fileHandleForWriting.write(contentsOf: Data(bytes))) != nil
    }

    func receive(_ count: Int) -> [UInt8]? {
        var bytes: [UInt8] = []
        while bytes.count < count {
            guard let more = try? output.fileHandleForReading.read(upToCount: count - bytes.count),
                !more.isEmpty
            else { return nil }
            bytes += more
        }
        return bytes
    }
}

/// Approves everything, and counts.
final class ApprovalCount: Sendable {
    private let count = Atomic<Int>(0)

    var now: Int { count.load(ordering: .relaxed) }

    @Sendable func approve(_ request: AuthorisationRequest) async -> Result<Decision, CouldNotDecide> {
        count.wrappingAdd(1, ordering: .relaxed)
        return .success(UntoldTests.approval(request))
    }
}
