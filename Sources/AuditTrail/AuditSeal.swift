internal import HSM
internal import PKCS11

/// What a trail keeps in the token: the key of its seals, and how far the log goes. The count lives where whoever
/// may write the file may not: a log whose end was cut off is shorter than the token says.
struct AuditSeal: ~Copyable {
    /// How far the log goes.
    struct Head: Equatable {
        var sequence: UInt64
        /// SHA-256 of the last line.
        var hash: [UInt8]

        static let none = Head(sequence: 0, hash: AuditLine.noPrevious)

        /// Eight bytes big endian, then the hash.
        var bytes: [UInt8] {
            (0..<8).map { UInt8(truncatingIfNeeded: sequence >> UInt64(56 - 8 * $0)) } + hash
        }

        init(sequence: UInt64, hash: [UInt8]) {
            self.sequence = sequence
            self.hash = hash
        }

        init?(_ bytes: [UInt8]) {
            guard bytes.count == 40 else { return nil }
            sequence = bytes.prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
            hash = Array(bytes.dropFirst(8))
        }
    }

    private var session: Session
    private let key: ObjectHandle
    private let keyLabel: String
    /// Nil where there is none, or several: for those who read the log without its count.
    private let counter: ObjectHandle?
    private let counterWords: String
    /// What the first line says of its key, where the key was made just now: of the token's object, not of the copy that
    /// works.
    let madeDetails: [String: String]?

    private init(
        session: consuming Session, key: ObjectHandle, keyLabel: String, counter: ObjectHandle?,
        counterWords: String = "", madeDetails: [String: String]? = nil
    ) {
        self.session = session
        (self.key, self.keyLabel) = (key, keyLabel)
        self.counter = counter
        self.counterWords = counterWords
        self.madeDetails = madeDetails
    }

    /// - Parameters:
    ///   - keyLabel: of the key; the counter's is the same with `-head`.
    ///   - makesKey: whether a key that is not there is made.
    /// - Returns: nil where the token has no key and none is to be made.
    static func open(keyLabel: String, makesKey: Bool, at location: TokenLocation) throws -> AuditSeal? {
        var session = try location.openSession(readWrite: makesKey)
        let counterLabel = AuditTrail.counterLabel(of: keyLabel)
        let keys = try session.findKeys(label: keyLabel)
        let counters = try session.findKeys(label: counterLabel)
        if let key = keys.first, let counter = counters.first, keys.count == 1, counters.count == 1 {
            let working = try workingKey(key, labelled: keyLabel, in: &session)
            return AuditSeal(session: session, key: working, keyLabel: keyLabel, counter: counter)
        }
        guard keys.isEmpty, counters.isEmpty else {
            throw AuditTrailError(
                "audit trail: the token has \(keys.count) keys \(keyLabel) and \(counters.count) objects "
                    + "\(counterLabel) where there is one of each, or neither")
        }
        guard makesKey else { return nil }
        let counter = try session.generateKey(.genericSecret, counterTemplate(counterLabel))
        let made = try session.generateKey(
            .genericSecret,
            KeyPurpose.auditKey.tokenTemplate(
                label: keyLabel, provenance: KeyProvenance(.generated), statesLength: true))
        let details = try KeyDescription(of: made, in: &session).details
        let working = try workingKey(made, labelled: keyLabel, in: &session)
        return AuditSeal(
            session: session, key: working, keyLabel: keyLabel, counter: counter, madeDetails: details)
    }

    /// For those who only read: without the count where there is not one object of it.
    ///
    /// - Returns: nil where the token has no key.
    /// - Throws: `AuditTrailError` where it has several, or one that cannot be used.
    static func openToRead(keyLabel: String, at location: TokenLocation) throws -> AuditSeal? {
        var session = try location.openSession(readWrite: false)
        let keys = try session.findKeys(label: keyLabel)
        guard let key = keys.first else { return nil }
        guard keys.count == 1 else {
            throw AuditTrailError("the token has \(keys.count) keys \(keyLabel) where there is one")
        }
        let working = try workingKey(key, labelled: keyLabel, in: &session)
        let counterLabel = AuditTrail.counterLabel(of: keyLabel)
        let counters = try session.findKeys(label: counterLabel)
        return AuditSeal(
            session: session, key: working, keyLabel: keyLabel,
            counter: counters.count == 1 ? counters[0] : nil,
            counterWords:
                "the token has \(counters.count) objects \(counterLabel), which count the lines, where there "
                + "is one")
    }

    /// An object that carries an identifier and can do nothing.
    private static func counterTemplate(_ label: String) -> Template {
        Template(
            keyType: .genericSecret, label: label, identifier: Head.none.bytes + Array(label.utf8),
            valueCount: 16,
            on: [.token, .isPrivate, .sensitive, .modifiable], off: [.extractable] + KeyPurpose.usages)
    }

    private static func workingKey(
        _ key: ObjectHandle, labelled label: String, in session: inout Session
    ) throws -> ObjectHandle {
        do throws(PKCS11Error) { return try session.workingCopy(of: key) } catch {
            if error.refusesCopy { return key }
            throw unusable(label, error)
        }
    }

    /// A session that is gone says nothing about the key.
    private static func unusable(_ label: String, _ error: PKCS11Error) -> any Error {
        error.endsSession ? error : AuditTrailError("the token's key \(label) cannot be used: \(error)")
    }

    mutating func head() throws -> Head {
        guard let counter else { throw AuditTrailError(counterWords) }
        guard let head = Head(Array(try session.identifier(of: counter).prefix(40))) else {
            throw AuditTrailError("the token's count of lines is damaged")
        }
        return head
    }

    mutating func setHead(_ head: Head) throws {
        guard let counter else { throw AuditTrailError(counterWords) }
        // With the label, since NSS takes secret keys of one `CKA_ID` for the same.
        try session.setIdentifier(head.bytes + Array(try session.label(of: counter).utf8), of: counter)
    }

    mutating func seal(_ bytes: [UInt8]) throws -> [UInt8] {
        do throws(PKCS11Error) { return try session.hmacSHA256(bytes, key: key) } catch {
            throw Self.unusable(keyLabel, error)
        }
    }

    mutating func hash(_ bytes: [UInt8]) throws -> [UInt8] { try session.sha256(bytes) }
}
