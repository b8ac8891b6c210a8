/// What kind of message it is. Messages of different classes are never the same transaction's repeat.
package enum TransmissionClass: UInt8, CaseIterable, Sendable {
    /// Asks for a decision.
    case request = 1
    /// Tells what was decided elsewhere.
    case advice = 2
    /// Says what an earlier approval came to.
    case completion = 3
    /// Undoes a transaction.
    case reversal = 4
}

/// What a message says of the transaction that it undoes, settles or completes. Zero: not said.
package struct OriginalTransaction: Hashable, Sendable {
    /// The STAN of DE90; 0 where DE90 is absent or zeros.
    package var stan: UInt32
    /// The time of sending of DE90, `MMDDhhmmss`.
    package var sentAt: UInt32
    /// DE90 names an advice (0120, 0220), not a request.
    package var isAdvice: Bool
    /// A hash of DE37 of this message: it stays for the life of a transaction.
    package var reference: UInt64
    /// A hash of the acquirer of DE90, or of DE32 of this message, or of the link's name.
    package var acquirer: UInt32
    /// False where neither DE90 nor DE32 names one.
    package var namesAcquirer: Bool
    /// A hash of DE41 of this message.
    package var terminal: UInt32
    /// DE13 and DE12 of this message.
    package var localTime: UInt32
    /// DE11 and DE7 of this message, which are the original's with some senders where DE90 is absent.
    package var ownSTAN: UInt32
    /// See `ownSTAN`.
    package var ownSentAt: UInt32

    package init(
        stan: UInt32 = 0, sentAt: UInt32 = 0, isAdvice: Bool = false, reference: UInt64 = 0,
        acquirer: UInt32 = 0, namesAcquirer: Bool = true, terminal: UInt32 = 0, localTime: UInt32 = 0,
        ownSTAN: UInt32 = 0, ownSentAt: UInt32 = 0
    ) {
        self.stan = stan
        self.sentAt = sentAt
        self.isAdvice = isAdvice
        self.reference = reference
        self.acquirer = acquirer
        self.namesAcquirer = namesAcquirer
        self.terminal = terminal
        self.localTime = localTime
        self.ownSTAN = ownSTAN
        self.ownSentAt = ownSentAt
    }
}
