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

/// 48 bytes: sequence number, status, form of the PIN, index of the PVV's key (1 each), PVV (2), tries (2), reference
/// (8), expiry in months since 2000 (2), highest ATC (2), flags (1), eleven bytes for later, last script (4), twelve for
/// later.
extension Plastic {
    init(_ bytes: [UInt8], at place: Int) {
        sequenceNumber = bytes[place]
        let known = CardStatus.inOrder.indices.contains(Int(bytes[place + 1])) && bytes[place + 2] <= 2
        status = known ? CardStatus.inOrder[Int(bytes[place + 1])] : .restricted
        switch bytes[place + 2] {
        case 1:
            pin = .reference(EncipheredPINBlock(rawValue: bytes.load(place + 8, as: UInt64.self)))
        case 2:
            let value = PINVerificationValue(
                keyIndex: bytes[place + 3], digits: bytes.load(place + 4, as: UInt16.self))
            pin = value.map(PINOnRecord.verificationValue) ?? .none
        default: pin = .none
        }
        pinTriesMax = bytes[place + 6]
        pinTriesUsed = bytes[place + 7]
        let month = bytes.load(place + 16, as: UInt16.self)
        expiry = ExpiryDate(monthsSince2000: Int(month))
        highestATC = bytes[place + 20] & 1 != 0 ? bytes.load(place + 18, as: UInt16.self) : nil
        wasReset = bytes[place + 20] & 2 != 0
        lastScript = bytes.load(place + 32, as: UInt32.self)
        hasKnownForm = known
    }

    func write(to bytes: inout [UInt8], at place: Int) {
        bytes[place] = sequenceNumber
        bytes[place + 1] = status.stored
        bytes[place + 3] = 0
        bytes.put(UInt16(0), at: place + 4)
        bytes.put(UInt64(0), at: place + 8)
        switch pin {
        case .none: bytes[place + 2] = 0
        case .reference(let block):
            bytes[place + 2] = 1
            bytes.put(block.rawValue, at: place + 8)
        case .verificationValue(let value):
            bytes[place + 2] = 2
            bytes[place + 3] = value.keyIndex
            bytes.put(value.digits, at: place + 4)
        }
        bytes[place + 6] = pinTriesMax
        bytes[place + 7] = pinTriesUsed
        bytes.put(UInt16(clamping: expiry.months), at: place + 16)
        bytes.put(highestATC ?? 0, at: place + 18)
        bytes[place + 20] = (highestATC == nil ? 0 : 1) | (wasReset ? 2 : 0)
        bytes.put(lastScript, at: place + 32)
    }
}

/// Which of a plastic's last 2,048 ATCs were seen: a ring of 256 bytes, one bit each.
enum ATCWindow {
    /// How far back single ATCs are known.
    static let count = 2_048
    /// Bytes in the record.
    static let byteCount = 256

    /// What the window says of an ATC.
    /// - Parameters:
    ///   - place: where the ring begins in the record.
    ///   - highest: nil before the first.
    static func finding(
        _ atc: UInt16, highest: UInt16?, jumpMax: Int, acceptsLate: Bool, bytes: [UInt8], at place: Int
    ) -> ATCFinding {
        guard let highest else { return .first }
        if atc > highest { return Int(atc - highest) > jumpMax ? .outOfRange : .ahead }
        if Int(highest - atc) >= count { return .outOfRange }
        if isSeen(atc, bytes, at: place) { return .replayed }
        return acceptsLate ? .late : .outOfRange
    }

    /// Marks an ATC, and clears the places between it and the highest, which belong to an earlier turn of the ring.
    static func claim(_ atc: UInt16, highest: UInt16?, bytes: inout [UInt8], at place: Int) {
        if let highest, atc > highest {
            clear(from: Int(highest) + 1, to: Int(atc), bytes: &bytes, at: place)
        }
        let bit = Int(atc) % count
        bytes[place + bit / 8] |= 0x80 >> UInt8(bit % 8)
    }

    static func isSeen(_ atc: UInt16, _ bytes: [UInt8], at place: Int) -> Bool {
        let bit = Int(atc) % count
        return bytes[place + bit / 8] & (0x80 >> UInt8(bit % 8)) != 0
    }

    /// The half-open range of ATCs; whole bytes at a time.
    private static func clear(from start: Int, to end: Int, bytes: inout [UInt8], at place: Int) {
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
