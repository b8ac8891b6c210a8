internal import CPKCS11

/// An object of the token as one session sees it. Worth nothing in another process.
package struct ObjectHandle: Hashable, Sendable {
    let rawValue: CK_OBJECT_HANDLE
}

/// The slot that a token is in. Worth nothing in another process.
package struct TokenSlot: Hashable, Sendable {
    let rawValue: CK_SLOT_ID
}

/// One session with the token. It closes itself, belongs to one thread at a time and counts its calls. The
/// session objects made in it end with it.
package struct Session: ~Copyable {
    let functions: UnsafeMutablePointer<CK_FUNCTION_LIST>
    let handle: CK_SESSION_HANDLE
    private let slotNumber: CK_SLOT_ID
    /// Cryptoki functions called in this session.
    package internal(set) var callCount: UInt64 = 0
    /// How known values cross the border of the token, as far as any session of the process has found.
    let crossings: Crossings
    /// Carries values where the token takes none in the clear.
    var courierKey: ObjectHandle?

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

    deinit {
        _ = functions.pointee.C_CloseSession!(handle)
    }

    /// Counts the call and turns everything but `CKR_OK` into an error.
    @inline(__always)
    mutating func check(
        _ function: StaticString, _ code: CK_RV
    ) throws(PKCS11Error) {
        callCount &+= 1
        if code != CKR_OK { throw PKCS11Error(function: "\(function)", code: code) }
    }

    /// Ends an object.
    package mutating func destroy(_ object: ObjectHandle) throws(PKCS11Error) {
        try check("C_DestroyObject", functions.pointee.C_DestroyObject!(handle, object.rawValue))
    }
}
