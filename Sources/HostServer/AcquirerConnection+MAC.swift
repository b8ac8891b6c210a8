internal import Authorisation
internal import ByteCoding
internal import ISO8583
internal import IssuerMessages
internal import Logging

/// MACs: checked before anything is decided, made on what is answered. One trip to the token each.
extension AcquirerConnection {
    /// The MAC that the answer to this message needs; nil for none.
    func sealingMAC(_ request: Message) -> MessageMAC? {
        guard var mac = link.mac else { return nil }
        let isNetwork = request.mti.messageClass == .networkManagement
        mac.key = loop.services.zoneKeys.current[mac.key] ?? mac.key
        return isNetwork && MACPlace(in: request, link.codec) == nil ? nil : mac
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

    /// - Returns: false where the message is not to be acted upon; it has its answer then.
    func isAuthentic(_ inFlight: RequestInFlight, _ duty: MACDuty) async -> Bool {
        let message = inFlight.message
        switch await macFinding(duty, Deadline(nanoseconds: inFlight.answerBy)) {
        case .right(let mac):
            inFlight.mac = mac
            return true
        case .wrong(let why):
            loop.metrics.macFailures += 1
            loop.refusals.log(
                logger, .warning, message: "MAC \(why)", metadata: Optional(message).fields("mac", why))
            conclude(inFlight, responses.answer(message, .messageAuthenticationFailed))
        case .unavailable(let why):
            loop.refusals.log(
                logger, .error, message: "request not decided",
                metadata: Optional(message).fields("reason", why))
            conclude(inFlight, responses.answer(message, .issuerUnavailable))
        }
        return false
    }

    /// What has to be checked of a message on this link.
    enum MACDuty {
        /// Nothing: no MACs on this link, or none on this class.
        case none
        /// It lacks a MAC, or its place.
        case missing
        case check(MessageMAC, previous: KeyName?, expected: [UInt8], over: [UInt8])
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

    /// The answer with its MAC. Where the token makes none, 91 goes without: an answer that decides must not. What the
    /// dialect cannot carry is 96, as on a link without MACs.
    /// - Returns: what is sent, nil where not even that can be, and whether it says what the response did.
    func sealed(
        _ request: Message, _ response: Message, mac: MessageMAC, deadline: Deadline
    ) async -> (message: Message?, isTheResponse: Bool) {
        var unsealed = covered(response, for: request)
        let isTheResponse = unsealed != nil
        if !isTheResponse { unsealed = malfunction(request).flatMap { covered($0, for: request) } }
        // Taken out, since a message that two hold is copied when it gets its MAC.
        guard case (var message, let place, let bytes)? = unsealed.take() else { return (nil, false) }
        switch await loop.services.mac(mac, bytes, deadline) {
        case .success(let computed):
            message.set(place.element, bytes: computed.prefix(MACPlace.byteCount))
            return (message, isTheResponse)
        case .failure(let failure):
            let fields = Optional(request).fields("reason", "no MAC: \(failure)")
            loop.refusals.log(logger, .error, message: "answer not authenticated", metadata: fields)
            return (responses.answer(request, .issuerUnavailable), false)
        }
    }

    /// An answer with room for its MAC, and the bytes that this covers; nil where the dialect cannot carry it.
    private func covered(_ answer: Message, for request: Message) -> (Message, MACPlace, [UInt8])? {
        var answer = answer
        guard let place = MACPlace(for: answer, link.codec) else { return nil }
        answer.header = link.codec.responseHeader(for: request)
        answer.set(place.element, bytes: [UInt8](repeating: 0, count: MACPlace.byteCount))
        var encoded: [UInt8] = []
        do { try link.codec.encode(answer, into: &encoded) } catch {
            logger.error("answer cannot be encoded", metadata: ["reason": "\(error)"])
            return nil
        }
        return (answer, place, encoded.withUnsafeBytes { place.covered(of: $0) })
    }
}
