internal import HSM
internal import PKCS11

/// AES-CMACs as keys, from keys that derive alone (NIST SP 800-38B, SP 800-108 in counter mode).
///
/// CMAC ends with one encipherment of one block, and `CKM_AES_ECB_ENCRYPT_DATA` makes a key of just that. The block is
/// the last of the message with what CMAC adds to it: encipherments of constants, of challenges and of zeros, from
/// which nothing follows of a key. One way for every token: not all have `CKM_SP800_108_COUNTER_KDF`.
enum DerivingCMAC {
    private static let size = 16

    /// The block of which the encipherment is the CMAC of a message.
    static func lastBlock(
        of message: [UInt8], under key: ObjectHandle, session: inout Session
    ) throws -> [UInt8] {
        let zeros = [UInt8](repeating: 0, count: size)
        var subkey = CMACSubkey.doubled(
            try TokenCheckValue.encipherment(of: zeros, under: key, session: &session))
        let whole = max(0, (message.count - 1) / size)
        var chain = zeros
        for index in 0..<whole {
            chain = try TokenCheckValue.encipherment(
                of: xor(chain, message[index * size..<(index + 1) * size]), under: key, session: &session)
        }
        var last = Array(message[(whole * size)...])
        if last.count < size {
            subkey = CMACSubkey.doubled(subkey)
            last += [0x80] + [UInt8](repeating: 0, count: size - 1 - last.count)
        }
        return xor(xor(chain, last[...]), subkey[...])
    }

    /// A key whose value is the CMACs of messages, one after another.
    static func derive(
        _ messages: [[UInt8]], from key: ObjectHandle, template: Template, session: inout Session
    ) throws -> ObjectHandle {
        var blocks: [UInt8] = []
        for message in messages { blocks += try lastBlock(of: message, under: key, session: &session) }
        return try session.deriveKey(from: key, .aesECB, data: blocks, template: template)
    }

    /// The CMAC itself, where it is public: a challenge.
    static func value(
        of message: [UInt8], under key: ObjectHandle, session: inout Session
    ) throws -> [UInt8] {
        try TokenCheckValue.encipherment(
            of: lastBlock(of: message, under: key, session: &session), under: key, session: &session)
    }

    private static func xor(_ left: [UInt8], _ right: ArraySlice<UInt8>) -> [UInt8] {
        zip(left, right).map { $0 ^ $1 }
    }
}
