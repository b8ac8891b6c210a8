/// A kept transaction from its bytes, and what is true of it later.
extension KeptTransaction {
    /// True for what money can be given back of.
    var isTaking: Bool {
        declined == nil && transmission.messageClass != .reversal && kind != .balanceEnquiry
            && !flags.contains(.noted)
    }

    /// Is filed when it leaves the record: money hangs on it, or a reversal, which is said once only.
    var isFiled: Bool {
        isTaking || declined == .reversedBefore || !flags.isDisjoint(with: [.noted, .reversed])
    }

    /// The same on the account's new PAN, whose plastics count their transactions from one on again.
    var movedOn: KeptTransaction {
        var moved = self
        if plastic < Self.ofPANBefore {
            moved.plastic |= Self.ofPANBefore
        } else {
            // Of a PAN before that: nobody presents its chip any more.
            moved.plastic = 255
            moved.flags.remove(.chip)
        }
        return moved
    }

    /// A place where nothing of it can change any more.
    var isOver: Bool { !flags.isDisjoint(with: [.reversed, .settled, .expired]) }
}

extension KeptTransaction {
    /// Reads what `append` wrote; nil where bytes are no such thing.
    init?(_ bytes: [UInt8], at place: Int) {
        guard place + Self.byteCount <= bytes.count,
            let messageClass = TransmissionClass(rawValue: bytes[place + 4]),
            let kind = TransactionKind(rawValue: bytes[place + 5])
        else { return nil }
        let outcome = bytes[place + 8]
        if outcome != 0 {
            guard let reason = DeclineReason(rawValue: outcome) else { return nil }
            declined = reason
        }
        number = bytes.load(place, as: UInt32.self)
        self.kind = kind
        flags = Flags(rawValue: bytes.load(place + 6, as: UInt16.self))
        plastic = bytes[place + 9]
        atc = bytes.load(place + 10, as: UInt16.self)
        transmission = Transmission(
            messageClass: messageClass, isRepeat: flags.contains(.cameAsRepeat),
            stan: bytes.load(place + 12, as: UInt32.self), sentAt: bytes.load(place + 16, as: UInt32.self),
            localTime: bytes.load(place + 20, as: UInt32.self),
            reference: bytes.load(place + 24, as: UInt64.self),
            acquirer: bytes.load(place + 32, as: UInt32.self),
            namesAcquirer: !flags.contains(.namesNoAcquirer),
            terminal: bytes.load(place + 36, as: UInt32.self),
            merchant: bytes.load(place + 40, as: UInt32.self))
        lastSTAN = bytes.load(place + 44, as: UInt32.self)
        lastSentAt = bytes.load(place + 48, as: UInt32.self)
        asked = bytes.load(place + 52, as: Int64.self)
        booked = bytes.load(place + 60, as: Int64.self)
        taken = bytes.load(place + 68, as: Int64.self)
        cash = Int64(bytes.load(place + 76, as: UInt32.self)) << 8 | Int64(bytes[place + 80])
        // Byte 81 is for later formats.
        currency = bytes.load(place + 82, as: UInt16.self)
        decidedAt = bytes.load(place + 84, as: UInt32.self)
        day = bytes.load(place + 88, as: UInt16.self)
        approvalCode =
            UInt64(bytes.load(place + 90, as: UInt32.self)) << 16
            | UInt64(bytes.load(place + 94, as: UInt16.self))
    }

    /// DE38 as bytes.
    var approvalCodeBytes: [UInt8] {
        (0..<6).map { UInt8(truncatingIfNeeded: approvalCode >> UInt64(40 - 8 * $0)) }
    }
}
