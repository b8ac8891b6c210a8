internal import Foundation
internal import NIOSSL
internal import SwiftASN1
internal import X509

/// Whom a link trusts: its authorities, and what they have revoked. Judges what a peer shows, at the handshake and again
/// at every reload, by one rule.
struct PeerTrust: Sendable {
    /// Why a peer is not let in.
    struct Refused: Error, CustomStringConvertible {
        let description: String
    }

    /// The life of an authority's list, seconds since 1970; of two keys of one name, of the list that ends first.
    struct ListEnd {
        let authority: String
        let issued: Int64
        /// When its next one is due.
        let next: Int64
        /// Until when peers are let in by the one that is here.
        let usable: Int64
    }

    /// More than any chain needs; whoever sends more wants the host to search.
    private static let certificatesMax = 16

    private let roots: [Certificate]
    private let between: [Certificate]
    /// By the authority's name, one of each of its keys; nil: nothing is asked.
    private var lists: [DistinguishedName: [RevocationList]]?
    /// How long a list still counts after its next one was due.
    private var graceSeconds: Int64 = 0
    private let purpose: ExtendedKeyUsage.Usage

    /// - Parameters:
    ///   - trusted: roots, and authorities between them and peers.
    ///   - role: a peer of a server link shows a client's certificate.
    /// - Throws: `Refused`.
    init(_ trusted: [Certificate], role: LinkConfiguration.Role) throws(Refused) {
        roots = trusted.filter { $0.subject == $0.issuer }
        between = trusted.filter { $0.subject != $0.issuer }
        purpose = role == .server ? .clientAuth : .serverAuth
        guard !roots.isEmpty else {
            throw Refused(description: "has no root, only authorities that another one has signed")
        }
    }

    /// Looks from now on at what the authorities have revoked.
    ///
    /// - Parameters:
    ///   - lists: of each authority one at least, signed by it; the newest of each of its keys counts. One that is
    ///     overdue is taken: who is on it stays out, and `examine` says what becomes of the others.
    ///   - graceSeconds: how long a list still counts after its next one was due.
    ///   - now: seconds since 1970.
    /// - Throws: `Refused`.
    mutating func take(_ lists: [RevocationList], graceSeconds: Int64, now: Int64) throws(Refused) {
        self.lists = try PeerTrust.newest(lists, trusted: roots + between, now: now)
        self.graceSeconds = graceSeconds
    }

    /// Of each authority that has a list.
    var listEnds: [ListEnd] {
        (lists ?? [:]).compactMap { name, lists in
            lists.min { $0.nextAt < $1.nextAt }.map {
                ListEnd(
                    authority: "\(name)", issued: $0.issuedAt, next: $0.nextAt,
                    usable: $0.nextAt + graceSeconds)
            }
        }.sorted { $0.authority < $1.authority }
    }

    /// - Parameters:
    ///   - presented: the peer's certificate, then those that it sent with it.
    ///   - isConnected: it was let in before. An overdue list does not end its connection then: it was looked for on the
    ///     list while that was not overdue, and it is looked for on what is here now.
    ///   - now: seconds since 1970.
    /// - Throws: `Refused`.
    func examine(_ presented: [Certificate], isConnected: Bool = false, now: Int64 = Int64(time(nil)))
        async throws(Refused)
    {
        guard let leaf = presented.first else { throw Refused(description: "the peer showed no certificate") }
        guard presented.count <= PeerTrust.certificatesMax else {
            throw Refused(description: "the peer showed \(presented.count) certificates")
        }
        var verifier = Verifier(rootCertificates: CertificateStore(roots)) {
            // In this order, since the library's own reasons are long.
            LifePolicy(now: Date(timeIntervalSince1970: TimeInterval(now)))
            PurposePolicy(purpose: purpose)
            RevocationPolicy(lists: lists, lastUse: isConnected ? .min : now - graceSeconds)
            RFC5280Policy()
        }
        let outcome = await verifier.validate(
            leaf: leaf, intermediates: CertificateStore(between + presented.dropFirst()))
        guard case .couldNotValidate(let failures) = outcome else { return }
        let reasons = failures.map { String("\($0.policyFailureReason)".prefix(300)) }
        throw Refused(
            description: reasons.isEmpty
                ? "no authority of trustedFile has signed the peer's certificate, or it says what is not known here"
                : Set(reasons).sorted().joined(separator: "; "))
    }

    /// The newest list of each authority. Every authority has to have one: without, nobody knows what it has revoked.
    /// While an authority changes its key, two of one name sign lists; neither list stands for the other.
    private static func newest(_ lists: [RevocationList], trusted: [Certificate], now: Int64)
        throws(Refused) -> [DistinguishedName: [RevocationList]]
    {
        var newest: [Int: RevocationList] = [:]
        for (index, list) in lists.enumerated() {
            let place = "list \(index + 1)"
            guard let signer = trusted.firstIndex(where: { list.isSigned(by: $0) }) else {
                throw Refused(description: "\(place): \(unsigned(list, trusted))")
            }
            guard list.issuedAt <= now else {
                throw Refused(
                    description:
                        "\(place) is not valid before \(moment(list.issuedAt)) (thisUpdate), and the clock of "
                        + "this machine says \(moment(now)): set the clock, or wait")
            }
            if (newest[signer]?.issuedAt ?? .min) < list.issuedAt { newest[signer] = list }
        }
        let byName = Dictionary(grouping: newest.values, by: \.issuer)
        if let without = trusted.first(where: { byName[$0.subject] == nil }) {
            throw Refused(
                description:
                    "no list of the authority \(without.subject), which trustedFile has: add its list, or take "
                    + "the authority out")
        }
        return byName
    }

    /// Why no authority stands for a list.
    private static func unsigned(_ list: RevocationList, _ trusted: [Certificate]) -> String {
        let known = trusted.filter { $0.subject == list.issuer }
        guard !known.isEmpty else {
            return "it is of \(list.issuer), and no authority of trustedFile has that name"
        }
        return known.contains { list.mayBeSigned(by: $0) }
            ? "it says that it is of \(list.issuer), and the signature is not by the key which that authority has in "
                + "trustedFile"
            : "it is of \(list.issuer), whose certificate in trustedFile does not allow it to sign lists (key usage "
                + "cRLSign)"
    }

    private static func moment(_ seconds: Int64) -> String {
        Date(timeIntervalSince1970: TimeInterval(seconds)).formatted(.iso8601)
    }
}

/// Every certificate of the chain is valid now.
private struct LifePolicy: VerifierPolicy {
    let now: Date
    let verifyingCriticalExtensions: [ASN1ObjectIdentifier] = []

    func chainMeetsPolicyRequirements(chain: UnverifiedCertificateChain) -> PolicyEvaluationResult {
        for certificate in chain {
            guard certificate.notValidAfter >= now else {
                return .failsToMeetPolicy(reason: "the certificate \(certificate.subject) has expired")
            }
            guard certificate.notValidBefore <= now else {
                return .failsToMeetPolicy(reason: "the certificate \(certificate.subject) is not valid yet")
            }
        }
        return .meetsPolicy
    }
}

/// What the peer's certificate may be used for (RFC 5280, 4.2.1.12), and the extensions that are looked at elsewhere
/// (names) or that ask for nothing here (certificate policies).
private struct PurposePolicy: VerifierPolicy {
    let purpose: ExtendedKeyUsage.Usage
    let verifyingCriticalExtensions: [ASN1ObjectIdentifier] = [
        .X509ExtensionID.extendedKeyUsage, .X509ExtensionID.subjectAlternativeName, [2, 5, 29, 32],
    ]

    func chainMeetsPolicyRequirements(chain: UnverifiedCertificateChain) -> PolicyEvaluationResult {
        do {
            guard let usages = try chain.leaf.extensions.extendedKeyUsage else { return .meetsPolicy }
            guard !usages.contains(purpose), !usages.contains(.any) else { return .meetsPolicy }
            return .failsToMeetPolicy(reason: "the peer's certificate is for another use")
        } catch { return .failsToMeetPolicy(reason: "the peer's certificate has an unreadable use") }
    }
}

/// No certificate of the chain is on its authority's list. The root answers for itself.
private struct RevocationPolicy: VerifierPolicy {
    let lists: [DistinguishedName: [RevocationList]]?
    /// Lists whose next one was due by then do not count any more; seconds since 1970.
    let lastUse: Int64
    let verifyingCriticalExtensions: [ASN1ObjectIdentifier] = []

    func chainMeetsPolicyRequirements(chain: UnverifiedCertificateChain) -> PolicyEvaluationResult {
        guard let lists else { return .meetsPolicy }
        for certificate in chain.dropLast() {
            let issuer = certificate.issuer
            guard let lists = lists[issuer] else {
                return .failsToMeetPolicy(reason: "revokedFile has no list of \(issuer)")
            }
            guard !lists.contains(where: { $0.revokes(certificate) }) else {
                return .failsToMeetPolicy(
                    reason: "\(issuer) has revoked the certificate \(certificate.subject)")
            }
            guard lists.allSatisfy({ lastUse < $0.nextAt }) else {
                return .failsToMeetPolicy(
                    reason:
                        "the list of \(issuer) in revokedFile is overdue: get the next one from the authority"
                )
            }
        }
        return .meetsPolicy
    }
}
