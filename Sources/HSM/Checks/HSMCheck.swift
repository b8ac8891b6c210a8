internal import Authorisation
internal import ByteCoding
internal import EMV
internal import PKCS11
internal import Synchronization

/// One line of the table that `issuer-host check` prints.
package struct CheckLine: Sendable {
    /// What was looked at.
    package let subject: String
    /// Whether it is as it has to be.
    package let passed: Bool
    /// What was found, or why not.
    package let detail: String

    package init(_ subject: String, passed: Bool, detail: String) {
        self.subject = subject
        self.passed = passed
        self.detail = detail
    }
}

/// What has to be true of the token before the host serves: keys there, each with its least usage and no
/// more, and every operation of the configuration proven by a known answer.
package enum HSMCheck {
    /// Of one token.
    static func runSingle(_ configuration: HSMConfiguration, at location: TokenLocation) -> [CheckLine] {
        do {
            var session = try openSession(at: location)
            let label = try location.tokenLabel()
            var lines = [CheckLine("token", passed: true, detail: "\(label), session open, logged in")]
            KeyRing.lookingUp.withLock { _ in
                for (label, purpose) in configuration.labels {
                    lines.append(
                        checkKey(
                            label, purpose, refusesTestKeys: configuration.refusesTestKeys, session: &session)
                    )
                }
            }
            if configuration.refusesLeavingKeys {
                lines.append(line("keys stay in the token") { try checkExport(&session) })
            }
            lines.append(line("ARQC and ARPC") { try checkCryptogram(&session) })
            lines.append(line("card token (AES-CMAC)") { try checkCMAC(&session) })
            if !configuration.zonePINKeys.isEmpty || configuration.pinVerificationKey != nil {
                lines.append(line("PIN translation ZPK to PVK") { try checkTranslation(&session) })
            }
            return lines + OperationChecks.run(configuration, at: location)
        } catch {
            return [CheckLine("token", passed: false, detail: String(describing: error))]
        }
    }

    /// The check of keys alone, of those zone keys that change while the host serves.
    package static func zoneKeys(
        _ configuration: HSMConfiguration, at location: TokenLocation
    ) throws -> [CheckLine] {
        let changing = configuration.zoneKeyLabels.values.flatMap {
            [$0.current, $0.previous].compactMap { $0 }
        }
        return try KeyRing.lookingUp.withLock { _ in
            var session = try openSession(at: location)
            return configuration.labels.filter { changing.contains($0.label) }.map {
                checkKey(
                    $0.label, $0.purpose, refusesTestKeys: configuration.refusesTestKeys, session: &session)
            }
        }
    }

    /// One that may write where the token lets it: in others a probe that changes something proves nothing.
    static func openSession(at location: TokenLocation) throws -> Session {
        do { return try location.openSession(readWrite: true) } catch  where error is PKCS11Error {
            return try location.openSession()
        }
    }

    private static func line(_ subject: String, _ body: () throws -> String) -> CheckLine {
        do {
            return CheckLine(subject, passed: true, detail: try body())
        } catch {
            return CheckLine(subject, passed: false, detail: String(describing: error))
        }
    }

    // MARK: - Keys

    private static func checkKey(
        _ label: String, _ purpose: KeyPurpose, refusesTestKeys: Bool, session: inout Session
    ) -> CheckLine {
        do {
            let key = try KeyRing.tokenKey(label, &session)
            try checkAttributes(key, label, purpose: purpose, session: &session)
            try probe(key, label, purpose: purpose, session: &session)
            let found = try TokenCheckValue.of(key, &session)
            if refusesTestKeys, let found, TestKeys.contains(checkValue: found) {
                throw KeyError.testKey(label, checkValue: found)
            }
            let checkValue = found.map { ", KCV \($0)" } ?? ""
            let may = purpose.usage.map(\.name).joined(separator: " ")
            return CheckLine(
                "key \(label)", passed: true, detail: "\(purpose.rawValue): \(may) only\(checkValue)")
        } catch {
            return CheckLine("key \(label)", passed: false, detail: String(describing: error))
        }
    }

    private static func checkAttributes(
        _ key: ObjectHandle, _ label: String, purpose: KeyPurpose, session: inout Session
    ) throws {
        for attribute in [Attribute.sensitive] + purpose.usage
        where try session.attribute(attribute, of: key) != true {
            throw KeyError.tooWeak(label, attribute: attribute.name)
        }
        let forbidden =
            [.extractable, .modifiable] + KeyPurpose.usages.filter { !purpose.usage.contains($0) }
        for attribute in forbidden where try session.attribute(attribute, of: key) == true {
            throw KeyError.tooPowerful(label, attribute: attribute.name)
        }
    }

    /// Attributes are what the token says; a use is what it does.
    private static func probe(
        _ key: ObjectHandle, _ label: String, purpose: KeyPurpose, session: inout Session
    ) throws {
        guard let type = try session.keyType(of: key) else {
            throw KeyError.tooWeak(label, attribute: "a type")
        }
        for probe in KeyProbe.startUp(for: purpose)
        where probe.run(on: key, type, purpose: purpose, session: &session).isAccepted {
            throw KeyError.probeAccepted(label, operation: probe.words)
        }
    }

    /// On a key of its own that nobody could have given more rights.
    private static func checkExport(_ session: inout Session) throws -> String {
        let template = Template(
            keyType: .des2, on: [.sensitive, .isPrivate, .derive],
            off: [.token, .extractable, .modifiable] + KeyPurpose.usages.filter { $0 != .derive })
        let key = try session.generateKey(.des2, template)
        defer { try? session.destroy(key) }
        guard let refusals = session.refusals(ofExporting: key) else {
            throw KeyError.probeAccepted(
                "of this token",
                operation:
                    "leave under a wrapping key, though it is reported as not extractable; a production profile "
                    + "has to name probe-export in audit.acceptedFindings")
        }
        return
            "a key that is not extractable is refused: \(Set(refusals.map(\.name)).sorted().joined(separator: ", "))"
    }

    // MARK: - Known answers

    /// A whole ARQC and ARPC by way of the code that serves requests, with a published example: Visa CVN 18
    /// form, common session key, compared with single encipherments.
    static func checkCryptogram(_ session: inout Session) throws -> String {
        let chaining = try ChainingProbe.run(&session)
        let master = try KnownAnswers.importKey(KnownAnswers.issuerMasterKey, [.derive], session: &session)
        defer { try? session.destroy(master) }
        // The derived key's own check value is known: the encipherment of its diversifier by another way.
        let encipher = try KnownAnswers.importKey(KnownAnswers.issuerMasterKey, [.encrypt], session: &session)
        defer { try? session.destroy(encipher) }
        guard try session.encryptBlock(0, key: encipher) == KnownAnswers.checkBlock else {
            throw CapabilityMissing("triple DES gives a wrong answer")
        }
        let diversifier: (UInt64, UInt64) = (0x1234_5678_9012_3456, 0xEDCB_A987_6FED_CBA9)
        let derived = try session.deriveKey(
            from: master, left: diversifier.0, right: diversifier.1, template: SessionTemplates.encipheringKey
        )
        defer { try? session.destroy(derived) }
        let value = [
            try session.encryptBlock(diversifier.0, key: encipher),
            try session.encryptBlock(diversifier.1, key: encipher),
        ].flatMap { block in (0..<8).map { UInt8(truncatingIfNeeded: block >> UInt64(56 - 8 * $0)) } }
        let expected = try KnownAnswers.importKey(value, [.encrypt], session: &session)
        defer { try? session.destroy(expected) }
        guard try session.encryptBlock(0, key: derived) == session.encryptBlock(0, key: expected) else {
            throw CapabilityMissing("key derivation gives a wrong answer")
        }
        return chaining == .mac ? "known answers right, MAC mechanism" : "known answers right, CBC"
    }

    static func checkCMAC(_ session: inout Session) throws -> String {
        // RFC 4493, example 1 is over the empty string; example 2 over one block is the usual check.
        let key = try session.createKey(
            Template(keyType: .aes, on: [.sign, .sensitive, .isPrivate], off: [.token, .extractable]),
            value: SecretBytes(copying: [
                0x2B, 0x7E, 0x15, 0x16, 0x28, 0xAE, 0xD2, 0xA6, 0xAB, 0xF7, 0x15, 0x88, 0x09, 0xCF, 0x4F,
                0x3C,
            ]))
        defer { try? session.destroy(key) }
        let message: [UInt8] = [
            0x6B, 0xC1, 0xBE, 0xE2, 0x2E, 0x40, 0x9F, 0x96, 0xE9, 0x3D, 0x7E, 0x11, 0x73, 0x93, 0x17, 0x2A,
        ]
        var mac = [UInt8](repeating: 0, count: 16)
        try message.withUnsafeBytes { input in
            try mac.withUnsafeMutableBytes { try session.mac(.aesCMAC, key: key, input: input, into: $0) }
        }
        guard Hex.encode(mac) == "070A16B46B4D4144F79BDD9DD04A287C" else {
            throw CapabilityMissing("AES-CMAC gives a wrong answer")
        }
        return "known answer right (RFC 4493)"
    }

    /// The object must hold the block bit by bit: a token that takes it for a DES key forces its parity.
    static func checkTranslation(_ session: inout Session) throws -> String {
        let encipherIn = try KnownAnswers.importKey(
            KnownAnswers.issuerMasterKey, [.encrypt], session: &session)
        let encipherOut = try KnownAnswers.importKey(KnownAnswers.otherKey, [.encrypt], session: &session)
        let unwrapping = try KnownAnswers.importKey(
            KnownAnswers.issuerMasterKey, [.unwrap], session: &session)
        let wrapping = try KnownAnswers.importKey(KnownAnswers.otherKey, [.wrap], session: &session)
        defer {
            for key in [encipherIn, encipherOut, unwrapping, wrapping] { try? session.destroy(key) }
        }
        let clear: UInt64 = 0x0412_34FE_DCBA_9876
        let sent = try session.encryptBlock(clear, key: encipherIn)
        let object: ObjectHandle
        do {
            object = try session.unwrapBlock(sent, key: unwrapping, template: SessionTemplates.pinBlock)
        } catch {
            throw CapabilityMissing(
                "this token cannot keep a PIN block inside while translating it (\(error)); "
                    + "links with PINs need another token")
        }
        defer { try? session.destroy(object) }
        guard try session.wrapBlock(object, key: wrapping) == session.encryptBlock(clear, key: encipherOut)
        else {
            throw CapabilityMissing("PIN translation gives a wrong answer")
        }
        return "known answer right, clear block inside the token only"
    }
}
