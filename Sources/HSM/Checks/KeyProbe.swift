package import PKCS11

/// Something that a key must refuse, tried. Attributes are what the token says; a try is what it does.
package enum KeyProbe: Hashable, Sendable {
    /// A use that the key's purpose does not need.
    case use(KeyUse)
    /// `CKA_VALUE`.
    case readValue
    /// Another usage, or leave to be extracted, set on the key itself.
    case widenUsage
    /// A copy with a usage that the key does not have.
    case copyWithWiderUsage
    /// A copy that may be extracted, or whose value may be read.
    case copyReadable
    /// The key itself, out of the token under a wrapping key that the probe makes and destroys.
    case export

    /// Everything that a key of this purpose must refuse.
    package static func all(for purpose: KeyPurpose) -> [KeyProbe] {
        let usage = purpose.usage
        return KeyUse.allCases.filter { !usage.contains($0.attribute) }.map(KeyProbe.use)
            + [.readValue, .widenUsage, .copyWithWiderUsage]
            + (purpose.rules.isExtractable ? [] : [.copyReadable, .export])
    }

    /// What a host tries before it serves. Copies, export, and derivation with keys that do not derive, are limits of some
    /// tokens that no host can lift: those are for an audit to report.
    static func startUp(for purpose: KeyPurpose) -> [KeyProbe] {
        let limits: Set<KeyProbe> = [.copyWithWiderUsage, .copyReadable, .export, .use(.derive)]
        return all(for: purpose).filter { !limits.contains($0) }
    }

    /// What is tried, as a verb phrase.
    package var words: String {
        switch self {
        case .use(let use): use.rawValue
        case .readValue: "read value"
        case .widenUsage: "widen usage"
        case .copyWithWiderUsage: "copy with wider usage"
        case .copyReadable: "copy so that it can be read"
        case .export: "export under a wrapping key"
        }
    }

    /// Tries it.
    ///
    /// - Parameter session: one that may write; in others `widenUsage` proves nothing.
    package func run(
        on key: ObjectHandle, _ type: KeyType, purpose: KeyPurpose, session: inout Session
    ) -> ProbeAnswer {
        switch self {
        case .use(let use):
            guard let refusals = session.refusals(of: use, key: key, type: type) else {
                return .accepted(words)
            }
            return .refused(refusals)
        case .export:
            guard let refusals = session.refusals(ofExporting: key) else { return .accepted(words) }
            return .refused(refusals)
        case .readValue:
            do throws(PKCS11Error) {
                _ = try session.readableValue(of: key, count: 64)
                return .accepted(words)
            } catch { return .refused([error]) }
        case .widenUsage:
            return Self.firstAccepted(
                Self.absent(purpose, key, session: &session) + Self.extractable(key, &session)
            ) {
                session.refusal(ofSetting: $0, to: true, on: key)
            }
        case .copyWithWiderUsage:
            return Self.firstAccepted(Self.absent(purpose, key, session: &session)) {
                session.refusal(ofCopying: key, setting: $0, to: true)
            }
        case .copyReadable:
            let extractable = Self.firstAccepted(Self.extractable(key, &session)) {
                session.refusal(ofCopying: key, setting: $0, to: true)
            }
            guard case .refused(let errors) = extractable else { return extractable }
            guard let error = session.refusal(ofCopying: key, setting: .sensitive, to: false) else {
                return .accepted("CKA_SENSITIVE false")
            }
            return .refused(errors + [error])
        }
    }

    /// Usages that neither purpose nor key has: one that the key has already would prove nothing, and putting it
    /// back would change the key.
    private static func absent(
        _ purpose: KeyPurpose, _ key: ObjectHandle, session: inout Session
    ) -> [Attribute] {
        var found: [Attribute] = []
        for attribute in KeyPurpose.usages where !purpose.usage.contains(attribute) {
            if (try? session.attribute(attribute, of: key)) == false { found.append(attribute) }
        }
        return found
    }

    private static func extractable(_ key: ObjectHandle, _ session: inout Session) -> [Attribute] {
        (try? session.attribute(.extractable, of: key)) == false ? [.extractable] : []
    }

    private static func firstAccepted(
        _ attributes: [Attribute], _ attempt: (Attribute) -> PKCS11Error?
    ) -> ProbeAnswer {
        var errors: [PKCS11Error] = []
        for attribute in attributes {
            guard let error = attempt(attribute) else { return .accepted(attribute.name) }
            errors.append(error)
        }
        return .refused(errors)
    }
}

/// What the token answered to a probe.
package enum ProbeAnswer: Sendable {
    /// Each try with the token's error; empty where no mechanism fits the key's type.
    case refused([PKCS11Error])
    /// The token let it happen; the words say what.
    case accepted(String)

    /// True where the token let it happen.
    package var isAccepted: Bool {
        if case .accepted = self { true } else { false }
    }

    /// For reports: the errors without repetition.
    package var words: String {
        switch self {
        case .accepted(let what): return "ACCEPTED (\(what))"
        case .refused(let errors):
            var seen: [String] = []
            for name in errors.map(\.name) where !seen.contains(name) { seen.append(name) }
            return seen.isEmpty ? "no mechanism" : seen.joined(separator: ", ")
        }
    }
}
