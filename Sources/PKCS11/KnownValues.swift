package import ByteCoding
internal import CPKCS11
internal import Synchronization

/// How values that are no secret of the token's cross its border: test keys, components in a custodian's hand, the check
/// value of a key.
package enum ValueCrossing: String, Sendable {
    /// The token takes them by `C_CreateObject`, and shows the value of an object that is not sensitive.
    case clear
    /// A token in a strict mode (FIPS 140-3) does neither. It makes a session key; under that a value comes in
    /// enciphered and leaves enciphered.
    case enciphered
}

/// What was found of one token, for all its sessions.
final class Crossings: Sendable {
    let inEnciphered = Atomic(false)
    let outEnciphered = Atomic(false)
}

/// Known values in, and values that everybody may know out, whichever way the token has.
extension Session {
    /// How known values come in.
    package internal(set) var valuesIn: ValueCrossing {
        get { crossings.inEnciphered.load(ordering: .relaxed) ? .enciphered : .clear }
        nonmutating set { crossings.inEnciphered.store(newValue == .enciphered, ordering: .relaxed) }
    }

    /// How values that may be known get out.
    package internal(set) var valuesOut: ValueCrossing {
        get { crossings.outEnciphered.load(ordering: .relaxed) ? .enciphered : .clear }
        nonmutating set { crossings.outEnciphered.store(newValue == .enciphered, ordering: .relaxed) }
    }

    /// Finds how values get out, by a secret of its own.
    package mutating func examineCrossings() throws(PKCS11Error) {
        do throws(PKCS11Error) {
            try destroy(try generateKey(.genericSecret, Session.open(16)))
        } catch {
            guard error.refusesClearValues else { throw error }
            valuesOut = .enciphered
        }
    }

    /// Makes the key that carries values, where this token needs one, so that no request has to wait for it.
    package mutating func prepareCrossing() throws(PKCS11Error) {
        if valuesOut == .enciphered { _ = try courier() }
    }

    /// Makes an object of a value that is known here.
    ///
    /// - Throws: what `C_CreateObject` said, where the token has no other way either.
    package mutating func createKey(
        _ template: Template, value: borrowing SecretBytes
    ) throws(PKCS11Error) -> ObjectHandle {
        guard valuesIn == .clear else { return try unwrapKnown(template, value) }
        do throws(PKCS11Error) { return try createObject(template, value) } catch {
            guard error.refusesClearValues else { throw error }
            guard let object = try? unwrapKnown(template, value) else { throw error }
            valuesIn = .enciphered
            return object
        }
    }

    /// The encipherment of whole blocks under a key that derives (`CKM_*_ECB_ENCRYPT_DATA`).
    package mutating func shownEncipherment(
        of block: [UInt8], _ cipher: CipherMechanism, under key: ObjectHandle
    ) throws(PKCS11Error) -> [UInt8] {
        if valuesOut == .clear {
            do throws(PKCS11Error) {
                let derived = try deriveKey(
                    from: key, cipher, data: block, template: Session.open(block.count))
                defer { try? destroy(derived) }
                return try readableValue(of: derived, count: block.count)
            } catch {
                // The key may have no right to derive; only a refused template means a strict mode.
                guard error.refusesClearValues else { throw error }
                valuesOut = .enciphered
            }
        }
        let derived = try deriveKey(from: key, cipher, data: block, template: Session.closed(block.count))
        defer { try? destroy(derived) }
        return try valueOfExtractable(derived)
    }

    /// The value of an object that may leave, without its being readable: enciphered by the token, deciphered by it.
    /// For what is enciphered under another key still, or is no secret.
    package mutating func valueOfExtractable(_ object: ObjectHandle) throws(PKCS11Error) -> [UInt8] {
        let courier = try courier()
        var wrapped = try courierTransform("C_WrapKey") { [functions, handle] mechanism, output, length in
            functions.pointee.C_WrapKey!(handle, mechanism, courier, object.rawValue, output, length)
        }
        let count = CK_ULONG(wrapped.count)
        var mechanism = CK_MECHANISM(mechanism: CKM_AES_CBC_PAD, pParameter: nil, ulParameterLen: 0)
        let code = Session.withCourierVector(&mechanism) { [functions, handle] mechanism in
            functions.pointee.C_DecryptInit!(handle, mechanism, courier)
        }
        try check("C_DecryptInit", code)
        return try courierTransform("C_Decrypt") { [functions, handle] _, output, length in
            functions.pointee.C_Decrypt!(handle, &wrapped, count, output, length)
        }
    }

    // MARK: - The clear way

    private mutating func createObject(
        _ template: Template, _ value: borrowing SecretBytes
    ) throws(PKCS11Error) -> ObjectHandle {
        var attributes = Array(template.attributes)
        var object: CK_OBJECT_HANDLE = 0
        let code = value.withUnsafeBytes { bytes in
            attributes.append(
                CK_ATTRIBUTE(
                    type: CKA_VALUE, pValue: UnsafeMutableRawPointer(mutating: bytes.baseAddress),
                    ulValueLen: CK_ULONG(bytes.count)))
            return functions.pointee.C_CreateObject!(handle, &attributes, CK_ULONG(attributes.count), &object)
        }
        try check("C_CreateObject", code)
        return ObjectHandle(rawValue: object)
    }

    private static func open(_ count: Int) -> Template {
        Template(
            keyType: .genericSecret, valueCount: count, on: [.extractable],
            off: [.token, .sensitive, .isPrivate])
    }

    private static func closed(_ count: Int) -> Template {
        Template(
            keyType: .genericSecret, valueCount: count, on: [.extractable, .sensitive, .isPrivate],
            off: [.token])
    }

    // MARK: - The enciphered way

    private mutating func unwrapKnown(
        _ template: Template, _ value: borrowing SecretBytes
    ) throws(PKCS11Error) -> ObjectHandle {
        let courier = try courier()
        var mechanism = CK_MECHANISM(mechanism: CKM_AES_CBC_PAD, pParameter: nil, ulParameterLen: 0)
        let begun = Session.withCourierVector(&mechanism) { [functions, handle] mechanism in
            functions.pointee.C_EncryptInit!(handle, mechanism, courier)
        }
        try check("C_EncryptInit", begun)
        let (functions, handle) = (functions, handle)
        var enciphered = [UInt8](repeating: 0, count: Session.courierBytesMax)
        var length = CK_ULONG(enciphered.count)
        let code = value.withUnsafeBytes { bytes in
            functions.pointee.C_Encrypt!(
                handle,
                UnsafeMutablePointer(mutating: bytes.assumingMemoryBound(to: UInt8.self).baseAddress),
                CK_ULONG(bytes.count), &enciphered, &length)
        }
        try check("C_Encrypt", code)
        var object: CK_OBJECT_HANDLE = 0
        let unwrapped = Session.withCourierVector(&mechanism) { mechanism in
            functions.pointee.C_UnwrapKey!(
                handle, mechanism, courier, &enciphered, length, template.attributes.baseAddress,
                CK_ULONG(template.attributes.count), &object)
        }
        try check("C_UnwrapKey", unwrapped)
        return ObjectHandle(rawValue: object)
    }

    /// The session key that carries values: made once, ends with the session.
    private mutating func courier() throws(PKCS11Error) -> CK_OBJECT_HANDLE {
        if let courierKey { return courierKey.rawValue }
        let made = try generateKey(.aes, Session.courierTemplate)
        courierKey = made
        return made.rawValue
    }

    private static let courierTemplate = Template(
        keyType: .aes, valueCount: 32, on: [.sensitive, .isPrivate, .encrypt, .decrypt, .wrap, .unwrap],
        off: [.token, .extractable, .derive, .sign, .verify])

    /// Known values are keys, blocks and components: none is longer.
    private static let courierBytesMax = 512

    private mutating func courierTransform(
        _ name: StaticString,
        _ body: (
            UnsafeMutablePointer<CK_MECHANISM>, UnsafeMutablePointer<UInt8>, UnsafeMutablePointer<CK_ULONG>
        ) -> CK_RV
    ) throws(PKCS11Error) -> [UInt8] {
        var output = [UInt8](repeating: 0, count: Session.courierBytesMax)
        var length = CK_ULONG(output.count)
        var mechanism = CK_MECHANISM(mechanism: CKM_AES_CBC_PAD, pParameter: nil, ulParameterLen: 0)
        let code = Session.withCourierVector(&mechanism) { body($0, &output, &length) }
        try check(name, code)
        return Array(output.prefix(Int(length)))
    }

    /// A vector of zeros: the key is new in each session, and what it carries is no secret.
    private static func withCourierVector(
        _ mechanism: inout CK_MECHANISM, _ body: (UnsafeMutablePointer<CK_MECHANISM>) -> CK_RV
    ) -> CK_RV {
        var vector = (UInt64(0), UInt64(0))
        return withUnsafeMutableBytes(of: &vector) { bytes in
            mechanism.pParameter = bytes.baseAddress
            mechanism.ulParameterLen = CK_ULONG(bytes.count)
            return body(&mechanism)
        }
    }
}

extension PKCS11Error {
    /// True where a token takes no clear key, or makes none that could be read; each says it in its own way.
    fileprivate var refusesClearValues: Bool {
        [
            CKR_ATTRIBUTE_VALUE_INVALID, CKR_ATTRIBUTE_TYPE_INVALID, CKR_ATTRIBUTE_READ_ONLY,
            CKR_ATTRIBUTE_SENSITIVE, CKR_TEMPLATE_INCONSISTENT, CKR_FUNCTION_NOT_SUPPORTED,
            CKR_ACTION_PROHIBITED,
        ].contains(code)
    }
}
