/// A secure channel that does not come about or does not hold. Never holds a key.
package enum ChannelError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The answer to INITIALIZE UPDATE has not its form.
    case malformedAnswer
    /// A protocol or a security level that the card does not offer, in words.
    case unsupported(String)
    /// The card's cryptogram is not that of these keys.
    case cardCryptogram
    /// The card's challenge is not the pseudo-random one.
    case cardChallenge
    /// An answer's MAC does not verify.
    case answerMAC
    /// A command's data do not fit into one command with what the channel adds.
    case tooLong(count: Int, max: Int)

    /// One line for people.
    package var description: String {
        switch self {
        case .malformedAnswer: "the card's answer to INITIALIZE UPDATE has another form"
        case .unsupported(let words): words
        case .cardCryptogram: "the card's cryptogram is wrong: it has other keys"
        case .cardChallenge:
            "the card's challenge is not the one that follows from its counter: it has other keys"
        case .answerMAC: "the MAC of the card's answer is wrong"
        case .tooLong(let count, let max): "\(count) bytes of data: a command takes at most \(max)"
        }
    }
}
