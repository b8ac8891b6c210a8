/// The data elements by name (ISO 8583:1987 table 1).
extension DataElement {
    /// Nil outside of 1...128.
    package init?(rawValue: UInt8) {
        guard 1...128 ~= rawValue else { return nil }
        self.rawValue = rawValue
    }
}

extension DataElement {
    /// DE1, b 8: the second bitmap; an element of its own only inside of others.
    package static let secondaryBitmap = DataElement(unchecked: 1)
    /// DE2, n..19: primary account number (PAN).
    package static let pan = DataElement(unchecked: 2)
    /// DE3, n 6: processing Code.
    package static let processingCode = DataElement(unchecked: 3)
    /// DE4, n 12: amount, Transaction.
    package static let transactionAmount = DataElement(unchecked: 4)
    /// DE6, n 12: amount, Cardholder Billing.
    package static let cardholderBillingAmount = DataElement(unchecked: 6)
    /// DE7, n 10: transmission Date and Time.
    package static let transmissionTime = DataElement(unchecked: 7)
    /// DE10, n 8: conversion Rate, Cardholder Billing.
    package static let cardholderBillingConversionRate = DataElement(unchecked: 10)
    /// DE11, n 6: system Trace Audit Number.
    package static let stan = DataElement(unchecked: 11)
    /// DE12, n 6: time, Local Transaction.
    package static let localTime = DataElement(unchecked: 12)
    /// DE13, n 4: date, Local Transaction.
    package static let localDate = DataElement(unchecked: 13)
    /// DE14, n 4: expiry date, YYMM.
    package static let expirationDate = DataElement(unchecked: 14)
    /// DE15, n 4: date, Settlement.
    package static let settlementDate = DataElement(unchecked: 15)
    /// DE18, n 4: merchant Type.
    package static let merchantType = DataElement(unchecked: 18)
    /// DE19, n 3: acquiring Institution Country Code.
    package static let acquirerCountry = DataElement(unchecked: 19)
    /// DE22, n 3: point-of-Service Entry Mode.
    package static let pointOfServiceEntryMode = DataElement(unchecked: 22)
    /// DE23, n 3: PAN Sequence Number.
    package static let panSequenceNumber = DataElement(unchecked: 23)
    /// DE24, n 3: network International ID (NII).
    package static let networkInternationalIdentifier = DataElement(unchecked: 24)
    /// DE25, n 2: point-of-Service Condition Code.
    package static let pointOfServiceConditionCode = DataElement(unchecked: 25)
    /// DE32, n..11: acquiring Institution ID Code.
    package static let acquirerIdentifier = DataElement(unchecked: 32)
    /// DE33, n..11: forwarding Institution ID Code.
    package static let forwardingIdentifier = DataElement(unchecked: 33)
    /// DE35, z..37: track 2 Data.
    package static let track2 = DataElement(unchecked: 35)
    /// DE36, ans..104: track 3 Data.
    package static let track3 = DataElement(unchecked: 36)
    /// DE37, an 12: retrieval Reference Number.
    package static let retrievalReferenceNumber = DataElement(unchecked: 37)
    /// DE38, an 6: authorisation ID Response.
    package static let authorisationCode = DataElement(unchecked: 38)
    /// DE39, an 2: response Code.
    package static let responseCode = DataElement(unchecked: 39)
    /// DE41, ans 8: card Acceptor Terminal ID.
    package static let terminalIdentifier = DataElement(unchecked: 41)
    /// DE42, ans 15: card Acceptor ID Code.
    package static let merchantIdentifier = DataElement(unchecked: 42)
    /// DE43, ans 40: card Acceptor Name/Location.
    package static let merchantNameAndLocation = DataElement(unchecked: 43)
    /// DE44, ans..25: additional Response Data.
    package static let additionalResponseData = DataElement(unchecked: 44)
    /// DE45, ans..76: track 1 Data.
    package static let track1 = DataElement(unchecked: 45)
    /// DE48, ans..999: additional Data - Private.
    package static let additionalData = DataElement(unchecked: 48)
    /// DE49, an 3: currency Code, Transaction.
    package static let currency = DataElement(unchecked: 49)
    /// DE51, an 3: currency Code, Cardholder Billing.
    package static let cardholderBillingCurrency = DataElement(unchecked: 51)
    /// DE52, b 8: PIN data.
    package static let pinData = DataElement(unchecked: 52)
    /// DE53, n 16: security-Related Control Information.
    package static let securityControl = DataElement(unchecked: 53)
    /// DE54, ans..240: additional Amounts.
    package static let additionalAmounts = DataElement(unchecked: 54)
    /// DE55, b..255: ICC data.
    package static let iccData = DataElement(unchecked: 55)
    /// DE60, ans..999: reserved National.
    package static let privateData60 = DataElement(unchecked: 60)
    /// DE62, ans..999: reserved Private.
    package static let privateData62 = DataElement(unchecked: 62)
    /// DE63, ans..999: reserved Private.
    package static let privateData63 = DataElement(unchecked: 63)
    /// DE64, b 8: MAC.
    package static let mac = DataElement(unchecked: 64)
    /// DE70, n 3: network Management Information Code.
    package static let networkManagementCode = DataElement(unchecked: 70)
    /// DE90, n 42: original Data Elements.
    package static let originalDataElements = DataElement(unchecked: 90)
    /// DE95, an 42: replacement Amounts.
    package static let replacementAmounts = DataElement(unchecked: 95)
    /// DE96, b 8: message Security Code.
    package static let messageSecurityCode = DataElement(unchecked: 96)
    /// DE102, ans..28: account ID 1.
    package static let accountIdentification1 = DataElement(unchecked: 102)
    /// DE128, b 8: MAC.
    package static let mac2 = DataElement(unchecked: 128)
}

extension DataElement: Comparable, CustomStringConvertible {
    /// By number, which is the order on the wire.
    package static func < (left: DataElement, right: DataElement) -> Bool { left.rawValue < right.rawValue }

    /// `DE55`.
    package var description: String { "DE\(rawValue)" }
}
