package import Authorisation
internal import EMV
package import ISO8583

/// From decisions to messages.
package final class ResponseMapping: Sendable {
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

    private let echo: [DataElement]
    private let hasNumericCodes: Bool
    let tellsBilling: Bool

    /// - Parameters:
    ///   - echo: what every answer repeats of its request, byte by byte, where it was there.
    ///   - hasNumericCodes: the dialect's DE39 holds digits only.
    ///   - tellsBilling: the dialect has DE6 and DE51.
    package init(
        echo: [DataElement] = ResponseMapping.usualEcho, hasNumericCodes: Bool = false,
        tellsBilling: Bool = true
    ) {
        (self.echo, self.hasNumericCodes) = (echo, hasNumericCodes)
        self.tellsBilling = tellsBilling
    }

    /// The answer to a request that was decided.
    package func response(to request: Message, _ decision: Decision) -> Message? {
        guard var response = skeleton(request) else { return nil }
        if case .approved(let approval) = decision.outcome {
            response.set(.authorisationCode, bytes: approval.code)
        }
        set(ResponseCode(decision), in: &response)
        if let own = decision.configuredAnswer { setConfigured(own, &response) }
        setAmounts(&response, decision, request: request)
        if decision.charge != nil || request.has(.cardholderBillingCurrency) {
            setBilling(&response, decision, request: request)
        }
        if let data = decision.issuerAuthenticationData {
            var chip: [UInt8] = [0x91, UInt8(data.count)]
            chip.reserveCapacity(24)
            for index in 0..<data.count { chip.append(data[index]) }
            if let code = decision.authorisationResponseCode {
                chip += [0x8A, 2, UInt8(code.rawValue >> 8), UInt8(truncatingIfNeeded: code.rawValue)]
            }
            chip += decision.issuerScript
            response.set(.iccData, bytes: chip)
        }
        return response
    }

    /// DE39 and DE44 as the issuer's range has them, in place of the usual.
    private func setConfigured(_ own: ConfiguredAnswer, _ response: inout Message) {
        // A code with a letter has no place in digits, none of two characters in 1993: the usual one stays.
        if let code = own.responseCode, !response.mti.is1993,
            !hasNumericCodes || code.utf8.allSatisfy({ (0x30...0x39).contains($0) })
        {
            response.set(.responseCode, text: code)
        }
        if let data = own.additionalData { response.set(.additionalResponseData, text: data) }
    }

    /// DE4 of what was approved in part, and DE54 of that and of a balance enquiry.
    private func setAmounts(_ response: inout Message, _ decision: Decision, request: Message) {
        guard let balance = decision.balanceMinorUnits, let currency = decision.balanceCurrency else {
            return
        }
        let account = request.processingCodeDigits.map { String($0 / 100 % 100) } ?? ""
        var amounts = [
            AdditionalAmount(account: account, type: .available, currency: currency, minorUnits: balance)
        ]
        if let partial = decision.partialMinorUnits, let asked = request.number(.transactionAmount) {
            response.set(.transactionAmount, text: AdditionalAmount.digits(partial, count: 12))
            if request.mti.is1993 {
                // What was asked for, and no amount of reconciliation.
                let digits = AdditionalAmount.digits(Int64(clamping: asked), count: 12)
                response.set(.originalAmounts, text: digits + String(repeating: "0", count: 12))
            }
            // Asked for in the shop's currency, which is not always the account's.
            let own = request.number(.currency).flatMap { UInt16(exactly: $0) }
                .flatMap(CurrencyCode.init(rawValue:))
            amounts.append(
                AdditionalAmount(
                    account: account, type: .original, currency: own ?? currency,
                    minorUnits: Int64(clamping: asked)))
        }
        let text = amounts.compactMap { $0?.description }.joined()
        if !text.isEmpty { response.set(.additionalAmounts, text: text) }
    }

    /// The answer where no decision could be made.
    package func response(to request: Message, _ failure: CouldNotDecide) -> Message? {
        answer(request, ResponseCode(failure))
    }

    /// The answer to what could not be understood, with what could be read of it; nil where nobody waits for one.
    /// - Parameter partial: what could be read.
    package func formatError(_ partial: Message) -> Message? { answer(partial, .formatError) }

    /// The least that still is an answer, for a dialect that cannot carry more.
    package func malfunction(_ request: Message) -> Message? {
        guard let mti = request.mti.response else { return nil }
        var response = Message(mti: mti)
        response.copy(.stan, from: request)
        set(.systemMalfunction, in: &response)
        return response
    }

    /// An answer of DE39 alone; nil for a message that has no answer.
    package func answer(_ request: Message, _ code: ResponseCode) -> Message? {
        guard var response = skeleton(request) else { return nil }
        set(code, in: &response)
        return response
    }

    /// Sign-on, sign-off and echo are answered as they come, key changes when they are done.
    package func networkManagement(_ request: Message, _ code: ResponseCode = .approved) -> Message {
        var response = Message(mti: request.mti.response ?? .networkManagementResponse)
        for element in echo { response.copy(element, from: request) }
        set(code, in: &response)
        response.copy(request.networkElement, from: request)
        return response
    }

    private func set(_ code: ResponseCode, in response: inout Message) {
        response.set(.responseCode, text: code.text(in: response.mti, numeric: hasNumericCodes))
    }

    private func skeleton(_ request: Message) -> Message? {
        guard let mti = request.mti.response else { return nil }
        var response = Message(mti: mti)
        for element in echo { response.copy(element, from: request) }
        return response
    }
}
