internal import ByteCoding
internal import HSM
internal import PKCS11

/// What key blocks and ceremonies need of a token beyond the host's needs. Found by doing it: mechanism lists leave
/// out what works.
enum TokenCapability {
    /// Xor, cutting and joining of key material inside the token. Without them the product does nothing with key
    /// blocks or components rather than do it in the host's memory.
    static func requireComposition(_ label: String, _ session: inout Session) throws(KeyManagementError) {
        do {
            let base = try session.createKey(
                hidden(nil),
                value: SecretBytes(copying: [UInt8](repeating: 0x0F, count: 8)))
            defer { try? session.destroy(base) }
            let joined = try session.appendToKey(base, [0xF0, 0xF0], template: hidden(nil))
            defer { try? session.destroy(joined) }
            let mask = [UInt8](repeating: 0xFF, count: 10)
            let changed = try mask.withUnsafeBytes {
                try session.xorKey(joined, with: $0, template: hidden(nil))
            }
            defer { try? session.destroy(changed) }
            let cut = try session.extractKey(from: changed, byteOffset: 7, template: hidden(3))
            defer { try? session.destroy(cut) }
            guard try session.valueOfExtractable(cut) == [0xF0, 0x0F, 0x0F] else {
                throw KeyManagementError(label, "this token puts key material together wrongly")
            }
        } catch {
            throw KeyManagementError(
                label, "this token cannot put keys together inside (\(error)); another token is needed")
        }
    }

    /// Sensitive, as keys are: a token in a strict mode makes nothing else.
    private static func hidden(_ count: Int?) -> Template {
        Template(
            keyType: .genericSecret, valueCount: count, on: [.derive, .extractable, .sensitive, .isPrivate],
            off: [.token])
    }
}
