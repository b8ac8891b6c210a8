internal import CPKCS11

/// How a session comes into being, and another one beside it.
extension Session {
    init(
        functions: UnsafeMutablePointer<CK_FUNCTION_LIST>, handle: CK_SESSION_HANDLE, slot: CK_SLOT_ID = 0,
        crossings: Crossings = Crossings()
    ) {
        slotNumber = slot
        self.functions = functions
        self.handle = handle
        self.crossings = crossings
    }

    /// Which of the module's tokens the session is with.
    package var slot: TokenSlot { TokenSlot(rawValue: slotNumber) }

    /// Another session with the same token, which this process is logged in to. It reads only.
    package borrowing func sibling() throws(PKCS11Error) -> Session {
        var other: CK_SESSION_HANDLE = 0
        let flags = CK_FLAGS(CKF_SERIAL_SESSION)
        let code = functions.pointee.C_OpenSession!(slotNumber, flags, nil, nil, &other)
        guard code == CKR_OK else { throw PKCS11Error(function: "C_OpenSession", code: code) }
        return Session(functions: functions, handle: other, slot: slotNumber, crossings: crossings)
    }
}

/// The slot that a token is in. Worth nothing in another process.
package struct TokenSlot: Hashable, Sendable {
    let rawValue: CK_SLOT_ID
}
