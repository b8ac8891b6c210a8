/// The tags that the product knows, and their names.
extension Tag {
    /// - Returns: nil unless the text is two to eight hex digits, two a byte, as the books write tags.
    package init?(hex text: some StringProtocol) {
        let digits = text.utf8.count
        guard (2...8).contains(digits), digits.isMultiple(of: 2), !text.hasPrefix("+"), !text.hasPrefix("-"),
            let value = UInt32(text, radix: 16)
        else { return nil }
        rawValue = value
    }

    /// Hex digits as the books write them.
    package var description: String {
        let text = String(rawValue, radix: 16, uppercase: true)
        return text.count.isMultiple(of: 2) ? text : "0" + text
    }

    /// The books' name, `nil` where the tag is not in the table.
    package var name: String? { Tag.names[rawValue] }

    /// The number of tag bytes, 1…4.
    package var byteCount: Int {
        rawValue > 0xFF_FFFF ? 4 : rawValue > 0xFFFF ? 3 : rawValue > 0xFF ? 2 : 1
    }

    /// 71: Issuer Script Template 1.
    package static let issuerScript1 = Tag(rawValue: 0x71)
    /// 72: Issuer Script Template 2.
    package static let issuerScript2 = Tag(rawValue: 0x72)
    /// 82: Application Interchange Profile.
    package static let applicationInterchangeProfile = Tag(rawValue: 0x82)
    /// 84: Dedicated File Name.
    package static let dedicatedFileName = Tag(rawValue: 0x84)
    /// 86: Issuer Script Command.
    package static let issuerScriptCommand = Tag(rawValue: 0x86)
    /// 8A: Authorisation Response Code.
    package static let authorisationResponseCode = Tag(rawValue: 0x8A)
    /// 91: Issuer Authentication Data.
    package static let issuerAuthenticationData = Tag(rawValue: 0x91)
    /// 95: Terminal Verification Results.
    package static let terminalVerificationResults = Tag(rawValue: 0x95)
    /// 9A: Transaction Date, YYMMDD.
    package static let transactionDate = Tag(rawValue: 0x9A)
    /// 9C: Transaction Type.
    package static let transactionType = Tag(rawValue: 0x9C)
    /// 5F2A: Transaction Currency Code, ISO 4217.
    package static let transactionCurrencyCode = Tag(rawValue: 0x5F2A)
    /// 5F34: PAN Sequence Number.
    package static let panSequenceNumber = Tag(rawValue: 0x5F34)
    /// 9F02: Amount, Authorised, twelve digits.
    package static let amountAuthorised = Tag(rawValue: 0x9F02)
    /// 9F03: Amount, Other, twelve digits.
    package static let amountOther = Tag(rawValue: 0x9F03)
    /// 9F09: Application Version Number.
    package static let applicationVersionNumber = Tag(rawValue: 0x9F09)
    /// 9F10: Issuer Application Data.
    package static let issuerApplicationData = Tag(rawValue: 0x9F10)
    /// 9F18: Issuer Script Identifier.
    package static let issuerScriptIdentifier = Tag(rawValue: 0x9F18)
    /// 9F1A: Terminal Country Code, ISO 3166.
    package static let terminalCountryCode = Tag(rawValue: 0x9F1A)
    /// 9F1E: Interface Device Serial Number.
    package static let interfaceDeviceSerialNumber = Tag(rawValue: 0x9F1E)
    /// 9F26: Application Cryptogram.
    package static let applicationCryptogram = Tag(rawValue: 0x9F26)
    /// 9F27: Cryptogram Information Data.
    package static let cryptogramInformationData = Tag(rawValue: 0x9F27)
    /// 9F33: Terminal Capabilities.
    package static let terminalCapabilities = Tag(rawValue: 0x9F33)
    /// 9F34: CVM Results.
    package static let cardholderVerificationMethodResults = Tag(rawValue: 0x9F34)
    /// 9F35: Terminal Type.
    package static let terminalType = Tag(rawValue: 0x9F35)
    /// 9F36: Application Transaction Counter.
    package static let applicationTransactionCounter = Tag(rawValue: 0x9F36)
    /// 9F37: Unpredictable Number.
    package static let unpredictableNumber = Tag(rawValue: 0x9F37)
    /// 9F5B: Issuer Script Results.
    package static let issuerScriptResults = Tag(rawValue: 0x9F5B)

    /// Names from EMV Book 3 annex A, for tools that print messages.
    private static let names: [UInt32: String] = [
        0x4F: "Application Identifier", 0x50: "Application Label", 0x57: "Track 2 Equivalent Data",
        0x5A: "Application PAN", 0x71: "Issuer Script Template 1", 0x72: "Issuer Script Template 2",
        0x82: "Application Interchange Profile", 0x84: "Dedicated File Name",
        0x86: "Issuer Script Command", 0x8A: "Authorisation Response Code",
        0x8F: "CA Public Key Index", 0x90: "Issuer Public Key Certificate",
        0x91: "Issuer Authentication Data", 0x92: "Issuer Public Key Remainder",
        0x93: "Signed Static Application Data", 0x95: "Terminal Verification Results",
        0x9A: "Transaction Date", 0x9B: "Transaction Status Information", 0x9C: "Transaction Type",
        0x5F20: "Cardholder Name", 0x5F24: "Application Expiration Date",
        0x5F25: "Application Effective Date", 0x5F28: "Issuer Country Code",
        0x5F2A: "Transaction Currency Code", 0x5F30: "Service Code", 0x5F34: "PAN Sequence Number",
        0x9F02: "Amount, Authorised", 0x9F03: "Amount, Other", 0x9F06: "Application Identifier (terminal)",
        0x9F07: "Application Usage Control", 0x9F09: "Application Version Number",
        0x9F10: "Issuer Application Data", 0x9F18: "Issuer Script Identifier",
        0x9F1A: "Terminal Country Code",
        0x9F1E: "Interface Device Serial Number", 0x9F26: "Application Cryptogram",
        0x9F27: "Cryptogram Information Data", 0x9F2D: "ICC PIN Encipherment Public Key Certificate",
        0x9F2E: "ICC PIN Encipherment Public Key Exponent",
        0x9F2F: "ICC PIN Encipherment Public Key Remainder", 0x9F32: "Issuer Public Key Exponent",
        0x9F33: "Terminal Capabilities", 0x9F34: "CVM Results",
        0x9F35: "Terminal Type", 0x9F36: "Application Transaction Counter", 0x9F37: "Unpredictable Number",
        0x9F41: "Transaction Sequence Counter", 0x9F45: "Data Authentication Code",
        0x9F46: "ICC Public Key Certificate", 0x9F47: "ICC Public Key Exponent",
        0x9F48: "ICC Public Key Remainder", 0x9F49: "DDOL", 0x9F4A: "Static Data Authentication Tag List",
        0x9F4B: "Signed Dynamic Application Data", 0x9F4C: "ICC Dynamic Number",
        0x9F53: "Transaction Category Code",
        0x9F5B: "Issuer Script Results", 0x9F6E: "Form Factor Indicator", 0x9F7C: "Customer Exclusive Data",
    ]
}
