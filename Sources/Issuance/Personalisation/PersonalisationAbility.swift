internal import HSM
internal import PKCS11

/// What a token has to be able to do before a card is touched: found by doing it, as everything of tokens.
package enum PersonalisationAbility {
    /// - Parameters:
    ///   - profile: of the cards; those with keys of their own need more.
    ///   - masterKey: label of what fresh cards' keys follow from. With an AES key cards speak SCP03, else SCP02.
    /// - Throws: `IssuanceError` naming function and mechanism that the token lacks, or the key.
    package static func require(
        _ profile: ApplicationProfile, masterKey: String, keys: inout SigningKeys
    ) throws {
        let isAES = try CardManagementMaster(masterKey, session: &keys.session).diversification.isAES
        let wrapper = try keys.session.generateKey(
            isAES ? .aes : .des2, template(isAES, on: [.wrap], off: [.extractable]))
        defer { try? keys.session.destroy(wrapper) }
        let leaving = try keys.session.generateKey(isAES ? .aes : .des2, template(isAES, on: [.extractable]))
        defer { try? keys.session.destroy(leaving) }
        let mechanism: WrappingMechanism =
            isAES ? .aesCBC(initialVector: [UInt8](repeating: 0, count: 16)) : .tripleDESECB
        do { _ = try keys.session.wrapKey(mechanism, under: wrapper, object: leaving) } catch {
            throw IssuanceError(
                "token",
                "it cannot wrap a card's keys under the card's DEK by \(isAES ? "CKM_AES_CBC" : "CKM_DES3_ECB") (\(error)); "
                    + "no cards with SCP0\(isAES ? 3 : 2) can be personalised from it")
        }
        guard profile.needsPrivateKeys else { return }
        let export = try PrivateKeyExport(&keys.session)
        defer { export.end(&keys.session) }
        let pair = try keys.session.generateRSAKeyPair(bits: 1_024, .leaving)
        defer {
            try? keys.session.destroy(pair.publicKey)
            try? keys.session.destroy(pair.privateKey)
        }
        let numbers = try keys.session.publicNumbers(of: pair.publicKey)
        _ = try export.export(
            pair.privateKey, modulusCount: numbers.modulus.count, exponentCount: numbers.exponent.count,
            under: wrapper, mechanism: mechanism, session: &keys.session)
    }

    private static func template(_ isAES: Bool, on: [Attribute], off: [Attribute] = []) -> Template {
        Template(
            keyType: isAES ? .aes : .des2, valueCount: isAES ? 16 : nil, on: [.sensitive, .isPrivate] + on,
            off: [.token] + off)
    }
}
