internal import CPKCS11

/// A Cryptoki function that did not return `CKR_OK`. Names function and code; holds no data.
package struct PKCS11Error: Error, Hashable, Sendable, CustomStringConvertible {
    /// The function, `C_DeriveKey`.
    package let function: String
    /// The return value.
    package let code: UInt

    /// Takes both.
    package init(function: String, code: UInt) {
        self.function = function
        self.code = code
    }

    /// `C_DeriveKey: CKR_KEY_HANDLE_INVALID (0x60)`, and what to do where that is known.
    package var description: String {
        let words = "\(function): \(PKCS11Error.names[code] ?? "unknown code") (0x\(String(code, radix: 16)))"
        return advice.map { "\(words); \($0)" } ?? words
    }

    private var advice: String? {
        switch (function, code) {
        case ("C_Initialize", CKR_HOST_MEMORY), ("C_Initialize", CKR_FUNCTION_FAILED),
            ("C_Initialize", CKR_GENERAL_ERROR), ("C_Initialize", CKR_DEVICE_ERROR):
            "the library may need a service that does not run (opencryptoki's is pkcsslotd), start it; else see "
                + "token.module and token.initArguments"
        case ("C_Initialize", _): "see token.module and token.initArguments"
        case (_, CKR_MECHANISM_INVALID): "this token lacks the mechanism: another token is needed"
        case (_, CKR_PIN_INCORRECT): "see token.pinFile"
        case (_, CKR_PIN_LOCKED): "the token's security officer has to unlock it"
        case (_, CKR_TOKEN_NOT_PRESENT), (_, CKR_DEVICE_REMOVED): "see token.uri and the device"
        case (_, CKR_TOKEN_WRITE_PROTECTED), (_, CKR_SESSION_READ_ONLY):
            "see who may write to the token's store"
        default: nil
        }
    }

    /// True where the request itself was at fault rather than the session or the token: the session is still
    /// good. Everything else costs the session its place (PKCS#11 v2.40, 5.1).
    package var leavesSessionIntact: Bool {
        switch code {
        case CKR_KEY_FUNCTION_NOT_PERMITTED, CKR_KEY_TYPE_INCONSISTENT, CKR_KEY_SIZE_RANGE,
            CKR_MECHANISM_INVALID, CKR_MECHANISM_PARAM_INVALID, CKR_ATTRIBUTE_READ_ONLY,
            CKR_ATTRIBUTE_SENSITIVE, CKR_ATTRIBUTE_TYPE_INVALID, CKR_DATA_LEN_RANGE,
            CKR_KEY_UNEXTRACTABLE, CKR_KEY_NOT_WRAPPABLE, CKR_ACTION_PROHIBITED, CKR_TEMPLATE_INCONSISTENT:
            true
        default: false
        }
    }

    /// True where no call of this session can succeed any more. Whatever else a token answers about one object says nothing of
    /// the others.
    package var endsSession: Bool {
        [
            CKR_SESSION_HANDLE_INVALID, CKR_SESSION_CLOSED, CKR_DEVICE_REMOVED, CKR_TOKEN_NOT_PRESENT,
            CKR_CRYPTOKI_NOT_INITIALIZED, CKR_USER_NOT_LOGGED_IN, CKR_HOST_MEMORY,
        ].contains(code)
    }

    /// True where `C_CopyObject` was refused because of what the object is, not because of the session.
    package var refusesCopy: Bool {
        code == CKR_ATTRIBUTE_READ_ONLY || code == CKR_ACTION_PROHIBITED
    }

    /// True where a copy had no value: what the token's store holds of the object cannot be deciphered. NSS ends the whole program
    /// where such a key is used for a MAC.
    package var lacksValue: Bool { function == "C_CopyObject" && code == CKR_TEMPLATE_INCOMPLETE }

    /// The token is there, and does not let in who asks.
    package var refusesPIN: Bool {
        [CKR_PIN_INCORRECT, CKR_PIN_INVALID, CKR_PIN_LEN_RANGE, CKR_PIN_EXPIRED, CKR_PIN_LOCKED].contains(
            code)
    }

    /// A signature that is not the key's.
    package var isWrongSignature: Bool {
        [CKR_SIGNATURE_INVALID, CKR_SIGNATURE_LEN_RANGE].contains(code)
    }

    /// The token does no such thing, with whatever key.
    package var lacksMechanism: Bool {
        [CKR_MECHANISM_INVALID, CKR_MECHANISM_PARAM_INVALID, CKR_FUNCTION_NOT_SUPPORTED].contains(code)
    }

    /// True where the object ended before or during the call.
    package var isObjectGone: Bool { code == CKR_OBJECT_HANDLE_INVALID }

    /// `CKR_KEY_HANDLE_INVALID`, or the number in hex.
    package var name: String { PKCS11Error.names[code] ?? "0x\(String(code, radix: 16))" }

    private static let names: [UInt: String] = [
        CKR_HOST_MEMORY: "CKR_HOST_MEMORY", CKR_SLOT_ID_INVALID: "CKR_SLOT_ID_INVALID",
        CKR_GENERAL_ERROR: "CKR_GENERAL_ERROR", CKR_FUNCTION_FAILED: "CKR_FUNCTION_FAILED",
        CKR_ARGUMENTS_BAD: "CKR_ARGUMENTS_BAD", CKR_CANT_LOCK: "CKR_CANT_LOCK",
        CKR_ATTRIBUTE_READ_ONLY: "CKR_ATTRIBUTE_READ_ONLY",
        CKR_ATTRIBUTE_SENSITIVE: "CKR_ATTRIBUTE_SENSITIVE",
        CKR_ATTRIBUTE_TYPE_INVALID: "CKR_ATTRIBUTE_TYPE_INVALID",
        CKR_ATTRIBUTE_VALUE_INVALID: "CKR_ATTRIBUTE_VALUE_INVALID",
        CKR_ACTION_PROHIBITED: "CKR_ACTION_PROHIBITED", CKR_DATA_INVALID: "CKR_DATA_INVALID",
        CKR_DATA_LEN_RANGE: "CKR_DATA_LEN_RANGE", CKR_DEVICE_ERROR: "CKR_DEVICE_ERROR",
        CKR_DEVICE_MEMORY: "CKR_DEVICE_MEMORY", CKR_DEVICE_REMOVED: "CKR_DEVICE_REMOVED",
        CKR_ENCRYPTED_DATA_INVALID: "CKR_ENCRYPTED_DATA_INVALID",
        CKR_ENCRYPTED_DATA_LEN_RANGE: "CKR_ENCRYPTED_DATA_LEN_RANGE",
        CKR_FUNCTION_NOT_SUPPORTED: "CKR_FUNCTION_NOT_SUPPORTED",
        CKR_KEY_HANDLE_INVALID: "CKR_KEY_HANDLE_INVALID", CKR_KEY_SIZE_RANGE: "CKR_KEY_SIZE_RANGE",
        CKR_KEY_TYPE_INCONSISTENT: "CKR_KEY_TYPE_INCONSISTENT",
        CKR_KEY_FUNCTION_NOT_PERMITTED: "CKR_KEY_FUNCTION_NOT_PERMITTED",
        CKR_KEY_NOT_WRAPPABLE: "CKR_KEY_NOT_WRAPPABLE", CKR_KEY_UNEXTRACTABLE: "CKR_KEY_UNEXTRACTABLE",
        CKR_MECHANISM_INVALID: "CKR_MECHANISM_INVALID",
        CKR_MECHANISM_PARAM_INVALID: "CKR_MECHANISM_PARAM_INVALID",
        CKR_OBJECT_HANDLE_INVALID: "CKR_OBJECT_HANDLE_INVALID",
        CKR_OPERATION_ACTIVE: "CKR_OPERATION_ACTIVE",
        CKR_OPERATION_NOT_INITIALIZED: "CKR_OPERATION_NOT_INITIALIZED",
        CKR_PIN_INCORRECT: "CKR_PIN_INCORRECT", CKR_PIN_LOCKED: "CKR_PIN_LOCKED",
        CKR_SESSION_CLOSED: "CKR_SESSION_CLOSED", CKR_SESSION_COUNT: "CKR_SESSION_COUNT",
        CKR_SESSION_HANDLE_INVALID: "CKR_SESSION_HANDLE_INVALID",
        CKR_SESSION_READ_ONLY: "CKR_SESSION_READ_ONLY", CKR_SIGNATURE_INVALID: "CKR_SIGNATURE_INVALID",
        CKR_SIGNATURE_LEN_RANGE: "CKR_SIGNATURE_LEN_RANGE",
        CKR_TEMPLATE_INCOMPLETE: "CKR_TEMPLATE_INCOMPLETE",
        CKR_TEMPLATE_INCONSISTENT: "CKR_TEMPLATE_INCONSISTENT",
        CKR_BUFFER_TOO_SMALL: "CKR_BUFFER_TOO_SMALL",
        CKR_TOKEN_NOT_PRESENT: "CKR_TOKEN_NOT_PRESENT",
        CKR_TOKEN_NOT_RECOGNIZED: "CKR_TOKEN_NOT_RECOGNIZED",
        CKR_TOKEN_WRITE_PROTECTED: "CKR_TOKEN_WRITE_PROTECTED",
        CKR_UNWRAPPING_KEY_HANDLE_INVALID: "CKR_UNWRAPPING_KEY_HANDLE_INVALID",
        CKR_USER_ALREADY_LOGGED_IN: "CKR_USER_ALREADY_LOGGED_IN",
        CKR_USER_NOT_LOGGED_IN: "CKR_USER_NOT_LOGGED_IN",
        CKR_WRAPPED_KEY_INVALID: "CKR_WRAPPED_KEY_INVALID",
        CKR_CRYPTOKI_NOT_INITIALIZED: "CKR_CRYPTOKI_NOT_INITIALIZED",
        CKR_CRYPTOKI_ALREADY_INITIALIZED: "CKR_CRYPTOKI_ALREADY_INITIALIZED",
    ]
}

extension PKCS11Error {
    /// True where a token makes no key pairs with the exponent that was asked for; each says it in its own way.
    package var refusesExponent: Bool {
        function == "C_GenerateKeyPair"
            && [
                CKR_ARGUMENTS_BAD, CKR_ATTRIBUTE_VALUE_INVALID, CKR_TEMPLATE_INCONSISTENT,
                CKR_MECHANISM_PARAM_INVALID,
            ].contains(code)
    }
}
