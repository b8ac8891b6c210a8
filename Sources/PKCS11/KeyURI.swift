internal import CPKCS11
internal import Glibc

/// The name of a secret key as RFC 7512 writes it: `pkcs11:token=issuer;object=imk-ac-476173;type=secret-key`.
package struct KeyURI: Hashable, Sendable, CustomStringConvertible {
    /// `CKA_LABEL` of the token, nil where any token will do.
    package var token: String?
    /// `CKA_LABEL` of the key.
    package var object: String

    package init(token: String? = nil, object: String) {
        self.token = token
        self.object = object
    }

    /// - Parameter text: an RFC 7512 URI with at least `object`.
    /// - Throws: `ModuleError.badURI`, also where it names something other than a secret key.
    package init(parsing text: String) throws(ModuleError) {
        guard let parsed = p11_kit_uri_new() else { throw .badURI(text) }
        defer { p11_kit_uri_free(parsed) }
        guard p11_kit_uri_parse(text, P11_KIT_URI_FOR_ANY, parsed) == CInt(P11_KIT_URI_OK.rawValue),
            let label = p11_kit_uri_get_attribute(parsed, CKA_LABEL)
        else { throw .badURI(text) }
        try Module.refuseWhatIsNotActedOn(parsed)
        // Which slot or token is the configuration's to say; of the key, its label is the name.
        if p11_kit_uri_get_slot_id(parsed) != CK_SLOT_ID.max {
            throw .refusedURI(part: "slot-id", instead: "a key's URI names token and object")
        }
        if p11_kit_uri_get_attribute(parsed, CKA_ID) != nil {
            throw .refusedURI(part: "id", instead: "a key's URI names token and object")
        }
        if let keyClass = p11_kit_uri_get_attribute(parsed, CKA_CLASS) {
            let value = keyClass.pointee.pValue.load(as: CK_OBJECT_CLASS.self)
            guard value == CK_OBJECT_CLASS(CKO_SECRET_KEY) else { throw .badURI(text) }
        }
        object = String(
            decoding: UnsafeRawBufferPointer(
                start: label.pointee.pValue, count: Int(label.pointee.ulValueLen)), as: UTF8.self)
        guard let info = p11_kit_uri_get_token_info(parsed) else { throw .badURI(text) }
        // A token that the URI does not name is all zeros; a label is padded with blanks to its 32 bytes.
        token = withUnsafeBytes(of: info.pointee.label) { bytes in
            guard bytes.first != 0 else { return nil }
            return String(decoding: bytes.prefix(KeyURI.textCount(bytes)), as: UTF8.self)
        }
    }

    private static func textCount(_ bytes: UnsafeRawBufferPointer) -> Int {
        (bytes.lastIndex { $0 != 0x20 && $0 != 0 } ?? -1) + 1
    }

    /// The URI, escaped as RFC 7512 2.3 says.
    package var description: String {
        let parts = [token.map { "token=" + KeyURI.escape($0) }, "object=" + KeyURI.escape(object)]
        return "pkcs11:" + (parts.compactMap { $0 } + ["type=secret-key"]).joined(separator: ";")
    }

    /// `pk11-pchar`: unreserved characters and a few more stand for themselves.
    private static func escape(_ text: String) -> String {
        let plain = Set(
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~:[]@!$'()*+,=&".utf8)
        return text.utf8.map { byte in
            if plain.contains(byte) { return String(UnicodeScalar(byte)) }
            let digits = String(byte, radix: 16, uppercase: true)
            return "%" + (digits.count == 1 ? "0" : "") + digits
        }.joined()
    }
}
