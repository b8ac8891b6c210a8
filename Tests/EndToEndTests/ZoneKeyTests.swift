import Foundation
import ISO8583
import LibCrypto
import SocketSupport
import Synchronization
import TerminalSimulator
import Testing
import VirtualCard

/// Zone keys that a switch changes over the wire: real host, token and sockets; the switch computes with libcrypto.
@Suite("Zone keys over the wire", .serialized)
struct ZoneKeyTests {
    private let issuer: DemoIssuer
    private static let newPINKey = Array(UInt8(0x31)...0x40)
    private static let newMACKey = Array(UInt8(0x51)...0x60)

    init() throws {
        issuer = try DemoIssuer(
            contentsOf: DemoEnvironment.root.appendingPathComponent("Config/demo/demo-issuer.json").path)
    }

    /// A host of its own on the environment's token and store, whose links change keys.
    private final class Host {
        let (portA, portB): (UInt16, UInt16)
        let configuration: String
        private var process: HostProcess?

        init(_ environment: DemoEnvironment, overlapSeconds: Int, name: String = "zone-keys") throws {
            (portA, portB) = (try freePort(), try freePort())
            configuration = environment.directory.appendingPathComponent("\(name).yaml").path
            let change =
                "keyChange: {zoneMasterKey: zmk-acquirer-a, overlapSeconds: \(overlapSeconds)}\n    answerTimeoutMilliseconds: 2000"
            var text = try String(contentsOfFile: environment.configuration, encoding: .utf8)
            text = text.replacingOccurrences(
                of: "port: \(environment.portA)\n", with: "port: \(portA)\n    \(change)\n")
            text = text.replacingOccurrences(
                of: "port: \(environment.portB)\n",
                with:
                    "port: \(portB)\n    mac: {key: zak-acquirer-b, padding: 2}\n    \(change)\n")
            text = text.replacingOccurrences(
                of: "port: \(environment.adminPort)\n", with: "port: \(try freePort())\n")
            try text.write(toFile: configuration, atomically: true, encoding: .utf8)
            try start()
        }

        func start() throws { process = try HostProcess(configuration: configuration) }

        /// Reads what the host says until it has said this.
        func wait(for words: String) throws { try #require(process).waitUntil(says: words) }

        func stop() {
            process?.stop()
            process = nil
        }
    }

    /// What a switch has: a connection, its dialect, and a counter. One thread at a time uses it.
    private final class Switch: @unchecked Sendable {
        let socket: Socket
        let codec: MessageCodec
        /// Nil on a link without MACs.
        var macKey: [UInt8]?
        private var stan = 100

        init(port: UInt16, dialect: String, macKey: [UInt8]? = nil) throws {
            socket = try Socket(port: port, timeoutSeconds: 30)
            let path = DemoEnvironment.root.appendingPathComponent("Config/iso8583/\(dialect).json").path
            codec = MessageCodec(dialect: try Dialect(contentsOf: path))
            self.macKey = macKey
        }

        func send(_ message: Message) throws -> Message {
            socket.sendFrame(try codec.encode(message))
            return try codec.decode(try #require(socket.receiveFrame()))
        }

        /// DE39 of a network management request, with a MAC where the link has one.
        /// - Parameter sealedWith: the MAC key; the answer has to come under the same.
        func network(
            _ code: String, data: String? = nil, control: String? = nil, withoutMAC: Bool = false
        ) throws -> String? {
            var message = Message(mti: .networkManagementRequest)
            stan += 1
            message.set(.transmissionTime, text: "1125000000")
            message.set(.stan, text: "000\(stan)")
            if let data { message.set(.additionalData, text: data) }
            if let control { message.set(.securityControl, text: control) }
            message.set(.networkManagementCode, text: code)
            guard let macKey, !withoutMAC else { return try send(message).text(.responseCode) }
            // Behind 64 is DE70: the MAC is the last eight bytes.
            message.set(.mac2, bytes: [UInt8](repeating: 0, count: 8))
            let unsealed = try codec.encode(message)
            message.set(.mac2, bytes: try mac(unsealed.dropLast(8), macKey))
            socket.sendFrame(try codec.encode(message))
            let frame = try #require(socket.receiveFrame())
            let answer = try codec.decode(frame)
            if answer.text(.responseCode) != "98" {
                #expect(try Array(frame.suffix(8)) == mac(frame.dropLast(8), macKey), "MAC of the answer")
            }
            return answer.text(.responseCode)
        }

        private func mac(_ bytes: some Collection<UInt8>, _ key: [UInt8]) throws -> [UInt8] {
            let word = try MAC.algorithm3(
                key: try #require(DoubleLengthKey(bytes: key)), Array(bytes), padding: .method2)
            return withUnsafeBytes(of: word.bigEndian) { Array($0) }
        }
    }

    private func hex(_ bytes: some Sequence<UInt8>) -> String {
        bytes.map { String(String(0x100 | UInt16($0), radix: 16).suffix(2)).uppercased() }.joined()
    }

    /// A key as it travels: under the ZMK, with its check value.
    private func wrapped(_ key: [UInt8], checkValue: String? = nil) throws -> String {
        let zeros = try TDES.encryptECB(key: key, [UInt8](repeating: 0, count: 8))
        return hex(try TDES.encryptECB(key: try issuer.key("zmk-acquirer-a"), key))
            + (checkValue ?? hex(zeros.prefix(3)))
    }

    private func purchase(
        _ peer: Switch, _ card: inout VirtualCard, _ terminal: inout Terminal, pin: String, under key: [UInt8]
    ) throws -> String? {
        let entry = try #require(PIN(pin))
        let request = try terminal.request(
            Purchase(amount: 100, pin: .typed(entry)), card: &card, zonePINKey: key,
            dialect: peer.codec.dialect)
        return try peer.send(request.message).text(.responseCode)
    }

    @Test("A new ZPK: checked, both pass during the overlap, the old one ends and stays ended")
    func pinKey() throws {
        let environment = try DemoEnvironment(command: ["run"])
        defer { environment.stop() }
        try environment.waitUntilReady()
        let host = try Host(environment, overlapSeconds: 10)
        defer { host.stop() }
        let peer = try Switch(port: host.portA, dialect: "ascii87-binbitmap")
        var (card, terminal) = (try VirtualCard(issuer, card: "visa-cvn18"), Terminal())
        let (old, new) = (try issuer.key("zpk-acquirer-a"), Self.newPINKey)
        func code(_ pin: String, _ key: [UInt8]) throws -> String? {
            try purchase(peer, &card, &terminal, pin: pin, under: key)
        }
        let pin = "4321"
        #expect(try code(pin, old) == "00")

        #expect(try peer.network("161", data: wrapped(new, checkValue: "000000")) == "63")
        #expect(try peer.network("161", data: wrapped(Array(old.prefix(8) + old.prefix(8)))) == "63")
        let (one, other) = (Array(new.prefix(8)), [UInt8](repeating: 0x5A, count: 8))
        let semiWeak: [UInt8] = [0x01, 0xFE, 0x01, 0xFE, 0x01, 0xFE, 0x01, 0xFE]
        let weakHalf: [UInt8] = [0xFE, 0xFE, 0xFE, 0xFE, 0xFE, 0xFE, 0xFE, 0xFE]
        let weak = [
            one + one.map { $0 ^ 1 }, other + other, one + semiWeak, semiWeak + one, weakHalf + one,
            one + weakHalf.map { $0 ^ 1 }, [UInt8](repeating: 0, count: 16), one + other + one,
            one + other + other, one + one + other, one + other + semiWeak,
        ]
        for (number, key) in weak.enumerated() {
            let plain = try peer.network("161", data: wrapped(key))
            let isRefused = plain == "63"
            #expect(isRefused, "weak key \(number)")
            let change = try peer.network("161", data: wrapped(key), control: "0100000000000000")
            let isRefusedAsChange = change == "63"
            #expect(isRefusedAsChange, "weak key \(number)")
        }
        #expect(try peer.network("161", data: "no key") == "30")
        #expect(try peer.network("161", data: wrapped(new), control: "0200000000000000") == "12")
        #expect(try peer.network("301") == "00")
        #expect(try code(pin, old) == "00", "what was refused changed nothing")
        #expect(try code(pin, new) != "00")

        let fixed = try Switch(port: environment.portA, dialect: "ascii87-binbitmap")
        #expect(try fixed.network("161", data: wrapped(new)) == "12", "a link without keyChange")

        #expect(try peer.network("161", data: wrapped(new), control: "0100000000000000") == "00")
        #expect(try code(pin, new) == "00")
        #expect(try code(pin, old) == "00", "both pass during the overlap")
        #expect(try code("0000", new) == "55")
        #expect(try code(pin, new) == "00")
        #expect(try peer.network("161", data: wrapped(new)) == "00", "sent again: nothing more to do")
        #expect(try peer.network("161", data: wrapped(old)) == "63", "the key before does not come back")

        let retire = try DemoEnvironment.run(
            "issuer-keys", ["retire", "zpk-acquirer-a.v2", "--yes", "--config", host.configuration])
        let isRefused = retire.status == 1 && retire.output.contains("links.acquirer-a.zonePINKey")
        #expect(isRefused, "the key in force")

        try host.wait(for: "zone key retired")
        #expect(try code(pin, new) == "00")
        #expect(try code(pin, old) != "00", "the overlap has ended")
        try ended(environment, host)
        host.stop()
        try host.start()
        let later = try Switch(port: host.portA, dialect: "ascii87-binbitmap")
        #expect(try purchase(later, &card, &terminal, pin: pin, under: new) == "00", "after a restart")
    }

    /// ZONE_KEY_RACES says how many.
    private static let races = ProcessInfo.processInfo.environment["ZONE_KEY_RACES"].flatMap(Int.init) ?? 20

    @Test("Two hosts get two new keys at once: one wins each time, and no PIN fails under it")
    func race() throws {
        let environment = try DemoEnvironment(command: ["run"])
        defer { environment.stop() }
        try environment.waitUntilReady()
        let hosts = try ["one", "other"].map { try Host(environment, overlapSeconds: 30, name: $0) }
        defer { hosts.forEach { $0.stop() } }
        let peers = try hosts.map { try Switch(port: $0.portA, dialect: "ascii87-binbitmap") }
        var (card, terminal) = (try VirtualCard(issuer, card: "visa-cvn18"), Terminal())
        for round in 0..<Self.races {
            let keys = [UInt8(1), 2].map { side in
                (0..<16).map { UInt8(truncatingIfNeeded: 7 &+ $0 &* 37 &+ Int(side) &* 89 &+ round &* 113) }
            }
            let data = try keys.map { try wrapped($0) }
            let codes = Mutex<[Int: String]>([:])
            let pairs = zip(peers, data).enumerated().map { ($0.offset, $0.element.0, $0.element.1) }
            let answered = DispatchGroup()
            for (side, peer, text) in pairs {
                answered.enter()
                // Threads of their own: a pool may run one after the other.
                Thread {
                    let code = (try? peer.network("161", data: text)) ?? "none"
                    codes.withLock { $0[side] = code }
                    answered.leave()
                }.start()
            }
            answered.wait()
            let found = codes.withLock { $0 }
            let winners = found.filter { $0.value == "00" }.map(\.key)
            if winners.count != 1 {
                let trail = try DemoEnvironment.run(
                    "issuer-keys", ["audit-log", "show", "--config", hosts[0].configuration]
                ).output.split(separator: "\n").filter { $0.contains("zone-key-refused") }
                Issue.record("\(trail.suffix(2).joined(separator: "\n"))")
            }
            #expect(winners.count == 1, "round \(round): \(found)")
            guard let winner = winners.first else { continue }
            for peer in peers {
                let code = try purchase(peer, &card, &terminal, pin: "4321", under: keys[winner])
                #expect(code != "55" && code != "96" && code != "91", "round \(round): \(code ?? "none")")
            }
        }
        let audit = try DemoEnvironment.run("issuer-keys", ["audit", "--config", hosts[0].configuration])
        #expect(audit.status == 0, "\(audit.output)")
    }

    @Test("Without a store a key change is refused, and nothing is left of it")
    func withoutStore() throws {
        let environment = try DemoEnvironment(command: ["run"])
        defer { environment.stop() }
        try environment.waitUntilReady()
        let host = try Host(environment, overlapSeconds: 30)
        defer { host.stop() }
        let peer = try Switch(port: host.portA, dialect: "ascii87-binbitmap")
        try environment.killStore()
        #expect(try peer.network("161", data: wrapped(Self.newPINKey)) == "96")
        let keys = try DemoEnvironment.run("issuer-keys", ["list", "--config", host.configuration]).output
        #expect(!keys.contains("zpk-acquirer-a.v2"))
    }

    /// What is left of it in token and trail.
    private func ended(_ environment: DemoEnvironment, _ host: Host) throws {
        let keys = try DemoEnvironment.run("issuer-keys", ["list", "--config", host.configuration]).output
            .split(separator: "\n")
        #expect(keys.contains { $0.hasPrefix("zpk-acquirer-a.v2 ") && $0.contains("imported") })
        #expect(!keys.contains { $0.hasPrefix("zpk-acquirer-a ") })
        let trail = try DemoEnvironment.run(
            "issuer-keys", ["audit-log", "show", "--config", host.configuration]
        ).output
        #expect(trail.contains("zone-key-changed  zpk-acquirer-a.v2  attributes="))
        #expect(trail.contains("zone-key-refused  zpk-acquirer-a  link=acquirer-a reason=check value 000000"))
        #expect(trail.contains("key-retired  zpk-acquirer-a  kcv="))
        let whole = try DemoEnvironment.run(
            "issuer-keys", ["audit-log", "verify", "--config", host.configuration])
        #expect(whole.status == 0, "\(whole.output)")
    }

    @Test("A new ZAK: not without a MAC; each message is answered under the key that it came with")
    func macKey() throws {
        let environment = try DemoEnvironment(command: ["run"])
        defer { environment.stop() }
        try environment.waitUntilReady()
        let host = try Host(environment, overlapSeconds: 8)
        defer { host.stop() }
        let peer = try Switch(
            port: host.portB, dialect: "bcd87-rightF", macKey: try issuer.key("zak-acquirer-b"))
        let control = "0200000000000000"
        let data = try wrapped(Self.newMACKey)
        #expect(try peer.network("301") == "00")
        #expect(try peer.network("161", data: data, control: control, withoutMAC: true) == "98")
        #expect(try peer.network("161", data: data, control: control) == "00")
        #expect(try peer.network("301") == "00", "the key before still passes")
        peer.macKey = Self.newMACKey
        #expect(try peer.network("301") == "00")
        try host.wait(for: "zone key retired")
        #expect(try peer.network("301") == "00")
        peer.macKey = try issuer.key("zak-acquirer-b")
        #expect(try peer.network("301") == "98")
    }
}
