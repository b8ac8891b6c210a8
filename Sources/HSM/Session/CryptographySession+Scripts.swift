internal import Authorisation
internal import EMV
internal import PKCS11

/// Issuer scripts (EMV Book 2 9): session keys for secure messaging, MACs of commands, encipherment of new PINs.
/// A new PIN is an object of the token from the zone key to the card's key; nothing here returns it.
extension CryptographySession {
    /// Header, data and MAC of one command.
    mutating func protectedCommand(_ question: IssuerScriptQuestion) throws(JobError) -> [UInt8] {
        var made: [ObjectHandle] = []
        defer { for object in made { try? session.destroy(object) } }
        var data = question.command.data
        if question.command.kind == .pinChange { data = try encipheredPIN(question, &made) }
        let header = question.command.header(dataCount: data.count)
        return try protected(header, data, question: question, made: &made)
    }

    /// A command with its MAC (ISO/IEC 9797-1 algorithm 3, padding method 2; eight bytes).
    mutating func protected(
        _ header: [UInt8], _ data: [UInt8], question: IssuerScriptQuestion, made: inout [ObjectHandle]
    ) throws(JobError) -> [UInt8] {
        let keys = try messagingKeys(
            question.policy.integrityKey, question, template: SessionTemplates.chainingKey, made: &made)
        let input = ScriptMessage.macInput(
            header: header, data: data, messaging: question.messaging, atc: question.atc,
            cryptogram: question.cryptogram)
        let chaining = chaining
        let mac = try withToken { () throws(PKCS11Error) in
            try session.retailMAC(input, key: keys.full, leftHalf: keys.chain, chaining: chaining)
        }
        var command = header + data
        ScriptMessage.append(mac, count: 8, to: &command)
        return command
    }

    /// The new PIN, out of its zone block, in the card's form, under the card's key.
    private mutating func encipheredPIN(
        _ question: IssuerScriptQuestion, _ made: inout [ObjectHandle]
    ) throws(JobError) -> [UInt8] {
        guard let newPIN = question.newPIN else { throw .refused("a PIN change without a PIN") }
        guard let name = question.policy.confidentialityKey else {
            throw .refused("no secureMessagingConfidentialityKey for this card")
        }
        guard (question.policy.pinForm ?? question.messaging.pinForm) == .iso2 else {
            throw .refused("a token cannot XOR a PIN with the card's key (VIS PIN block)")
        }
        let zoneKey = try keys.handle(newPIN.zonePINKey)
        let key = try messagingKeys(name, question, template: SessionTemplates.scriptPINKey, made: &made).full
        // Format 0 to format 2 in one step: the account field goes out, the control field becomes 2.
        let change = 0x2000_0000_0000_0000 ^ PINBlock.panField(for: question.card.pan)
        let zoneBlock = try keep(&made) { (session: inout Session) throws(PKCS11Error) in
            try session.unwrapBlock(
                newPIN.block.rawValue, key: zoneKey, template: SessionTemplates.pinMaterial)
        }
        let cardBlock = try keep(&made) { (session: inout Session) throws(PKCS11Error) in
            try session.xor(zoneBlock, [change], template: SessionTemplates.pinMaterial)
        }
        return try encipher(
            cardBlock, count: 8, encipherment: question.messaging.encipherment, under: key, made: &made)
    }

    /// An object of `count` bytes, padded inside the token and enciphered under a wrapping key.
    mutating func encipher(
        _ object: ObjectHandle, count: Int, encipherment: SecureMessaging.Encipherment,
        under key: ObjectHandle, made: inout [ObjectHandle]
    ) throws(JobError) -> [UInt8] {
        var padded = object
        if encipherment == .visa {
            padded = try keep(&made) { (session: inout Session) throws(PKCS11Error) in
                try session.prependToKey(
                    object, [UInt8(truncatingIfNeeded: count)], template: SessionTemplates.pinMaterial)
            }
        }
        let held = encipherment == .visa ? count + 1 : count
        let fill = ScriptMessage.encipheredCount(of: count, encipherment) - held
        if fill > 0 {
            let base = padded
            padded = try keep(&made) { (session: inout Session) throws(PKCS11Error) in
                try session.appendToKey(
                    base, [0x80] + [UInt8](repeating: 0, count: fill - 1),
                    template: SessionTemplates.pinMaterial)
            }
        }
        let zeros = [UInt8](repeating: 0, count: 8)
        let mechanism: WrappingMechanism =
            encipherment == .visa ? .tripleDESECB : .tripleDESCBC(initialVector: zeros)
        return try withToken { () throws(PKCS11Error) in
            try session.wrapKey(mechanism, under: key, object: padded)
        }
    }

    /// The session key of secure messaging, and its left half doubled for the chaining of a MAC.
    mutating func messagingKeys(
        _ name: KeyName, _ question: IssuerScriptQuestion, template: Template, made: inout [ObjectHandle]
    ) throws(JobError) -> (full: ObjectHandle, chain: ObjectHandle) {
        let issuerMasterKey = try keys.handle(name)
        let master = MasterKeyDerivation.diversifier(question.masterKeyOption, for: question.card)
        let full = try keep(&made) { (session: inout Session) throws(PKCS11Error) in
            try session.deriveKey(
                from: issuerMasterKey, left: master.left, right: master.right,
                template: SessionTemplates.derivingKey)
        }
        switch question.messaging.sessionKey {
        case .commonFromCryptogram:
            let r = SessionKeyDerivation.diversifier(from: question.cryptogram.rawValue)
            return (
                try keep(&made) { (session: inout Session) throws(PKCS11Error) in
                    try session.deriveKey(from: full, left: r.left, right: r.right, template: template)
                },
                try keep(&made) { (session: inout Session) throws(PKCS11Error) in
                    try session.deriveKey(
                        from: full, left: r.left, right: r.left, template: SessionTemplates.chainingKey)
                }
            )
        case .visa:
            let mask = SessionKeyDerivation.visaSecureMessagingMask(atc: question.atc)
            let leftTwice = try keep(&made) { (session: inout Session) throws(PKCS11Error) in
                try session.deriveKey(
                    from: issuerMasterKey, left: master.left, right: master.left,
                    template: SessionTemplates.derivingKey
                )
            }
            return (
                try keep(&made) { (session: inout Session) throws(PKCS11Error) in
                    try session.xor(full, [mask.left, mask.right], template: template)
                },
                try keep(&made) { (session: inout Session) throws(PKCS11Error) in
                    try session.xor(
                        leftTwice, [mask.left, mask.left], template: SessionTemplates.chainingKey)
                }
            )
        }
    }

    /// Makes an object and notes it for destruction.
    private mutating func keep(
        _ made: inout [ObjectHandle],
        _ body: (inout Session) throws(PKCS11Error) -> ObjectHandle
    ) throws(JobError) -> ObjectHandle {
        do {
            let object = try body(&session)
            made.append(object)
            return object
        } catch {
            throw .token(error)
        }
    }
}

extension Session {
    /// A secret xor public words, inside the token.
    fileprivate mutating func xor(
        _ base: ObjectHandle, _ words: [UInt64], template: Template
    ) throws(PKCS11Error) -> ObjectHandle {
        let bytes = words.map(\.bigEndian)
        let result = bytes.withUnsafeBytes { data in
            Result { () throws(PKCS11Error) in try xorKey(base, with: data, template: template) }
        }
        return try result.get()
    }
}

extension SessionTemplates {
    /// The session key for confidentiality: blocks leave the token under it, none come in.
    static let scriptPINKey = Template(
        keyType: .des2, on: [.sensitive, .isPrivate, .wrap],
        off: [.token, .extractable] + KeyPurpose.usages.filter { $0 != .wrap })
    /// A clear PIN block on its way to another form: derives, and leaves the token only under a wrapping key.
    static let pinMaterial = Template(
        keyType: .genericSecret, on: [.sensitive, .isPrivate, .extractable, .derive],
        off: [.token] + KeyPurpose.usages.filter { $0 != .derive })
}
