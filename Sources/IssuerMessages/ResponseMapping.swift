public import Authorisation
internal import EMV
public import ISO8583

/// From decisions to messages.
public struct ResponseMapping: Sendable {
    /// What every answer repeats of its request, where it was there.
    static let echoed: [DataElement] = [
        .pan, .processingCode, .transactionAmount, .transmissionTime, .stan, .localTime, .localDate,
        .acquirerIdentifier, .retrievalReferenceNumber, .terminalIdentifier, .merchantIdentifier, .currency,
        .originalDataElements,
    ]

    /// Holds nothing.
    public init() {}

    /// The answer to a request that was decided.
    public func response(to request: Message, _ decision: Decision) -> Message? {
        guard var response = skeleton(request) else { return nil }
        if case .approved(let approval) = decision.outcome {
            response.set(.authorisationCode, bytes: approval.code)
        }
        response.set(.responseCode, text: ResponseCode(decision).rawValue)
        setAmounts(&response, decision, request)
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

    /// DE4 of what was approved in part, and DE54 of that and of a balance enquiry.
    private func setAmounts(_ response: inout Message, _ decision: Decision, _ request: Message) {
        guard let balance = decision.balanceMinorUnits, let currency = decision.balanceCurrency else {
            return
        }
        let account = request.processingCodeDigits.map { String($0 / 100 % 100) } ?? ""
        var amounts = [AdditionalAmount(account: account, type: .available, currency, balance)]
        if let partial = decision.partialMinorUnits, let asked = request.number(.transactionAmount) {
            response.set(.transactionAmount, text: AdditionalAmount.digits(partial, count: 12))
            amounts.append(
                AdditionalAmount(account: account, type: .original, currency, Int64(clamping: asked)))
        }
        response.set(.additionalAmounts, text: amounts.map(\.description).joined())
    }

    /// The answer where no decision could be made.
    public func response(to request: Message, _ failure: CouldNotDecide) -> Message? {
        answer(request, ResponseCode(failure))
    }

    /// The answer to what could not be understood, if its type and STAN at least could.
    /// - Parameter partial: what was read before the fault.
    public func formatError(_ partial: Message) -> Message? {
        guard partial.mti.isRequest, partial.has(.stan) else { return nil }
        return answer(partial, .formatError)
    }

    /// An answer of DE39 alone; nil for a message that has no answer.
    public func answer(_ request: Message, _ code: ResponseCode) -> Message? {
        guard var response = skeleton(request) else { return nil }
        response.set(.responseCode, text: code.rawValue)
        return response
    }

    /// Sign-on, sign-off and echo are answered as they come, key changes when they are done.
    public func networkManagement(_ request: Message, _ code: ResponseCode = .approved) -> Message {
        var response = Message(mti: .networkManagementResponse)
        for element in [DataElement.transmissionTime, .stan, .acquirerIdentifier, .retrievalReferenceNumber] {
            response.copy(element, from: request)
        }
        response.set(.responseCode, text: code.rawValue)
        response.copy(.networkManagementCode, from: request)
        return response
    }

    private func skeleton(_ request: Message) -> Message? {
        guard let mti = request.mti.response else { return nil }
        var response = Message(mti: mti)
        for element in ResponseMapping.echoed { response.copy(element, from: request) }
        return response
    }
}
