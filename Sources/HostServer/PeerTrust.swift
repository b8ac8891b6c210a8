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

    /// More than any chain needs; whoever sends more wants the host to search.
    private static let certificatesMax = 16

    private let roots: [Certificate]
    private let between: [Certificate]
    /// By authority; nil: nothing is asked.
    private var lists: [DistinguishedName: RevocationList]?
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
    ///   - lists: of each authority one at least, signed by it; the newest of each counts.
    ///   - now: seconds since 1970.
    /// - Throws: `Refused`.
    mutating func take(_ lists: [RevocationList], now: Int64) throws(Refused) {
        self.lists = try PeerTrust.newest(lists, trusted: roots + between, now: now)
    }

    /// When the next list of each authority is due, seconds since 1970.
    var listEnds: [(authority: String, seconds: Int64)] {
        (lists ?? [:]).values.map { ("\($0.issuer)", $0.nextAt) }.sorted { $0.0 < $1.0 }
    }

    /// - Parameter presented: the peer's certificate, then those that it sent with it.
    /// - Throws: `Refused`.
    func examine(_ presented: [Certificate], now: Int64 = Int64(time(nil))) async throws(Refused) {
        guard let leaf = presented.first else { throw Refused(description: "the peer showed no certificate") }
        guard presented.count <= PeerTrust.certificatesMax else {
            throw Refused(description: "the peer showed \(presented.count) certificates")
        }
        var verifier = Verifier(rootCertificates: CertificateStore(roots)) {
            // In this order, since the library's own reasons are long.
            LifePolicy(now: Date(timeIntervalSince1970: TimeInterval(now)))
            PurposePolicy(purpose: purpose)
            RevocationPolicy(lists: lists, now: now)
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
    private static func newest(_ lists: [RevocationList], trusted: [Certificate], now: Int64)
        throws(Refused) -> [DistinguishedName: RevocationList]
    {
        var newest: [DistinguishedName: RevocationList] = [:]
        for (index, list) in lists.enumerated() {
            let place = "list \(index + 1)"
            guard trusted.contains(where: { list.isSigned(by: $0) }) else {
                throw Refused(
                    description: "\(place): no authority of trustedFile that may sign lists has signed it "
                        + "(it says that it is of \(list.issuer))")
            }
            guard list.issuedAt <= now else { throw Refused(description: "\(place) is of the future") }
            if (newest[list.issuer]?.issuedAt ?? .min) < list.issuedAt { newest[list.issuer] = list }
        }
        if let without = trusted.first(where: { newest[$0.subject] == nil }) {
            throw Refused(description: "no list of the authority \(without.subject), which trustedFile has")
        }
        return newest
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
    let lists: [DistinguishedName: RevocationList]?
    let now: Int64
    let verifyingCriticalExtensions: [ASN1ObjectIdentifier] = []

    func chainMeetsPolicyRequirements(chain: UnverifiedCertificateChain) -> PolicyEvaluationResult {
        guard let lists else { return .meetsPolicy }
        for certificate in chain.dropLast() {
            let issuer = certificate.issuer
            guard let list = lists[issuer] else {
                return .failsToMeetPolicy(reason: "revokedFile has no list of \(issuer)")
            }
            guard now < list.nextAt else {
                return .failsToMeetPolicy(reason: "the list of \(issuer) in revokedFile has expired")
            }
            guard !list.revokes(certificate) else {
                return .failsToMeetPolicy(
                    reason: "\(issuer) has revoked the certificate \(certificate.subject)")
            }
        }
        return .meetsPolicy
    }
}
