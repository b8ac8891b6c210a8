internal import HostServer
internal import ISO8583
internal import IssuerConfiguration
internal import IssuerMessages

/// Whether a dialect can carry every answer of this host. One that cannot would let a purchase be booked and its answer
/// never be sent; so the answers are written once, before the first request comes.
struct AnswerCheck {
    let codec: MessageCodec
    /// Whether answers carry issuer scripts.
    let hasScripts: Bool

    /// The most that scripts of one answer take: EMV Book 3 10.10 bounds them at 128 bytes.
    private static let scriptBytesMax = 128

    /// - Throws: `WiringError` naming link, dialect and element.
    func check(_ configuration: LinkConfiguration, _ link: IssuerConfiguration.Link) throws {
        let dialect = codec.dialect
        let place = "links.\(link.name).dialect: \(link.dialect)"
        guard dialect.messageType.encoding != .none else {
            throw WiringError("\(place) has no message type: it describes the inside of an element")
        }
        guard dialect.messageType.version <= 1 else {
            throw WiringError(
                "\(place) has message types of version \(dialect.messageType.version); this host speaks versions 0 and "
                    + "1 (ISO 8583:1987 and 1993)")
        }
        for element in [DataElement.stan, .responseCode] where dialect[element] == nil {
            throw WiringError("\(place) has no DE\(element.rawValue), which every answer holds")
        }
        let codes = ResponseCode.allCases.filter { fault(answer($0)) != nil }
        guard codes.isEmpty else {
            let why = fault(answer(codes[0])).map { ": \($0)" } ?? ""
            throw WiringError(
                "\(place) cannot carry DE39 \(codes.map(\.rawValue).joined(separator: ", "))\(why)")
        }
        for (words, message) in answers(configuration) {
            if let why = fault(message) { throw WiringError("\(place) cannot carry \(words): \(why)") }
        }
    }

    /// Every other part that an answer, or a request of the host's own, may have.
    private func answers(_ configuration: LinkConfiguration) -> [(words: String, message: Message)] {
        var approved = answer(.approved)
        approved.set(.authorisationCode, text: "A1B2C3")
        var partial = answer(.partiallyApproved)
        partial.set(.transactionAmount, text: "000000001000")
        partial.set(.additionalAmounts, text: "0002752C0000000010000057752D000000001000")
        if is1993 { partial.set(.originalAmounts, text: String(repeating: "0", count: 24)) }
        var found = [
            ("an approval code (DE38)", approved), ("amounts (DE4, DE54\(is1993 ? ", DE30" : ""))", partial),
        ]
        if codec.dialect[.iccData] != nil {
            var chip = answer(.approved)
            let script = hasScripts ? AnswerCheck.scriptBytesMax : 0
            chip.set(.iccData, bytes: [UInt8](repeating: 0x91, count: 16 + script))
            found.append(("chip data of \(16 + script) bytes (DE55)", chip))
        }
        if configuration.echoAfterNanoseconds != nil || configuration.signsOn {
            var request = message(is1993 ? .networkManagementRequest1993 : .networkManagementRequest)
            request.set(.transmissionTime, text: "1123120000")
            request.set(request.networkElement, text: "301")
            if is1993 { request.set(.localTime, text: "261123120000") }
            let elements = request.presentElements.map { "\($0)" }.joined(separator: ", ")
            found.append(("the host's own sign-on and echo (\(elements))", request))
        }
        return found
    }

    private var is1993: Bool { codec.dialect.messageType.version == 1 }

    private func answer(_ code: ResponseCode) -> Message {
        var message = message(.authorisationResponse.of(version: codec.dialect.messageType.version))
        let numeric = codec.dialect.element(holding: .numericResponseCode) == .responseCode
        message.set(.responseCode, text: code.text(in: message.mti, numeric: numeric))
        return message
    }

    private func message(_ type: MTI) -> Message {
        let header = [UInt8](repeating: 0, count: codec.dialect.header.bytes)
        var message = Message(mti: type, header: header)
        message.set(.stan, text: "123456")
        return message
    }

    private func fault(_ message: Message) -> String? {
        do throws(MessageEncodingError) { _ = try codec.encode(message) } catch { return "\(error)" }
        return nil
    }
}
