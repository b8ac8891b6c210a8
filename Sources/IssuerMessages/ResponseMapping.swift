package import Authorisation
internal import EMV
package import ISO8583

/// From decisions to messages.
package struct ResponseMapping: Sendable {
    /// What every answer repeats of its request, byte by byte, where it was there.
    package var echo: [DataElement]
    /// The dialect's DE39 holds digits only.
    package var hasNumericCodes = false
    /// The dialect has DE6 and DE51.
    package var tellsBilling = true

    package init(echo: [DataElement] = ResponseMapping.usualEcho) { self.echo = echo }

    /// The answer to a request that was decided.
    package func response(to request: Message, _ decision: Decision) -> Message? {
        guard var response = skeleton(request) else { return nil }
        if case .approved(let approval) = decision.outcome {
            response.set(.authorisationCode, bytes: approval.code)
        }
        set(ResponseCode(decision), in: &response)
        if let own = decision.configuredAnswer { setConfigured(own, &response) }
        if decision.balanceMinorUnits != nil { setAmounts(&response, decision, request: request) }
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

    func set(_ code: ResponseCode, in response: inout Message) {
        response.set(.responseCode, text: code.text(in: response.mti, numeric: hasNumericCodes))
    }

    func skeleton(_ request: Message) -> Message? {
        guard let mti = request.mti.response else { return nil }
        var response = Message(mti: mti)
        for element in echo { response.copy(element, from: request) }
        return response
    }
}

extension ResponseCode {
    /// The code of a decision.
    package init(_ decision: Decision) {
        if let reason = decision.outcome.declineReason {
            self.init(reason)
        } else {
            self = decision.partialMinorUnits == nil ? .approved : .partiallyApproved
        }
    }

    /// DE39 as an answer has it: the action code of 1993, or that of 1987.
    /// - Parameter numeric: the dialect's DE39 holds digits only: a code with letters is then the nearest one without.
    package func text(in answer: MTI, numeric: Bool) -> String {
        answer.is1993 ? ActionCode(self, in: answer).rawValue : numeric ? digits : rawValue
    }
}
