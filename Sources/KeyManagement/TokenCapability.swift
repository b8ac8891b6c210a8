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
                Template(keyType: .genericSecret, on: [.derive, .extractable], off: [.token, .sensitive]),
                value: SecretBytes(copying: [UInt8](repeating: 0x0F, count: 8)))
            defer { try? session.destroy(base) }
            let readable = Template(
                keyType: .genericSecret, on: [.derive, .extractable], off: [.token, .sensitive])
            let joined = try session.appendToKey(base, [0xF0, 0xF0], readable)
            defer { try? session.destroy(joined) }
            let mask = [UInt8](repeating: 0xFF, count: 10)
            let changed = try mask.withUnsafeBytes { try session.xorKey(joined, with: $0, readable) }
            defer { try? session.destroy(changed) }
            let cut = try session.extractKey(
                from: changed, byteOffset: 7,
                Template(
                    keyType: .genericSecret, valueCount: 3, on: [.derive, .extractable],
                    off: [.token, .sensitive]))
            defer { try? session.destroy(cut) }
            guard try session.readableValue(of: cut, count: 3) == [0xF0, 0x0F, 0x0F] else {
                throw KeyManagementError(label, "this token puts key material together wrongly")
            }
        } catch {
            throw KeyManagementError(
                label, "this token cannot put keys together inside (\(error)); another token is needed")
        }
    }
}
