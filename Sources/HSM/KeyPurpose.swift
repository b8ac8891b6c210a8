public import PKCS11

/// What a key is for. One purpose, one least usage: the table of this product.
public enum KeyPurpose: String, CaseIterable, Sendable {
    case issuerMasterKeyAC = "IMK-AC"
    case issuerMasterKeySMI = "IMK-SMI"
    case issuerMasterKeySMC = "IMK-SMC"
    case zonePINKey = "ZPK"
    case pinVerificationKey = "PVK"
    case zoneMasterKey = "ZMK"
    case zoneAuthenticationKey = "ZAK"
    case cardVerificationKey = "CVK"
    case panHashKey = "PAN-HASH"

    /// The only things that a key of this purpose may do.
    public var usage: [Attribute] {
        switch self {
        case .issuerMasterKeyAC, .issuerMasterKeySMI, .issuerMasterKeySMC: [.derive]
        case .zonePINKey, .zoneMasterKey: [.unwrap]
        case .pinVerificationKey: [.wrap]
        case .zoneAuthenticationKey, .panHashKey: [.sign]
        case .cardVerificationKey: [.encrypt]
        }
    }

    /// Every usage that a key can have.
    static let usages: [Attribute] = [.derive, .encrypt, .decrypt, .sign, .verify, .wrap, .unwrap]

    /// The key's type and length.
    var keyType: KeyType { self == .panHashKey ? .aes : .des2 }

    /// Token object, private, sensitive, not extractable, not modifiable, with this purpose's usage alone.
    func tokenTemplate(label: String, generated: Bool) -> Template {
        Template(
            keyType: keyType, label: label, valueCount: generated ? 32 : nil,
            on: [.token, .isPrivate, .sensitive] + usage,
            off: [.extractable, .modifiable] + KeyPurpose.usages.filter { !usage.contains($0) })
    }

    /// The purpose that a label of the demo issuer and of this product's key names stands for.
    public static func named(_ label: String) -> KeyPurpose? {
        let prefixes: [(String, KeyPurpose)] = [
            ("imk-ac", .issuerMasterKeyAC), ("imk-smi", .issuerMasterKeySMI),
            ("imk-smc", .issuerMasterKeySMC), ("zpk", .zonePINKey), ("pvk", .pinVerificationKey),
            ("zmk", .zoneMasterKey), ("zak", .zoneAuthenticationKey), ("cvk", .cardVerificationKey),
            ("pan-hash", .panHashKey),
        ]
        return prefixes.first { label == $0.0 || label.hasPrefix($0.0 + "-") }?.1
    }
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
