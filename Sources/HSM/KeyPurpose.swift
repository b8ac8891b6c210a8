package import PKCS11

/// What a key is for. One purpose, one least usage: the rules below are the table of this product.
package enum KeyPurpose: String, CaseIterable, Sendable {
    case issuerMasterKeyAC = "IMK-AC"
    case issuerMasterKeySMI = "IMK-SMI"
    case issuerMasterKeySMC = "IMK-SMC"
    case issuerMasterKeyDAC = "IMK-DAC"
    case issuerMasterKeyIDN = "IMK-IDN"
    case issuerMasterKeyDEK = "IMK-DEK"
    case zonePINKey = "ZPK"
    case pinVerificationKey = "PVK"
    case zoneMasterKey = "ZMK"
    case keyBlockProtectionKey = "KBPK"
    case zoneAuthenticationKey = "ZAK"
    case cardVerificationKey = "CVK"
    case panHashKey = "PAN-HASH"
    case auditKey = "AUDIT"
    case transferKey = "TRANSFER"
    case dataEncryptionKey = "DEK"
    case cardManagementKey = "KMC"
    case authenticationHMACKey = "AV-HMAC"
    case authenticationVerificationKey = "AV-CVK"

    /// The rules of this purpose.
    package var rules: KeyRules {
        switch self {
        case .issuerMasterKeyAC:
            KeyRules("imk-ac", [.derive], algorithms: KeyAlgorithm.ciphers, block: ["E0"], modes: "X")
        case .issuerMasterKeySMC:
            KeyRules("imk-smc", [.derive], algorithms: KeyAlgorithm.ciphers, block: ["E1"], modes: "X")
        case .issuerMasterKeySMI:
            KeyRules("imk-smi", [.derive], algorithms: KeyAlgorithm.ciphers, block: ["E2"], modes: "X")
        case .issuerMasterKeyDAC:
            KeyRules("imk-dac", [.derive], algorithms: KeyAlgorithm.ciphers, block: ["E3"], modes: "X")
        case .issuerMasterKeyIDN:
            KeyRules("imk-idn", [.derive], algorithms: KeyAlgorithm.ciphers, block: ["E4"], modes: "X")
        // The issuer's own, from which cards' channel keys follow once PUT KEY has replaced the bureau's.
        case .issuerMasterKeyDEK:
            KeyRules("imk-dek", [.derive], algorithms: KeyAlgorithm.ciphers, block: ["E5"], modes: "X")
        case .zonePINKey:
            KeyRules("zpk", [.unwrap], algorithms: KeyAlgorithm.ciphers, block: ["P0"], modes: "BD")
        case .pinVerificationKey:
            KeyRules("pvk", [.wrap], algorithms: [.tdes128], block: ["V0", "V2"], modes: "CGVN")
        case .zoneMasterKey:
            KeyRules("zmk", [.unwrap], algorithms: KeyAlgorithm.ciphers, block: ["K0"], modes: "BDN")
        case .keyBlockProtectionKey:
            KeyRules("kbpk", [.derive], algorithms: KeyAlgorithm.ciphers, block: ["K0", "K1"], modes: "BN")
        case .zoneAuthenticationKey:
            KeyRules(
                "zak", [.sign], algorithms: KeyAlgorithm.ciphers, block: ["M0", "M1", "M3", "M6"],
                modes: "CGV")
        case .cardVerificationKey:
            KeyRules("cvk", [.encrypt], algorithms: [.tdes128], block: ["C0"], modes: "CGVN")
        case .panHashKey: KeyRules("pan-hash", [.sign], algorithms: [.aes256], block: ["M6"], modes: "CG")
        case .auditKey: KeyRules("audit", [.sign], algorithms: [.hmac256], block: ["M7"], modes: "CG")
        // 3-D Secure authentication values: of a purpose of their own, since who has a CVK prints cards and who has these
        // answers for cardholders.
        case .authenticationHMACKey:
            KeyRules("av-hmac", [.sign], algorithms: [.hmac256], block: ["M7"], modes: "CGV")
        case .authenticationVerificationKey:
            KeyRules("av-cvk", [.encrypt], algorithms: [.tdes128], block: ["C0"], modes: "CGVN")
        // Under which cards' private keys leave (EMV CPS): it wraps and cannot undo it.
        case .dataEncryptionKey:
            KeyRules("dek", [.wrap], algorithms: KeyAlgorithm.ciphers, block: ["D0"], modes: "BE")
        // From which cards' channel keys follow (EMV CPS).
        case .cardManagementKey:
            KeyRules("kmc", [.derive], algorithms: KeyAlgorithm.ciphers, block: ["E5"], modes: "X")
        // The copy of a key that may leave under a key block protection key: of any type, usable for that alone.
        case .transferKey:
            KeyRules(
                "transfer", [.derive], algorithms: KeyAlgorithm.allCases, block: [], modes: "",
                isExtractable: true)
        }
    }

    /// The only things that a key of this purpose may do.
    package var usage: [Attribute] { rules.usage }

    /// Every usage that a key can have.
    package static let usages: [Attribute] = [.derive, .encrypt, .decrypt, .sign, .verify, .wrap, .unwrap]

    /// Token object, private, sensitive, not modifiable, with this purpose's usage alone, and not extractable
    /// unless the purpose is to leave.
    ///
    /// - Parameters:
    ///   - algorithm: nil takes the first one of the purpose.
    ///   - provenance: for `CKA_ID`; like every attribute it cannot be changed later.
    ///   - statesLength: true where the token has to be told the length: it makes the value itself.
    package func tokenTemplate(
        label: String, algorithm: KeyAlgorithm? = nil, provenance: KeyProvenance? = nil, statesLength: Bool
    ) -> Template {
        let rules = rules
        let algorithm = algorithm ?? rules.algorithms[0]
        return Template(
            keyType: algorithm.keyType, label: label, identifier: provenance?.identifier(of: label),
            valueCount: statesLength && algorithm.hasVariableLength ? algorithm.byteCount : nil,
            on: [.token, .isPrivate, .sensitive] + rules.usage + (rules.isExtractable ? [.extractable] : []),
            off: [.modifiable] + (rules.isExtractable ? [] : [.extractable])
                + KeyPurpose.usages.filter { !rules.usage.contains($0) })
    }

    /// The purpose that a label of the demo issuer and of this product's key names stands for.
    package static func named(_ label: String) -> KeyPurpose? {
        allCases.first { purpose in
            let prefix = purpose.rules.prefix
            return label == prefix || label.hasPrefix(prefix + "-") || label.hasPrefix(prefix + ".")
        }
    }
}

/// How labels of RSA keys begin that sign certificates and do nothing else.
package enum SigningKeyPrefix: String, CaseIterable, Sendable {
    case issuer = "issuer-rsa-"
    case authority = "ca-rsa-"
    case accessControlServer = "acs-sign-"

    /// Of a key with this label; nil for a key that is none of them.
    package static func of(_ label: String) -> SigningKeyPrefix? {
        allCases.first { label.hasPrefix($0.rawValue) }
    }

    /// As audit reports say it.
    package var words: String {
        switch self {
        case .issuer: "issuer's RSA key"
        case .authority: "test CA's RSA key"
        case .accessControlServer: "access control server's signing key"
        }
    }
}

/// One row of the table of purposes.
package struct KeyRules: Sendable {
    /// How names of such keys begin, alone or before a hyphen: `imk-ac-476173`.
    package let prefix: String
    /// The only things that such a key may do in the token.
    package let usage: [Attribute]
    /// What such a key can be, the usual one first.
    package let algorithms: [KeyAlgorithm]
    /// Key usages of a key block (ANSI X9.143, 6.3.1) that it may come with, the one it leaves with first.
    package let blockUsages: [String]
    /// Modes of use of a key block (ANSI X9.143, 6.3.3) that it may come with.
    package let blockModes: String
    /// True for the one purpose of leaving the token, under another key.
    package let isExtractable: Bool

    init(
        _ prefix: String, _ usage: [Attribute], algorithms: [KeyAlgorithm], block: [String], modes: String,
        isExtractable: Bool = false
    ) {
        self.prefix = prefix
        self.usage = usage
        self.algorithms = algorithms
        blockUsages = block
        blockModes = modes
        self.isExtractable = isExtractable
    }
}

/// Algorithm and length of a key.
package enum KeyAlgorithm: String, CaseIterable, Sendable {
    case tdes128 = "tdes-128"
    case tdes192 = "tdes-192"
    case aes128 = "aes-128"
    case aes192 = "aes-192"
    case aes256 = "aes-256"
    case hmac256 = "hmac-256"

    /// The block ciphers.
    static let ciphers: [KeyAlgorithm] = [.tdes128, .tdes192, .aes128, .aes192, .aes256]

    /// `CKA_KEY_TYPE`.
    package var keyType: KeyType {
        switch self {
        case .tdes128: .des2
        case .tdes192: .des3
        case .aes128, .aes192, .aes256: .aes
        case .hmac256: .genericSecret
        }
    }

    /// Bytes of a value.
    package var byteCount: Int {
        switch self {
        case .tdes128, .aes128: 16
        case .tdes192, .aes192: 24
        case .aes256, .hmac256: 32
        }
    }

    /// True where `CKA_VALUE_LEN` says the length, false where the key type does.
    var hasVariableLength: Bool { keyType == .aes || keyType == .genericSecret }
}

/// Templates of the session objects of the hot path, laid out once.
enum SessionTemplates {
    private static func key(_ on: [Attribute]) -> Template {
        Template(
            keyType: .des2, on: [.sensitive, .isPrivate] + on,
            off: [.token, .extractable] + KeyPurpose.usages.filter { !on.contains($0) })
    }

    /// ICC master key: derives session keys, nothing else.
    static let derivingKey = key([.derive])
    /// A key that enciphers the last block of a MAC, or an ARPC.
    static let encipheringKey = key([.encrypt])
    /// K_L ‖ K_L: the chaining part of a MAC.
    static let chainingKey = key([.encrypt, .sign])
    /// Half of a key, to be put together with another.
    static let keyHalf = Template(
        keyType: .genericSecret, valueCount: 8, on: [.sensitive, .isPrivate, .derive],
        off: [.token, .extractable] + KeyPurpose.usages.filter { $0 != .derive })
    /// A clear PIN block: it can leave the token only under a wrapping key.
    static let pinBlock = Template(
        keyType: .genericSecret, on: [.sensitive, .isPrivate, .extractable],
        off: [.token] + KeyPurpose.usages)

    /// A clear PIN field, or what is put together for one: as `pinBlock`, and pieces may be taken out.
    static let pinField = Template(
        keyType: .genericSecret, on: [.sensitive, .isPrivate, .extractable, .derive],
        off: [.token] + KeyPurpose.usages.filter { $0 != .derive })
    private static let pinPieces = (1...8).map { count in
        Template(
            keyType: .genericSecret, valueCount: count, on: [.sensitive, .isPrivate, .extractable, .derive],
            off: [.token] + KeyPurpose.usages.filter { $0 != .derive })
    }
    /// A piece of 1…8 bytes of one.
    static func pinPiece(_ count: Int) -> Template { pinPieces[count - 1] }
    /// A value that is enciphered still, so that it may be read.
    static let onceEnciphered = Template(
        keyType: .genericSecret, on: [.extractable],
        off: [.token, .sensitive, .isPrivate] + KeyPurpose.usages)

    private static let aesKeys: [Int: [Attribute: Template]] = Dictionary(
        uniqueKeysWithValues: [16, 24, 32].map { count in
            (
                count,
                Dictionary(
                    uniqueKeysWithValues: [Attribute.derive, .sign].map { usage in
                        (
                            usage,
                            Template(
                                keyType: .aes, valueCount: count, on: [.sensitive, .isPrivate, usage],
                                off: [.token, .extractable] + KeyPurpose.usages.filter { $0 != usage })
                        )
                    })
            )
        })
    /// Keys of AES cards, with one usage each. Any length but an AES key's makes what the token refuses.
    static func aesKey(_ usage: Attribute, byteCount: Int) -> Template {
        aesKeys[byteCount]?[usage] ?? derivingKey
    }
}
