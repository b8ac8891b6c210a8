internal import CPKCS11

/// Pieces of objects inside the token, on bit boundaries, and blocks across its border without arrays.
extension Session {
    /// As many bytes of `base` as the template says, from a bit on (`CKM_EXTRACT_KEY_FROM_KEY`).
    package mutating func extractKey(
        from base: ObjectHandle, bitOffset: Int, template: Template
    ) throws(PKCS11Error) -> ObjectHandle {
        var offset = CK_ULONG(bitOffset)
        let derived = withUnsafeMutableBytes(of: &offset) { parameter in
            derive(base, CKM_EXTRACT_KEY_FROM_KEY, parameter: parameter, template: template)
        }
        try check("C_DeriveKey", derived.code)
        return ObjectHandle(rawValue: derived.key)
    }

    /// `base ‖ other` (`CKM_CONCATENATE_BASE_AND_KEY`).
    package mutating func joinKeys(
        _ base: ObjectHandle, _ other: ObjectHandle, template: Template
    ) throws(PKCS11Error) -> ObjectHandle {
        var second = other.rawValue
        let derived = withUnsafeMutableBytes(of: &second) { parameter in
            derive(base, CKM_CONCATENATE_BASE_AND_KEY, parameter: parameter, template: template)
        }
        try check("C_DeriveKey", derived.code)
        return ObjectHandle(rawValue: derived.key)
    }

    /// Deciphers one block of eight bytes into an object and XORs it with `mask` on the way: in CBC mode the mask is
    /// the initialisation vector.
    package mutating func unwrapBlock(
        _ block: UInt64, xor mask: UInt64, key: ObjectHandle, template: Template
    ) throws(PKCS11Error) -> ObjectHandle {
        var (input, vector) = (block.bigEndian, mask.bigEndian)
        var object: CK_OBJECT_HANDLE = 0
        let code = withUnsafeMutableBytes(of: &vector) { vector in
            withUnsafeMutableBytes(of: &input) { input in
                var mechanism = CK_MECHANISM(
                    mechanism: CKM_DES3_CBC, pParameter: vector.baseAddress,
                    ulParameterLen: CK_ULONG(vector.count))
                return functions.pointee.C_UnwrapKey!(
                    handle, &mechanism, key.rawValue,
                    input.assumingMemoryBound(to: UInt8.self).baseAddress, CK_ULONG(input.count),
                    template.attributes.baseAddress, CK_ULONG(template.attributes.count), &object)
            }
        }
        try check("C_UnwrapKey", code)
        return ObjectHandle(rawValue: object)
    }

    /// Enciphers an object of one to seven bytes, padded to eight (PKCS #7), under a wrapping key (`CKM_DES3_CBC_PAD`).
    package mutating func wrapPiece(
        _ object: ObjectHandle, key: ObjectHandle
    ) throws(PKCS11Error) -> UInt64 {
        var vector: UInt64 = 0
        // A token asks for room before it has padded.
        var output = (UInt64(0), UInt64(0))
        let code = withUnsafeMutableBytes(of: &vector) { vector in
            withUnsafeMutableBytes(of: &output) { output in
                var mechanism = CK_MECHANISM(
                    mechanism: CKM_DES3_CBC_PAD, pParameter: vector.baseAddress,
                    ulParameterLen: CK_ULONG(vector.count))
                var length = CK_ULONG(output.count)
                return functions.pointee.C_WrapKey!(
                    handle, &mechanism, key.rawValue, object.rawValue,
                    output.assumingMemoryBound(to: UInt8.self).baseAddress, &length)
            }
        }
        try check("C_WrapKey", code)
        return UInt64(bigEndian: output.0)
    }

    /// Enciphers an object of eight bytes, XORed with `mask` on the way, under a wrapping key.
    package mutating func wrapBlock(
        _ object: ObjectHandle, xor mask: UInt64, key: ObjectHandle
    ) throws(PKCS11Error) -> UInt64 {
        var vector = mask.bigEndian
        var output: UInt64 = 0
        let code = withUnsafeMutableBytes(of: &vector) { vector in
            withUnsafeMutableBytes(of: &output) { output in
                var mechanism = CK_MECHANISM(
                    mechanism: CKM_DES3_CBC, pParameter: vector.baseAddress,
                    ulParameterLen: CK_ULONG(vector.count))
                var length = CK_ULONG(output.count)
                return functions.pointee.C_WrapKey!(
                    handle, &mechanism, key.rawValue, object.rawValue,
                    output.assumingMemoryBound(to: UInt8.self).baseAddress, &length)
            }
        }
        try check("C_WrapKey", code)
        return UInt64(bigEndian: output)
    }
}
