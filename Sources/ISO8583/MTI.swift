/// Message type indicator (ISO 8583-1 4.1): four digits, held packed, so `0100` is 0x0100.
/// First digit version, second class, third function, fourth origin.
package struct MTI: RawRepresentable, Hashable, Sendable {
    /// The four digits, one a nibble.
    package let rawValue: UInt16

    /// The indicator with these digits, whether or not any standard gives them a meaning.
    @inlinable
    package init(rawValue: UInt16) {
        self.rawValue = rawValue
    }

    /// 0 is ISO 8583:1987, 1 is 1993, 2 is 2003.
    @inlinable
    package var version: UInt8 { UInt8(rawValue >> 12) }

    /// What the message is about.
    @inlinable
    package var messageClass: MessageClass? { MessageClass(rawValue: UInt8(rawValue >> 8 & 0x0F)) }

    /// 0 request, 1 request response, 2 advice, 3 advice response, 4 notification, 5 its acknowledgement.
    @inlinable
    package var function: UInt8 { UInt8(rawValue >> 4 & 0x0F) }

    /// 0 acquirer, 2 issuer, 4 other; the odd number above each is its repeat.
    @inlinable
    package var origin: UInt8 { UInt8(rawValue & 0x0F) }

    /// A request or an advice: somebody waits for an answer to it.
    @inlinable
    package var isRequest: Bool { function == 0 || function == 2 }

    /// A notification (ISO 8583:1993): it tells what has happened, and nobody waits for an answer to it.
    @inlinable
    package var isNotification: Bool { function == 4 }

    /// Of ISO 8583:1993: data elements and codes have the meanings of that edition.
    @inlinable
    package var is1993: Bool { rawValue >> 12 == 1 }

    /// The same type in another version.
    package func of(version: UInt8) -> MTI { MTI(rawValue: rawValue & 0x0FFF | UInt16(version) << 12) }

    /// The sender has sent this before (`0101`, `0401`, `0421`).
    @inlinable
    package var isRepeat: Bool { !origin.isMultiple(of: 2) }

    /// The indicator of the message that answers this one: `0100` and its repeat `0101` are answered by
    /// `0110`, `0420` and `0421` by `0430`. Nil when nothing answers it.
    @inlinable
    package var response: MTI? {
        isRequest ? MTI(rawValue: (rawValue & 0xFFFE) + 0x10) : nil
    }

    /// Digits with a meaning: a class of 1 to 8, a function and an origin of 0 to 5.
    @inlinable
    package var isWellFormed: Bool {
        version <= 9 && messageClass != nil && function <= 5 && origin <= 5
    }
}

extension MTI {
    /// The second digit.
    package enum MessageClass: UInt8, Sendable {
        case authorisation = 1
        case financial = 2
        case fileAction = 3
        case reversal = 4
        case reconciliation = 5
        case administrative = 6
        case feeCollection = 7
        case networkManagement = 8
    }

    /// 0100
    package static let authorisationRequest = MTI(rawValue: 0x0100)
    /// 0101
    package static let authorisationRepeat = MTI(rawValue: 0x0101)
    /// 0110
    package static let authorisationResponse = MTI(rawValue: 0x0110)
    /// 0120
    package static let authorisationAdvice = MTI(rawValue: 0x0120)
    /// 0121
    package static let authorisationAdviceRepeat = MTI(rawValue: 0x0121)
    /// 0130
    package static let authorisationAdviceResponse = MTI(rawValue: 0x0130)
    /// 0200
    package static let financialRequest = MTI(rawValue: 0x0200)
    /// 0201
    package static let financialRepeat = MTI(rawValue: 0x0201)
    /// 0210
    package static let financialResponse = MTI(rawValue: 0x0210)
    /// 0220
    package static let financialAdvice = MTI(rawValue: 0x0220)
    /// 0221
    package static let financialAdviceRepeat = MTI(rawValue: 0x0221)
    /// 0230
    package static let financialAdviceResponse = MTI(rawValue: 0x0230)
    /// 0400
    package static let reversalRequest = MTI(rawValue: 0x0400)
    /// 0401
    package static let reversalRepeat = MTI(rawValue: 0x0401)
    /// 0410
    package static let reversalResponse = MTI(rawValue: 0x0410)
    /// 0420
    package static let reversalAdvice = MTI(rawValue: 0x0420)
    /// 0421
    package static let reversalAdviceRepeat = MTI(rawValue: 0x0421)
    /// 0430
    package static let reversalAdviceResponse = MTI(rawValue: 0x0430)
    /// 0800
    package static let networkManagementRequest = MTI(rawValue: 0x0800)
    /// 1804, by neither acquirer nor issuer (ISO 8583:1993)
    package static let networkManagementRequest1993 = MTI(rawValue: 0x1804)
    /// 0810
    package static let networkManagementResponse = MTI(rawValue: 0x0810)
}

extension MTI: CustomStringConvertible {
    /// The four digits.
    package var description: String {
        let hex = String(rawValue, radix: 16, uppercase: true)
        return String(repeating: "0", count: 4 - hex.count) + hex
    }
}
