internal import FoundationEssentials
internal import Yams

/// Something about a profile, a file or an address that stops a load before it begins.
package struct LoadSetupError: Error, Sendable, CustomStringConvertible {
    /// One line for people.
    package let description: String

    package init(_ description: String) { self.description = description }
}

/// What a request of the mix is.
package enum TrafficKind: String, CaseIterable, Codable, CodingKeyRepresentable, Sendable {
    /// Chip and right PIN.
    case purchase
    /// Chip, no PIN.
    case purchaseWithoutPIN
    /// Chip and a wrong PIN; the card's next right one clears the counter.
    case wrongPIN
    /// One bit of the cryptogram is turned.
    case wrongCryptogram
    /// A new request with an ATC that the host has seen.
    case replay
    /// A card of the issuer's range that was never imported.
    case unknownCard
    /// DE55 ends before its length says so.
    case badFrame
    /// An earlier request once more, as 0101: the host has to answer as before.
    case `repeat`
    /// An approved request is undone by a 0400.
    case reversal
    /// A web shop whose cardholder was authenticated by 3-D Secure.
    case threeDSecure
}

/// What a load consists of: cards, connections, mix and stages.
package struct LoadProfile: Sendable {
    /// One stretch of load.
    package struct Stage: Sendable {
        /// What it stands for in the result's headline figures.
        package enum Role: String, Codable, Sendable {
            /// Throughput and costs are taken from here.
            case saturation
            /// Latencies are taken from here.
            case half
            /// Nothing is taken from here: the host warms up.
            case warmUp
        }

        /// Where the requests come from.
        package enum Load: Sendable {
            /// So many under way on every connection, the next one when an answer comes.
            case closed(outstanding: Int)
            /// At a rate in requests a second.
            case open(RateCurve, ArrivalSpacing)
            /// At a part of the throughput of the stage with the role `saturation`.
            case fraction(Double, ArrivalSpacing)
        }

        /// For people.
        package var name: String
        /// What it stands for, if anything.
        package var role: Role?
        /// How long requests are sent.
        package var seconds: Double
        /// Where the requests come from.
        package var load: Load

        package init(name: String, role: Role? = nil, seconds: Double, load: Load) {
            self.name = name
            self.role = role
            self.seconds = seconds
            self.load = load
        }
    }

    /// For people and file names.
    package var name: String
    /// Cards, 10 to 1,000,000.
    package var cards: Int
    /// Shares of the kinds of card, by the names of the demo issuer's cards.
    package var products: [(name: String, weight: Int)]
    /// Of everything that looks random.
    package var seed: UInt64
    /// Names of links; all that the configuration has if empty.
    package var links: [String]
    /// Over all links together.
    package var connections: Int
    /// Every so many seconds one connection is closed and opened again; 0 for never.
    package var reconnectSeconds: Double
    /// Whether a request whose connection ends before its answer is sent again over another one, as a repeat.
    package var repeatsUnanswered: Bool
    /// Whether cryptograms and PIN blocks of a stage are computed before it begins.
    package var precompute: Bool
    /// Shares of the kinds of request.
    package var mix: [TrafficKind: Double]
    /// One after the other.
    package var stages: [Stage]
    /// PIN tries that the host's policy gives.
    package var pinTriesMax: Int
    /// What it has to keep to.
    package var thresholds: [Threshold]

    /// A profile of purchases.
    package init(name: String, cards: Int, connections: Int, stages: [Stage]) {
        self.name = name
        self.cards = cards
        self.connections = connections
        self.stages = stages
        products = LoadProfile.productsByDefault
        seed = 1
        links = []
        reconnectSeconds = 0
        repeatsUnanswered = false
        precompute = false
        mix = [.purchase: 1]
        pinTriesMax = 3
        thresholds = []
    }

    static let productsByDefault: [(name: String, weight: Int)] = [
        ("visa-cvn10", 1), ("visa-cvn18", 3), ("visa-cvn22", 1), ("mchip-10h", 1), ("mchip-14h", 2),
        ("mchip-15h", 1), ("ccd-19-digits", 1),
    ]

    /// Reads a YAML file.
    package init(contentsOf path: String) throws(LoadSetupError) {
        guard let text = try? String(contentsOf: URL(filePath: path), encoding: .utf8) else {
            throw LoadSetupError("cannot read \(path)")
        }
        try self.init(yaml: text, path: path)
    }

    /// The same from memory; `path` is for error texts.
    package init(yaml: String, path: String) throws(LoadSetupError) {
        try ProfileKeys.check(yaml, path: path)
        let file: ProfileFile
        do { file = try YAMLDecoder().decode(ProfileFile.self, from: yaml) } catch {
            throw LoadSetupError("\(path): \(describe(error))")
        }
        var stages: [Stage] = []
        for stage in file.stages { stages.append(try stage.stage(path)) }
        self.init(
            name: file.name, cards: file.cards, connections: file.connections ?? 8, stages: stages)
        if let products = file.products {
            self.products = products.map { ($0.key, $0.value) }.sorted { $0.0 < $1.0 }
        }
        seed = file.seed ?? 1
        links = file.links ?? []
        reconnectSeconds = file.reconnectSeconds ?? 0
        repeatsUnanswered = file.repeatsUnanswered ?? false
        precompute = file.precompute ?? false
        pinTriesMax = file.pinTriesMax ?? 3
        mix = file.mix ?? [.purchase: 1]
        do throws(LoadSetupError) {
            for text in file.thresholds ?? [] { thresholds.append(try Threshold(text)) }
        } catch {
            throw LoadSetupError("\(path): \(error)")
        }
        try check(path)
    }

    /// What can be said without a host.
    private func check(_ path: String) throws(LoadSetupError) {
        guard (10...1_000_000).contains(cards) else {
            throw LoadSetupError("\(path): cards has to be 10 to 1,000,000")
        }
        guard (1...10_000).contains(connections) else {
            throw LoadSetupError("\(path): connections has to be 1 to 10,000")
        }
        guard mix.values.allSatisfy({ $0 >= 0 }), mix.values.reduce(0, +) > 0 else {
            throw LoadSetupError("\(path): mix has no weight above zero, or one below")
        }
        guard !products.isEmpty, products.allSatisfy({ $0.weight > 0 }) else {
            throw LoadSetupError("\(path): products needs weights above zero")
        }
        guard !stages.isEmpty else { throw LoadSetupError("\(path): stages is empty") }
        guard name.contains(where: { !$0.isWhitespace }), !name.contains(where: { "/\\\0\n".contains($0) })
        else {
            throw LoadSetupError(
                "\(path): name is part of file names: it has neither / nor \\, and is not empty")
        }
        guard reconnectSeconds >= 0, reconnectSeconds <= 86_400, pinTriesMax > 0 else {
            throw LoadSetupError("\(path): reconnectSeconds has to be 0 to 86,400, and pinTriesMax above 0")
        }
        try checkStages(path)
    }
}
