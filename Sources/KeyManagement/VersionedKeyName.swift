package import PKCS11

/// The name of one version of a key. Old and new versions lie in the token side by side under labels of their
/// own: version 1 of `imk-ac-476173` is labelled so, version 2 `imk-ac-476173.v2`. A label that no other key has is
/// the one thing by which every token finds a key.
package struct VersionedKeyName: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// The name that all versions share: `imk-ac-476173`.
    package let name: String
    /// 1 to 255.
    package let version: UInt8

    /// What the characters of a name may be, beside letters and digits.
    private static let marks = Set("-_".utf8)
    /// Bytes of a label; Cryptoki's own names end there too.
    package static let labelBytesMax = 64

    /// - Parameters:
    ///   - name: letters, digits, `-` and `_`.
    ///   - version: 1 to 255.
    package init(name: String, version: UInt8 = 1) throws(KeyNameError) {
        guard version > 0 else {
            throw KeyNameError(label: name, reason: "versions are numbered from 1 to 255")
        }
        let allowed = name.utf8.allSatisfy { byte in
            (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
                || Self.marks.contains(byte)
        }
        guard allowed, !name.isEmpty else {
            throw KeyNameError(label: name, reason: "a name has letters, digits, - and _ only")
        }
        self.name = name
        self.version = version
        guard label.utf8.count <= Self.labelBytesMax else {
            throw KeyNameError(label: name, reason: "a label has at most \(Self.labelBytesMax) bytes")
        }
    }

    /// - Parameter label: `CKA_LABEL`, as `label` writes it.
    package init(label: String) throws(KeyNameError) {
        let parts = label.split(separator: ".", omittingEmptySubsequences: false)
        switch parts.count {
        case 1: try self.init(name: label)
        case 2:
            guard parts[1].hasPrefix("v"), let version = UInt8(parts[1].dropFirst()), version > 1,
                String(version) == parts[1].dropFirst()
            else {
                throw KeyNameError(label: label, reason: "a version is written .v2 to .v255")
            }
            try self.init(name: String(parts[0]), version: version)
        default: throw KeyNameError(label: label, reason: "a label has one version")
        }
    }

    /// `CKA_LABEL` of this version.
    package var label: String { version == 1 ? name : "\(name).v\(version)" }

    /// The label.
    package var description: String { label }

    /// The key in the token of this label, as RFC 7512 writes it.
    package func uri(token: String) -> KeyURI { KeyURI(token: token, object: label) }

    /// By name, then by version.
    package static func < (one: VersionedKeyName, other: VersionedKeyName) -> Bool {
        (one.name, one.version) < (other.name, other.version)
    }
}

/// A name that no key can have.
package struct KeyNameError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The label at fault.
    package let label: String
    /// What is wrong with it.
    package let reason: String

    /// One line for people.
    package var description: String { "key name \(label): \(reason)" }
}
