package import EMV
internal import Foundation
package import HSM
internal import PKCS11

/// Cards of one batch, certified one after another; what is done is on disk, so that a batch that was broken off goes on
/// where it was.
package struct CardBatch: ~Copyable {
    /// Where a batch stands.
    package struct Progress: Sendable {
        /// Cards that are done, those of an earlier run included.
        package let done: Int
        /// Of them, those of an earlier run.
        package let earlier: Int
        /// Of the batch.
        package let total: Int
        /// Since this run began.
        package let elapsed: Duration

        /// Of this run.
        package var cardsASecond: Double {
            let seconds = Double(elapsed.components.seconds) + Double(elapsed.components.attoseconds) / 1e18
            return seconds > 0 ? Double(done - earlier) / seconds : 0
        }
    }

    private struct Line: Codable {
        let card: Int
        let fingerprint: String
        let application: PersonalisedApplication
    }

    /// Cards whose serial numbers, lines of the trail and lines of the file go to the disk together: each by itself takes
    /// longer than a signature.
    private static let writtenTogether = 32

    private let certifier: CardCertifier
    private let serialNumbers: SerialNumbers
    private let dataEncryptionKey: String?
    private let location: TokenLocation
    private var keys: SigningKeys

    /// - Parameters:
    ///   - dataEncryptionKey: label of the key that cards' private keys leave under; nil for cards without one.
    package init(
        _ certifier: CardCertifier, at location: TokenLocation, serialNumbers: SerialNumbers,
        dataEncryptionKey: String?
    ) throws {
        self.certifier = certifier
        self.serialNumbers = serialNumbers
        self.dataEncryptionKey = dataEncryptionKey
        self.location = location
        keys = try SigningKeys(at: location)
    }

    /// - Parameters:
    ///   - path: of what is done so far; the caller removes it once the whole is written.
    ///   - fingerprint: of everything that the result depends on beside the cards. What another input left is refused.
    ///   - certified: called before certificates of some cards are written: what cannot be noted is not made.
    ///   - report: called after that.
    package mutating func run(
        _ cards: [CardToCertify], keeping path: String, fingerprint: String,
        certified: ([(number: Int, application: PersonalisedApplication)]) throws -> Void,
        report: (Progress) -> Void
    ) throws -> [PersonalisedApplication] {
        var done = try CardBatch.done(path, cards.count, fingerprint: fingerprint)
        let earlier = done.count
        let start = ContinuousClock.now
        let file = try CardBatch.open(path)
        defer { try? file.close() }
        let left = cards.count - earlier
        let pool = CardKeyPool(
            certifier.keyPairsOfACard.mapValues { $0 * left }, at: location,
            threads: ProcessInfo.processInfo.activeProcessorCount)
        defer { pool.end() }
        let (certifier, serialNumbers, label) = (certifier, serialNumbers, dataEncryptionKey)
        try keys.signing(certifier.issuerKey) { signing, session in
            let wrapping = try label.map { try DataEncryptionKey(labelled: $0, &session) }
            let numbersOfACard = certifier.keyPairsOfACard.values.reduce(0, +)
            for first in stride(from: earlier, to: cards.count, by: CardBatch.writtenTogether) {
                let range = first..<min(first + CardBatch.writtenTogether, cards.count)
                var serials = try serialNumbers.take(range.count * numbersOfACard)
                var made: [(number: Int, application: PersonalisedApplication)] = []
                for number in range {
                    let application = try certifier.certify(
                        cards[number], signing: signing, under: wrapping,
                        serialNumber: {
                            guard let serial = serials.popFirst() else {
                                throw IssuanceError("serial numbers", "a card took more than it has keys")
                            }
                            return serial
                        }, pair: pool.take, session: &session)
                    made.append((number, application))
                }
                try certified(made)
                var lines = Data()
                for (number, application) in made {
                    let line = Line(card: number, fingerprint: fingerprint, application: application)
                    lines += try JSONEncoder().encode(line) + [0x0A]
                    done.append(application)
                }
                try file.write(contentsOf: lines)
                report(
                    Progress(
                        done: done.count, earlier: earlier, total: cards.count, elapsed: .now - start))
            }
        }
        return done
    }

    private static func open(_ path: String) throws -> FileHandle {
        if !FileManager.default.fileExists(atPath: path) {
            guard
                FileManager.default.createFile(
                    atPath: path, contents: nil, attributes: [.posixPermissions: 0o600])
            else { throw IssuanceError(path, "cannot be written") }
        }
        guard let file = FileHandle(forUpdatingAtPath: path) else {
            throw IssuanceError(path, "cannot be written")
        }
        return file
    }

    /// What an earlier run finished; a line that it did not finish is cut off.
    private static func done(
        _ path: String, _ total: Int, fingerprint: String
    ) throws -> [PersonalisedApplication] {
        guard let data = FileManager.default.contents(atPath: path), !data.isEmpty else { return [] }
        var applications: [PersonalisedApplication] = []
        var kept = 0
        for text in data.split(separator: 0x0A, omittingEmptySubsequences: false) {
            guard kept + text.count < data.count else { break }
            guard let line = try? JSONDecoder().decode(Line.self, from: Data(text)),
                line.card == applications.count,
                line.card < total, line.fingerprint == fingerprint
            else {
                throw IssuanceError(path, "is of another batch; take it away to begin anew")
            }
            applications.append(line.application)
            kept += text.count + 1
        }
        let file = try open(path)
        try file.truncate(atOffset: UInt64(kept))
        try file.close()
        return applications
    }
}

extension DataEncryptionKey {
    /// A working copy of a key of the token.
    init(labelled label: String, _ session: inout Session) throws {
        guard KeyPurpose.named(label) == .dataEncryptionKey else {
            throw IssuanceError(label, "is no data encryption key; its name has to begin with dek-")
        }
        let found = try session.findKeys(label: label)
        guard let key = found.first, found.count == 1 else {
            throw IssuanceError(label, "no such key in the token")
        }
        let copy = try session.workingCopy(of: key)
        self.init(
            copy, isAES: try session.keyType(of: copy) == .aes, export: try PrivateKeyExport(&session))
    }
}
