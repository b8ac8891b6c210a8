package import EMV

/// A payment application as it is personalised on a chip: what SELECT, GET PROCESSING OPTIONS and READ RECORD
/// give, and what the card decides by.
package struct ChipApplication: Sendable {
    /// What the card makes of the terminal's proposal at the first GENERATE AC.
    package enum Attitude: String, Sendable, CaseIterable {
        /// Gives what is asked for.
        case agrees
        /// Goes online whenever a TC is asked for.
        case online
        /// Declines.
        case declines
    }

    /// 84, 4F.
    package var identifier: [UInt8]
    /// 50.
    package var label: String
    /// 82.
    package var interchangeProfile: UInt16
    /// 8E: amounts X and Y (four bytes each), then rules of two bytes.
    package var verificationMethods: [UInt8]
    /// 8C: tags with lengths.
    package var firstObjects: [(tag: Tag, count: Int)]
    /// 8D.
    package var secondObjects: [(tag: Tag, count: Int)]
    /// 9F0D, five bytes.
    package var actionDefault: UInt64
    /// 9F0E.
    package var actionDenial: UInt64
    /// 9F0F.
    package var actionOnline: UInt64
    /// 9F14 and 9F23: transactions in a row without the issuer; nil where the terminal does not look.
    package var consecutiveOffline: (lower: Int, upper: Int)?
    /// Certificates and private key; nil for a card without, which no terminal can authenticate.
    package var authentication: CardAuthentication?
    /// As configured.
    package var attitude: Attitude

    /// The usual contact credit application for a card.
    package init(for product: CardProduct) {
        identifier = product.dedicatedFileName
        label = "TEST CREDIT"
        // Visa's cards are told who the issuer is by EXTERNAL AUTHENTICATE (AIP byte 1 bit 3), all others by the
        // second GENERATE AC.
        let isVisa = [.visa, .visaFormat2].contains(product.profile.format)
        interchangeProfile = product.applicationInterchangeProfile & ~0x0400 | (isVisa ? 0x0400 : 0)
        // X and Y zero; PIN online, signature, none.
        verificationMethods = [0, 0, 0, 0, 0, 0, 0, 0, 0x42, 0x03, 0x1E, 0x03, 0x1F, 0x03]
        firstObjects = ChipApplication.usualObjects
        // ARPC and code, or ARPC and CSU.
        let issuerData: [(tag: Tag, count: Int)] =
            isVisa
            ? [] : [(.issuerAuthenticationData, product.profile.responseMethod == .method1 ? 10 : 8)]
        secondObjects = issuerData + [(.authorisationResponseCode, 2)] + ChipApplication.usualObjects
        actionDefault = 0xB8_6004_0000
        actionDenial = 0x00_1000_0000
        actionOnline = 0xB8_6804_9800
        attitude = .agrees
    }

    /// CDOL2 asks for 91, and the AIP says nothing of EXTERNAL AUTHENTICATE.
    var looksAtIssuerDataLast: Bool {
        interchangeProfile & 0x0400 == 0 && secondObjects.contains { $0.tag == .issuerAuthenticationData }
    }

    /// What the profiles sign, and what the message carries besides.
    package static let usualObjects: [(tag: Tag, count: Int)] = [
        (.amountAuthorised, 6), (.amountOther, 6), (.terminalCountryCode, 2),
        (.terminalVerificationResults, 5), (.transactionCurrencyCode, 2), (.transactionDate, 3),
        (.transactionType, 1), (.unpredictableNumber, 4), (.terminalType, 1),
        (.cardholderVerificationMethodResults, 3),
    ]
}

extension Tag {
    static let fileControlInformation = Tag(rawValue: 0x6F)
    static let proprietaryTemplate = Tag(rawValue: 0xA5)
    static let issuerDiscretionaryData = Tag(rawValue: 0xBF0C)
    static let directoryEntry = Tag(rawValue: 0x61)
    static let applicationIdentifier = Tag(rawValue: 0x4F)
    static let applicationLabel = Tag(rawValue: 0x50)
    static let priority = Tag(rawValue: 0x87)
    static let processingOptions = Tag(rawValue: 0x77)
    static let fileLocator = Tag(rawValue: 0x94)
    static let recordTemplate = Tag(rawValue: 0x70)
    static let accountNumber = Tag(rawValue: 0x5A)
    static let expiration = Tag(rawValue: 0x5F24)
    static let riskObjects1 = Tag(rawValue: 0x8C)
    static let riskObjects2 = Tag(rawValue: 0x8D)
    static let verificationMethodList = Tag(rawValue: 0x8E)
    static let actionCodeDefault = Tag(rawValue: 0x9F0D)
    static let actionCodeDenial = Tag(rawValue: 0x9F0E)
    static let actionCodeOnline = Tag(rawValue: 0x9F0F)
    static let lowerConsecutiveLimit = Tag(rawValue: 0x9F14)
    static let upperConsecutiveLimit = Tag(rawValue: 0x9F23)
    static let lastOnlineCounter = Tag(rawValue: 0x9F13)
    static let pinTryCounter = Tag(rawValue: 0x9F17)
}

/// One command and its answer, as the terminal saw them.
package struct CardCommand: Sendable {
    /// `SELECT`, `GENERATE AC`.
    package let name: String
    /// CLA, INS, P1, P2.
    package let header: [UInt8]
    /// The objects that went along.
    package let sent: [(tag: Tag, value: [UInt8])]
    /// BER-TLV of the answer; may hold the account number, so it is for masked printing only.
    package let received: [UInt8]
    /// `9000` for success.
    package let status: UInt16
}
