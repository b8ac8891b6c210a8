package import Authorisation
package import ByteCoding
package import EMV
package import PKCS11

/// What the host needs of the token. Names of keys, never keys.
package struct HSMConfiguration: Sendable, Equatable {
    /// Key of the keyed hash that names cards in the state store: AES, sign only.
    package var panHashKey: KeyName
    /// Key under which reference PIN blocks are kept: wrap only. Nil for a host without PINs.
    package var pinVerificationKey: KeyName?
    /// Key of Visa's PIN verification values: wrap only. Nil for a host without any.
    package var pinVerificationValueKey: KeyName?
    /// Formats in which PIN blocks come, each proven at start-up.
    package var pinFormats: Set<PINBlockFormat> = [.iso0]
    /// True where ranges have AES cards: their derivations are proven then.
    package var hasAESCards = false
    /// Card verification keys of the issuer ranges.
    package var cardVerificationKeys: Set<KeyName> = []
    /// Keys of authentication values by the CVV algorithm.
    package var authenticationVerificationKeys: Set<KeyName> = []
    /// Keys of authentication values by an HMAC.
    package var authenticationHMACKeys: Set<KeyName> = []
    /// Keys of message authentication, each with the algorithm that its link uses.
    package var zoneAuthenticationKeys: [KeyName: MACAlgorithm] = [:]
    /// Of those zone keys that change over the wire, what is in force; for all others name and label are the same.
    package var zoneKeyLabels: [KeyName: ZoneKeyLabels] = [:]
    /// Keys that new zone keys come under: unwrap only. No worker has them.
    package var zoneMasterKeys: Set<KeyName> = []
    /// Zone PIN keys of the links: unwrap only.
    package var zonePINKeys: Set<KeyName>
    /// IMK-AC of every issuer range: derive only.
    package var issuerMasterKeys: Set<KeyName>
    /// IMK-SMI of the ranges that have one: derive only.
    package var secureMessagingIntegrityKeys: Set<KeyName> = []
    /// IMK-SMC of the ranges that have one: derive only.
    package var secureMessagingConfidentialityKeys: Set<KeyName> = []
    /// Whether scripts go to cards whose session keys are Visa's: an exclusive or inside the token.
    package var hasVisaScripts = false
    /// Where the jobs of requests run.
    package var placement = TokenPlacement.workers
    /// Threads, each with a session of its own.
    package var workers: Int
    /// Jobs that may wait before more are refused.
    package var queuedJobsMax: Int
    /// ICC master keys that the workers keep, all together; up to twice as many while newer ones take their place. Loops keep none.
    package var masterKeysKeptMax: Int
    /// Card tokens that the process remembers, so that state can be read while the token works.
    var cardTokensKeptMax: Int

    /// True refuses keys whose check value is that of a public test key.
    package var refusesTestKeys = false

    /// True refuses a token that lets keys out which it reports as not extractable: what a production profile does
    /// unless it accepts that by name.
    package var refusesLeavingKeys = false

    package init(
        panHashKey: KeyName, pinVerificationKey: KeyName?, zonePINKeys: Set<KeyName>,
        issuerMasterKeys: Set<KeyName>, workers: Int = 2, queuedJobsMax: Int = 4_096,
        masterKeysKeptMax: Int = 0, cardTokensKeptMax: Int = 65_536
    ) {
        self.panHashKey = panHashKey
        self.pinVerificationKey = pinVerificationKey
        self.zonePINKeys = zonePINKeys
        self.issuerMasterKeys = issuerMasterKeys
        self.workers = workers
        self.queuedJobsMax = queuedJobsMax
        self.masterKeysKeptMax = masterKeysKeptMax
        self.cardTokensKeptMax = cardTokensKeptMax
    }

    /// Every key of the token that is used, by label.
    var labels: [(label: String, purpose: KeyPurpose)] {
        let used = keys.flatMap { name, purpose in
            guard let labels = zoneKeyLabels[name] else { return [(name.rawValue, purpose)] }
            return ([labels.current] + (labels.previous.map { [$0] } ?? [])).map { ($0, purpose) }
        }
        return used
            + zoneMasterKeys.map(\.rawValue).sorted().map { ($0, .zoneMasterKey) }
    }

    /// Every key that workers have, with its purpose, in a fixed order.
    package var keys: [(name: KeyName, purpose: KeyPurpose)] {
        let sets: [(Set<KeyName>, KeyPurpose)] = [
            (issuerMasterKeys, .issuerMasterKeyAC), (secureMessagingIntegrityKeys, .issuerMasterKeySMI),
            (secureMessagingConfidentialityKeys, .issuerMasterKeySMC), (zonePINKeys, .zonePINKey),
            (Set([pinVerificationKey, pinVerificationValueKey].compactMap { $0 }), .pinVerificationKey),
            (cardVerificationKeys, .cardVerificationKey),
            (authenticationVerificationKeys, .authenticationVerificationKey),
            (authenticationHMACKeys, .authenticationHMACKey),
            (Set(zoneAuthenticationKeys.keys), .zoneAuthenticationKey), ([panHashKey], .panHashKey),
        ]
        return sets.flatMap { names, purpose in
            names.sorted { $0.rawValue < $1.rawValue }.map { ($0, purpose) }
        }
    }
}

/// How to reach a token.
package struct TokenLocation: Sendable {
    /// The loaded library.
    package var module: Module
    /// RFC 7512; the first of several.
    package var uri: String
    /// Further tokens with the same keys: HSMs of one partition.
    package var others: [String]
    /// Brings the user PIN when a session opens; nil for a token without one. Never kept.
    package var pin: @Sendable () throws -> SecretBytes?

    package init(
        module: Module, uri: String, others: [String] = [],
        pin: @escaping @Sendable () throws -> SecretBytes?
    ) {
        self.module = module
        self.uri = uri
        self.others = others
        self.pin = pin
    }

    /// At least 1.
    var tokenCount: Int { 1 + others.count }

    /// Each token by itself.
    package var single: [TokenLocation] {
        ([uri] + others).map { TokenLocation(module: module, uri: $0, pin: pin) }
    }

    /// Opens a session with the token, logged in; with the first that answers of several.
    package func openSession(readWrite: Bool = false) throws -> Session {
        var failure: (any Error)?
        for place in 0..<tokenCount {
            do { return try openSession(at: place, readWrite: readWrite) } catch {
                failure = failure ?? error
            }
        }
        throw failure ?? ModuleError.badURI(uri)
    }

    func openSession(at place: Int, readWrite: Bool) throws -> Session {
        let slot = try module.slot(matching: place == 0 ? uri : others[place - 1])
        let secret = try pin()
        return try slot.openSession(readWrite: readWrite, pin: secret)
    }

    /// `CKA_LABEL` of the token, of the first that is there of several.
    package func tokenLabel() throws -> String {
        for location in single.dropLast() {
            if let slot = try? module.slot(matching: location.uri) { return slot.tokenLabel }
        }
        return try module.slot(matching: others.last ?? uri).tokenLabel
    }

    /// Session objects of this process in the token, for watching that none is left behind. Opens a session of its
    /// own; no worker is held up.
    package func sessionObjectCount() throws -> Int {
        var session = try openSession()
        return try session.sessionObjectCount()
    }
}
