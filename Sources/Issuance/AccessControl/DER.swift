/// Just enough of DER (ITU-T X.690) for public keys and certification requests.
enum DER {
    static func sequence(_ parts: [UInt8]...) -> [UInt8] { element(0x30, parts.flatMap(\.self)) }
    static func set(_ parts: [UInt8]...) -> [UInt8] { element(0x31, parts.flatMap(\.self)) }

    static func element(_ tag: UInt8, _ content: [UInt8]) -> [UInt8] {
        let count = content.count
        if count < 0x80 { return [tag, UInt8(count)] + content }
        if count < 0x100 { return [tag, 0x81, UInt8(count)] + content }
        return [tag, 0x82, UInt8(count >> 8), UInt8(truncatingIfNeeded: count)] + content
    }

    /// A number that is not negative, big endian.
    static func integer(_ bytes: [UInt8]) -> [UInt8] {
        let value = Array(bytes.drop { $0 == 0 })
        guard let first = value.first else { return element(0x02, [0]) }
        return element(0x02, first & 0x80 == 0 ? value : [0] + value)
    }

    static func bitString(_ bytes: [UInt8]) -> [UInt8] { element(0x03, [0] + bytes) }

    static func identifier(_ content: [UInt8]) -> [UInt8] { element(0x06, content) }

    static func text(_ text: String) -> [UInt8] { element(0x0C, Array(text.utf8)) }

    static let null: [UInt8] = [0x05, 0x00]

    /// The length of the element at the start, its head with it; nil where it is cut off.
    static func length(_ bytes: ArraySlice<UInt8>) -> Int? {
        guard bytes.count >= 2 else { return nil }
        let first = bytes[bytes.startIndex + 1]
        guard first & 0x80 != 0 else { return 2 + Int(first) }
        let count = Int(first & 0x7F)
        guard (1...3).contains(count), bytes.count >= 2 + count else { return nil }
        let value = bytes.dropFirst(2).prefix(count).reduce(0) { $0 << 8 | Int($1) }
        return 2 + count + value
    }
}

/// Object identifiers, their content octets.
enum ObjectIdentifiers {
    static let rsa: [UInt8] = [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01]
    static let rsaPSS: [UInt8] = [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x0A]
    static let mgf1: [UInt8] = [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x08]
    static let sha256: [UInt8] = [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01]
    static let ecPublicKey: [UInt8] = [0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01]
    static let prime256v1: [UInt8] = [0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07]
    static let ecdsaSHA256: [UInt8] = [0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04, 0x03, 0x02]
    static let commonName: [UInt8] = [0x55, 0x04, 0x03]
    static let organisation: [UInt8] = [0x55, 0x04, 0x0A]
    static let country: [UInt8] = [0x55, 0x04, 0x06]
}
