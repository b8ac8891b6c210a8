package import Authorisation
internal import ByteCoding
internal import PKCS11
internal import Synchronization

/// A new zone key as it came over a link.
package struct ZoneKeyOrder: Sendable {
    /// ZPK or ZAK.
    package let purpose: KeyPurpose
    /// The key's name in the configuration: that of all its versions.
    package let name: KeyName
    /// The key that it is wrapped under.
    package let zoneMasterKey: KeyName
    /// 16 or 24 bytes, enciphered block by block (triple DES in ECB mode, ANSI X9.17).
    package let wrapped: [UInt8]
    /// Two to eight bytes in hex.
    package let checkValue: String

    package init(
        purpose: KeyPurpose, name: KeyName, zoneMasterKey: KeyName, wrapped: [UInt8], checkValue: String
    ) {
        self.purpose = purpose
        self.name = name
        self.zoneMasterKey = zoneMasterKey
        self.wrapped = wrapped
        self.checkValue = checkValue
    }
}

/// A new zone key that was not taken. Words for people; the key in use stays.
package enum ZoneKeyRefusal: Error, Hashable, Sendable, CustomStringConvertible {
    /// The check value that came is not that of the key that came.
    case checkValueDiffers(sent: String, computed: String)
    /// Single DES in all but name, or a key that ciphers badly.
    case weak(KeyWeakness)
    /// Everybody knows it, and the profile is production.
    case testKey(String)
    /// It is the version before, which is about to end.
    case usedBefore(String)
    /// Another host has taken in another key meanwhile.
    case overtaken(String)
    /// The token cannot unwrap it, or lacks the zone master key.
    case token(String)

    /// One line for people.
    package var description: String {
        switch self {
        case .checkValueDiffers(let sent, let computed):
            "check value \(sent) was sent, the key has \(computed)"
        case .weak(let weakness): "\(weakness)"
        case .testKey(let value): "KCV \(value) is that of a public test key"
        case .usedBefore(let label): "it is the key \(label), which was in use before"
        case .overtaken(let label): "another host has taken in \(label) meanwhile"
        case .token(let words): words
        }
    }
}

/// What became of an order.
package struct ZoneKeyChange: Sendable {
    /// Label of the version in use now.
    package let label: String
    /// Its check value, six hex digits.
    package let checkValue: String
    /// False where the very key was in use already: the order came twice.
    package let isNew: Bool
    /// What the trail keeps of it; empty where it is not new.
    package let details: [String: String]

    init(label: String, checkValue: String, isNew: Bool, details: [String: String] = [:]) {
        self.label = label
        self.checkValue = checkValue
        self.isNew = isNew
        self.details = details
    }
}

/// Zone keys of the links as they change while the host serves. Calls use the token at length: never on an event
/// loop or a worker's thread.
///
/// A version is born by `change`; the one before passes beside it for the overlap, then it is to be retired. All of
/// that is read from the token's objects (label, date of birth), so that a restart, or another host on the same
/// token, finds the same. Workers know nothing of it: each set of sessions has the keys of its time under their names.
package struct ZoneKeys: Sendable {
    private let location: TokenLocation
    /// By name, how many seconds a version passes after the next one was born.
    private let overlapSeconds: [KeyName: Int]
    private let refusesTestKeys: Bool
    private let now: @Sendable () -> Int

    /// - Parameter overlapSeconds: of every key that changes over the wire.
    package init(
        _ overlapSeconds: [KeyName: Int], at location: TokenLocation, refusesTestKeys: Bool,
        now: @escaping @Sendable () -> Int
    ) {
        self.overlapSeconds = overlapSeconds
        self.location = location
        self.refusesTestKeys = refusesTestKeys
        self.now = now
    }

    /// What is in force now. A key of which the token has no version has no entry.
    package func labels() throws -> [KeyName: ZoneKeyLabels] {
        try inSession(readWrite: false) { session in
            var labels: [KeyName: ZoneKeyLabels] = [:]
            for (name, overlap) in overlapSeconds {
                let versions = try ZoneKeyVersion.all(of: name, &session)
                labels[name] = ZoneKeyVersion.inForce(versions, overlapSeconds: overlap, now: now())?.labels
            }
            return labels
        }
    }

    /// Destroys versions that are neither in force nor in use.
    ///
    /// - Parameter kept: what sessions still use.
    /// - Returns: labels and check values of the destroyed.
    package func retire(
        except kept: [KeyName: ZoneKeyLabels]
    ) throws -> [(label: String, checkValue: String?)] {
        try inSession(readWrite: true) { session in
            var retired: [(label: String, checkValue: String?)] = []
            for (name, overlap) in overlapSeconds {
                let versions = try ZoneKeyVersion.all(of: name, &session)
                let ended = ZoneKeyVersion.inForce(versions, overlapSeconds: overlap, now: now())?.ended ?? []
                for version in ended
                where version.label != kept[name]?.current && version.label != kept[name]?.previous {
                    let checkValue = try TokenCheckValue.of(version.handle, &session)
                    try session.destroy(version.handle)
                    retired.append((version.label, checkValue))
                }
            }
            return retired
        }
    }

    /// Takes a version back that was born just now and that no session could be given: who is told that it was refused
    /// goes on with the one before, which must not end.
    package func takeBack(_ change: ZoneKeyChange) throws {
        guard change.isNew else { return }
        try inSession(readWrite: true) { session in
            // By its value: under the label there may be one that is in service.
            for key in try session.findKeys(label: change.label)
            where try TokenCheckValue.of(key, &session) == change.checkValue {
                try session.destroy(key)
            }
        }
    }

    private func inSession<Result>(
        readWrite: Bool, _ body: (inout Session) throws -> Result
    ) throws -> Result {
        try KeyRing.lookingUp.withLock { _ in
            var session = try location.openSession(readWrite: readWrite)
            return try body(&session)
        }
    }

    // MARK: - A new key

    /// Takes a new key: unwrapped, checked and kept inside the token. `labels` knows it from now on. One change of a key
    /// at a time: the caller holds a lock that every host of the token asks for.
    ///
    /// - Parameters:
    ///   - serving: label of the version that the asking host serves with, nil where it has none.
    ///   - arrived: when the order came, seconds since 1970: a version that another host took in since then has won.
    package func change(
        _ order: ZoneKeyOrder, serving: String? = nil, arrived: Int = .max
    ) throws(ZoneKeyRefusal) -> ZoneKeyChange {
        do {
            return try inSession(readWrite: true) {
                try change(order, serving, arrived: arrived, session: &$0)
            }
        } catch let refusal as ZoneKeyRefusal {
            throw refusal
        } catch {
            throw .token("\(error)")
        }
    }

    private func change(
        _ order: ZoneKeyOrder, _ serving: String?, arrived: Int, session: inout Session
    ) throws -> ZoneKeyChange {
        let algorithm: KeyAlgorithm = order.wrapped.count == 16 ? .tdes128 : .tdes192
        let master = try KeyRing.tokenKey(order.zoneMasterKey.rawValue, &session)
        let checkValue = try checkValue(of: order, under: master, session: &session)
        try refuseWeak(order, under: master, algorithm: algorithm, session: &session)
        let versions = try ZoneKeyVersion.all(of: order.name, &session)
        // Another host may end old versions meanwhile: one that is gone is no reason to refuse a new key.
        for (index, version) in versions.enumerated()
        where (try? TokenCheckValue.of(version.handle, &session)) == checkValue {
            guard index == 0 else { throw ZoneKeyRefusal.usedBefore(version.label) }
            return ZoneKeyChange(label: version.label, checkValue: checkValue, isNew: false)
        }
        if let newest = versions.first, newest.label != serving, newest.created ?? 0 >= arrived - 1 {
            throw ZoneKeyRefusal.overtaken(newest.label)
        }
        let label = ZoneKeyVersion.label(order.name, try nextNumber(order.name, versions))
        // Never born before the one that it follows, whatever the clock was set to.
        let created = max(now(), versions.first?.created ?? 0)
        let key = try session.unwrapKey(
            .tripleDESECB, under: master, wrapped: order.wrapped,
            template: order.purpose.tokenTemplate(
                label: label, algorithm: algorithm,
                provenance: KeyProvenance(.imported, created: created, checkValue: checkValue),
                statesLength: false))
        try KeyDescription.requireAsAsked(key, label, purpose: order.purpose, session: &session)
        // Somebody without the lock has made one of the same label: this one is not in service yet.
        guard try session.findKeys(label: label).count == 1 else {
            try session.destroy(key)
            throw ZoneKeyRefusal.overtaken(label)
        }
        let details = try KeyDescription(of: key, in: &session).details
        return ZoneKeyChange(label: label, checkValue: checkValue, isNew: true, details: details)
    }

    /// The key once as material that can be cut and nothing else, only as long as it takes.
    private func refuseWeak(
        _ order: ZoneKeyOrder, under master: ObjectHandle, algorithm: KeyAlgorithm,
        session: inout Session
    ) throws {
        let material = Template(
            keyType: .genericSecret, valueCount: order.wrapped.count,
            on: [.sensitive, .isPrivate, .extractable, .derive],
            off: [.token] + KeyPurpose.usages.filter { $0 != .derive })
        let object = try session.unwrapKey(
            .tripleDESECB, under: master, wrapped: order.wrapped, template: material)
        defer { try? session.destroy(object) }
        do { try WeakKeys.refuse(object, algorithm: algorithm, session: &session) } catch let weakness
            as KeyWeakness
        {
            throw ZoneKeyRefusal.weak(weakness)
        }
    }

    private func nextNumber(_ name: KeyName, _ versions: [ZoneKeyVersion]) throws -> UInt8 {
        let (taken, newest) = (Set(versions.map(\.number)), Int(versions.first?.number ?? 0))
        let most = Int(ZoneKeyVersion.numberMax)
        let following = (0..<most).lazy.map { UInt8((newest + $0) % most + 1) }
        guard let free = following.first(where: { !taken.contains($0) }) else {
            throw ZoneKeyRefusal.token("key \(name.rawValue): has \(most) versions")
        }
        return free
    }

    /// The value once as an object that enciphers and nothing else, only as long as it takes.
    private func checkValue(
        of order: ZoneKeyOrder, under master: ObjectHandle, session: inout Session
    ) throws -> String {
        let template = Template(
            keyType: order.wrapped.count == 16 ? .des2 : .des3, on: [.encrypt, .sensitive, .isPrivate],
            off: [.token, .extractable] + KeyPurpose.usages.filter { $0 != .encrypt })
        let key = try session.unwrapKey(
            .tripleDESECB, under: master, wrapped: order.wrapped, template: template)
        defer { try? session.destroy(key) }
        let block = try session.encryptBlock(0, key: key)
        let digits = Hex.encode(withUnsafeBytes(of: block.bigEndian) { Array($0) })
        guard digits.hasPrefix(order.checkValue.uppercased()) else {
            throw ZoneKeyRefusal.checkValueDiffers(
                sent: order.checkValue, computed: String(digits.prefix(order.checkValue.count)))
        }
        let short = String(digits.prefix(2 * TokenCheckValue.byteCount))
        if refusesTestKeys, TestKeys.contains(checkValue: short) { throw ZoneKeyRefusal.testKey(short) }
        return short
    }
}
