internal import PKCS11

/// What an access control server signs for a shop's app: a JWS in compact form with the certificate chain in its header
/// (RFC 7515, 3.1 and 4.1.6; EMV 3-D Secure names PS256 and ES256).
package struct SignedContent: Sendable {
    private let head: String

    /// - Parameters:
    ///   - chain: certificates in DER, the server's own first.
    ///   - key: the one that signs; its public half has to be that of the first certificate.
    package init(_ key: ServerKey, chain: [[UInt8]]) throws {
        guard let first = chain.first else {
            throw IssuanceError(key.label, "there is no certificate to send along")
        }
        guard Self.holds(first, key.publicKeyInfo) else {
            throw IssuanceError(key.label, "the first certificate of the chain is another key's")
        }
        let certificates = chain.map { "\"\(Base64.text($0))\"" }.joined(separator: ",")
        head = Base64.urlText(Array("{\"alg\":\"\(key.algorithm.rawValue)\",\"x5c\":[\(certificates)]}".utf8))
    }

    /// What is signed over a payload.
    package func signedBytes(_ payload: [UInt8]) -> [UInt8] {
        Array("\(head).\(Base64.urlText(payload))".utf8)
    }

    /// The JWS.
    /// - Parameter signed: what was signed.
    package func encoded(_ signed: [UInt8], _ signature: [UInt8]) -> String {
        String(decoding: signed, as: UTF8.self) + "." + Base64.urlText(signature)
    }

    private static func holds(_ certificate: [UInt8], _ part: [UInt8]) -> Bool {
        guard certificate.count >= part.count else { return false }
        return (0...certificate.count - part.count).contains {
            certificate[$0..<$0 + part.count].elementsEqual(part)
        }
    }
}

/// RFC 4648, 4 and 5.
package enum Base64 {
    /// With `+`, `/` and `=`.
    package static func text(_ bytes: [UInt8]) -> String {
        encode(bytes, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", fills: true)
    }

    /// With `-` and `_`, and nothing to fill up.
    static func urlText(_ bytes: [UInt8]) -> String {
        encode(bytes, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", fills: false)
    }

    private static func encode(_ bytes: [UInt8], _ letters: StaticString, fills: Bool) -> String {
        var text: [UInt8] = []
        text.reserveCapacity(bytes.count * 4 / 3 + 4)
        letters.withUTF8Buffer { alphabet in
            var (word, count): (UInt32, Int) = (0, 0)
            for byte in bytes {
                word = word << 8 | UInt32(byte)
                count += 8
                while count >= 6 {
                    count -= 6
                    text.append(alphabet[Int(word >> UInt32(count) & 0x3F)])
                }
            }
            if count > 0 { text.append(alphabet[Int(word << UInt32(6 - count) & 0x3F)]) }
        }
        if fills { while !text.count.isMultiple(of: 4) { text.append(0x3D) } }
        return String(decoding: text, as: UTF8.self)
    }
}
