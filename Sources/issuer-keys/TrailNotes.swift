internal import AuditTrail
internal import Foundation

/// Events of many threads, written together: each waits until its own is in the trail, and those that come meanwhile go
/// with the next write.
final class TrailNotes: @unchecked Sendable {
    // Sendable because everything that changes is only touched under `condition`.
    private let desk: KeyDesk
    private let signers: [AuditSigner]
    private let condition = NSCondition()
    private var waiting: [AuditEvent] = []
    private var isWriting = false
    private var written = 0
    private var failure: (any Error)?

    init(_ desk: KeyDesk, signers: [AuditSigner]) {
        self.desk = desk
        self.signers = signers
    }

    /// Returns once the event is in the trail.
    func note(_ event: AuditEvent) throws {
        condition.lock()
        defer { condition.unlock() }
        let number = written + waiting.count + (isWriting ? underWay : 0)
        waiting.append(event)
        while written <= number {
            if let failure { throw failure }
            guard !isWriting else {
                condition.wait()
                continue
            }
            write()
        }
        if let failure { throw failure }
    }

    private var underWay = 0

    /// Called and left with the lock held.
    private func write() {
        let events = waiting
        waiting = []
        isWriting = true
        underWay = events.count
        condition.unlock()
        var thrown: (any Error)?
        do { try desk.note(events, signers: signers) } catch { thrown = error }
        condition.lock()
        isWriting = false
        if let thrown { failure = thrown } else { written += events.count }
        condition.broadcast()
    }
}
