internal import Authorisation
internal import EMV
package import ISO8583

extension ResponseMapping {
    /// What answers repeat of their requests, where a link does not say otherwise.
    package static let usualEcho: [DataElement] = [
        .pan, .processingCode, .transactionAmount, .transmissionTime, .stan, .localTime, .localDate,
        .panSequenceNumber, .acquirerIdentifier, .forwardingIdentifier, .retrievalReferenceNumber,
        .terminalIdentifier, .merchantIdentifier, .currency, .privateData62, .privateData63,
        .originalDataElements,
    ]

    /// The same for ISO 8583:1993: DE56 in place of DE90, and what the standard has come back beside it.
    package static let usualEcho1993: [DataElement] = [
        .pan, .processingCode, .transactionAmount, .transmissionTime, .stan, .localTime,
        .panSequenceNumber, .originalAmounts, .acquirerIdentifier, .forwardingIdentifier,
        .retrievalReferenceNumber, .terminalIdentifier, .merchantIdentifier, .currency, .originalData1993,
        .transportData, .privateData62, .privateData63,
    ]

    /// Elements that no answer repeats: what must not travel twice, and what an answer says itself.
    package static let neverEchoed: Set<DataElement> = [
        .track2, .track3, .authorisationCode, .responseCode, .track1, .pinData, .securityControl, .iccData,
        .mac, .messageSecurityCode, .mac2,
    ]
}
