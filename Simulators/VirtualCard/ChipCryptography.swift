package import EMV
package import LibCrypto

/// A cryptogram and the key with which its answer can be checked.
package struct SignedCryptogram: Sendable {
    /// Tag 9F26.
    package let cryptogram: ApplicationCryptogram
    /// The key of the ARPC; kept until the answer comes, so that it is not derived a second time.
    let key: ChipKey
    /// The same where it is one of triple DES.
    package var responseKey: DoubleLengthKey { key.doubleLength }

    package init(cryptogram: ApplicationCryptogram, responseKey: DoubleLengthKey) {
        self.init(cryptogram: cryptogram, key: .tripleDES(responseKey))
    }

    init(cryptogram: ApplicationCryptogram, key: ChipKey) {
        self.cryptogram = cryptogram
        self.key = key
    }
}

/// What a card finds when it looks at the issuer's answer.
package enum IssuerAuthenticationVerdict: Hashable, Sendable, CustomStringConvertible {
    /// No tag 91 came.
    case absent
    /// Tag 91 came in a form that the card's method does not have.
    case malformed(count: Int)
    /// The ARPC is not the issuer's, or it was made for another cryptogram or response code.
    case wrong
    /// The issuer's, method 1, over this response code.
    case responseCode(AuthorisationResponseCode)
    /// The issuer's, method 2, over this update and proprietary data.
    case statusUpdate(CardStatusUpdate, proprietary: [UInt8])

    /// True if the answer comes from the issuer, whatever it says.
    package var isAuthentic: Bool {
        switch self {
        case .responseCode, .statusUpdate: true
        case .absent, .malformed, .wrong: false
        }
    }

    /// True if the answer comes from the issuer and approves: response codes 00, 10 and 11 (EMV Book 4
    /// table 35 leaves the rest to the scheme), or the update's approval bit.
    package var approves: Bool {
        switch self {
        case .responseCode(let code): [0x3030, 0x3130, 0x3131].contains(code.rawValue)
        case .statusUpdate(let update, _): update.approves
        case .absent, .malformed, .wrong: false
        }
    }

    /// One line for people.
    package var description: String {
        switch self {
        case .absent: "no ARPC"
        case .malformed(let count): "tag 91 of \(count) bytes is no answer of the card's method"
        case .wrong: "ARPC wrong"
        case .responseCode(let code): "ARPC ok, response code \(code)"
        case .statusUpdate(let update, _):
            "ARPC ok, status update \(update.approves ? "approves" : "declines")"
        }
    }
}

/// The cryptography inside a chip, with its cipher contexts kept: one for each thread, whatever the number of
/// cards. It shares nothing with the host's side but the public arithmetic of `EMV`.
package struct ChipCryptography: ~Copyable, Sendable {
    /// Single blocks, under the key that derives or answers.
    private var block: KeyedCipher
    /// The key that it has: setting one costs as much as some blocks do.
    private var blockKey: DoubleLengthKey?
    /// Under the key that signs.
    private var retail: RetailMAC
    /// The key that it has: the answer to a cryptogram is mostly under the same one.
    private var retailKey: DoubleLengthKey?

    /// Makes the contexts.
    package init() throws(LibCryptoError) {
        let block = try KeyedCipher.unkeyedTDES()
        let retail = try RetailMAC()
        self.block = block
        self.retail = retail
    }

    /// The ICC master key (EMV Book 2 A1.4), odd parity.
    package mutating func iccMasterKey(
        issuerMasterKey: DoubleLengthKey, option: MasterKeyOption, card: CardIdentity
    ) throws(LibCryptoError) -> DoubleLengthKey {
        let diversifier: Diversifier
        if MasterKeyDerivation.needsHash(option, for: card) {
            let hash = try Digest.sha1(MasterKeyDerivation.bytesToHash(for: card))
            diversifier = MasterKeyDerivation.diversifier(fromSHA1: hash)
        } else {
            diversifier = MasterKeyDerivation.diversifier(for: card)
        }
        try setBlockKey(issuerMasterKey)
        return try derive(diversifier)
    }

    /// A session key (EMV Book 2 A1.3), odd parity; the ICC master key itself for method `.none`.
    package mutating func sessionKey(
        _ method: SessionKeyMethod, iccMasterKey: DoubleLengthKey, atc: ApplicationTransactionCounter,
        unpredictableNumber: UnpredictableNumber
    ) throws(LibCryptoError) -> DoubleLengthKey {
        guard
            let diversifier = SessionKeyDerivation.diversifier(
                method, atc: atc, unpredictableNumber: unpredictableNumber)
        else { return iccMasterKey }
        try setBlockKey(iccMasterKey)
        return try derive(diversifier)
    }

    /// The common session key from eight bytes of any origin (EMV Book 2 A1.3.1), odd parity.
    package mutating func sessionKey(
        iccMasterKey: DoubleLengthKey, from r: UInt64
    ) throws(LibCryptoError) -> DoubleLengthKey {
        try setBlockKey(iccMasterKey)
        return try derive(SessionKeyDerivation.diversifier(from: r))
    }

    /// The session key of the EMV2000 tree (EMV 4.1 Book 2 A1.3.2), odd parity.
    package mutating func sessionKey(
        _ tree: SessionKeyTree, iccMasterKey: DoubleLengthKey, atc: ApplicationTransactionCounter
    ) throws(LibCryptoError) -> DoubleLengthKey {
        var grandparent = tree.initialVector
        var parent = iccMasterKey
        for level in 1...tree.height {
            let node = tree.node(ofLevel: level, atc: atc)
            try setBlockKey(parent)
            let diversifier = tree.diversifier(grandparent: grandparent, node: node)
            let child = DoubleLengthKey(
                left: try block.process(diversifier.left), right: try block.process(diversifier.right))
            if level == tree.height {
                return DoubleLengthKey(
                    left: child.left ^ grandparent.left, right: child.right ^ grandparent.right
                ).withOddParity
            }
            grandparent = Diversifier(left: parent.left, right: parent.right)
            parent = child
        }
        return parent
    }

    /// Visa's key for secure messaging (VIS 1.5 D.7), odd parity.
    package func visaSecureMessagingKey(
        iccMasterKey: DoubleLengthKey, atc: ApplicationTransactionCounter
    ) -> DoubleLengthKey {
        let mask = SessionKeyDerivation.visaSecureMessagingMask(atc: atc)
        return DoubleLengthKey(
            left: iccMasterKey.left ^ mask.left, right: iccMasterKey.right ^ mask.right
        ).withOddParity
    }

    private static func same(_ set: DoubleLengthKey?, _ wanted: DoubleLengthKey) -> Bool {
        set.map { $0.left == wanted.left && $0.right == wanted.right } ?? false
    }

    private mutating func setBlockKey(_ key: DoubleLengthKey) throws(LibCryptoError) {
        guard !ChipCryptography.same(blockKey, key) else { return }
        blockKey = nil
        try block.setKey(key)
        blockKey = key
    }

    private mutating func derive(_ diversifier: Diversifier) throws(LibCryptoError) -> DoubleLengthKey {
        DoubleLengthKey(
            left: try block.process(diversifier.left), right: try block.process(diversifier.right)
        ).withOddParity
    }
}

extension ChipCryptography {
    /// The application cryptogram (EMV Book 2 8.1) and the key for its answer.
    package mutating func sign(
        _ input: CryptogramInput, profile: CryptogramProfile, iccMasterKey: DoubleLengthKey,
        atc: ApplicationTransactionCounter, unpredictableNumber: UnpredictableNumber
    ) throws(LibCryptoError) -> SignedCryptogram {
        let key = try sessionKey(
            profile.sessionKey, iccMasterKey: iccMasterKey, atc: atc, unpredictableNumber: unpredictableNumber
        )
        let cryptogram = try mac(input, key: key)
        let responseKey: DoubleLengthKey
        if profile.responseKey == profile.sessionKey {
            responseKey = key
        } else {
            responseKey = try sessionKey(
                profile.responseKey, iccMasterKey: iccMasterKey, atc: atc,
                unpredictableNumber: unpredictableNumber)
        }
        return SignedCryptogram(
            cryptogram: ApplicationCryptogram(rawValue: cryptogram), responseKey: responseKey)
    }

    /// The retail MAC over padded data, big endian.
    package mutating func mac(
        _ input: CryptogramInput, key: DoubleLengthKey
    ) throws(LibCryptoError) -> UInt64 {
        if !ChipCryptography.same(retailKey, key) {
            retailKey = nil
            try retail.setKey(key)
            retailKey = key
        }
        return try input.withUnsafeBytes { (raw) throws(LibCryptoError) in try retail.compute(raw) }
    }

    /// ARPC method 1 (EMV Book 2 8.2.1), big endian.
    package mutating func responseMethod1(
        key: DoubleLengthKey, _ cryptogram: ApplicationCryptogram, code: AuthorisationResponseCode
    ) throws(LibCryptoError) -> UInt64 {
        let input = IssuerAuthentication.block(cryptogram, code: code)
        if ChipCryptography.same(retailKey, key) { return try retail.encipher(input) }
        try setBlockKey(key)
        return try block.process(input)
    }

    /// ARPC method 2 (EMV Book 2 8.2.2), big endian; nil for more than eight bytes of proprietary data.
    package mutating func responseMethod2(
        key: DoubleLengthKey, _ cryptogram: ApplicationCryptogram, statusUpdate: CardStatusUpdate,
        proprietary: [UInt8]
    ) throws(LibCryptoError) -> UInt32? {
        guard
            let input = IssuerAuthentication.input(
                cryptogram, statusUpdate: statusUpdate, proprietary: proprietary)
        else { return nil }
        return UInt32(truncatingIfNeeded: try mac(input, key: key) >> 32)
    }

    /// What the card makes of tag 91.
    package mutating func verify(
        _ data: IssuerAuthenticationData?, _ signed: SignedCryptogram, profile: CryptogramProfile
    ) throws(LibCryptoError) -> IssuerAuthenticationVerdict {
        guard let data else { return .absent }
        switch profile.responseMethod {
        case .method1:
            guard let (arpc, code) = data.method1 else { return .malformed(count: data.count) }
            let expected = try responseMethod1(key: signed.responseKey, signed.cryptogram, code: code)
            return arpc == expected ? .responseCode(code) : .wrong
        case .method2:
            let (arpc, update, proprietary) = data.method2
            let expected = try responseMethod2(signed, statusUpdate: update, proprietary: proprietary)
            return arpc == expected ? .statusUpdate(update, proprietary: proprietary) : .wrong
        }
    }
}
