internal import ByteCoding
package import Foundation
package import HSM

/// An append-only log of what happens to keys: each line is chained to the one before and sealed in the token, and
/// the token counts the lines. Any number of processes may append to one log.
///
/// Whoever can write the file can spoil it, but not without `verify` saying where: a changed line has a wrong seal,
/// a dropped or moved one leaves a gap in the numbers, a cut end falls short of the token's count.
package struct AuditTrail: Sendable {
    /// The file.
    package let path: String
    /// `CKA_LABEL` of the key of its seals.
    package let keyLabel: String
    let location: TokenLocation
    private let process: String
    let now: @Sendable () -> Date

    /// - Parameters:
    ///   - path: the file; made with mode 0640 when first written.
    ///   - keyLabel: of the HMAC key; made in the token when first needed.
    ///   - process: the program that appends, `issuer-host`.
    package init(
        path: String, keyLabel: String, at location: TokenLocation, process: String,
        now: @escaping @Sendable () -> Date = { Date() }
    ) {
        self.path = path
        self.keyLabel = keyLabel
        self.location = location
        self.process = process
        self.now = now
    }

    /// The object in which the token counts the lines.
    package static func counterLabel(of keyLabel: String) -> String { keyLabel + "-head" }

    /// Appends an event and returns when it is on disk and counted.
    ///
    /// A log that is shorter than the token's count is not repaired: the next line takes the next number, so that
    /// the gap stays for `verify` to find.
    /// - Returns: a warning for people where the log was found damaged at its end; else nil.
    @discardableResult
    package func append(_ event: AuditEvent) throws -> String? { try append([event]) }

    /// Appends events that belong together.
    ///
    /// - Parameter signers: each signs each line, with its number and the line before it.
    @discardableResult
    package func append(_ events: [AuditEvent], signers: [AuditSigner] = []) throws -> String? {
        let file = try LockedFile(path)
        guard var seal = try AuditSeal.open(keyLabel: keyLabel, makesKey: true, at: location) else {
            throw AuditTrailError("audit trail: no key \(keyLabel)")
        }
        var head = try seal.head()
        var warning: String?
        var (last, begun) = try file.lastLines()
        if let text = begun, AuditLine(text[...]) != nil { (last, begun) = (text, nil) }
        if let newer = try newerHead(last, than: head, seal: &seal) {
            // A process ended between writing its line and counting it.
            head = newer
        } else if try !ends(last, with: head, seal: &seal) {
            warning =
                "\(path): does not end with line \(head.sequence), which the token counted; "
                + "run issuer-keys audit-log verify"
        }
        if begun != nil, warning == nil {
            warning = "\(path): ends within a line; run issuer-keys audit-log verify"
        }
        var lines: [[UInt8]] = []
        if let details = seal.madeDetails {
            lines.append(
                try line(
                    AuditEvent(.trailBegun, key: keyLabel, details: details), [], head: &head, seal: &seal))
        }
        for event in events { lines.append(try line(event, signers, head: &head, seal: &seal)) }
        guard !lines.isEmpty else { return warning }
        // Where the process ends before the count, the last whole line is the new end.
        try file.append(lines)
        try seal.setHead(head)
        return warning
    }

    /// Throws where no event could be appended: for those who must not act without leaving evidence.
    package func requireWritable() throws { try append([]) }

    /// The next line, which becomes the head.
    private func line(
        _ event: AuditEvent, _ signers: [AuditSigner], head: inout AuditSeal.Head, seal: inout AuditSeal
    ) throws -> [UInt8] {
        let unsealed = AuditLine.unsealed(
            sequence: head.sequence + 1, time: now().formatted(.iso8601), process: process,
            processIdentifier: getpid(), user: NSUserName(), event: event, previous: head.hash)
        let signatures = try signers.map { (name: $0.name, value: try $0.sign(unsealed)) }
        let signed = AuditLine.signed(unsealed, signatures)
        let line = AuditLine.line(signed, seal: try seal.seal(signed))
        head = AuditSeal.Head(sequence: head.sequence + 1, hash: try seal.hash(line))
        return line
    }

    private func ends(
        _ last: [UInt8]?, with head: AuditSeal.Head, seal: inout AuditSeal
    ) throws -> Bool {
        guard let last else { return head == .none }
        return try seal.hash(last) == head.hash
    }

    /// Where the last line goes beyond the token's count and is rightly sealed.
    private func newerHead(
        _ last: [UInt8]?, than head: AuditSeal.Head, seal: inout AuditSeal
    ) throws -> AuditSeal.Head? {
        guard let last, let line = AuditLine(last[...]), line.sequence > head.sequence,
            constantTimeEqual(try seal.seal(line.sealed), line.seal)
        else { return nil }
        return AuditSeal.Head(sequence: line.sequence, hash: try seal.hash(last))
    }
}
