internal import HSM
internal import PKCS11

/// Session objects of secure channels: each can do its own job alone, and none can leave.
enum ChannelTemplates {
    private static func key(_ type: KeyType, _ count: Int?, on: [Attribute]) -> Template {
        Template(
            keyType: type, valueCount: count, on: [.sensitive, .isPrivate] + on,
            off: [.token, .extractable] + KeyPurpose.usages.filter { !on.contains($0) })
    }

    private static let aes: [Int: [[Attribute]: Template]] = Dictionary(
        uniqueKeysWithValues: [16, 24, 32].map { count in
            let usages: [[Attribute]] = [[.derive], [.sign], [.encrypt, .decrypt], [.wrap]]
            return (
                count,
                Dictionary(uniqueKeysWithValues: usages.map { ($0, key(.aes, count, on: $0)) })
            )
        })

    /// - Parameter count: 16, 24 or 32.
    static func aes(_ count: Int, _ usage: [Attribute]) -> Template {
        aes[count]?[usage] ?? key(.aes, count, on: usage)
    }

    /// Static keys of SCP02, which derive.
    static let deriving = key(.des2, nil, on: [.derive])
    /// Enciphers single blocks and chains.
    static let enciphering = key(.des2, nil, on: [.encrypt])
    /// Wraps what goes to the card.
    static let wrapping = key(.des2, nil, on: [.wrap])

    /// A new key on its way to a card: it can leave under a wrapping key, derives its own check value, and is used for
    /// nothing else.
    static func leaving(_ type: KeyType, _ count: Int) -> Template {
        Template(
            keyType: type, valueCount: type == .aes || type == .genericSecret ? count : nil,
            on: [.sensitive, .isPrivate, .extractable, .derive],
            off: [.token] + KeyPurpose.usages.filter { $0 != .derive })
    }
}
