package import EMV

/// One card of an account: what is counted for PAN and sequence number.
package struct Plastic: Sendable {
    /// 0…99; a card without a number has 0 (EMV Book 2 A1.4).
    package internal(set) var sequenceNumber: UInt8
    /// Active or why not.
    package internal(set) var status: CardStatus
    /// The last month in which it may be used.
    package internal(set) var expiry: ExpiryDate
    /// How its PIN is known.
    package internal(set) var pin: PINOnRecord
    /// Wrong PINs in a row that block the PIN.
    package internal(set) var pinTriesMax: UInt8
    /// Wrong PINs since the last right one.
    package internal(set) var pinTriesUsed: UInt8
    /// The highest ATC whose cryptogram verified, nil before the first.
    package internal(set) var highestATC: UInt16?
    /// An operator has made ATCs of the past good again: the window does not say any more what was used.
    var wasReset: Bool
    /// The number of the last issuer script that was ordered.
    var lastScript: UInt32
    /// False where the stored form was none that this release knows.
    let hasKnownForm: Bool

    /// Of the PAN that the account had before: it counts the transactions that are told late, and pays no more.
    package var isOfPANBefore: Bool { sequenceNumber >= KeptTransaction.ofPANBefore }

    /// One that was never used.
    init(sequenceNumber: UInt8, status: CardStatus, expiry: ExpiryDate, pin: PINOnRecord, pinTriesMax: UInt8)
    {
        self.sequenceNumber = sequenceNumber
        self.status = status
        self.expiry = expiry
        self.pin = pin
        self.pinTriesMax = pinTriesMax
        pinTriesUsed = 0
        highestATC = nil
        wasReset = false
        lastScript = 0
        hasKnownForm = true
    }
}

/// How the PIN of a card is known to its issuer.
package enum PINOnRecord: Hashable, Sendable {
    /// The card has no online PIN.
    case none
    /// A format 0 block under the PIN verification key.
    case reference(EncipheredPINBlock)
    /// Visa's PIN verification value.
    case verificationValue(PINVerificationValue)
}

extension ATCWindow {
    /// The half-open range of ATCs; whole bytes at a time.
    static func clear(from start: Int, to end: Int, bytes: inout [UInt8], at place: Int) {
        var atc = start
        while atc < end {
            let bit = atc % count
            if bit % 8 == 0, end - atc >= 8 {
                bytes[place + bit / 8] = 0
                atc += 8
            } else {
                bytes[place + bit / 8] &= ~(0x80 >> UInt8(bit % 8))
                atc += 1
            }
        }
    }
}
