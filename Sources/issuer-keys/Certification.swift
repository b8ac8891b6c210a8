internal import ArgumentParser
internal import AuditTrail
internal import ByteCoding
internal import EMV
internal import Foundation
internal import HSM
internal import Issuance
internal import ProgramEntry

/// The part of `personalise` that makes certificates.
struct Certification {
    struct Issuer {
        let name: String
        let rid: [UInt8]
        let digits: [UInt8]
        let certifier: CardCertifier
        let fingerprint: String
    }

    /// Who approved which list.
    struct Approval {
        /// SHA-256 in hex.
        let list: String
        let signers: [AuditSigner]
    }

    /// As the file says.
    let profile: ApplicationProfile

    private let issuers: [Issuer]
    private let dataEncryptionKey: String?
    private let store: CertificateStore

    /// - Parameters:
    ///   - path: of the file of what the cards have in common.
    ///   - chosen: the issuer certificate of all cards; nil takes for each card the one of its PANs.
    init(profile path: String, certificate chosen: String?, dataEncryptionKey: String?, desk: KeyDesk)
        throws
    {
        let (data, profile) = try Certification.profile(path)
        let (store, known) = try desk.certificates()
        var keys = try SigningKeys(at: desk.location)
        let entries = try store.list(known, month: thisMonth()).filter { chosen == nil || $0.name == chosen }
        guard !entries.isEmpty else {
            throw IssuanceError(
                "certificate",
                chosen.map { "there is none named \($0); `certificate list` shows those that are there" }
                    ?? "no issuer's certificate is there: `certificate request`, then `certificate import`")
        }
        issuers = try entries.compactMap { entry in
            guard let certificate = entry.certificate, entry.fault == nil else {
                guard chosen == nil else {
                    throw Refusal("certificate \(entry.name): \(entry.fault ?? "unusable")")
                }
                return nil
            }
            guard !entry.isTest || !desk.refusesTestKeys else {
                throw Refusal(
                    "certificate \(entry.name): its CA key is a test key, which production refuses")
            }
            let key = try keys.key(labelled: SigningKeys.issuerPrefix + entry.name)
            let dependencies = data + entry.file.encoded + Array((dataEncryptionKey ?? "").utf8)
            return Issuer(
                name: entry.name, rid: entry.file.rid, digits: certificate.identifierDigits,
                certifier: try CardCertifier(entry.file, certificate, key: key, profile: profile),
                fingerprint: Hex.encode(PublicKeyArithmetic.portable.sha1(dependencies) ?? []))
        }
        self.dataEncryptionKey = dataEncryptionKey
        self.store = store
        self.profile = profile
    }

    /// What cards have in common, by its file.
    static func profile(_ path: String) throws -> (data: [UInt8], profile: ApplicationProfile) {
        let data = try contents(path)
        do { return (data, try JSONDecoder().decode(ApplicationProfile.self, from: Data(data))) } catch {
            throw Refusal(
                "\(path): aip and objects are needed, iccKeyBits and pinKeyBits may be there")
        }
    }

    /// Who certifies a card: the issuer of the longest identifier that begins its PAN.
    func issuer(of card: CardIdentity, number: Int) throws -> Issuer {
        let digits = (0..<card.pan.digitCount).map { card.pan.digit(at: $0) }
        let fitting = issuers.filter { digits.starts(with: $0.digits) }
        guard let issuer = fitting.max(by: { $0.digits.count < $1.digits.count }) else {
            throw Refusal("card \(number): no certificate is for its PAN")
        }
        return issuer
    }

    /// The counter of an issuer key's certificates.
    func serialNumbers(of issuer: Issuer) -> SerialNumbers { store.serialNumbers(of: issuer.name) }

    /// What a run leaves while it is under way.
    static func parts(of path: String) -> [String] {
        let place = PathParts(path)
        let files = (try? FileManager.default.contentsOfDirectory(atPath: place.folder)) ?? []
        return files.filter { $0.hasPrefix(place.name + ".part.") }.map { "\(place.folder)/\($0)" }
    }

    /// Every card, with its serial numbers in the trail, and how far it is on standard error.
    /// - Returns: in the order of the cards.
    func run(
        _ cards: [CardToCertify], _ desk: KeyDesk, approval: Approval, out: String
    ) throws -> [PersonalisedApplication] {
        var batches: [String: (issuer: Issuer, numbers: [Int])] = [:]
        for (number, card) in cards.enumerated() {
            let issuer = try issuer(of: card.identity, number: number + 1)
            batches[issuer.name, default: (issuer, [])].numbers.append(number)
        }
        var made: [Int: PersonalisedApplication] = [:]
        for (_, batch) in batches.sorted(by: { $0.key < $1.key }) {
            let results = try run(
                batch.numbers.map { (number: $0, card: cards[$0]) }, batch.issuer, desk: desk,
                approval: approval, part: "\(out).part.\(batch.issuer.name)")
            for (number, application) in zip(batch.numbers, results) { made[number] = application }
        }
        return try cards.indices.map { number in
            guard let application = made[number] else {
                throw Refusal("card \(number + 1) was left out")
            }
            return application
        }
    }

    private func run(
        _ cards: [(number: Int, card: CardToCertify)], _ issuer: Issuer, desk: KeyDesk,
        approval: Approval, part: String
    ) throws -> [PersonalisedApplication] {
        // Another list of cards is another batch.
        var accounts: [UInt8] = []
        for (_, card) in cards {
            let pan = card.identity.pan
            accounts += (0..<pan.digitCount).map { pan.digit(at: $0) }
            accounts += [card.identity.panSequenceNumber?.packed ?? 0xFF] + card.expiry.packedDigits
        }
        let whole = issuer.fingerprint + Hex.encode(PublicKeyArithmetic.portable.sha1(accounts) ?? [])
        var batch = try CardBatch(
            issuer.certifier, at: desk.location, serialNumbers: store.serialNumbers(of: issuer.name),
            dataEncryptionKey: dataEncryptionKey)
        var last: Duration = .zero
        return try batch.run(
            cards.map(\.card), keeping: part, fingerprint: whole,
            certified: { made in
                let events = made.filter { !$0.application.serialNumbers.isEmpty }.map { made in
                    AuditEvent(
                        .cardCertified, key: SigningKeys.issuerPrefix + issuer.name,
                        details: [
                            "card": "\(cards[made.number].number + 1)", "list": approval.list,
                            "serials": made.application.serialNumbers.joined(separator: " "),
                        ])
                }
                if !events.isEmpty { try desk.note(events, signers: approval.signers) }
            },
            report: { progress in
                guard progress.elapsed - last >= .seconds(1) || progress.done == progress.total else {
                    return
                }
                last = progress.elapsed
                Certification.tell(progress, issuer.name)
            })
    }

    private static func tell(_ progress: CardBatch.Progress, _ name: String) {
        let rate = String(format: "%.1f", progress.cardsASecond)
        let earlier = progress.earlier > 0 ? ", \(progress.earlier) of them earlier" : ""
        FileHandle.standardError.write(
            Data("\(name): \(progress.done) of \(progress.total) cards\(earlier), \(rate) a second\n".utf8))
    }
}
