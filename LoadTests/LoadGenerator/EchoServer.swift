internal import EMV
internal import ISO8583
internal import LibCrypto
internal import NIOCore
internal import NIOPosix
package import VirtualCard

/// A stand-in for a host: it approves whatever it can read, with a right ARPC, and looks at nothing else. It
/// shows what the generator itself can do, and whether the generator sees what it should see.
package struct EchoServer: Sendable {
    /// What it does wrong on purpose.
    package enum Misbehaviour: Sendable {
        /// Nothing.
        case none
        /// After so many answers it keeps everything to itself for a while, once.
        case stall(afterAnswers: Int, seconds: Double)
        /// Of every so many answers, two go out with each other's trace number.
        case swap(every: Int)
        /// Every so many answers, the connection is closed instead.
        case hangUp(every: Int)
    }

    /// Where it listens.
    package let port: Int
    private let channel: any Channel
    private let group: MultiThreadedEventLoopGroup

    /// Listens on the loopback interface.
    /// - Parameters:
    ///   - port: 0 for any that is free.
    ///   - threads: event loops, which share the connections.
    package init(
        _ link: LoadLink, issuer: DemoIssuer, port: Int, threads: Int = 1, misbehaviour: Misbehaviour = .none
    ) async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: threads)
        self.group = group
        do {
            let desks = Dictionary(
                uniqueKeysWithValues: try group.makeIterator().map {
                    (ObjectIdentifier($0), try EchoDesk(link, issuer: issuer, misbehaviour: misbehaviour))
                })
            channel = try await ServerBootstrap(group: group)
                .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                .childChannelOption(ChannelOptions.tcpOption(.tcp_nodelay), value: 1)
                .childChannelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        guard let desk = desks[ObjectIdentifier(channel.eventLoop)] else { return }
                        try channel.pipeline.syncOperations.addHandler(EchoConnection(desk))
                    }
                }
                .bind(host: "127.0.0.1", port: port).get()
        } catch {
            try await group.shutdownGracefully()
            guard let error = error as? IOError else { throw error }
            let reason = String(cString: strerror(error.errnoCode))
            throw LoadSetupError(
                "127.0.0.1:\(port) cannot be listened on: \(reason); --port names another one")
        }
        self.port = channel.localAddress?.port ?? port
    }

    /// Waits until it is closed.
    package func run() async throws { try await channel.closeFuture.get() }

    /// Closes everything.
    package func stop() async throws {
        try await channel.close()
        try await group.shutdownGracefully()
    }
}

/// Makes answers; shared by the connections of one event loop.
final class EchoDesk: @unchecked Sendable {
    // Sendable because only its event loop touches it after `init`.
    let link: LoadLink
    let misbehaviour: EchoServer.Misbehaviour
    var answered = 0
    var stalledUntil: UInt64 = 0
    private let issuer: DemoIssuer
    private var chip: ChipCryptography
    private var issuerKeys: [Int: DoubleLengthKey] = [:]
    /// So that it derives less than the generator, whose limit it has to let be seen.
    private var cardKeys: [CardIdentity: DoubleLengthKey] = [:]
    private static let cardKeysMax = 1_000_000
    private var approvals = 0

    init(_ link: LoadLink, issuer: DemoIssuer, misbehaviour: EchoServer.Misbehaviour) throws {
        self.link = link
        self.issuer = issuer
        self.misbehaviour = misbehaviour
        chip = try ChipCryptography()
    }

    private static let repeated: [DataElement] = [
        .pan, .processingCode, .transactionAmount, .transmissionTime, .stan, .localTime, .localDate,
        .acquirerIdentifier, .retrievalReferenceNumber, .terminalIdentifier, .merchantIdentifier, .currency,
    ]

    func answer(_ request: Message) -> Message? {
        guard let type = request.mti.response else { return nil }
        var answer = Message(mti: type, header: link.codec.responseHeader(for: request))
        for element in Self.repeated { answer.copy(element, from: request) }
        answer.set(.responseCode, text: "00")
        approvals = approvals % 999_999 + 1
        answer.set(.authorisationCode, text: digits(approvals, count: 6))
        if let data = try? authenticationData(request) {
            var writer = TLVWriter(reserving: 24)
            writer.append(data)
            answer.set(.iccData, bytes: writer.bytes)
        }
        return answer
    }

    private func authenticationData(_ request: Message) throws -> IssuerAuthenticationData? {
        guard let digits = request.bytes(.pan), let bytes = request.bytes(.iccData) else { return nil }
        let data = try ICCData(parsing: Array(bytes))
        guard let cryptogram = data.cryptogram, let atc = data.atc,
            let unpredictableNumber = data.unpredictableNumber, let iad = data[.issuerApplicationData]
        else { return nil }
        let profile = try CryptogramProfile.select(
            for: IssuerApplicationData(parsing: iad), among: CryptogramProfile.all)
        let pan = try PAN(ascii: digits)
        let key = try cardKey(CardIdentity(pan: pan, panSequenceNumber: data.panSequenceNumber))
        let responseKey = try chip.sessionKey(
            profile.responseKey, iccMasterKey: key, atc: atc, unpredictableNumber: unpredictableNumber)
        switch profile.responseMethod {
        case .method1:
            let code = AuthorisationResponseCode(rawValue: 0x3030)
            return IssuerAuthenticationData(
                arpc: try chip.responseMethod1(key: responseKey, cryptogram, code: code), code: code)
        case .method2:
            let arpc = try chip.responseMethod2(
                key: responseKey, cryptogram, statusUpdate: .approve, proprietary: [])
            return arpc.map { IssuerAuthenticationData(arpc: $0, statusUpdate: .approve) }
        }
    }

    private func cardKey(_ card: CardIdentity) throws -> DoubleLengthKey {
        if let key = cardKeys[card] { return key }
        let key = try chip.iccMasterKey(issuerMasterKey: issuerKey(card.pan), option: .a, card: card)
        if cardKeys.count < EchoDesk.cardKeysMax { cardKeys[card] = key }
        return key
    }

    private func issuerKey(_ pan: PAN) throws -> DoubleLengthKey {
        let prefix = (0..<6).reduce(0) { $0 * 10 + Int(pan.digit(at: $1)) }
        if let key = issuerKeys[prefix] { return key }
        let key = try issuer.issuerMasterKey(for: pan)
        issuerKeys[prefix] = key
        return key
    }
}
