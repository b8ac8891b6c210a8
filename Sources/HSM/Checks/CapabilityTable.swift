internal import ByteCoding
internal import PKCS11

/// One thing that a token can do or not.
package struct CapabilityRow: Sendable, Codable {
    /// What the product needs it for.
    package let operation: String
    /// Whether the configuration uses it.
    package let isNeeded: Bool
    /// How it is done here, or why it cannot be.
    package let way: String
    /// Whether the known answer came out.
    package let works: Bool
    /// Calls of the token that the known answer took, its own keys among them.
    package let calls: UInt64
    /// Time that it took.
    package let microseconds: UInt64
}

/// What a token can do of what this product does, found by doing each operation with a known answer, by way of the code that
/// serves: mechanism lists leave out what works and name what does not.
package enum CapabilityTable {
    /// Every operation, whether the configuration uses it or not; one that fails does not stop the rest.
    package static func rows(_ configuration: HSMConfiguration, at location: TokenLocation) -> [CapabilityRow]
    {
        let needed = configuration.labels
        let hasPINs = !configuration.zonePINKeys.isEmpty || configuration.pinVerificationKey != nil
        let plain: [(String, Bool, (inout Session) throws -> String)] = [
            ("keys made in the token", true, generation), ("known values into the token", true, valuesIn),
            ("check values out of it", true, valuesOut), ("working copies of keys", true, copies),
            ("ARQC and ARPC", true, { try HSMCheck.checkCryptogram(&$0) }),
            ("card token (AES-CMAC)", true, { try HSMCheck.checkCMAC(&$0) }),
            ("PIN translation ZPK to PVK", hasPINs, { try HSMCheck.checkTranslation(&$0) }),
            ("key material put together (key blocks, ceremonies)", false, composition),
            ("seals of the audit trail (HMAC-SHA-256)", false, seal),
            ("issuer's RSA key and signatures", false, signatures),
        ]
        var rows = plain.map { name, isNeeded, body in
            row(name, isNeeded && !needed.isEmpty, at: location, body: body)
        }
        rows += OperationChecks.all.map { operation in
            measured(operation.name, operation.isNeeded(configuration)) { () throws -> (String, UInt64) in
                var checks = try OperationChecks(location)
                let before = checks.serving.callCount
                try operation.run(&checks)
                return ("inside the token", checks.serving.callCount &- before)
            }
        }
        return rows
    }

    /// For people: one line each.
    package static func text(_ rows: [CapabilityRow]) -> String {
        let width = rows.map(\.operation.count).max() ?? 0
        return rows.map { row in
            let name = row.operation.padding(to: width)
            let verdict = row.works ? "yes" : "no "
            let cost = row.works ? "\(row.calls) calls, \(row.microseconds) µs; " : ""
            return "\(verdict)  \(row.isNeeded ? "needed" : "      ")  \(name)  \(cost)\(row.way)\n"
        }.joined()
    }

    private static func row(
        _ name: String, _ isNeeded: Bool, at location: TokenLocation,
        body: (inout Session) throws -> String
    ) -> CapabilityRow {
        measured(name, isNeeded) {
            // Some tokens make session objects in sessions that may write, and in no others.
            var session = try HSMCheck.openSession(at: location)
            let before = session.callCount
            let way = try body(&session)
            return (way, session.callCount &- before)
        }
    }

    private static func measured(
        _ name: String, _ isNeeded: Bool, body: () throws -> (way: String, calls: UInt64)
    ) -> CapabilityRow {
        let begun = monotonicNanoseconds()
        do {
            let (way, calls) = try body()
            return CapabilityRow(
                operation: name, isNeeded: isNeeded, way: way, works: true, calls: calls,
                microseconds: (monotonicNanoseconds() - begun) / 1_000)
        } catch {
            return CapabilityRow(
                operation: name, isNeeded: isNeeded, way: (error as? JobError)?.words ?? "\(error)",
                works: false, calls: 0, microseconds: 0)
        }
    }

    // MARK: - Operations that no other check has

    private static let material = Template(
        keyType: .genericSecret, on: [.sensitive, .isPrivate, .extractable, .derive], off: [.token])

    /// What was made has to be what was asked for.
    private static func generation(_ session: inout Session) throws -> String {
        let template = Template(
            keyType: .des2, on: [.sensitive, .isPrivate, .derive],
            off: [.token, .extractable, .modifiable] + KeyPurpose.usages.filter { $0 != .derive })
        let key = try session.generateKey(.des2, template)
        try KeyDescription.requireAsAsked(
            key, "made for this check", purpose: .issuerMasterKeyAC, session: &session)
        try session.destroy(key)
        return "C_GenerateKey, attributes as asked"
    }

    private static func valuesIn(_ session: inout Session) throws -> String {
        try session.destroy(
            try session.createKey(material, value: SecretBytes(copying: [1, 2, 3, 4, 5, 6, 7, 8])))
        return session.valuesIn == .clear
            ? "C_CreateObject" : "enciphered under a key of the token, then C_UnwrapKey (strict mode)"
    }

    private static func valuesOut(_ session: inout Session) throws -> String {
        let key = try KnownAnswers.importKey(KnownAnswers.issuerMasterKey, [.derive], session: &session)
        defer { try? session.destroy(key) }
        let zeros = [UInt8](repeating: 0, count: 8)
        let block = try session.shownEncipherment(of: zeros, .tripleDESECB, under: key)
        guard Hex.encode(block.prefix(3)) == "08D7B4" else { throw CapabilityMissing("wrong answer") }
        return session.valuesOut == .clear
            ? "derived into an object that may be read"
            : "derived, wrapped under a key of the token, deciphered (strict mode)"
    }

    private static func copies(_ session: inout Session) throws -> String {
        let template = Template(
            keyType: .des2, on: [.sensitive, .isPrivate, .derive], off: [.token, .extractable, .modifiable])
        let key = try session.generateKey(.des2, template)
        defer { try? session.destroy(key) }
        do throws(PKCS11Error) { try session.destroy(try session.workingCopy(of: key)) } catch {
            guard error.refusesCopy else { throw error }
            return "not copied: the token's own objects are used"
        }
        return "C_CopyObject"
    }

    private static func composition(_ session: inout Session) throws -> String {
        let base = try session.createKey(
            material, value: SecretBytes(copying: [UInt8](repeating: 0x0F, count: 8)))
        let joined = try session.appendToKey(base, [0xF0, 0xF0], template: material)
        let mask = [UInt8](repeating: 0xFF, count: 10)
        let changed = try mask.withUnsafeBytes { try session.xorKey(joined, with: $0, template: material) }
        let piece = Template(
            keyType: .genericSecret, valueCount: 3, on: [.sensitive, .isPrivate, .extractable, .derive],
            off: [.token])
        let cut = try session.extractKey(from: changed, byteOffset: 7, template: piece)
        for object in [base, joined, changed] { try session.destroy(object) }
        guard try session.valueOfExtractable(cut) == [0xF0, 0x0F, 0x0F] else {
            throw CapabilityMissing("wrong answer")
        }
        try session.destroy(cut)
        return "joined, xored and cut inside the token"
    }

    private static func seal(_ session: inout Session) throws -> String {
        let template = Template(
            keyType: .genericSecret, valueCount: 32, on: [.sensitive, .isPrivate, .sign],
            off: [.token, .extractable])
        let key = try session.generateKey(.genericSecret, template)
        defer { try? session.destroy(key) }
        guard try session.hmacSHA256([1], key: key) != session.hmacSHA256([2], key: key) else {
            throw CapabilityMissing("wrong answer")
        }
        return "a key of the token"
    }

    private static func signatures(_ session: inout Session) throws -> String {
        var exponent: [UInt8] = [3]
        let pair: KeyPairHandles
        do throws(PKCS11Error) {
            pair = try session.generateRSAKeyPair(bits: 1_152, exponent: exponent, use: .leaving)
        } catch {
            guard error.refusesExponent else { throw error }
            exponent = [1, 0, 1]
            pair = try session.generateRSAKeyPair(bits: 1_152, exponent: exponent, use: .leaving)
        }
        defer {
            for half in [pair.publicKey, pair.privateKey] { try? session.destroy(half) }
        }
        let block = [0x6A] + [UInt8](repeating: 0xBB, count: 143)
        guard try session.signRaw(block, key: pair.privateKey) != block else {
            throw CapabilityMissing("wrong answer")
        }
        return exponent == [3] ? "exponent 3" : "exponent 65537: this token makes no keys with 3"
    }
}

extension String {
    fileprivate func padding(to width: Int) -> String {
        self + String(repeating: " ", count: Swift.max(0, width - count))
    }
}
