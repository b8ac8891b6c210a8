internal import Authorisation
internal import EMV
internal import PKCS11
internal import Synchronization

/// A key that the token does not have, or has with the wrong attributes.
package enum KeyError: Error, Sendable, CustomStringConvertible {
    /// No key has this label.
    case missing(String)
    /// Several keys have this label.
    case ambiguous(String, count: Int)
    /// The key may do something that its purpose does not need, or can be seen.
    case tooPowerful(String, attribute: String)
    /// The key lacks what its purpose needs.
    case tooWeak(String, attribute: String)
    /// The token let the key be used for something else.
    case probeAccepted(String, operation: String)
    /// The check value is that of a public test key.
    case testKey(String, checkValue: String)

    /// One line for people.
    package var description: String {
        switch self {
        case .missing(let key): "key \(key): not in the token"
        case .ambiguous(let key, let count): "key \(key): \(count) keys have this label"
        case .tooPowerful(let key, let attribute): "key \(key): \(attribute) must not be so for its purpose"
        case .tooWeak(let key, let attribute): "key \(key): lacks \(attribute)"
        case .probeAccepted(let key, let operation): "key \(key): the token let it \(operation)"
        case .testKey(let key, let checkValue): "key \(key): KCV \(checkValue) is that of a public test key"
        }
    }
}

extension KeyRing {
    /// Copies every key of the configuration into the session.
    init(_ configuration: HSMConfiguration, _ session: inout Session) throws {
        if configuration.pinFormats.contains(.iso4) { try session.prepareCrossing() }
        handles = try KeyRing.lookingUp.withLock { _ in
            var handles: [KeyName: ObjectHandle] = [:]
            func copy(_ label: String) throws -> ObjectHandle {
                try KeyRing.workingKey(KeyRing.tokenKey(label, &session), &session)
            }
            for (name, _) in configuration.keys {
                guard let labels = configuration.zoneKeyLabels[name] else {
                    handles[name] = try copy(name.rawValue)
                    continue
                }
                // Under the name, as any key; under its own for answers that must not change keys meanwhile.
                let current = try copy(labels.current)
                (handles[name], handles[labels.currentKey]) = (current, current)
                if let previous = labels.previous, let key = labels.previousKey {
                    handles[key] = try copy(previous)
                }
            }
            return handles
        }
    }

    /// A ring of keys that are session objects already.
    init(_ handles: [KeyName: ObjectHandle]) { self.handles = handles }

    /// A working copy where the token makes one. SoftHSM2 refuses to copy what is not modifiable; there the token
    /// object itself is used, which it keeps in memory, at some hundred microseconds a use.
    static func workingKey(_ key: ObjectHandle, _ session: inout Session) throws(PKCS11Error) -> ObjectHandle
    {
        do { return try session.workingCopy(of: key) } catch  where error.refusesCopy { return key }
    }

    static func tokenKey(_ label: String, _ session: inout Session) throws -> ObjectHandle {
        let found = try session.findKeys(label: label)
        guard let key = found.first else { throw KeyError.missing(label) }
        guard found.count == 1 else { throw KeyError.ambiguous(label, count: found.count) }
        return key
    }
}

/// Why a job gave no answer.
enum JobError: Error {
    case token(PKCS11Error)
    case noSuchKey(String)
    /// What this product does not do inside a token, and therefore not at all.
    case refused(String)
    /// What no standard says how to do.
    case notDefined(String)

    var words: String {
        switch self {
        case .notDefined(let what): "\(what) is not defined"
        case .token(let error): error.description
        case .noSuchKey(let name): "key \(name) is not configured for this host"
        case .refused(let words): words
        }
    }
}
