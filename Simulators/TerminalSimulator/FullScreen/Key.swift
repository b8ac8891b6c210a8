/// A key of a keyboard, as a terminal sends it.
package enum Key: Hashable, Sendable {
    case character(Character)
    case enter, escape, backspace, tab, backTab
    case up, down, left, right
    case pageUp, pageDown, home, end
    /// Control and a letter, lower case.
    case control(Character)
}

/// Bytes of a terminal as keys: ASCII, UTF-8, and the sequences of ECMA-48 that xterm and its kin send. What is
/// none of these is left out as a whole.
package struct KeyDecoder: Sendable {
    private var pending: [UInt8] = []
    /// No key sends more; longer is noise.
    private static let sequenceBytesMax = 32

    /// Without anything pending.
    package init() {}

    /// An escape that may be a key of its own or the start of a sequence: only time tells.
    package var isUndecided: Bool { !pending.isEmpty }

    /// The keys that these bytes complete.
    package mutating func keys(_ bytes: some Sequence<UInt8>) -> [Key] {
        pending += bytes
        var keys: [Key] = []
        while let (key, count) = next() {
            pending.removeFirst(count)
            if let key { keys.append(key) }
        }
        return keys
    }

    /// Nothing more came: a lone escape is the key.
    package mutating func flush() -> [Key] {
        defer { pending = [] }
        return pending.first == 0x1B ? [.escape] : []
    }

    /// The first key and its bytes; nil where more have to come.
    private func next() -> (key: Key?, count: Int)? {
        guard let first = pending.first else { return nil }
        switch first {
        case 0x1B: return escaped()
        case 0x0D, 0x0A: return (.enter, 1)
        case 0x09: return (.tab, 1)
        case 0x7F, 0x08: return (.backspace, 1)
        case 0x01...0x1A: return (.control(Character(UnicodeScalar(first + 0x60))), 1)
        case 0x20...0x7E: return (.character(Character(UnicodeScalar(first))), 1)
        case 0xC2...0xF4: return multibyte(first)
        default: return (nil, 1)
        }
    }

    private func multibyte(_ first: UInt8) -> (key: Key?, count: Int)? {
        let count = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2
        guard pending.count >= count else { return nil }
        guard let text = String(validating: pending.prefix(count), as: UTF8.self), text.count == 1 else {
            return (nil, 1)
        }
        return (text.first.map { .character($0) }, count)
    }

    private static let finals: [UInt8: Key] = [
        0x41: .up, 0x42: .down, 0x43: .right, 0x44: .left, 0x46: .end, 0x48: .home, 0x5A: .backTab,
        0x4D: .enter,
    ]
    /// `ESC [ N ~`.
    private static let numbered: [String: Key] = [
        "1": .home, "3": .backspace, "4": .end, "5": .pageUp, "6": .pageDown, "7": .home, "8": .end,
    ]

    private func escaped() -> (key: Key?, count: Int)? {
        guard pending.count >= 2 else { return nil }
        switch pending[1] {
        case 0x5B:
            let body = pending.dropFirst(2)
            guard let end = body.firstIndex(where: { (0x40...0x7E).contains($0) }) else {
                return pending.count > KeyDecoder.sequenceBytesMax ? (nil, pending.count) : nil
            }
            if pending[end] == 0x7E {
                let number = String(decoding: pending[2..<end].prefix { $0 != 0x3B }, as: UTF8.self)
                return (KeyDecoder.numbered[number], end + 1)
            }
            return (KeyDecoder.finals[pending[end]], end + 1)
        case 0x4F:
            guard pending.count >= 3 else { return nil }
            return (KeyDecoder.finals[pending[2]], 3)
        case 0x1B: return (.escape, 1)
        // Alt and a key: the key.
        default: return (.escape, 1)
        }
    }
}
