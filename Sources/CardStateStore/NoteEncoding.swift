internal import Authorisation

/// One line of printable ASCII, its parts divided by `;`, free text last.
extension JournalNote {
    /// Appends `rrn;stan;seconds;link;minor units;currency;atc;chip;event;transaction;reason`; what is absent is `-`.
    func appendEncoded(into bytes: inout [UInt8]) {
        let (letter, reason) = stored
        var parts = ["\(systemsTraceAuditNumber)", "\(unixSeconds)", link]
        parts += [amount.map { "\($0.minorUnits)" } ?? "-", amount.map { "\($0.currency.rawValue)" } ?? "-"]
        parts += [atc.map { "\($0)" } ?? "-", hasChip ? "1" : "0", letter, transaction, reason]
        bytes += retrievalReferenceNumber
        for part in parts {
            bytes.append(UInt8(ascii: ";"))
            bytes += part.utf8
        }
    }

    private var stored: (letter: String, reason: String) {
        switch event {
        case .undecided(let reason): ("u", reason)
        case .lateForDeadline: ("d", "")
        case .lateForConnection: ("c", "")
        case .untold: ("t", "")
        case .toldOtherwise: ("o", "")
        case .notKept(let count): ("k", "\(count)")
        }
    }

    /// Reads a line that `appendEncoded` wrote; nil where it is none.
    /// - Parameter card: stands beside it.
    init?(decoding bytes: some Collection<UInt8>, card: CardToken? = nil) {
        let parts = bytes.split(separator: UInt8(ascii: ";"), maxSplits: 10, omittingEmptySubsequences: false)
        guard parts.count == 11 else { return nil }
        let text = parts.map { String(decoding: $0, as: UTF8.self) }
        guard let stan = UInt32(text[1]), let seconds = Int64(text[2]),
            let event = Event(letter: text[8], reason: text[10])
        else { return nil }
        var amount: Amount?
        if let minorUnits = Int64(text[4]), let number = UInt16(text[5]),
            let currency = CurrencyCode(rawValue: number)
        {
            amount = Amount(minorUnits: minorUnits, currency: currency)
        }
        self.init(
            retrievalReferenceNumber: Array(parts[0]), systemsTraceAuditNumber: stan, unixSeconds: seconds,
            link: text[3], transaction: text[9], amount: amount, atc: UInt16(text[6]),
            hasChip: text[7] == "1", event: event, card: card)
    }
}

extension JournalNote.Event {
    fileprivate init?(letter: String, reason: String) {
        switch letter {
        case "u": self = .undecided(reason: reason)
        case "d": self = .lateForDeadline
        case "c": self = .lateForConnection
        case "t": self = .untold
        case "o": self = .toldOtherwise
        case "k":
            guard let count = Int(reason) else { return nil }
            self = .notKept(count: count)
        default: return nil
        }
    }
}
