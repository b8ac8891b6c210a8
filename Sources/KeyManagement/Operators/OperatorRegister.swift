package import AuditTrail
internal import ByteCoding
internal import Foundation
internal import HSM
package import LibCrypto
internal import Synchronization

/// The people whose signatures count, from `keys.operators`, and what each event needs of them.
package struct OperatorRegister: Sendable {
    private let keys: [String: [UInt8]]
    /// True where some events need two people.
    package let dualControl: Bool

    /// - Parameter entries: each a name and 64 hex digits of an Ed25519 key.
    /// - Throws: `CeremonyError` naming the entry.
    package init(parsing entries: [String], dualControl: Bool) throws {
        var keys: [String: [UInt8]] = [:]
        for entry in entries {
            let parts = entry.split(separator: " ")
            guard parts.count >= 2, let last = parts.last, last.count == 64,
                let key = try? Hex.decode(String(last))
            else {
                throw CeremonyError(
                    "keys.operators: \(printable(entry)) is not a name and 64 hex digits of a public key")
            }
            let name = parts.dropLast().joined(separator: " ")
            guard keys[name] == nil, !keys.values.contains(key) else {
                throw CeremonyError("keys.operators: \(name): each person once, with a key of their own")
            }
            keys[name] = key
        }
        self.keys = keys
        self.dualControl = dualControl
    }

    /// True where nobody signs.
    package var isEmpty: Bool { keys.isEmpty }

    /// Signatures that an event needs.
    package func needed(for event: AuditEvent) -> Int {
        guard !keys.isEmpty || dualControl, Self.isOfKeys(event) else { return 0 }
        return dualControl && Self.isSensitive(event) ? 2 : 1
    }

    private static func isOfKeys(_ event: AuditEvent) -> Bool {
        switch event.kind {
        case .keyGenerated, .keyFromCeremony, .keyImported, .testKeyLoaded, .keyExported, .cardsPersonalised,
            .cardCertified, .trailVouched:
            return true
        case .keyRetired:
            // The host ends zone keys whose overlap is over, with nobody there to sign.
            let purpose = event.key.flatMap(KeyPurpose.named)
            let isZoneKey = purpose == .zonePINKey || purpose == .zoneAuthenticationKey
            return !(isZoneKey && event.details["reason"] != nil)
        default: return false
        }
    }

    /// What one person alone must not do.
    private static func isSensitive(_ event: AuditEvent) -> Bool {
        switch event.kind {
        case .keyExported, .keyRetired, .cardsPersonalised, .cardCertified, .keyFromCeremony, .trailVouched:
            return true
        case .keyGenerated, .keyImported:
            guard event.details["exportable"] != "true", event.details["form"] != "cryptogram" else {
                return true
            }
            let purpose = event.key.flatMap(KeyPurpose.named)
            return purpose.map {
                $0.isIssuerMasterKey || $0 == .keyBlockProtectionKey || $0 == .zoneMasterKey
                    || $0 == .transferKey
            } ?? true
        default: return false
        }
    }

    /// People of this register whose signature of a line is right.
    package func signers(of line: AuditLine) -> Set<String> {
        Set(
            line.signatures.compactMap { name, signature in
                guard let key = keys[name],
                    Signature.isValid(signature, of: line.signed, publicKey: key)
                else { return nil }
                return name
            })
    }

    /// Whether a signature of a checkpoint is that of the person named.
    package func hasSigned(_ name: String, _ checkpoint: AuditCheckpoint) -> Bool {
        guard let key = keys[name], let signature = checkpoint.signatures[name] else { return false }
        return Signature.isValid(signature, of: checkpoint.signed, publicKey: key)
    }

    /// What each line lacks. A line that people vouched for afterwards, with all before it, lacks nothing.
    ///
    /// - Parameter lines: those whose seal is right, in the order of the log.
    package func lacking(_ lines: [AuditLine]) -> [UInt64: String] {
        let vouched = lines.last {
            $0.event.kind == .trailVouched && signers(of: $0).count >= needed(for: $0.event)
        }
        var lacking: [UInt64: String] = [:]
        for line in lines where line.sequence > vouched?.sequence ?? 0 {
            let needed = needed(for: line.event)
            guard needed > 0 else { continue }
            let found = signers(of: line)
            if found.count < needed {
                let names = found.sorted().joined(separator: ", ")
                lacking[line.sequence] =
                    "\(found.count) of \(needed) signatures of keys.operators"
                    + (names.isEmpty ? "" : ": \(names)")
            }
        }
        return lacking
    }

    /// What stands against somebody who has the token's PIN alone, in words for the report.
    package var trust: [String] {
        guard !keys.isEmpty else {
            return [
                "The seals are made with a key behind the token's PIN. Whoever has that PIN and may write the log could "
                    + "forge every line, and with it the explanation of a planted key; only a checkpoint that left the "
                    + "machine (audit --against) shows what it covers. keys.operators adds signatures from outside."
            ]
        }
        return [
            "Lines that make, bring in, export or end keys are signed by people (\(keys.keys.sorted().joined(separator: ", "))) "
                + "whose keys are in no token: the PIN alone cannot forge one, nor move one to another place of the log.",
            "The PIN alone could still: use keys of the token; forge lines of starts, ends and audits, and lines of ZPKs and "
                + "ZAKs changed over a link; cut lines off the end and set the token's count back with them. The last is "
                + "found by a checkpoint that left the machine (audit --against). Who may write the configuration could "
                + "put another person into keys.operators: hold its entries against the people.",
        ]
    }

    // MARK: - Signing

    /// Has people unlock their files at the terminal.
    ///
    /// - Parameters:
    ///   - count: people that are needed; none asks for nothing.
    ///   - paths: their files; those that are not named are asked for.
    /// - Throws: `CeremonyError` naming person or file.
    package func signers(
        _ count: Int, from paths: [String], for what: String, console: () throws -> any CeremonyConsole
    ) throws -> [AuditSigner] {
        guard count > 0 else { return [] }
        guard keys.count >= count else {
            throw CeremonyError(
                "\(what) needs \(count) people, and keys.operators names \(keys.count): see issuer-keys operator enrol"
            )
        }
        let console = try console()
        console.say("\(what) needs \(count == 1 ? "one person" : "two people"), each with their file.")
        var signers: [AuditSigner] = []
        var remaining = paths[...]
        while signers.count < count {
            let path =
                try remaining.popFirst() ?? console.ask("File of person \(signers.count + 1) of \(count):")
            guard !path.isEmpty else { throw CeremonyError.interrupted }
            let file = try OperatorFile(readFrom: path)
            guard let known = keys[file.name], Hex.encode(known) == file.publicKey else {
                throw CeremonyError("\(path): \(printable(file.name)) with this key is not in keys.operators")
            }
            guard !signers.contains(where: { $0.name == file.name }) else {
                throw CeremonyError("\(file.name) has signed already: the other person has to be another one")
            }
            signers.append(try unlock(file, console))
        }
        return signers
    }

    private func unlock(_ file: OperatorFile, _ console: any CeremonyConsole) throws -> AuditSigner {
        for tried in 1...Ceremony.passphraseTries {
            let passphrase = try console.askSecret("Passphrase of \(file.name):")
            do {
                let key = OperatorKey(try file.unlock(passphrase))
                return AuditSigner(name: file.name) { try key.sign($0) }
            } catch let error as CeremonyError {
                guard tried < Ceremony.passphraseTries else { throw error }
                console.say("\(error).")
            }
        }
        throw CeremonyError.interrupted
    }

    /// Throws for what is no person's name.
    package static func requireName(_ name: String) throws {
        guard !name.isEmpty, name.count <= 64, printable(name) == name, !name.hasPrefix(" ") else {
            throw CeremonyError("a name has 1 to 64 printable characters")
        }
    }

    /// A person chooses a passphrase; what is returned goes into `keys.operators`.
    package static func enrol(
        _ name: String, to path: String, console: any CeremonyConsole, cost: Scrypt.Cost = .interactive
    ) throws -> String {
        guard !FileManager.default.fileExists(atPath: path) else {
            throw CeremonyError("\(path) is there already; nothing is written over")
        }
        try requireName(name)
        let passphrase = try Ceremony.newPassphrase(console)
        let file = try OperatorFile(name: name, passphrase: passphrase, cost: cost)
        try file.write(to: path)
        return file.registration
    }
}

/// A private key for the length of a command, in memory that is wiped.
private final class OperatorKey: Sendable {
    private let value: Mutex<SecretBytes>

    init(_ value: consuming SecretBytes) { self.value = Mutex(value) }

    func sign(_ message: [UInt8]) throws -> [UInt8] {
        try value.withLock { value in
            var key = value.withUnsafeBytes { Array($0) }
            defer { SealedBox.wipe(&key) }
            return try Signature.sign(message, privateKey: key)
        }
    }
}
