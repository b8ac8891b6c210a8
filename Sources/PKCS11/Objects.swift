internal import CPKCS11

/// Objects: find, make, copy, look at, destroy (PKCS#11 v2.40, 5.7).
extension Session {
    /// Secret keys of the token with this label.
    package mutating func findKeys(label: String) throws(PKCS11Error) -> [ObjectHandle] {
        var keyClass = CK_OBJECT_CLASS(CKO_SECRET_KEY)
        var onToken = CK_BBOOL(CK_TRUE)
        var bytes = Array(label.utf8)
        let code = withUnsafeMutableBytes(of: &keyClass) { keyClass in
            withUnsafeMutableBytes(of: &onToken) { onToken in
                bytes.withUnsafeMutableBytes { label in
                    var template = [
                        CK_ATTRIBUTE(
                            type: CKA_CLASS, pValue: keyClass.baseAddress,
                            ulValueLen: CK_ULONG(keyClass.count)),
                        CK_ATTRIBUTE(
                            type: CKA_TOKEN, pValue: onToken.baseAddress, ulValueLen: CK_ULONG(onToken.count)),
                        CK_ATTRIBUTE(
                            type: CKA_LABEL, pValue: label.baseAddress, ulValueLen: CK_ULONG(label.count)),
                    ]
                    return functions.pointee.C_FindObjectsInit!(handle, &template, CK_ULONG(template.count))
                }
            }
        }
        try check("C_FindObjectsInit", code)
        var found = [CK_OBJECT_HANDLE](repeating: 0, count: 16)
        var count: CK_ULONG = 0
        let findCode = functions.pointee.C_FindObjects!(handle, &found, CK_ULONG(found.count), &count)
        _ = functions.pointee.C_FindObjectsFinal!(handle)
        try check("C_FindObjects", findCode)
        return found.prefix(Int(count)).map(ObjectHandle.init(rawValue:))
    }

    /// Has the token make an AES key.
    package mutating func generateAESKey(_ template: Template) throws(PKCS11Error) -> ObjectHandle {
        var mechanism = CK_MECHANISM(mechanism: CKM_AES_KEY_GEN, pParameter: nil, ulParameterLen: 0)
        var object: CK_OBJECT_HANDLE = 0
        let code = functions.pointee.C_GenerateKey!(
            handle, &mechanism, template.attributes.baseAddress, CK_ULONG(template.attributes.count), &object)
        try check("C_GenerateKey", code)
        return ObjectHandle(rawValue: object)
    }

    /// A session object with the same value and attributes: token objects are read from their store, and
    /// deciphered, at every use.
    package mutating func workingCopy(of object: ObjectHandle) throws(PKCS11Error) -> ObjectHandle {
        var onToken = CK_BBOOL(CK_FALSE)
        var copy: CK_OBJECT_HANDLE = 0
        let code = withUnsafeMutableBytes(of: &onToken) { value in
            var attribute = CK_ATTRIBUTE(
                type: CKA_TOKEN, pValue: value.baseAddress, ulValueLen: CK_ULONG(value.count))
            return functions.pointee.C_CopyObject!(handle, object.rawValue, &attribute, 1, &copy)
        }
        try check("C_CopyObject", code)
        return ObjectHandle(rawValue: copy)
    }

    /// Tries to set a boolean attribute; an audit wants this refused.
    package mutating func setAttribute(
        _ attribute: Attribute, to value: Bool, of object: ObjectHandle
    ) throws(PKCS11Error) {
        var value = CK_BBOOL(value ? CK_TRUE : CK_FALSE)
        let code = withUnsafeMutableBytes(of: &value) { bytes in
            var template = CK_ATTRIBUTE(
                type: attribute.type, pValue: bytes.baseAddress, ulValueLen: CK_ULONG(bytes.count))
            return functions.pointee.C_SetAttributeValue!(handle, object.rawValue, &template, 1)
        }
        try check("C_SetAttributeValue", code)
    }

    /// The number of objects that this session can see.
    package mutating func objectCount() throws(PKCS11Error) -> Int {
        try check("C_FindObjectsInit", functions.pointee.C_FindObjectsInit!(handle, nil, 0))
        return try countFound()
    }

    /// The number of session objects that this session can see; on a token in the process, those of all its sessions.
    /// Does not touch the token's store.
    package mutating func sessionObjectCount() throws(PKCS11Error) -> Int {
        var onToken = CK_BBOOL(CK_FALSE)
        let code = withUnsafeMutableBytes(of: &onToken) { bytes in
            var template = CK_ATTRIBUTE(
                type: CKA_TOKEN, pValue: bytes.baseAddress, ulValueLen: CK_ULONG(bytes.count))
            return functions.pointee.C_FindObjectsInit!(handle, &template, 1)
        }
        try check("C_FindObjectsInit", code)
        return try countFound()
    }

    private mutating func countFound() throws(PKCS11Error) -> Int {
        var total = 0
        var found = [CK_OBJECT_HANDLE](repeating: 0, count: 256)
        var count: CK_ULONG = 0
        repeat {
            let code = functions.pointee.C_FindObjects!(handle, &found, CK_ULONG(found.count), &count)
            guard code == CKR_OK else {
                _ = functions.pointee.C_FindObjectsFinal!(handle)
                throw PKCS11Error(function: "C_FindObjects", code: code)
            }
            total += Int(count)
        } while count > 0
        try check("C_FindObjectsFinal", functions.pointee.C_FindObjectsFinal!(handle))
        return total
    }
}
