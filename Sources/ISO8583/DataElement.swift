/// The number of a data element, 1 to 128. What stands behind the number on a link is the dialect's matter;
/// the names here are those of ISO 8583:1987.
public struct DataElement: RawRepresentable, Hashable, Sendable {
    /// 1...128.
    public let rawValue: UInt8

    /// Nil outside of 1...128.
    @inlinable
    public init?(rawValue: UInt8) {
        guard 1...128 ~= rawValue else { return nil }
        self.rawValue = rawValue
    }

    /// For numbers that come out of a bitmap or a literal here, which cannot be outside.
    @inlinable
    init(unchecked number: Int) {
        rawValue = UInt8(truncatingIfNeeded: number)
    }
}

extension DataElement {
    /// DE1, b 8: the second bitmap; an element of its own only inside of others.
    public static let secondaryBitmap = DataElement(unchecked: 1)
    /// DE2, n..19: primary account number (PAN).
    public static let pan = DataElement(unchecked: 2)
    /// DE3, n 6: processing Code.
    public static let processingCode = DataElement(unchecked: 3)
    /// DE4, n 12: amount, Transaction.
    public static let transactionAmount = DataElement(unchecked: 4)
    /// DE5, n 12: amount, Settlement.
    public static let settlementAmount = DataElement(unchecked: 5)
    /// DE6, n 12: amount, Cardholder Billing.
    public static let cardholderBillingAmount = DataElement(unchecked: 6)
    /// DE7, n 10: transmission Date and Time.
    public static let transmissionTime = DataElement(unchecked: 7)
    /// DE10, n 8: conversion Rate, Cardholder Billing.
    public static let cardholderBillingConversionRate = DataElement(unchecked: 10)
    /// DE11, n 6: system Trace Audit Number.
    public static let stan = DataElement(unchecked: 11)
    /// DE12, n 6: time, Local Transaction.
    public static let localTime = DataElement(unchecked: 12)
    /// DE13, n 4: date, Local Transaction.
    public static let localDate = DataElement(unchecked: 13)
    /// DE14, n 4: expiry date, YYMM.
    public static let expirationDate = DataElement(unchecked: 14)
    /// DE15, n 4: date, Settlement.
    public static let settlementDate = DataElement(unchecked: 15)
    /// DE18, n 4: merchant Type.
    public static let merchantType = DataElement(unchecked: 18)
    /// DE19, n 3: acquiring Institution Country Code.
    public static let acquirerCountry = DataElement(unchecked: 19)
    /// DE22, n 3: point-of-Service Entry Mode.
    public static let pointOfServiceEntryMode = DataElement(unchecked: 22)
    /// DE23, n 3: PAN Sequence Number.
    public static let panSequenceNumber = DataElement(unchecked: 23)
    /// DE24, n 3: network International ID (NII).
    public static let networkInternationalIdentifier = DataElement(unchecked: 24)
    /// DE25, n 2: point-of-Service Condition Code.
    public static let pointOfServiceConditionCode = DataElement(unchecked: 25)
    /// DE28, x+n 9: amount, Transaction Fee.
    public static let transactionFee = DataElement(unchecked: 28)
    /// DE32, n..11: acquiring Institution ID Code.
    public static let acquirerIdentifier = DataElement(unchecked: 32)
    /// DE33, n..11: forwarding Institution ID Code.
    public static let forwardingIdentifier = DataElement(unchecked: 33)
    /// DE34, ans..28: primary Account Number, Extended.
    public static let extendedPAN = DataElement(unchecked: 34)
    /// DE35, z..37: track 2 Data.
    public static let track2 = DataElement(unchecked: 35)
    /// DE36, ans..104: track 3 Data.
    public static let track3 = DataElement(unchecked: 36)
    /// DE37, an 12: retrieval Reference Number.
    public static let retrievalReferenceNumber = DataElement(unchecked: 37)
    /// DE38, an 6: authorisation ID Response.
    public static let authorisationCode = DataElement(unchecked: 38)
    /// DE39, an 2: response Code.
    public static let responseCode = DataElement(unchecked: 39)
    /// DE41, ans 8: card Acceptor Terminal ID.
    public static let terminalIdentifier = DataElement(unchecked: 41)
    /// DE42, ans 15: card Acceptor ID Code.
    public static let merchantIdentifier = DataElement(unchecked: 42)
    /// DE43, ans 40: card Acceptor Name/Location.
    public static let merchantNameAndLocation = DataElement(unchecked: 43)
    /// DE44, ans..25: additional Response Data.
    public static let additionalResponseData = DataElement(unchecked: 44)
    /// DE45, ans..76: track 1 Data.
    public static let track1 = DataElement(unchecked: 45)
    /// DE48, ans..999: additional Data - Private.
    public static let additionalData = DataElement(unchecked: 48)
    /// DE49, an 3: currency Code, Transaction.
    public static let currency = DataElement(unchecked: 49)
    /// DE50, an 3: currency Code, Settlement.
    public static let settlementCurrency = DataElement(unchecked: 50)
    /// DE51, an 3: currency Code, Cardholder Billing.
    public static let cardholderBillingCurrency = DataElement(unchecked: 51)
    /// DE52, b 8: PIN data.
    public static let pinData = DataElement(unchecked: 52)
    /// DE53, n 16: security-Related Control Information.
    public static let securityControl = DataElement(unchecked: 53)
    /// DE54, ans..240: additional Amounts.
    public static let additionalAmounts = DataElement(unchecked: 54)
    /// DE55, b..255: ICC data.
    public static let iccData = DataElement(unchecked: 55)
    /// DE60, ans..999: reserved National.
    public static let privateData60 = DataElement(unchecked: 60)
    /// DE61, ans..999: reserved Private.
    public static let privateData61 = DataElement(unchecked: 61)
    /// DE62, ans..999: reserved Private.
    public static let privateData62 = DataElement(unchecked: 62)
    /// DE63, ans..999: reserved Private.
    public static let privateData63 = DataElement(unchecked: 63)
    /// DE64, b 8: MAC.
    public static let mac = DataElement(unchecked: 64)
    /// DE70, n 3: network Management Information Code.
    public static let networkManagementCode = DataElement(unchecked: 70)
    /// DE90, n 42: original Data Elements.
    public static let originalDataElements = DataElement(unchecked: 90)
    /// DE95, an 42: replacement Amounts.
    public static let replacementAmounts = DataElement(unchecked: 95)
    /// DE96, b 8: message Security Code.
    public static let messageSecurityCode = DataElement(unchecked: 96)
    /// DE100, n..11: receiving Institution ID Code.
    public static let receivingIdentifier = DataElement(unchecked: 100)
    /// DE102, ans..28: account ID 1.
    public static let accountIdentification1 = DataElement(unchecked: 102)
    /// DE103, ans..28: account ID 2.
    public static let accountIdentification2 = DataElement(unchecked: 103)
    /// DE128, b 8: MAC.
    public static let mac2 = DataElement(unchecked: 128)
}

extension DataElement: Comparable, CustomStringConvertible {
    /// By number, which is the order on the wire.
    @inlinable
    public static func < (left: DataElement, right: DataElement) -> Bool { left.rawValue < right.rawValue }

    /// `DE55`.
    public var description: String { "DE\(rawValue)" }
}
