internal import ISO8583
internal import VirtualCard

/// The elements in which a terminal says other things, or in other words, on a link of ISO 8583:1993.
extension Terminal {
    /// DE24 of a first request or advice of this class: the original one, its amount known.
    static func functionCode(of mti: MTI) -> String { mti.messageClass == .financial ? "200" : "100" }

    /// 0800 and its kin of the dialect's edition; any other type as it is, in that edition.
    static func type(_ mti: MTI, in dialect: Dialect) -> MTI {
        guard dialect.messageType.version == 1, mti.version == 0 else { return mti }
        return mti == .networkManagementRequest ? .networkManagementRequest1993 : mti.of(version: 1)
    }

    /// DE24 for what DE70 says in 1987; another code stays as it is.
    static func networkCode1993(_ code: String) -> String {
        ["001": "801", "002": "802", "301": "831"][code] ?? code
    }

    /// What a reversal says of its original: DE24 and DE25, DE30 and DE4 where part of it remains, DE56.
    static func setOriginal1993(
        of request: Message, answered: Bool, completed: UInt64?, message: inout Message
    ) {
        message.set(.functionCode, text: completed == nil ? "400" : "401")
        // Completed in part; the customer's wish; no answer in time.
        message.set(.messageReasonCode, text: completed != nil ? "4004" : answered ? "4000" : "4021")
        if let completed {
            let original = request.text(.transactionAmount) ?? ""
            message.set(.originalAmounts, text: original + MoneyText.digits(0, count: 12))
            message.set(.transactionAmount, text: MoneyText.digits(completed, count: 12))
        }
        message.set(.originalData1993, text: originalData1993(of: request))
    }

    /// DE56: message type, DE11 and DE12 of the request, its DE32 behind the length.
    static func originalData1993(of request: Message) -> String {
        let acquirer = request.text(.acquirerIdentifier) ?? ""
        return "\(request.mti)" + (request.text(.stan) ?? "") + (request.text(.localTime) ?? "")
            + MoneyText.digits(UInt64(acquirer.utf8.count), count: 2) + acquirer
    }
}

extension CardPresentation {
    /// DE22 of ISO 8583:1993: what the terminal can read and check, keeps no cards, attended on premises; cardholder and
    /// card; how the card was read; PIN and who checked it; what the terminal can write, print and show; PIN length.
    var pointOfServiceData: String {
        switch self {
        case .chip: "51010151334C"
        case .stripe: "51010121314C"
        case .fallback: "51010191314C"
        case .contactlessStripe: "510101A1314C"
        case .eCommerce: "600050S00140"
        default: "600020600140"
        }
    }
}
