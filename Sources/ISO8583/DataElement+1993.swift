/// Numbers that stand for something else in ISO 8583:1993 than in 1987. DE12 holds date and time there (n 12,
/// YYMMDDhhmmss), DE22 twelve positions, DE39 three digits.
extension DataElement {
    /// DE24, n 3: function code.
    package static let functionCode = DataElement(unchecked: 24)
    /// DE25, n 4: message reason code.
    package static let messageReasonCode = DataElement(unchecked: 25)
    /// DE26, n 4: card acceptor business code (ISO 18245).
    package static let businessCode = DataElement(unchecked: 26)
    /// DE30, n 24: original amounts, of transaction and reconciliation.
    package static let originalAmounts = DataElement(unchecked: 30)
    /// DE56, n..35: message type, DE11, DE12 and DE32 of the original.
    package static let originalData1993 = DataElement(unchecked: 56)
    /// DE59, ans..999: transport data, which come back as they came.
    package static let transportData = DataElement(unchecked: 59)
}
