internal import ByteCoding

/// A key of a certification authority, by which terminals check issuers (EMV Book 2 5.2, 11.2).
package struct CAPublicKey: Hashable, Sendable {
    /// Five bytes: the scheme's registered application provider identifier.
    package let rid: [UInt8]
    /// 8F.
    package let index: UInt8
    /// The key.
    package let key: RSAPublicKey
    /// Last month; nil where the file says none.
    package let expiry: CertificateMonth?
    /// Serial numbers of issuer certificates that the CA has taken back.
    package let revoked: Set<UInt32>
    /// True for a key whose private part anybody may have: refused by a host in production.
    package let isTest: Bool

    package init(
        rid: [UInt8], index: UInt8, key: RSAPublicKey, expiry: CertificateMonth?, revoked: Set<UInt32> = [],
        isTest: Bool
    ) {
        self.rid = rid
        self.index = index
        self.key = key
        self.expiry = expiry
        self.revoked = revoked
        self.isTest = isTest
    }

    /// SHA-1 over RID, index, modulus and exponent, as schemes publish it beside a key (EMV Book 2 11.2.2).
    package func checksum(_ arithmetic: PublicKeyArithmetic) -> [UInt8] {
        arithmetic.sha1(rid + [index] + key.modulus + key.exponent) ?? []
    }
}

/// The file of a terminal's CA keys. Names the key at fault; decoding is the caller's (JSON).
package struct CAKeyFile: Codable, Sendable {
    /// One key, all numbers in hex.
    package struct Entry: Codable, Sendable {
        /// Ten digits of hex.
        package var rid: String
        /// Two digits of hex.
        package var index: String
        /// Of the key.
        package var modulus: String
        /// Of the key.
        package var exponent: String
        /// SHA-1 over all four.
        package var checksum: String
        /// `2030-12`.
        package var expires: String?
        /// Serial numbers of issuer certificates, six digits of hex each.
        package var revoked: [String]?
        /// Anybody may have its private part.
        package var test: Bool?
        /// For people.
        package var name: String?

        /// Takes a key.
        package init(_ key: CAPublicKey, name: String, arithmetic: PublicKeyArithmetic) {
            rid = Hex.encode(key.rid)
            index = Hex.encode([key.index])
            modulus = Hex.encode(key.key.modulus)
            exponent = Hex.encode(key.key.exponent)
            checksum = Hex.encode(key.checksum(arithmetic))
            expires = key.expiry.map { "\($0)" }
            revoked = key.revoked.sorted().map { serial in
                Hex.encode([16, 8, 0].map { UInt8(truncatingIfNeeded: serial >> UInt32($0)) })
            }
            test = key.isTest
            self.name = name
        }
    }

    /// The form of the file.
    package static let form = "EMV CA keys 1"
    /// `form`.
    package var format: String
    /// In any order; RID and index name a key once.
    package var keys: [Entry]

    package init(keys: [Entry]) {
        format = CAKeyFile.form
        self.keys = keys
    }
}

/// A CA key in a file that cannot be used. Names the key and the field.
package struct CAKeyFault: Error, Hashable, Sendable, CustomStringConvertible {
    /// One line for people.
    package let description: String

    init(_ description: String) { self.description = description }
}

/// CA keys by RID and index.
package struct CAKeys: Sendable {
    /// All of them.
    package private(set) var keys: [CAPublicKey]

    /// Takes them as they are.
    package init(_ keys: [CAPublicKey]) { self.keys = keys }

    /// Reads and checks every entry.
    package init(_ file: CAKeyFile, _ arithmetic: PublicKeyArithmetic) throws(CAKeyFault) {
        guard file.format == CAKeyFile.form else { throw CAKeyFault("format is not \(CAKeyFile.form)") }
        keys = []
        for entry in file.keys {
            let key = try CAKeys.key(entry, arithmetic)
            guard self.key(rid: key.rid, index: key.index) == nil else {
                throw CAKeyFault("CA key \(entry.rid) \(entry.index) stands twice")
            }
            keys.append(key)
        }
    }

    /// The key with this RID and index.
    package func key(rid: [UInt8], index: UInt8) -> CAPublicKey? {
        keys.first { $0.rid == rid && $0.index == index }
    }

    /// The key for a card's AID, of this month.
    package func key(
        application: [UInt8], index: UInt8, month: CertificateMonth?
    ) throws(CertificateFault) -> CAPublicKey {
        guard let key = key(rid: Array(application.prefix(5)), index: index) else {
            throw .unknownCAKey(index: index)
        }
        if let month, let expiry = key.expiry, expiry < month { throw .expiredCAKey(index: index) }
        return key
    }

    private static func key(
        _ entry: CAKeyFile.Entry, _ arithmetic: PublicKeyArithmetic
    ) throws(CAKeyFault) -> CAPublicKey {
        let name = "CA key \(entry.rid) \(entry.index)"
        func hex(_ text: String, _ field: String, count: Int? = nil) throws(CAKeyFault) -> [UInt8] {
            guard let bytes = try? Hex.decode(text), count == nil || bytes.count == count else {
                throw CAKeyFault("\(name): \(field) is not hexadecimal of the right length")
            }
            return bytes
        }
        let rid = try hex(entry.rid, "rid", count: 5)
        let index = try hex(entry.index, "index", count: 1)[0]
        let (modulus, exponent) = (try hex(entry.modulus, "modulus"), try hex(entry.exponent, "exponent"))
        guard let key = try? RSAPublicKey(modulus: modulus, exponent: exponent) else {
            throw CAKeyFault("\(name): modulus and exponent are those of no EMV key")
        }
        var expiry: CertificateMonth?
        if let text = entry.expires {
            guard let month = CertificateMonth(text: text) else {
                throw CAKeyFault("\(name): expires has to be a year and month, such as 2030-12")
            }
            expiry = month
        }
        var revoked: Set<UInt32> = []
        for text in entry.revoked ?? [] {
            revoked.insert(try hex(text, "revoked", count: 3).reduce(0) { $0 << 8 | UInt32($1) })
        }
        let made = CAPublicKey(
            rid: rid, index: index, key: key, expiry: expiry, revoked: revoked, isTest: entry.test ?? false)
        guard made.checksum(arithmetic) == (try hex(entry.checksum, "checksum", count: 20)) else {
            throw CAKeyFault("\(name): the checksum is another one, so the key was mistyped or changed")
        }
        return made
    }
}
