package import Authorisation
internal import Glibc
internal import PKCS11

/// Which versions of a zone key are in force: those of a link whose switch changes its keys over the wire.
package struct ZoneKeyLabels: Hashable, Sendable {
    /// Label of the version in use.
    package let current: String
    /// Label of the one before it while it still passes, else nil.
    package let previous: String?

    /// Takes both.
    package init(current: String, previous: String?) {
        self.current = current
        self.previous = previous
    }

    /// The very version, whatever becomes the one in use later.
    package var currentKey: KeyName { .version(labelled: current) }
    /// The very version.
    package var previousKey: KeyName? { previous.map { .version(labelled: $0) } }
}

extension KeyName {
    /// One version of a zone key. Not its label, which is also the name of all versions where it is the first one.
    static func version(labelled label: String) -> KeyName { KeyName("version \(label)") }
}

/// One version of a zone key in the token.
struct ZoneKeyVersion {
    let label: String
    /// 1 for a label that is the name itself, 2 for `.v2` …
    let number: UInt8
    let handle: ObjectHandle
    /// Seconds since 1970; nil where the key does not say.
    let created: Int?

    /// Versions are numbered from 1 to 255, then from 1 again.
    static let numberMax: UInt8 = 255

    static func label(_ name: KeyName, _ number: UInt8) -> String {
        number == 1 ? name.rawValue : "\(name.rawValue).v\(number)"
    }

    private static func number(of label: String, _ name: KeyName) -> UInt8? {
        if label == name.rawValue { return 1 }
        guard label.hasPrefix(name.rawValue + ".v"),
            let number = UInt8(label.dropFirst(name.rawValue.utf8.count + 2)), number > 1,
            label == self.label(name, number)
        else { return nil }
        return number
    }

    /// Every version of a key that the token has, the newest first.
    static func all(of name: KeyName, _ session: inout Session) throws -> [ZoneKeyVersion] {
        var found: [ZoneKeyVersion] = []
        for key in try session.tokenKeys() {
            // One that another host ends meanwhile, at any of these calls, is not there.
            guard let label = try? session.label(of: key), let number = number(of: label, name),
                let identifier = try? session.identifier(of: key)
            else { continue }
            let provenance = KeyProvenance(identifier: identifier)
            found.append(
                ZoneKeyVersion(label: label, number: number, handle: key, created: provenance?.created))
        }
        return found.sorted { ($0.created ?? 0, $0.number) > ($1.created ?? 0, $1.number) }
    }

    /// What is in force of these, and what has ended.
    ///
    /// - Parameter versions: the newest first.
    static func inForce(
        _ versions: [ZoneKeyVersion], overlapSeconds: Int, now: Int
    ) -> (labels: ZoneKeyLabels, ended: ArraySlice<ZoneKeyVersion>)? {
        guard let current = versions.first else { return nil }
        // Without a date of birth nobody can say how long the one before passes, or that it has ended.
        guard let created = current.created else {
            return (ZoneKeyLabels(current: current.label, previous: nil), [])
        }
        let others = versions.dropFirst()
        guard let previous = others.first, now < created + overlapSeconds else {
            return (ZoneKeyLabels(current: current.label, previous: nil), others)
        }
        return (ZoneKeyLabels(current: current.label, previous: previous.label), others.dropFirst())
    }
}
