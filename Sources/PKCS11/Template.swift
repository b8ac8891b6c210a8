internal import CPKCS11

/// The attributes that this product uses (PKCS#11 v2.40, 4).
package enum Attribute: Hashable, Sendable {
    case token, isPrivate, sensitive, extractable, modifiable, derive, encrypt, decrypt, sign, verify, wrap
    case unwrap, alwaysSensitive, neverExtractable, local, trusted, wrapWithTrusted, copyable, destroyable
    case signRecover, verifyRecover, alwaysAuthenticate

    var type: CK_ATTRIBUTE_TYPE {
        switch self {
        case .token: CKA_TOKEN
        case .isPrivate: CKA_PRIVATE
        case .sensitive: CKA_SENSITIVE
        case .extractable: CKA_EXTRACTABLE
        case .modifiable: CKA_MODIFIABLE
        case .derive: CKA_DERIVE
        case .encrypt: CKA_ENCRYPT
        case .decrypt: CKA_DECRYPT
        case .sign: CKA_SIGN
        case .verify: CKA_VERIFY
        case .wrap: CKA_WRAP
        case .unwrap: CKA_UNWRAP
        case .alwaysSensitive: CKA_ALWAYS_SENSITIVE
        case .neverExtractable: CKA_NEVER_EXTRACTABLE
        case .local: CKA_LOCAL
        case .trusted: CKA_TRUSTED
        case .wrapWithTrusted: CKA_WRAP_WITH_TRUSTED
        case .copyable: CKA_COPYABLE
        case .destroyable: CKA_DESTROYABLE
        case .signRecover: CKA_SIGN_RECOVER
        case .verifyRecover: CKA_VERIFY_RECOVER
        case .alwaysAuthenticate: CKA_ALWAYS_AUTHENTICATE
        }
    }

    /// The name as the standard writes it.
    package var name: String {
        switch self {
        case .token: "CKA_TOKEN"
        case .isPrivate: "CKA_PRIVATE"
        case .sensitive: "CKA_SENSITIVE"
        case .extractable: "CKA_EXTRACTABLE"
        case .modifiable: "CKA_MODIFIABLE"
        case .derive: "CKA_DERIVE"
        case .encrypt: "CKA_ENCRYPT"
        case .decrypt: "CKA_DECRYPT"
        case .sign: "CKA_SIGN"
        case .verify: "CKA_VERIFY"
        case .wrap: "CKA_WRAP"
        case .unwrap: "CKA_UNWRAP"
        case .alwaysSensitive: "CKA_ALWAYS_SENSITIVE"
        case .neverExtractable: "CKA_NEVER_EXTRACTABLE"
        case .local: "CKA_LOCAL"
        case .trusted: "CKA_TRUSTED"
        case .wrapWithTrusted: "CKA_WRAP_WITH_TRUSTED"
        case .copyable: "CKA_COPYABLE"
        case .destroyable: "CKA_DESTROYABLE"
        case .signRecover: "CKA_SIGN_RECOVER"
        case .verifyRecover: "CKA_VERIFY_RECOVER"
        case .alwaysAuthenticate: "CKA_ALWAYS_AUTHENTICATE"
        }
    }
}

/// Key types in use.
package enum KeyType: Sendable, CaseIterable {
    case des2, des3, aes, genericSecret

    var type: CK_KEY_TYPE {
        switch self {
        case .des2: CKK_DES2
        case .des3: CKK_DES3
        case .aes: CKK_AES
        case .genericSecret: CKK_GENERIC_SECRET
        }
    }
}

/// The attributes of a secret key to be made, laid out once in memory of its own so that the hot path hands
/// over a pointer and allocates nothing.
package final class Template: @unchecked Sendable {
    // Sendable because nothing is changed after `init`; Cryptoki reads templates only.
    let attributes: UnsafeMutableBufferPointer<CK_ATTRIBUTE>
    private let values: UnsafeMutableRawPointer

    /// - Parameters:
    ///   - keyType: `CKA_KEY_TYPE`.
    ///   - label: `CKA_LABEL`, at most 64 bytes.
    ///   - identifier: `CKA_ID`.
    ///   - valueCount: `CKA_VALUE_LEN`, for key types of variable length.
    ///   - on: attributes set to true.
    ///   - off: attributes set to false.
    package init(
        keyType: KeyType, label: String? = nil, identifier: [UInt8]? = nil, valueCount: Int? = nil,
        on: [Attribute], off: [Attribute]
    ) {
        let optional = [label == nil, identifier == nil, valueCount == nil].count { !$0 }
        let count = 2 + optional + on.count + off.count
        attributes = .allocate(capacity: count)
        // Sixteen bytes hold any number; text has a place of its own length, in steps of sixteen.
        let texts = [label?.utf8.count ?? 0, identifier?.count ?? 0].reduce(0) { $0 + ($1 + 15) / 16 * 16 }
        values = .allocate(byteCount: count * 16 + texts, alignment: 16)
        var (filled, offset) = (0, 0)
        func add(_ type: CK_ATTRIBUTE_TYPE, _ bytes: UnsafeRawBufferPointer) {
            let place = values + offset
            offset += max(16, (bytes.count + 15) / 16 * 16)
            if let base = bytes.baseAddress { place.copyMemory(from: base, byteCount: bytes.count) }
            attributes.initializeElement(
                at: filled, to: CK_ATTRIBUTE(type: type, pValue: place, ulValueLen: CK_ULONG(bytes.count)))
            filled += 1
        }
        withUnsafeBytes(of: CK_OBJECT_CLASS(CKO_SECRET_KEY)) { add(CKA_CLASS, $0) }
        withUnsafeBytes(of: keyType.type) { add(CKA_KEY_TYPE, $0) }
        if let label {
            var label = label
            label.withUTF8 { add(CKA_LABEL, UnsafeRawBufferPointer($0)) }
        }
        identifier?.withUnsafeBytes { add(CKA_ID, $0) }
        if let valueCount { withUnsafeBytes(of: CK_ULONG(valueCount)) { add(CKA_VALUE_LEN, $0) } }
        for attribute in on { withUnsafeBytes(of: CK_BBOOL(CK_TRUE)) { add(attribute.type, $0) } }
        for attribute in off { withUnsafeBytes(of: CK_BBOOL(CK_FALSE)) { add(attribute.type, $0) } }
    }

    deinit {
        attributes.deallocate()
        values.deallocate()
    }
}
