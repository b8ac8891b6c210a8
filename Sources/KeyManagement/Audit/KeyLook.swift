internal import HSM
internal import LibCrypto
internal import PKCS11

/// Looks at keys one after another, in one session of the token.
struct KeyLook {
    let counterLabel: String?
    private var nature = TokenNature()

    init(counterLabel: String?) { self.counterLabel = counterLabel }

    /// Nil for a key that was retired meanwhile: it is no part of the report.
    mutating func facts(of key: AuditedObject, session: inout Session) throws -> KeyFacts? {
        if let words = key.unreadable {
            return KeyFacts(name: key.name, unreadable: "\(key.name.keyClass.rawValue): \(words)")
        }
        do {
            return try read(key, session: &session)
        } catch let error as PKCS11Error where !error.endsSession {
            // One that has ended meanwhile has no label any more. No report passes over any other.
            if error.isObjectGone, try AuditedObject.label(of: key.handle, &session) == nil { return nil }
            return KeyFacts(name: key.name, unreadable: "\(key.name.keyClass.rawValue): \(error)")
        }
    }

    private mutating func read(_ object: AuditedObject, session: inout Session) throws -> KeyFacts {
        let (label, key, isSecret) = (object.name.label, object.handle, object.name.keyClass == .secret)
        var facts = KeyFacts(name: object.name)
        let type = try session.keyType(of: key)
        facts.type = type.map { "\($0)" }
        facts.identifier = try session.identifier(of: key)
        let said = try KeyDescription.read(key, in: &session)
        let copy = isSecret ? try likeCopy(of: key, said, in: &session) : nil
        defer { if let copy { try? session.destroy(copy) } }
        let description = try KeyDescription(
            of: key, as: object.name.keyClass, answeredBy: copy, attributes: said,
            identifier: facts.identifier, in: &session)
        for (attribute, value) in description.found { facts.attributes[attribute.name] = value }
        (facts.words, facts.flags) = (description.attributes, description.flags)
        (facts.checkValue, facts.digest) = (description.checkValue, description.digest)
        facts.identifierDigest = description.identifier
        guard label != counterLabel || !isSecret else { return facts }
        if object.name.keyClass == .privateKey { try tryHalves(key, &facts, session: &session) }
        guard isSecret else { return facts }
        facts.algorithm = try KeyAlgorithm.of(copy ?? key, &session)?.rawValue
        guard let purpose = KeyPurpose.named(label), let type else { return facts }
        probe((key, copy ?? key), type, purpose: purpose, facts: &facts, session: &session)
        if facts.checkValue == nil {
            facts.isSilentByNature = nature.isSilent(purpose, type, session: &session)
        }
        return facts
    }

    /// A session copy that says the same of itself as the key, for what is tried on it: a software token deciphers a key of
    /// its store at each use, which takes it longer than the use. Nil where the token makes none, or makes it different.
    /// - Throws: `PKCS11Error` where there is no value to copy.
    private func likeCopy(
        of key: ObjectHandle, _ said: [Attribute: Bool], in session: inout Session
    ) throws(PKCS11Error) -> ObjectHandle? {
        let copy: ObjectHandle
        do throws(PKCS11Error) { copy = try session.workingCopy(of: key) } catch {
            if error.lacksValue || error.endsSession { throw error }
            return nil
        }
        let noted = said.filter { KeyDescription.noted.contains($0.key) }
        guard noted == (try? session.attributes(KeyDescription.noted, of: copy)) else {
            try? session.destroy(copy)
            return nil
        }
        return copy
    }

    private mutating func probe(
        _ object: (key: ObjectHandle, copy: ObjectHandle), _ type: KeyType, purpose: KeyPurpose,
        facts: inout KeyFacts, session: inout Session
    ) {
        for probe in KeyProbe.all(for: purpose) {
            // What changes an object is tried on the key itself.
            let subject = probe == .widenUsage ? object.key : object.copy
            let answer = probe.run(on: subject, type, purpose: purpose, session: &session)
            if case .accepted(let what) = answer {
                let isNatural = nature.accepts(probe, purpose, type: type, session: &session)
                facts.findings.append(
                    AuditFinding(
                        kind: probe.finding.rawValue, key: facts.name.label,
                        causedBy: (isNatural ? FindingCause.token : .store).rawValue, detail: what,
                        accepted: false))
            }
            facts.probes.append(
                .init(tried: probe.words, accepted: answer.isAccepted, answer: answer.words))
        }
    }

    // MARK: - Private halves

    /// Whether a private half signs as numbers say that everybody may know. They are attributes, which whoever makes an
    /// object can choose; of a curve the private half shows none, and it is tried by each public half of its label.
    private func tryHalves(_ key: ObjectHandle, _ facts: inout KeyFacts, session: inout Session) throws {
        // Without the right to sign it has other attributes than it was made with, which is a finding of its own.
        guard facts.attributes[Attribute.sign.name] == true else { return }
        guard facts.checkValue == nil else {
            facts.halves = [.init(told: nil, answer: rawSignature(key, in: &session))]
            return
        }
        facts.halves = try session.findPublicKeys(label: facts.name.label).map { half in
            let known = try KeyDescription(of: half, as: .publicKey, in: &session)
            return .init(
                told: .init(checkValue: known.checkValue, digest: known.digest),
                answer: curveSignature(key, half, in: &session))
        }
    }

    /// RSA, under the half's own modulus and exponent.
    private func rawSignature(_ key: ObjectHandle, in session: inout Session) -> PrivateHalfAnswer {
        guard let numbers = try? session.publicNumbers(of: key), !numbers.modulus.isEmpty,
            !numbers.exponent.isEmpty
        else { return .untried("it shows no modulus and exponent to try it by") }
        // Below the modulus, and the form of no certificate (EMV Book 2, 5.1: those begin with 6A).
        let block = [0] + (1..<numbers.modulus.count).map { _ in UInt8.random(in: .min ... .max) }
        do throws(PKCS11Error) {
            let signature = try session.signRaw(block, key: key)
            let opened = try? RSAPublicPower.compute(
                signature, exponent: numbers.exponent, modulus: numbers.modulus)
            return opened == block
                ? .right : .wrong("what it signs does not verify under its own modulus and exponent")
        } catch { return PrivateHalfAnswer(error) }
    }

    /// P-256.
    private func curveSignature(
        _ key: ObjectHandle, _ half: ObjectHandle, in session: inout Session
    ) -> PrivateHalfAnswer {
        let content = (0..<32).map { _ in UInt8.random(in: .min ... .max) }
        do throws(PKCS11Error) {
            _ = try session.sign(.es256, content, key: key, publicKey: half)
            return .right
        } catch { return PrivateHalfAnswer(error) }
    }
}

extension KeyProbe {
    fileprivate var finding: FindingKind {
        switch self {
        case .use(.encrypt): .probeEncrypt
        case .use(.decrypt): .probeDecrypt
        case .use(.sign): .probeSign
        case .use(.verify): .probeVerify
        case .use(.wrap): .probeWrap
        case .use(.unwrap): .probeUnwrap
        case .use(.derive): .probeDerive
        case .readValue: .probeRead
        case .widenUsage: .probeWiden
        case .copyWithWiderUsage: .probeCopyWider
        case .copyReadable: .probeCopyReadable
        case .export: .probeExport
        }
    }
}
