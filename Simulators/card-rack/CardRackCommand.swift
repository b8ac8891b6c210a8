internal import ArgumentParser
internal import BuildVersion
internal import ByteCoding
internal import CardRack
internal import CardReaders
internal import Foundation
internal import Glibc
internal import ProgramEntry
internal import VirtualCard

/// `card-rack`: readers with fresh cards in them.
@main
struct CardRackCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "card-rack",
        abstract: "Serve virtual cards that have come from the factory, one connection a reader.",
        discussion: """
            A frame is a length of two bytes, big endian, and a command (ISO/IEC 7816-4); the same back. A frame of \
            one byte is for the reader: 00 power off, 01 power on, 02 reset, 04 the answer to reset. Each connection \
            gets the first free card, those that are not personalised before the others; a connection without one is \
            closed.

            Transport keys are diversified from a test key of the issuer's file. Prints `ready on HOST:PORT`. SIGTERM \
            and SIGINT end it.
            """, version: BuildVersion.text)

    @Option(help: "Cards in the rack.") var cards = 100
    @Option(help: ArgumentHelp("Address and port; port 0 takes a free one.", valueName: "host:port"))
    var listen = "127.0.0.1:8590"
    @Option(
        help: ArgumentHelp(
            "Put one card into a virtual reader of pcscd instead (vsmartcard-vpcd).", valueName: "host:port"))
    var vpcd: String?
    @Option(help: "scp03 or scp02.") var channel = "scp03"
    @Option(help: "The channel's i, two digits of hex: 60, 70, 61 and so on; 15 and 55 with scp02.")
    var parameter: String?
    @Option(help: ArgumentHelp("File of test keys.", valueName: "file")) var issuer =
        "Config/demo/demo-issuer.json"
    @Option(help: ArgumentHelp("Which of them the bureau's master key is.", valueName: "name"))
    var master: String?
    @Option(name: .customLong("key-version"), help: "Of the transport keys.") var keyVersion: UInt8 = 0x30
    @Option(
        name: .long, help: ArgumentHelp("AID that a card can be given; once for each.", valueName: "hex"))
    var aid = ["A0000000031010", "A0000000041010", "F0000000010001"]
    @Option(help: "Pull cards, wait, and send rubbish, the same for the same seed.") var faults: UInt64?
    @Option(
        name: .customLong("fault-every"),
        help: "With --faults: commands for one fault, on average; 40 without.")
    var faultEvery: UInt64?

    func validate() throws {
        guard (1...10_000).contains(cards) else { throw ValidationError("--cards has to be 1 to 10000") }
        // GlobalPlatform: 0 stands for whatever keys come first, and the highest bit is no part of a version.
        guard (0x01...0x7F).contains(keyVersion) else {
            throw ValidationError("--key-version has to be 1 to 127")
        }
        guard faults != nil || faultEvery == nil else {
            throw ValidationError("--fault-every needs --faults")
        }
        guard faultEvery.map({ $0 > 0 }) ?? true else {
            throw ValidationError("--fault-every has to be 1 or more")
        }
    }

    static func main() { ProgramEntry.run(Self.self, ProgramEntry.arguments) }

    func run() throws {
        signal(SIGPIPE, SIG_IGN)
        // Before any thread begins, so that none of them takes these.
        var signals = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, SIGTERM)
        sigaddset(&signals, SIGINT)
        pthread_sigmask(SIG_BLOCK, &signals, nil)
        let plan = faults.map { FaultPlan(seed: $0, oneIn: faultEvery ?? 40) }
        let rack = CardRack(try factory(), faults: plan)
        if let vpcd {
            let (host, port) = try CardRackCommand.address(vpcd, "--vpcd")
            let reader = try RackConnection(host: host, port: port)
            print("ready at \(vpcd)")
            fflush(nil)
            Thread.detachNewThread {
                rack.serve(reader.socket)
                Glibc.exit(0)
            }
        } else {
            let (host, port) = try CardRackCommand.address(listen, "--listen")
            let server = try RackServer(rack, host: host, port: port)
            server.start()
            print("ready on \(host):\(server.port)")
            fflush(nil)
        }
        var caught: Int32 = 0
        sigwait(&signals, &caught)
        let done = rack.cards.count { $0.isPersonalised }
        print("\(done) of \(cards) cards are personalised")
    }

    /// Cards that differ in their serial numbers alone.
    private func factory() throws -> [SmartCard] {
        let isAES = channel == "scp03"
        guard isAES || channel == "scp02" else { throw ValidationError("--channel: scp03 or scp02") }
        let text = parameter ?? (isAES ? "70" : "15")
        guard let parameter = UInt8(text, radix: 16), isAES || [0x15, 0x55].contains(parameter),
            !isAES || parameter & 0x8E == 0
        else { throw ValidationError("--parameter \(text): no i of \(channel)") }
        let keys = try DemoIssuer(contentsOf: issuer)
        let master = try keys.key(master ?? (isAES ? "kmc-bureau" : "kmc-bureau-des"))
        let identifiers = try aid.map { text in
            guard let bytes = try? Hex.decode(text), (5...16).contains(bytes.count) else {
                throw ValidationError("--aid \(text): 5 to 16 bytes of hex are needed")
            }
            return bytes
        }
        let batch = UInt32.random(in: .min ... .max)
        return try (0..<(vpcd == nil ? cards : 1)).map { number in
            let serial =
                [0xC0, 0xDE] + [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: batch >> UInt32($0)) }
                + [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: UInt32(number + 1) >> UInt32($0)) }
            let set =
                try isAES
                ? TransportKeys.scp03(
                    master: master, version: keyVersion, parameter: parameter, serial: serial)
                : TransportKeys.scp02(
                    master: master, version: keyVersion, parameter: parameter, serial: serial)
            return SmartCard(serial: serial, keys: set, identifiers: identifiers)
        }
    }

    private static func address(_ text: String, _ option: String) throws -> (String, UInt16) {
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else {
            throw ValidationError("\(option) \(text): host:port is needed")
        }
        return (String(text[..<colon]), port)
    }
}
