/// The message types that the product knows.
extension MTI {
    /// A notification (ISO 8583:1993): it tells what has happened, and nobody waits for an answer to it.
    package var isNotification: Bool { function == 4 }

    /// The same type in another version.
    package func of(version: UInt8) -> MTI { MTI(rawValue: rawValue & 0x0FFF | UInt16(version) << 12) }
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
    /// 0200
    package static let financialRequest = MTI(rawValue: 0x0200)
    /// 0220
    package static let financialAdvice = MTI(rawValue: 0x0220)
    /// 0221
    package static let financialAdviceRepeat = MTI(rawValue: 0x0221)
    /// 0230
    package static let financialAdviceResponse = MTI(rawValue: 0x0230)
    /// 0400
    package static let reversalRequest = MTI(rawValue: 0x0400)
    /// 0420
    package static let reversalAdvice = MTI(rawValue: 0x0420)
    /// 0421
    package static let reversalAdviceRepeat = MTI(rawValue: 0x0421)
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
