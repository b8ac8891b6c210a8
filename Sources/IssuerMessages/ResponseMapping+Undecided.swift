package import Authorisation
internal import EMV
package import ISO8583

/// Answers where nothing was decided, and those that a range has words of its own for.
extension ResponseMapping {
    /// DE39 and DE44 as the issuer's range has them, in place of the usual.
    func setConfigured(_ own: ConfiguredAnswer, _ response: inout Message) {
        // A code with a letter has no place in digits, none of two characters in 1993: the usual one stays.
        if let code = own.responseCode, !response.mti.is1993,
            !hasNumericCodes || code.utf8.allSatisfy({ (0x30...0x39).contains($0) })
        {
            response.set(.responseCode, text: code)
        }
        if let data = own.additionalData { response.set(.additionalResponseData, text: data) }
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
}
