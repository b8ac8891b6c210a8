internal import HSM
internal import PKCS11

/// What the token itself is like, found on keys that the audit makes for it: with the least usage of a purpose, not to be
/// changed, gone with the session. What such a key lets happen is no doing of anybody.
struct TokenNature: Sendable {
    private struct Kind: Hashable, Sendable {
        let purpose: KeyPurpose
        let type: KeyType
    }

    private var accepted: [Kind: Set<KeyProbe>] = [:]

    /// What a key of the audit's own accepts.
    mutating func accepts(
        _ probe: KeyProbe, _ purpose: KeyPurpose, type: KeyType, session: inout Session
    ) -> Bool {
        let kind = Kind(purpose: purpose, type: type)
        if let known = accepted[kind] { return known.contains(probe) }
        let found = Self.measure(kind, &session)
        accepted[kind] = found
        return found.contains(probe)
    }

    /// Whether a key of this purpose and type, made here, gives no check value on this token. For a type that the purpose
    /// cannot have, false.
    mutating func isSilent(_ purpose: KeyPurpose, _ type: KeyType, session: inout Session) -> Bool {
        guard let algorithm = purpose.rules.algorithms.first(where: { $0.keyType == type }),
            let key = try? session.generateKey(type, Self.template(purpose, algorithm))
        else { return false }
        defer { try? session.destroy(key) }
        return (try? TokenCheckValue.of(key, &session)) == .some(nil)
    }

    private static func measure(_ kind: Kind, _ session: inout Session) -> Set<KeyProbe> {
        guard
            let algorithm = kind.purpose.rules.algorithms.first(where: { $0.keyType == kind.type }),
            let key = try? session.generateKey(kind.type, template(kind.purpose, algorithm))
        else { return [] }
        defer { try? session.destroy(key) }
        return Set(
            KeyProbe.all(for: kind.purpose).filter {
                $0.run(on: key, kind.type, purpose: kind.purpose, session: &session).isAccepted
            })
    }

    private static func template(_ purpose: KeyPurpose, _ algorithm: KeyAlgorithm) -> Template {
        Template(
            keyType: algorithm.keyType,
            valueCount: algorithm.keyType == .aes || algorithm.keyType == .genericSecret
                ? algorithm.byteCount : nil,
            on: [.sensitive, .isPrivate] + purpose.usage
                + (purpose.rules.isExtractable ? [.extractable] : []),
            off: [.token, .modifiable] + (purpose.rules.isExtractable ? [] : [.extractable])
                + KeyPurpose.usages.filter { !purpose.usage.contains($0) })
    }

    /// Whether a key put together inside the token, sensitive and not extractable, was ever anything else to it. A key
    /// that came in was, by the standard (PKCS#11 v2.40, 5.13); some tokens say so of derived ones, too.
    static func doubtsDerivedKeys(_ session: inout Session) -> Bool {
        guard let base = try? session.generateKey(.des2, template(.issuerMasterKeyAC, .tdes128)) else {
            return false
        }
        defer { try? session.destroy(base) }
        let derived = Template(
            keyType: .des2, on: [.sensitive, .isPrivate, .derive],
            off: [.token, .extractable] + KeyPurpose.usages.filter { $0 != .derive })
        guard let key = try? session.deriveKey(from: base, left: 1, right: 2, template: derived) else {
            return true
        }
        defer { try? session.destroy(key) }
        return (try? session.attribute(.alwaysSensitive, of: key)) != true
    }

    /// The limits that have to be the first lines of a report, whatever keys are there.
    static func limits(_ session: inout Session) -> [String] {
        var nature = TokenNature()
        var words: [String] = []
        let purposes: [(KeyPurpose, KeyType)] = [
            (.issuerMasterKeyAC, .des2), (.zonePINKey, .des2), (.panHashKey, .aes),
        ]
        func has(_ probe: KeyProbe) -> Bool {
            purposes.contains { nature.accepts(probe, $0.0, type: $0.1, session: &session) }
        }
        if has(.export) {
            words.append(
                "THIS TOKEN DOES NOT ENFORCE CKA_EXTRACTABLE: a key that it reports as not extractable leaves it under a "
                    + "wrapping key. Whoever has its PIN can take every key out (probe-export).")
        }
        if has(.copyReadable) || has(.copyWithWiderUsage) {
            words.append(
                "THIS TOKEN COPIES A KEY WITH MORE RIGHTS THAN THE KEY HAS: whoever has its PIN can use every key for "
                    + "everything (probe-copy-readable, probe-copy-with-wider-usage).")
        }
        if has(.use(.derive)) {
            words.append("THIS TOKEN DOES NOT ENFORCE CKA_DERIVE (probe-derive).")
        }
        return words
    }
}
