internal import Authorisation
internal import Books

/// What happens in words, for a reader who looks for the fault behind a seed. The cards are the simulation's own.
extension Deal {
    var story: String {
        var words = [
            "deal \(number), account \(account) card \(plastic.sequenceNumber)", "\(entry)", kind.words,
        ]
        words += ["\(minorUnits)", "\(purpose)", "at \(place.terminal), STAN \(stan)"]
        words += ["DE7 \(sentAt), local \(localTime), DE37 \(reference)"]
        if entry == .chip { words.append("ATC \(atc)") }
        if let shop {
            words.append("in \(shop.currency), \(shop.isBilled ? "billed" : "table"), pays \(paid)")
        }
        if let pin { words.append(isPINMalformed ? "PIN malformed" : "PIN \(pin)") }
        if isRepeat { words.append("xxx1") }
        if isForged { words.append("forged") }
        if let signedType { words.append("9C \(signedType)") }
        if let original { words.append("of deal \(original)") }
        if let naming {
            words.append(
                "names STAN \(naming.stan) DE7 \(naming.sentAt) \(naming.isAdvice ? "advice" : "request") DE37 "
                    + "\(naming.reference) terminal \(naming.terminal) local \(naming.localTime) own "
                    + "\(naming.ownSTAN) \(naming.ownSentAt)\(isClear ? "" : ", not clear")")
        }
        return words.joined(separator: ", ")
    }
}

extension JournalWrite {
    var story: String {
        lines.map { line -> String in
            guard case .decision(let decision) = line else { return "\(line)" }
            var words = "decision on \(decision.message): \(decision.isDeclined ? "declined" : "done")"
            if decision.isRepeated { words += ", repeated" }
            if let taken = decision.taken { words += ", taken \(taken)" }
            if let back = decision.givenBack { words += ", given back \(back)" }
            if let isRight = decision.isPINRight { words += ", PIN \(isRight ? "right" : "wrong")" }
            return words + ", \(decision.available) left"
        }.joined(separator: "; ")
    }
}
