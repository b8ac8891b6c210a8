package import EMV
internal import HSM
package import PKCS11

/// The issuer master keys of a card's range, as session copies.
package struct CardKeySource: Sendable {
    /// IMK-AC, and for cards that take scripts IMK-SMI and IMK-SMC.
    let masters: [(label: String, handle: ObjectHandle, isAES: Bool, byteCount: Int)]
    let option: MasterKeyOption

    /// - Parameters:
    ///   - labels: IMK-AC; then IMK-SMI and IMK-SMC, or neither.
    package init(_ labels: [String], option: MasterKeyOption, session: inout Session) throws {
        guard labels.count == 1 || labels.count == 3 else {
            throw IssuanceError(
                labels.first ?? "issuer master key",
                "IMK-SMI and IMK-SMC go together: a card takes scripts with both or not at all")
        }
        masters = try labels.map { label in
            let found = try session.findKeys(label: label)
            guard let key = found.first, found.count == 1 else {
                throw IssuanceError(label, "no such key in the token")
            }
            let copy = try session.copyOrItself(key)
            let type = try session.keyType(of: copy)
            guard let type, type != .genericSecret else {
                throw IssuanceError(label, "no key of triple DES or AES")
            }
            return (label, copy, type == .aes, try session.valueCount(of: copy) ?? 16)
        }
        guard Set(masters.map(\.isAES)).count == 1 else {
            throw IssuanceError(labels[0], "all issuer master keys of a card have the same cipher")
        }
        self.option = option
    }

    /// A card's keys under its DEK (DGI 8000), with their check values (DGI 9000). Double-length triple DES whatever the
    /// length of the issuer's (EMV Book 2 A1.4); with AES as long as the issuer's (A1.4.3).
    func wrapped(
        for card: CardIdentity, under dataEncryption: CardDataEncryption, session: inout Session
    ) throws -> (keys: [UInt8], checkValues: [[UInt8]]) {
        let handles = try masters.map { master in
            master.isAES
                ? try session.deriveKey(
                    from: master.handle, .aesECB,
                    data: AESKeyDerivation.masterKeyData(for: card, keyByteCount: master.byteCount),
                    template: ChannelTemplates.leaving(.aes, master.byteCount))
                : try tripleDES(card, from: master.handle, session: &session)
        }
        defer { for handle in handles { try? session.destroy(handle) } }
        let values = try handles.enumerated().map { index, handle -> [UInt8] in
            let block = [UInt8](repeating: 0, count: masters[index].isAES ? 16 : 8)
            guard masters[index].isAES else {
                return Array(
                    try TokenCheckValue.encipherment(of: block, under: handle, session: &session)[..<3])
            }
            return Array(try DerivingCMAC.value(of: block, under: handle, session: &session)[..<3])
        }
        guard masters[0].byteCount.isMultiple(of: 16) || !masters[0].isAES else {
            throw IssuanceError(
                masters[0].label,
                "keys of 24 bytes do not fill blocks of 16: no form of DGI 8000 is known for them")
        }
        return (try dataEncryption.wrap(handles, &session), values)
    }

    private func tripleDES(
        _ card: CardIdentity, from master: ObjectHandle, session: inout Session
    ) throws -> ObjectHandle {
        let diversifier = MasterKeyDerivation.diversifier(option, for: card)
        return try session.deriveKey(
            from: master, left: diversifier.left, right: diversifier.right,
            template: ChannelTemplates.leaving(.des2, 16))
    }
}
