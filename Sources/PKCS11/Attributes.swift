internal import CPKCS11

/// Attributes of objects as they are read, every one in the same way (PKCS#11 v2.40, 5.7).
extension Session {
    /// A boolean attribute, nil where the token does not know it.
    package mutating func attribute(
        _ attribute: Attribute, of object: ObjectHandle
    ) throws(PKCS11Error) -> Bool? {
        var value = CK_BBOOL(CK_FALSE)
        let count = try withUnsafeMutableBytes(of: &value) { (bytes) throws(PKCS11Error) in
            try read(attribute.type, of: object, into: bytes)
        }
        return count == nil ? nil : value == CK_BBOOL(CK_TRUE)
    }

    /// Boolean attributes, read in one call; those that the token does not know are left out.
    package mutating func attributes(
        _ list: [Attribute], of object: ObjectHandle
    ) throws(PKCS11Error) -> [Attribute: Bool] {
        var values = [CK_BBOOL](repeating: 0xFF, count: list.count)
        var found: [Attribute: Bool] = [:]
        let code = values.withUnsafeMutableBytes { bytes in
            var template = list.enumerated().map { index, attribute in
                CK_ATTRIBUTE(type: attribute.type, pValue: bytes.baseAddress! + index, ulValueLen: 1)
            }
            let code = functions.pointee.C_GetAttributeValue!(
                handle, object.rawValue, &template, CK_ULONG(template.count))
            for (attribute, read) in zip(list, template) where read.ulValueLen == 1 {
                let value = read.pValue.load(as: CK_BBOOL.self)
                if value <= 1 { found[attribute] = value == 1 }
            }
            return code
        }
        if code != CKR_ATTRIBUTE_TYPE_INVALID { try check("C_GetAttributeValue", code) }
        return found
    }

    /// A number, nil where the token does not know it. The buffer has exactly its size: NSS calls a larger one too small.
    mutating func number(_ type: CK_ATTRIBUTE_TYPE, of object: ObjectHandle) throws(PKCS11Error) -> CK_ULONG?
    {
        var value: CK_ULONG = 0
        let count = try withUnsafeMutableBytes(of: &value) { (bytes) throws(PKCS11Error) in
            try read(type, of: object, into: bytes)
        }
        return count == nil ? nil : value
    }

    /// Bytes of any number, empty where the token does not know them. Of what is longer than anything of this product's,
    /// somebody else's, the beginning is enough.
    mutating func bytes(_ type: CK_ATTRIBUTE_TYPE, of object: ObjectHandle) throws(PKCS11Error) -> [UInt8] {
        var room = 256
        while true {
            do throws(PKCS11Error) {
                let found = try bytes(type, of: object, atMost: room) ?? []
                return Array(found.prefix(Session.attributeBytesMax))
            } catch {
                guard error.code == CKR_BUFFER_TOO_SMALL, room < Session.foreignBytesMax else { throw error }
                room = room < Session.attributeBytesMax ? Session.attributeBytesMax : Session.foreignBytesMax
            }
        }
    }

    /// `CKA_VALUE` of an object that is readable: check values only.
    package mutating func readableValue(
        of object: ObjectHandle, count: Int
    ) throws(PKCS11Error) -> [UInt8] {
        guard let value = try bytes(CKA_VALUE, of: object, atMost: count) else {
            throw Session.attributeUnknown
        }
        return value
    }

    /// For what an object has to have.
    static let attributeUnknown = PKCS11Error(
        function: "C_GetAttributeValue", code: CKR_ATTRIBUTE_TYPE_INVALID)

    /// The longest attribute is a key block's header in `CKA_ID`.
    private static let attributeBytesMax = 16_384
    private static let foreignBytesMax = 4 << 20

    private mutating func bytes(
        _ type: CK_ATTRIBUTE_TYPE, of object: ObjectHandle, atMost room: Int
    ) throws(PKCS11Error) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: room)
        var span = bytes.mutableSpan
        let count = try span.withUnsafeMutableBytes { (bytes) throws(PKCS11Error) in
            try read(type, of: object, into: bytes)
        }
        return count.map { Array(bytes.prefix($0)) }
    }

    /// - Returns: how many bytes the attribute has; nil where the token does not know it.
    private mutating func read(
        _ type: CK_ATTRIBUTE_TYPE, of object: ObjectHandle, into bytes: UnsafeMutableRawBufferPointer
    ) throws(PKCS11Error) -> Int? {
        var template = CK_ATTRIBUTE(
            type: type, pValue: bytes.baseAddress, ulValueLen: CK_ULONG(bytes.count))
        let code = functions.pointee.C_GetAttributeValue!(handle, object.rawValue, &template, 1)
        if code == CKR_ATTRIBUTE_TYPE_INVALID { return nil }
        try check("C_GetAttributeValue", code)
        return Int(template.ulValueLen)
    }
}
