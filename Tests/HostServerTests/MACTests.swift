import Authorisation
import ByteCoding
import Foundation
import HSM
import ISO8583
import IssuerMessages
import LibCrypto
import NIOCore
import SocketSupport
import Synchronization
import Testing
import TokenSupport

@testable import HostServer

/// MACs on a link: made and checked by a token on the host's side, by OpenSSL on the other.
@Suite struct MACTests {
    /// The demo issuer's zone authentication key, public test material.
    private static let label = "zak-acquirer-b"

    private struct KeyFile: Decodable {
        struct Key: Decodable {
            let value: String
            let kcv: String
        }
        let keys: [String: Key]
    }

    private static func testKey() throws -> KeyFile.Key {
        let data = try Data(contentsOf: URL(filePath: "\(TestMessages.root)/Config/demo/demo-issuer.json"))
        return try #require(try JSONDecoder().decode(KeyFile.self, from: data).keys[label])
    }

    /// A token that knows the key, as the host would use it.
    private static func token() throws -> HSM {
        let location = try TestTokens.nss.get()
        let key = try testKey()
        _ = try KeyLoading.loadTestKey(
            label: label, purpose: .zoneAuthenticationKey, value: SecretBytes(copying: Hex.decode(key.value)),
            expectedCheckValue: key.kcv, at: location)
        _ = try KeyLoading.generatePANHashKey(label: "pan-hash", at: location)
        var configuration = HSMConfiguration(
            panHashKey: KeyName("pan-hash"), pinVerificationKey: nil, zonePINKeys: [], issuerMasterKeys: [],
            workers: 1)
        configuration.zoneAuthenticationKeys = [KeyName(label): .iso9797Algorithm3]
        return try HSM(configuration, at: location)
    }

    /// - Parameter times: how many MACs the token makes before it is away.
    private static func authenticate(_ hsm: HSM, times: Int = .max) -> TestHost.Authenticate {
        let asked = Mutex(0)
        return { mac, bytes, deadline in
            let isAway = asked.withLock { asked in
                asked += 1
                return asked > times
            }
            guard !isAway else { return .failure(.tokenFailed("away")) }
            let port = hsm.port { work in work() }
            let question = MACQuestion(
                key: mac.key, algorithm: .iso9797Algorithm3, padding: .method1, data: bytes)
            do throws(CryptographyUnavailable) {
                return .success(try await port.mac(question, deadline: deadline))
            } catch { return .failure(error) }
        }
    }

    private static func link() throws -> LinkConfiguration {
        var link = try TestMessages.link()
        link.mac = MessageMAC(key: KeyName(label), algorithm: .iso9797Algorithm3, padding: 1)
        return link
    }

    /// The message with a MAC in DE64, or DE128 where it has elements behind 64.
    private static func sealed(_ message: Message) throws -> [UInt8] {
        var message = message
        let element: DataElement = message.presentElements.contains { $0.rawValue > 64 } ? .mac2 : .mac
        message.set(element, bytes: [UInt8](repeating: 0, count: 8))
        message.set(element, bytes: try mac(over: try TestMessages.codec().encode(message).dropLast(8)))
        return try TestMessages.codec().encode(message)
    }

    private static func mac(over bytes: some Collection<UInt8>) throws -> [UInt8] {
        let key = try #require(DoubleLengthKey(bytes: try Hex.decode(testKey().value)))
        let word = try MAC.algorithm3(key: key, Array(bytes), padding: .method1)
        return withUnsafeBytes(of: word.bigEndian) { Array($0) }
    }

    /// DE39 of an answer whose MAC is right; nil for any other.
    private static func code(_ frame: [UInt8]?) throws -> String? {
        guard let frame, try mac(over: frame.dropLast(8)) == Array(frame.suffix(8)) else { return nil }
        return try TestMessages.codec().decode(frame).text(.responseCode)
    }

    @Test(
        "A right MAC is served, a wrong or missing one refused with 98 before anything is decided; answers have one"
    )
    func macs() async throws {
        let hsm = try MACTests.token()
        defer { hsm.stop() }
        let decided = Gate()
        try await withHost(
            [MACTests.link()],
            decide: { request in
                decided.open()
                return await TestHost.unavailable(request)
            },
            mac: MACTests.authenticate(hsm)
        ) { host in
            let socket = try host.connect()
            func answer(_ payload: [UInt8]) throws -> String? {
                socket.sendFrame(payload)
                return try MACTests.code(socket.receiveFrame())
            }
            let request = try TestMessages.codec().decode(try TestMessages.request(stan: 1))
            var wrong = try MACTests.sealed(request)
            wrong[wrong.count - 1] ^= 1
            #expect(try answer(wrong) == "98")
            #expect(try answer(TestMessages.request(stan: 2)) == "98")
            #expect(!decided.isOpen)
            #expect(try host.metric("issuer_mac_failures_total") == 2)
            #expect(try answer(MACTests.sealed(request)) == "91")
            #expect(decided.isOpen)
            // An echo with a MAC has one in its answer (DE128, behind DE70); one without needs no token.
            let echo = try TestMessages.codec().decode(try TestMessages.network(stan: 3))
            #expect(try answer(MACTests.sealed(echo)) == "00")
            #expect(try socket.echoes(stan: 4))
        }
    }

    @Test("An echo with a MAC waits for no request that stands still")
    func echoAtOnce() async throws {
        let hsm = try Self.token()
        defer { hsm.stop() }
        let gate = Gate()
        var link = try Self.link()
        link.inFlightMax = 2_000
        try await withHost(
            [link],
            decide: { request in
                await gate.pass()
                return await TestHost.unavailable(request)
            }, mac: Self.authenticate(hsm)
        ) { host in
            let socket = try host.connect()
            let codec = try TestMessages.codec()
            for stan in 1...600 {
                socket.sendFrame(try Self.sealed(codec.decode(try TestMessages.request(stan: stan))))
            }
            try eventually { try host.metric("issuer_requests_in_flight") == 600 }
            socket.sendFrame(try Self.sealed(codec.decode(try TestMessages.network(stan: 999))))
            #expect(try socket.receiveMessage()?.text(.stan) == "000999")
            gate.open()
        }
    }

    @Test("A new key is not taken once its sender was told 91; one that comes in time is")
    func keyChangeTooLate() async throws {
        let hsm = try Self.token()
        defer { hsm.stop() }
        let (gate, verifying) = (Gate(), Self.authenticate(hsm))
        let (asked, taken) = (Count(), Count())
        var link = try Self.link()
        link.keyChange = KeyChangeArrangement()
        link.answerTimeoutNanoseconds = 300_000_000
        try await withHost(
            [link],
            mac: { mac, bytes, _ in
                if asked.add() == 1 { await gate.pass() }
                return await verifying(mac, bytes, Deadline(nanoseconds: .max))
            },
            changeKey: { _, _ in
                taken.add()
                return .approved
            }
        ) { host in
            let socket = try host.connect()
            func change(stan: Int) throws {
                var message = try TestMessages.codec().decode(try TestMessages.network("161", stan: stan))
                message.set(.additionalData, text: String(repeating: "5A", count: 16) + "0123")
                socket.sendFrame(try Self.sealed(message))
            }
            try change(stan: 1)
            #expect(try Self.code(socket.receiveFrame()) == "91")
            gate.open()
            try eventually { try host.metric("issuer_requests_in_flight") == 0 }
            try change(stan: 2)
            #expect(try Self.code(socket.receiveFrame()) == "00")
            #expect(taken.now == 1)
        }
    }

    @Test("Without the token a decision cannot be authenticated: 91 goes out, and echoes as ever")
    func tokenAway() async throws {
        try await withHost([MACTests.link()]) { host in
            let socket = try host.connect()
            let request = try TestMessages.codec().decode(try TestMessages.request(stan: 1))
            socket.sendFrame(try MACTests.sealed(request))
            #expect(try socket.receiveMessage()?.text(.responseCode) == "91")
            #expect(try socket.echoes(stan: 2))
        }
    }

    @Test("An approval that gets no MAC, or that the dialect cannot carry, is told as 91 or 96, and noted")
    func toldOtherwise() async throws {
        let hsm = try MACTests.token()
        defer { hsm.stop() }
        let request = try TestMessages.codec().decode(try TestMessages.request(stan: 1))
        let sealed = try MACTests.sealed(request)
        try await withHost(
            [MACTests.link()], decide: { .success(UntoldTests.approval($0, code: "1234567")) },
            mac: MACTests.authenticate(hsm)
        ) { host in
            let socket = try host.connect()
            socket.sendFrame(sealed)
            #expect(try MACTests.code(socket.receiveFrame()) == "96")
            try eventually { host.notes.map(\.event) == [.toldOtherwise] }
        }
        // The request's MAC is the last one that the token makes.
        try await withHost(
            [MACTests.link()], decide: { .success(UntoldTests.approval($0)) },
            mac: MACTests.authenticate(hsm, times: 1)
        ) { host in
            let socket = try host.connect()
            socket.sendFrame(sealed)
            #expect(try socket.receiveMessage()?.text(.responseCode) == "91")
            try eventually { host.notes.map(\.event) == [.toldOtherwise] }
        }
    }
}
