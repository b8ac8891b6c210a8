package import ByteCoding
internal import CPKCS11
internal import Glibc
internal import Synchronization

/// A PKCS#11 module that could not be loaded, or a token that is not there.
package enum ModuleError: Error, Sendable, CustomStringConvertible {
    /// The library could not be loaded; the words are p11-kit's.
    case notLoadable(path: String, reason: String)
    /// The URI is no RFC 7512 URI.
    case badURI(String)
    /// No present token matches the URI.
    case noSuchToken(uri: String, present: [String])
    /// The URI says something that this product does not act on; a part that is passed over would mislead.
    case refusedURI(part: String, instead: String)
    /// Several present tokens match the URI.
    case ambiguousToken(uri: String, matching: [String])
    /// A Cryptoki function failed.
    case failed(PKCS11Error)

    /// One line for people.
    package var description: String {
        switch self {
        case .notLoadable(let path, let reason): "PKCS#11 module \(path) cannot be loaded: \(reason)"
        case .badURI(let uri): "not a PKCS#11 URI (RFC 7512): \(uri)"
        case .refusedURI(let part, let instead): "PKCS#11 URI: \(part) is not taken; \(instead)"
        case .ambiguousToken(let uri, let matching):
            "\(matching.count) tokens match \(uri): \(matching.joined(separator: ", ")); name one by token, serial or slot-id"
        case .noSuchToken(let uri, let present) where present.isEmpty:
            "no token matches \(uri): C_GetSlotList shows none at all; a library that asks a service (p11-kit's client, a "
                + "module over a network) shows none where that does not run: start it, or see token.module"
        case .noSuchToken(let uri, let present):
            "no token matches \(uri); present: \(present.joined(separator: ", "))"
        case .failed(let error): error.description
        }
    }
}

/// A loaded and initialised PKCS#11 library. Lives as long as the process: libraries do not all survive
/// `C_Finalize` and a second `C_Initialize`.
package final class Module: @unchecked Sendable {
    // Sendable because the function list is constant after loading and the library was initialised with
    // CKF_OS_LOCKING_OK.
    let functions: UnsafeMutablePointer<CK_FUNCTION_LIST>
    /// The shared library, as it was named.
    package let path: String
    /// The entry point of the standard (PKCS#11 v2.40, 5.4).
    package static let standardEntry = "C_GetFunctionList"
    private let found = Mutex<[CK_SLOT_ID: Crossings]>([:])

    /// Loads and initialises a library.
    ///
    /// - Parameters:
    ///   - path: the shared library, or a name that the loader finds.
    ///   - initArguments: what the library wants in `pReserved` (NSS: `configdir='sql:DIR' …`), or nil.
    ///   - functionList: the entry point, where a library has more than the standard's one: NSS in FIPS mode is
    ///     `FC_GetFunctionList`.
    package init(path: String, initArguments: String?, functionList: String = Module.standardEntry)
        throws(ModuleError)
    {
        functions =
            functionList == Module.standardEntry
            ? try Module.load(path) : try Module.load(path, entry: functionList)
        self.path = path
        var arguments = CK_C_INITIALIZE_ARGS()
        arguments.flags = CK_FLAGS(CKF_OS_LOCKING_OK)
        // Some libraries keep the pointer, so the string is never freed: one per process.
        if let initArguments { arguments.pReserved = UnsafeMutableRawPointer(strdup(initArguments)) }
        let code = functions.pointee.C_Initialize!(&arguments)
        guard code == CKR_OK || code == CKR_CRYPTOKI_ALREADY_INITIALIZED else {
            throw .failed(PKCS11Error(function: "C_Initialize", code: code))
        }
    }

    private static func load(
        _ path: String
    ) throws(ModuleError) -> UnsafeMutablePointer<CK_FUNCTION_LIST> {
        guard let functions = p11_kit_module_load(path, CInt(P11_KIT_MODULE_UNMANAGED)) else {
            let reason = p11_kit_message().map { String(cString: $0) } ?? "no reason given"
            throw .notLoadable(path: path, reason: reason)
        }
        return functions
    }

    /// By another entry point than `C_GetFunctionList`. The library stays loaded, as any does.
    private static func load(
        _ path: String, entry name: String
    ) throws(ModuleError) -> UnsafeMutablePointer<CK_FUNCTION_LIST> {
        guard let library = dlopen(path, RTLD_NOW | RTLD_LOCAL) else {
            throw .notLoadable(path: path, reason: dlerror().map { String(cString: $0) } ?? "no reason given")
        }
        guard let symbol = dlsym(library, name) else {
            throw .notLoadable(path: path, reason: "it has no entry point \(name) (token.functionList)")
        }
        let entry = unsafeBitCast(
            symbol,
            to: (@convention(c) (UnsafeMutablePointer<UnsafeMutablePointer<CK_FUNCTION_LIST>?>?) -> CK_RV)
                .self)
        var functions: UnsafeMutablePointer<CK_FUNCTION_LIST>?
        let code = entry(&functions)
        guard code == CKR_OK, let functions else { throw .failed(PKCS11Error(function: name, code: code)) }
        return functions
    }

    func crossings(of slot: CK_SLOT_ID) -> Crossings {
        found.withLock { found in
            if let known = found[slot] { return known }
            let new = Crossings()
            found[slot] = new
            return new
        }
    }

    /// The slot whose token matches the URI.
    /// - Parameter uri: RFC 7512, for example `pkcs11:token=issuer`.
    package func slot(matching uri: String) throws(ModuleError) -> Slot {
        guard let pattern = p11_kit_uri_new() else { throw .badURI(uri) }
        defer { p11_kit_uri_free(pattern) }
        let kinds = P11KitUriType(P11_KIT_URI_FOR_TOKEN.rawValue | P11_KIT_URI_FOR_SLOT.rawValue)
        guard p11_kit_uri_parse(uri, kinds, pattern) == CInt(P11_KIT_URI_OK.rawValue) else {
            throw .badURI(uri)
        }
        try Module.refuseWhatIsNotActedOn(pattern)
        let wantedSlot = p11_kit_uri_get_slot_id(pattern)
        var present: [String] = []
        var matching: [(identifier: CK_SLOT_ID, info: CK_TOKEN_INFO)] = []
        for identifier in try slotIdentifiers() {
            var info = CK_TOKEN_INFO()
            guard functions.pointee.C_GetTokenInfo!(identifier, &info) == CKR_OK else { continue }
            let initialised = info.flags & CK_FLAGS(CKF_TOKEN_INITIALIZED) != 0
            if initialised, p11_kit_uri_match_token_info(pattern, &info) == 1,
                wantedSlot == CK_SLOT_ID.max || wantedSlot == identifier
            {
                matching.append((identifier, info))
            }
            present.append("pkcs11:token=\(label(of: info));slot-id=\(identifier)")
        }
        guard let found = matching.first else { throw .noSuchToken(uri: uri, present: present) }
        // Before a login: a PIN tried on another token than was meant costs that one a try.
        guard matching.count == 1 else {
            throw .ambiguousToken(
                uri: uri,
                matching: matching.map { "token=\(label(of: $0.info));slot-id=\($0.identifier)" })
        }
        return Slot(module: self, identifier: found.identifier, tokenLabel: label(of: found.info))
    }

    static func refuseWhatIsNotActedOn(_ uri: OpaquePointer) throws(ModuleError) {
        // The parts are named, and what stands in them is not shown: one of them is a PIN.
        if p11_kit_uri_get_pin_value(uri) != nil {
            throw .refusedURI(part: "pin-value", instead: "URIs are printed: use token.pinFile")
        }
        if p11_kit_uri_get_pin_source(uri) != nil {
            throw .refusedURI(part: "pin-source", instead: "use token.pinFile")
        }
        if p11_kit_uri_get_module_name(uri) != nil || p11_kit_uri_get_module_path(uri) != nil {
            throw .refusedURI(part: "module-name or module-path", instead: "use token.module")
        }
        if p11_kit_uri_any_unrecognized(uri) != 0 {
            throw .refusedURI(
                part: "an object, or a part that RFC 7512 does not name", instead: "leave it out")
        }
    }

    private func slotIdentifiers() throws(ModuleError) -> [CK_SLOT_ID] {
        var count: CK_ULONG = 0
        var code = functions.pointee.C_GetSlotList!(CK_BBOOL(CK_TRUE), nil, &count)
        guard code == CKR_OK else { throw .failed(PKCS11Error(function: "C_GetSlotList", code: code)) }
        var identifiers = [CK_SLOT_ID](repeating: 0, count: Int(count))
        code = functions.pointee.C_GetSlotList!(CK_BBOOL(CK_TRUE), &identifiers, &count)
        guard code == CKR_OK else { throw .failed(PKCS11Error(function: "C_GetSlotList", code: code)) }
        return Array(identifiers.prefix(Int(count)))
    }

    private func label(of info: CK_TOKEN_INFO) -> String {
        withUnsafeBytes(of: info.label) { bytes in
            let text = String(decoding: bytes, as: UTF8.self)
            return String(text.reversed().drop { $0 == " " || $0 == "\0" }.reversed())
        }
    }
}

/// A slot with its token.
package struct Slot: Sendable {
    let module: Module
    let identifier: CK_SLOT_ID
    /// `CKA_LABEL` of the token, without its padding.
    package let tokenLabel: String

    /// Opens a session and logs in if nobody of this process is.
    ///
    /// - Parameters:
    ///   - readWrite: needed to make token objects.
    ///   - pin: the user PIN, nil for a token without one.
    package func openSession(readWrite: Bool, pin: borrowing SecretBytes?) throws(PKCS11Error) -> Session {
        var handle: CK_SESSION_HANDLE = 0
        let flags = CK_FLAGS(CKF_SERIAL_SESSION) | (readWrite ? CK_FLAGS(CKF_RW_SESSION) : 0)
        let functions = module.functions
        let code = functions.pointee.C_OpenSession!(identifier, flags, nil, nil, &handle)
        guard code == CKR_OK else { throw PKCS11Error(function: "C_OpenSession", code: code) }
        let session = Session(
            functions: functions, handle: handle, slot: identifier,
            crossings: module.crossings(of: identifier))
        if pin != nil { try login(handle, pin!) }
        return session
    }

    private func login(_ handle: CK_SESSION_HANDLE, _ pin: borrowing SecretBytes) throws(PKCS11Error) {
        let functions = module.functions
        let code = pin.withUnsafeBytes { bytes in
            functions.pointee.C_Login!(
                handle, CK_USER_TYPE(CKU_USER),
                UnsafeMutablePointer(mutating: bytes.assumingMemoryBound(to: UInt8.self).baseAddress),
                CK_ULONG(bytes.count))
        }
        guard code == CKR_OK || code == CKR_USER_ALREADY_LOGGED_IN else {
            throw PKCS11Error(function: "C_Login", code: code)
        }
    }
}
