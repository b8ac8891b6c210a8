internal import Foundation
internal import SwiftASN1
internal import X509

/// `CertificateList` as it is encoded (RFC 5280, 5.1).
struct RevocationListEncoding {
    let algorithm: ASN1ObjectIdentifier
    let issuer: DistinguishedName
    /// Seconds since 1970.
    let issuedAt: Int64
    /// Seconds since 1970; nil where the list does not say it.
    let nextAt: Int64?
    let revoked: Set<Certificate.SerialNumber>
    /// What the signature is of.
    let signedBytes: ArraySlice<UInt8>
    let signature: ArraySlice<UInt8>

    /// Bytes that are no list.
    struct Malformed: Error, CustomStringConvertible {
        let description: String
    }

    /// - Throws: `Malformed`, `RevocationList.Unusable` where only a part of a list or another's entries can be in it, or
    ///   what the decoder says.
    init(_ bytes: [UInt8]) throws {
        let (list, outer, signature) = try DER.sequence(DER.parse(bytes), identifier: .sequence) { nodes in
            guard let list = nodes.next() else { throw Malformed(description: "it is empty") }
            return (list, try Self.algorithm(&nodes), try ASN1BitString(derEncoded: &nodes))
        }
        (signedBytes, self.signature, algorithm) = (list.encodedBytes, signature.bytes, outer)
        (issuer, issuedAt, nextAt, revoked) = try DER.sequence(list, identifier: .sequence) { nodes in
            if Self.next(nodes)?.identifier == .integer { _ = nodes.next() }
            guard try Self.algorithm(&nodes) == outer else {
                throw Malformed(description: "it names two algorithms")
            }
            let issuer = try DistinguishedName(derEncoded: nodes.next() ?? Self.missing())
            guard let issuedAt = try Self.time(&nodes) else {
                throw Malformed(description: "it does not say when it was issued")
            }
            let nextAt = try Self.time(&nodes)
            var revoked: Set<Certificate.SerialNumber> = []
            if let entries = Self.next(nodes), entries.identifier == .sequence {
                _ = nodes.next()
                revoked = try Self.serialNumbers(entries)
            }
            try DER.optionalExplicitlyTagged(&nodes, tagNumber: 0, tagClass: .contextSpecific) {
                try Self.refuseCritical(in: $0)
            }
            return (issuer, issuedAt, nextAt, revoked)
        }
    }

    /// The node that comes next, which stays there.
    private static func next(_ nodes: ASN1NodeCollection.Iterator) -> ASN1Node? {
        var nodes = nodes
        return nodes.next()
    }

    /// The object identifier of an `AlgorithmIdentifier`; the algorithms of `RevocationList` have no parameters.
    private static func algorithm(_ nodes: inout ASN1NodeCollection.Iterator) throws -> ASN1ObjectIdentifier {
        try DER.sequence(nodes.next() ?? missing(), identifier: .sequence) { nodes in
            defer { while nodes.next() != nil {} }
            return try ASN1ObjectIdentifier(derEncoded: &nodes)
        }
    }

    private static func missing() throws -> ASN1Node { throw Malformed(description: "it is cut off") }

    /// Seconds since 1970 of a `Time`, where one comes next.
    private static func time(_ nodes: inout ASN1NodeCollection.Iterator) throws -> Int64? {
        var parts = DateComponents()
        switch next(nodes)?.identifier {
        case .utcTime:
            let time = try UTCTime(derEncoded: &nodes)
            (parts.year, parts.month, parts.day) = (time.year, time.month, time.day)
            (parts.hour, parts.minute, parts.second) = (time.hours, time.minutes, time.seconds)
        case .generalizedTime:
            let time = try GeneralizedTime(derEncoded: &nodes)
            (parts.year, parts.month, parts.day) = (time.year, time.month, time.day)
            (parts.hour, parts.minute, parts.second) = (time.hours, time.minutes, time.seconds)
        default: return nil
        }
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = .gmt
        guard let date = calendar.date(from: parts) else {
            throw Malformed(description: "it has a time that is none")
        }
        return Int64(date.timeIntervalSince1970)
    }

    /// The certificates that it names.
    private static func serialNumbers(_ entries: ASN1Node) throws -> Set<Certificate.SerialNumber> {
        var numbers: Set<Certificate.SerialNumber> = []
        try DER.sequence(entries, identifier: .sequence) { nodes in
            while let entry = nodes.next() {
                try DER.sequence(entry, identifier: .sequence) { nodes in
                    let number = try ArraySlice<UInt8>(derEncoded: &nodes)
                    guard try time(&nodes) != nil else {
                        throw Malformed(description: "an entry has no time")
                    }
                    if let extensions = nodes.next() { try refuseCritical(in: extensions) }
                    numbers.insert(Certificate.SerialNumber(bytes: number))
                }
            }
        }
        return numbers
    }

    /// A critical extension says that the list is not whole, or that entries are another authority's: who passes it over
    /// takes the list for what it is not (RFC 5280, 5.2).
    private static func refuseCritical(in extensions: ASN1Node) throws {
        try DER.sequence(extensions, identifier: .sequence) { nodes in
            while let each = nodes.next() {
                try DER.sequence(each, identifier: .sequence) { nodes in
                    let name = try ASN1ObjectIdentifier(derEncoded: &nodes)
                    let isCritical = try DER.decodeDefault(&nodes, defaultValue: false)
                    _ = try ASN1OctetString(derEncoded: &nodes)
                    guard isCritical else { return }
                    let meaning =
                        meanings[name] ?? "has the critical extension \(name), which is not known here"
                    throw RevocationList.Unusable(
                        description: "\(meaning): ask the authority for a whole list")
                }
            }
        }
    }

    private static let meanings: [ASN1ObjectIdentifier: String] = [
        [2, 5, 29, 27]: "holds only changes (delta CRL)",
        [2, 5, 29, 28]: "is of a part of the certificates alone (issuing distribution point)",
        [2, 5, 29, 29]: "has an entry of another authority (indirect CRL)",
    ]
}
