/// How a card opens secure channels: what it says in its answer to INITIALIZE UPDATE (GlobalPlatform 2.3.1 E.5.1,
/// Amendment D 7.1.1). Byte encodings alone; both sides compute by themselves.
package struct InitializeUpdateAnswer: Hashable, Sendable {
    /// Ten bytes that the card's keys are diversified by.
    package let diversificationData: [UInt8]
    /// Of the key set.
    package let keyVersion: UInt8
    /// 2 or 3.
    package let protocolNumber: UInt8
    /// `i` of SCP03; nil for SCP02, which does not say it here.
    package let parameter: UInt8?
    /// Of SCP02, two bytes; of SCP03 three where its challenge is pseudo-random, else empty.
    package let sequenceCounter: [UInt8]
    /// Six bytes with SCP02, 8 or 16 with SCP03.
    package let challenge: [UInt8]
    /// Eight bytes, or 16 with S16.
    package let cryptogram: [UInt8]

    package init(
        diversificationData: [UInt8], keyVersion: UInt8, protocolNumber: UInt8, parameter: UInt8?,
        sequenceCounter: [UInt8], challenge: [UInt8], cryptogram: [UInt8]
    ) {
        self.diversificationData = diversificationData
        self.keyVersion = keyVersion
        self.protocolNumber = protocolNumber
        self.parameter = parameter
        self.sequenceCounter = sequenceCounter
        self.challenge = challenge
        self.cryptogram = cryptogram
    }

    /// Nil for what is no such answer.
    package init?(_ data: [UInt8]) {
        guard data.count >= 12 else { return nil }
        let (kdd, version) = (Array(data[..<10]), data[10])
        switch data[11] {
        case 2 where data.count == 28:
            self.init(
                diversificationData: kdd, keyVersion: version, protocolNumber: 2, parameter: nil,
                sequenceCounter: Array(data[12..<14]), challenge: Array(data[14..<20]),
                cryptogram: Array(data[20...]))
        case 3 where data.count > 12:
            let parameter = data[12]
            let count = ChannelParameter.size(parameter)
            let counter = ChannelParameter.isPseudoRandom(parameter) ? 3 : 0
            guard data.count == 13 + 2 * count + counter else { return nil }
            self.init(
                diversificationData: kdd, keyVersion: version, protocolNumber: 3, parameter: parameter,
                sequenceCounter: Array(data[(13 + 2 * count)...]), challenge: Array(data[13..<13 + count]),
                cryptogram: Array(data[13 + count..<13 + 2 * count]))
        default: return nil
        }
    }

    /// As the card sends it.
    package var bytes: [UInt8] {
        let head = diversificationData + [keyVersion, protocolNumber]
        guard let parameter else { return head + sequenceCounter + challenge + cryptogram }
        return head + [parameter] + challenge + cryptogram + sequenceCounter
    }
}

/// Bits of SCP03's `i` (Amendment D 5.1).
package enum ChannelParameter {
    /// Bytes of challenges, cryptograms and MACs: 8, or 16 with S16.
    package static func size(_ parameter: UInt8) -> Int { parameter & 0x01 == 0 ? 8 : 16 }
    /// The card's challenge can be foretold by who has its keys.
    package static func isPseudoRandom(_ parameter: UInt8) -> Bool { parameter & 0x10 != 0 }
    /// The card's answers may bear MACs.
    package static func answersBearMACs(_ parameter: UInt8) -> Bool { parameter & 0x20 != 0 }
    /// They may be enciphered, too.
    package static func answersAreEnciphered(_ parameter: UInt8) -> Bool { parameter & 0x60 == 0x60 }
}

/// P1 of EXTERNAL AUTHENTICATE: what protects the session's messages.
package struct SecurityLevel: OptionSet, Hashable, Sendable {
    package let rawValue: UInt8
    package init(rawValue: UInt8) { self.rawValue = rawValue }
    /// Commands bear MACs.
    package static let commandMAC = SecurityLevel(rawValue: 0x01)
    /// Their data are enciphered.
    package static let commandEncryption = SecurityLevel(rawValue: 0x02)
    /// Answers bear MACs.
    package static let answerMAC = SecurityLevel(rawValue: 0x10)
    /// Their data are enciphered.
    package static let answerEncryption = SecurityLevel(rawValue: 0x20)

    /// Levels that exist (Amendment D 7.1.2.1): none without what it stands on.
    package var isDefined: Bool { [0x00, 0x01, 0x03, 0x10, 0x11, 0x13, 0x33].contains(rawValue) }
}
