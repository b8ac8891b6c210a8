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
            if Self.next(nodes)?.identifier == .integer {
                // Counted from 0 (5.1.2.1).
                let version = try Int(derEncoded: &nodes)
                guard version == 1 else {
                    throw Malformed(description: "it is of version \(version + 1), not 2")
                }
            }
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
                try Self.examine($0)
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
                    if let extensions = nodes.next() { try examine(extensions) }
                    numbers.insert(Certificate.SerialNumber(bytes: number))
                }
            }
        }
        return numbers
    }

    /// Refuses what says that the list is not whole, or that entries are another authority's: who passes it over takes
    /// the list for what it is not (RFC 5280, 5.2). Those extensions have to be critical; where an authority has not marked
    /// them so, they mean the same.
    private static func examine(_ extensions: ASN1Node) throws {
        try DER.sequence(extensions, identifier: .sequence) { nodes in
            while let each = nodes.next() {
                try DER.sequence(each, identifier: .sequence) { nodes in
                    let name = try ASN1ObjectIdentifier(derEncoded: &nodes)
                    let isCritical = try DER.decodeDefault(&nodes, defaultValue: false)
                    let value = try ASN1OctetString(derEncoded: &nodes)
                    var meaning = meanings[name]
                    if name == issuingDistributionPoint { meaning = try scope(value.bytes) }
                    if isCritical, meaning == nil {
                        meaning = "has the critical extension \(name), which is not known here"
                    }
                    guard let meaning else { return }
                    throw RevocationList.Unusable(
                        description: "\(meaning): ask the authority for a whole list")
                }
            }
        }
    }

    private static let issuingDistributionPoint: ASN1ObjectIdentifier = [2, 5, 29, 28]

    private static let meanings: [ASN1ObjectIdentifier: String] = [
        [2, 5, 29, 27]: "holds only changes since another list (delta CRL)",
        [2, 5, 29, 29]: "has an entry of another authority (indirect CRL)",
    ]

    /// What an issuing distribution point says of its list (5.2.5). The flags are absent where they are false.
    private static func scope(_ value: ArraySlice<UInt8>) throws -> String {
        var parts: [String] = []
        try DER.sequence(DER.parse(value), identifier: .sequence) { nodes in
            while let each = nodes.next() {
                parts.append(
                    scopes[each.identifier.tagNumber]
                        ?? "by a rule that is not known here (\(each.identifier))")
            }
        }
        return "is not of all certificates of its authority, but "
            + (parts.isEmpty ? "says not of which" : parts.joined(separator: ", "))
            + " (issuing distribution point)"
    }

    private static let scopes: [UInt: String] = [
        0: "of one distribution point", 1: "of those of users (onlyContainsUserCerts)",
        2: "of those of authorities (onlyContainsCACerts)", 3: "of some reasons (onlySomeReasons)",
        4: "of other authorities too (indirectCRL)",
        5: "of attribute certificates (onlyContainsAttributeCerts)",
    ]
}
