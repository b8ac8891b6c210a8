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

/// The numbers by which a message is known. Texts stand as hashes: they are compared, never shown. No part of a PAN, a
/// track or a PIN block is in any of them.
package struct Transmission: Hashable, Sendable {
    /// Compared first.
    package var messageClass: TransmissionClass
    /// The message type says that it is a repeat (xxx1).
    package var isRepeat: Bool
    /// DE11.
    package var stan: UInt32
    /// DE7, when this message was sent: `MMDDhhmmss` as a number; 0: absent.
    package var sentAt: UInt32
    /// DE13 and DE12 of ISO 8583:1987, the date and time at the terminal: `MMDDhhmmss`; 0: absent. They stay for the life
    /// of a transaction.
    package var localTime: UInt32
    /// A hash of DE37; 0: absent.
    package var reference: UInt64
    /// A hash of DE32, or of the link's name where DE32 is absent.
    package var acquirer: UInt32
    /// False where DE32 is absent: another message of the transaction may name the acquirer all the same.
    package var namesAcquirer: Bool
    /// A hash of DE41; 0: absent.
    package var terminal: UInt32
    /// A hash of DE42; 0: absent.
    package var merchant: UInt32

    /// Takes the parts; see each property.
    package init(
        messageClass: TransmissionClass, isRepeat: Bool = false, stan: UInt32, sentAt: UInt32 = 0,
        localTime: UInt32 = 0, reference: UInt64 = 0, acquirer: UInt32 = 0, namesAcquirer: Bool = true,
        terminal: UInt32 = 0, merchant: UInt32 = 0
    ) {
        self.messageClass = messageClass
        self.isRepeat = isRepeat
        self.stan = stan
        self.sentAt = sentAt
        self.localTime = localTime
        self.reference = reference
        self.acquirer = acquirer
        self.namesAcquirer = namesAcquirer
        self.terminal = terminal
        self.merchant = merchant
    }
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

    /// Takes the parts; see each property.
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
