internal import Authorisation
internal import ByteCoding
internal import ISO8583
internal import IssuerMessages
internal import Logging

/// MACs: checked before anything is decided, made on what is answered. One trip to the token each.
extension AcquirerConnection {
    /// What has to be checked of a message on this link.
    enum MACDuty {
        /// Nothing: no MACs on this link, or none on this class.
        case none
        /// It lacks a MAC, or its place.
        case missing
        case check(MessageMAC, previous: KeyName?, expected: [UInt8], over: [UInt8])
    }

    func macDuty(_ message: Message, _ frame: UnsafeRawBufferPointer) -> MACDuty {
        guard var mac = link.mac else { return .none }
        guard let place = MACPlace(in: message, link.codec), let sent = message.bytes(place.element) else {
            // A key that anybody could send would be anybody's key.
            let mayLack = message.mti.messageClass == .networkManagement && !isKeyChange(message)
            return mayLack ? .none : .missing
        }
        let (keys, name) = (loop.services.zoneKeys, mac.key)
        mac.key = keys.current[name] ?? name
        return .check(
            mac, previous: keys.previous[name], expected: Array(sent), over: place.covered(of: frame))
    }

    /// - Returns: why the message is not to be acted upon; or the MAC, with the key that was right.
    func macFinding(_ duty: MACDuty, _ deadline: Deadline) async -> MACFinding {
        guard case .check(let mac, let previous, let expected, let bytes) = duty else {
            return .wrong("missing")
        }
        let finding = await compare(mac, expected, bytes: bytes, deadline: deadline)
        guard case .wrong = finding, let previous else { return finding }
        var older = mac
        older.key = previous
        return await compare(older, expected, bytes: bytes, deadline: deadline)
    }

    private func compare(
        _ mac: MessageMAC, _ expected: [UInt8], bytes: [UInt8], deadline: Deadline
    ) async -> MACFinding {
        switch await loop.services.mac(mac, bytes, deadline) {
        case .success(let computed):
            let right = constantTimeEqual(Array(computed.prefix(MACPlace.byteCount)), expected)
            return right ? .right(mac) : .wrong("wrong")
        case .failure(let failure): return .unavailable("\(failure)")
        }
    }

    /// What a message's MAC came to.
    enum MACFinding {
        case right(MessageMAC)
        case wrong(String)
        case unavailable(String)
    }

    /// The answer with its MAC. Where the token makes none, 91 goes without: an answer that decides must not.
    func sealed(_ request: Message, _ response: Message, mac: MessageMAC, deadline: Deadline) async
        -> Message?
    {
        var response = response
        guard let place = MACPlace(for: response, link.codec) else { return nil }
        response.header = link.codec.responseHeader(for: request)
        response.set(place.element, bytes: [UInt8](repeating: 0, count: MACPlace.byteCount))
        var encoded: [UInt8] = []
        do { try link.codec.encode(response, into: &encoded) } catch {
            logger.error("answer cannot be encoded", metadata: ["reason": "\(error)"])
            return nil
        }
        switch await loop.services.mac(mac, encoded.withUnsafeBytes { place.covered(of: $0) }, deadline) {
        case .success(let computed):
            response.set(place.element, bytes: computed.prefix(MACPlace.byteCount))
            return response
        case .failure(let failure):
            let fields = Optional(request).fields("reason", "no MAC: \(failure)")
            loop.refusals.log(logger, .error, message: "answer not authenticated", metadata: fields)
            return responses.answer(request, .issuerUnavailable)
        }
    }
}
