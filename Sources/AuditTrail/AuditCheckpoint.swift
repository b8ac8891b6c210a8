internal import ByteCoding
internal import Foundation
internal import HSM
internal import PKCS11

/// What the log was at one moment, in a few lines that leave the machine: a log and a store that were rolled back
/// together do not reach it any more. The line `aloud` is short enough to be read out for the minutes, and to be
/// typed in place of the file.
package struct AuditCheckpoint: Sendable {
    /// Lines of the log then.
    package let sequence: UInt64
    /// SHA-256 of the last one, or as many bytes of it as are known.
    let hash: [UInt8]
    /// When, as the file says; empty for one that was read aloud.
    package let time: String
    /// What people signed.
    package let signed: [UInt8]
    /// By name.
    package let signatures: [String: [UInt8]]
    private let sealed: [UInt8]
    private let seal: [UInt8]?

    private static let head = "issuer-keys checkpoint 1"
    private static let aloudBytes = 10

    /// - Parameter text: a file's, or a number and 20 hex digits with any blanks and hyphens.
    /// - Returns: nil for neither.
    package init?(_ text: String) {
        let lines = text.split(separator: "\n").map(String.init)
        guard lines.first == Self.head else {
            guard lines.count == 1, let words = Self.aloud(lines[0]) else { return nil }
            (sequence, hash) = words
            (time, signed, signatures, sealed, seal) = ("", [], [:], [], nil)
            return
        }
        var fields: [String: String] = [:]
        var signatures: [String: [UInt8]] = [:]
        for line in lines.dropFirst() {
            guard let blank = line.firstIndex(of: " ") else { return nil }
            let (name, value) = (String(line[..<blank]), String(line[line.index(after: blank)...]))
            if name == "signature" {
                guard let place = value.lastIndex(of: " "),
                    let bytes = try? Hex.decode(String(value[value.index(after: place)...]))
                else { return nil }
                signatures[String(value[..<place])] = bytes
            } else {
                fields[name] = value
            }
        }
        guard let number = fields["line"].flatMap(UInt64.init),
            let hash = fields["hash"].flatMap({ try? Hex.decode($0) }), hash.count == 32,
            let seal = fields["seal"].flatMap({ try? Hex.decode($0) }), let last = lines.last,
            last.hasPrefix("seal ")
        else { return nil }
        (sequence, self.hash, time, self.seal) = (number, hash, fields["time"] ?? "", seal)
        self.signatures = signatures
        let body = lines.dropLast()
        sealed = Array(body.map { $0 + "\n" }.joined().utf8)
        signed = Array(body.filter { !$0.hasPrefix("signature ") }.map { $0 + "\n" }.joined().utf8)
    }

    private static func aloud(_ text: String) -> (UInt64, [UInt8])? {
        let words = text.split(whereSeparator: { " -\t".contains($0) })
        guard let first = words.first, let number = UInt64(first),
            let bytes = try? Hex.decode(words.dropFirst().joined()), bytes.count == aloudBytes
        else { return nil }
        return (number, bytes)
    }

    /// The lines that people sign.
    static func body(
        _ sequence: UInt64, _ hash: [UInt8], token: String, key: String, time: String
    ) -> String {
        let digits = Hex.encode(hash.prefix(aloudBytes))
        let groups = stride(from: 0, to: digits.count, by: 4).map { start in
            String(digits.dropFirst(start).prefix(4))
        }
        return [
            head, "token \(printable(token))", "key \(key)", "time \(time)", "line \(sequence)",
            "hash \(Hex.encode(hash))", "aloud \(sequence) \(groups.joined(separator: "-"))", "",
        ].joined(separator: "\n")
    }

    func isSealed(_ trailSeal: inout AuditSeal) throws -> Bool {
        guard let seal else { return true }
        return constantTimeEqual(try trailSeal.seal(sealed), seal)
    }

    func matches(_ hash: [UInt8]) -> Bool { hash.starts(with: self.hash) }
}

/// Somebody who signs lines with a key that is in no token.
package struct AuditSigner: Sendable {
    /// As `keys.operators` has it.
    package let name: String
    let sign: @Sendable ([UInt8]) throws -> [UInt8]

    /// - Parameter sign: 64 bytes over the bytes given (Ed25519).
    package init(name: String, sign: @escaping @Sendable ([UInt8]) throws -> [UInt8]) {
        self.name = name
        self.sign = sign
    }
}

extension AuditTrail {
    /// The log as it is now, for a place outside this machine. Notes that it was taken.
    ///
    /// - Throws: `AuditTrailError` where the log is not whole.
    package func checkpoint(signers: [AuditSigner] = []) throws -> String {
        let verification = try verify()
        guard verification.faults.isEmpty, let last = verification.sealed.last else {
            throw AuditTrailError(
                "\(path): no checkpoint of a log that is not whole; run issuer-keys audit-log verify")
        }
        guard var seal = try AuditSeal.openToRead(keyLabel: keyLabel, at: location) else {
            throw AuditTrailError("audit trail: no key \(keyLabel)")
        }
        let token = try location.tokenLabel()
        var text = AuditCheckpoint.body(
            last.sequence, last.hash, token: token, key: keyLabel, time: now().formatted(.iso8601))
        let body = Array(text.utf8)
        for signer in signers { text += "signature \(signer.name) \(Hex.encode(try signer.sign(body)))\n" }
        return text + "seal \(Hex.encode(try seal.seal(Array(text.utf8))))\n"
    }

    /// What a checkpoint says against this log: empty where the log goes on from it.
    package func faults(
        against checkpoint: AuditCheckpoint, _ verification: AuditVerification
    ) throws -> [AuditFault] {
        let number = checkpoint.sequence...checkpoint.sequence
        var faults: [AuditFault] = []
        // What is wrong with the key of the seals, the verification has said.
        let isReadable = !verification.faults.contains { $0.kind == .keyUnusable }
        if isReadable, var seal = try AuditSeal.openToRead(keyLabel: keyLabel, at: location),
            try !checkpoint.isSealed(&seal)
        {
            faults.append(AuditFault(kind: .checkpointForeign, line: nil, sequences: number))
        }
        let lines = verification.sealed.filter { $0.sequence == checkpoint.sequence }
        if !lines.contains(where: { checkpoint.matches($0.hash) }) {
            faults.append(AuditFault(kind: .rolledBack, line: nil, sequences: number))
        }
        return faults
    }
}
