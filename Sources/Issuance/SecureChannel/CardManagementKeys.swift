internal import EMV
internal import HSM
package import PKCS11

/// The three static keys of one card as session objects.
package struct CardManagementKeys: Sendable {
    /// Key-ENC: derives.
    let encipherment: ObjectHandle
    /// Key-MAC: derives.
    let authentication: ObjectHandle
    /// Key-DEK: derives with SCP02, wraps with SCP03.
    let dataEncryption: ObjectHandle
    /// Bytes of each.
    let byteCount: Int

    /// Takes session objects with these usages.
    package init(
        encipherment: ObjectHandle, authentication: ObjectHandle, dataEncryption: ObjectHandle, byteCount: Int
    ) {
        self.encipherment = encipherment
        self.authentication = authentication
        self.dataEncryption = dataEncryption
        self.byteCount = byteCount
    }

    /// Ends them.
    package func end(_ session: inout Session) {
        for key in [encipherment, authentication, dataEncryption] { try? session.destroy(key) }
    }
}

/// How a card's static keys follow from a master key and the ten bytes that the card names in its answer to INITIALIZE
/// UPDATE.
package enum KeyDiversification: String, Sendable, CaseIterable {
    /// EMV CPS 1.1, 4.1: the last six bytes, F0 or 0F, and the number of the key, under triple DES.
    case emvCPS = "emv-cps"
    /// The same with bytes 1, 2 and 5 to 8.
    case visa2
    /// CMACs of a counter, the key's number and all ten bytes: AES keys. The form of a public project, of no
    /// GlobalPlatform document.
    case kdf3

    /// True where the master key and the card's keys are AES keys.
    package var isAES: Bool { self == .kdf3 }

    /// Messages or blocks that key `number` (1 ENC, 2 MAC, 3 DEK) is computed from.
    private func inputs(_ number: UInt8, _ data: [UInt8], byteCount: Int) -> [[UInt8]] {
        switch self {
        case .emvCPS, .visa2:
            let part = self == .emvCPS ? Array(data[4..<10]) : Array(data[0..<2] + data[4..<8])
            return [part + [0xF0, number] + part + [0x0F, number]]
        case .kdf3:
            return (1...(byteCount > 16 ? 2 : 1)).map { [UInt8($0), 0, 0, 0, number, 0] + data }
        }
    }

    private func key(
        _ number: UInt8, _ data: [UInt8], from master: ObjectHandle, byteCount: Int, template: Template,
        session: inout Session
    ) throws -> ObjectHandle {
        let inputs = inputs(number, data, byteCount: byteCount)
        guard isAES else {
            return try session.deriveKey(from: master, .tripleDESECB, data: inputs[0], template: template)
        }
        return try DerivingCMAC.derive(inputs, from: master, template: template, session: &session)
    }

    /// A card's keys, to open a channel with.
    /// - Parameters:
    ///   - master: derives.
    ///   - byteCount: of the master key, and of the card's keys where they are AES keys.
    package func keys(
        from master: ObjectHandle, byteCount: Int, data: [UInt8], session: inout Session
    ) throws -> CardManagementKeys {
        let count = isAES ? byteCount : 16
        let deriving = isAES ? ChannelTemplates.aes(count, [.derive]) : ChannelTemplates.deriving
        let wrapping = isAES ? ChannelTemplates.aes(count, [.wrap]) : ChannelTemplates.deriving
        return CardManagementKeys(
            encipherment: try key(
                1, data, from: master, byteCount: count, template: deriving, session: &session),
            authentication: try key(
                2, data, from: master, byteCount: count, template: deriving, session: &session),
            dataEncryption: try key(
                3, data, from: master, byteCount: count, template: wrapping, session: &session),
            byteCount: count)
    }

    /// The same keys on their way to the card, for PUT KEY.
    func leavingKeys(
        from master: ObjectHandle, byteCount: Int, data: [UInt8], session: inout Session
    ) throws -> [ObjectHandle] {
        let count = isAES ? byteCount : 16
        let template = ChannelTemplates.leaving(isAES ? .aes : .des2, count)
        return try (1...3).map {
            try key($0, data, from: master, byteCount: count, template: template, session: &session)
        }
    }
}
