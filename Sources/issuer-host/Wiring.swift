internal import EventLoops
internal import Authorisation
internal import ByteCoding
internal import CardStateStore
internal import EMV
internal import Foundation
internal import HSM
internal import HostServer
internal import ISO8583
internal import IssuerConfiguration
internal import IssuerMessages
internal import NIOCore
internal import PKCS11
internal import Redis

/// A configuration that names something that is not there.
struct WiringError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// From configuration to parts.
extension IssuerConfiguration {
    /// Loads the token's library. Once per process.
    func tokenLocation() throws -> TokenLocation {
        let token = token
        return TokenLocation(
            module: try Module(
                path: token.module, initArguments: token.initArguments, functionList: token.functionList),
            uri: token.uri, others: token.otherURIs
        ) { try token.pin() }
    }

    /// With the versions of zone keys that are in force in the token now.
    func hsmConfiguration(at location: TokenLocation) throws -> HSMConfiguration {
        var configuration = try hsmConfiguration()
        configuration.zoneKeyLabels = try zoneKeys(at: location)?.labels() ?? [:]
        return configuration
    }

    /// What the file says, of the token nothing.
    func hsmConfiguration() throws -> HSMConfiguration {
        var configuration = HSMConfiguration(
            panHashKey: KeyName(panHashKey), pinVerificationKey: pinVerificationKey.map { KeyName($0) },
            zonePINKeys: Set(links.compactMap { $0.zonePINKey.map { KeyName($0) } }),
            issuerMasterKeys: masterKeys(\.issuerMasterKey), workers: token.workers,
            queuedJobsMax: token.queuedJobsMax, masterKeysKeptMax: token.masterKeysKept)
        guard let placement = TokenPlacement(rawValue: token.placement) else {
            let placements = TokenPlacement.allCases.map(\.rawValue).joined(separator: ", ")
            throw WiringError("token.placement: one of \(placements) is needed, not \(token.placement)")
        }
        configuration.placement = placement
        configuration.secureMessagingIntegrityKeys = masterKeys(\.secureMessagingIntegrityKey)
        configuration.secureMessagingConfidentialityKeys = masterKeys(\.secureMessagingConfidentialityKey)
        configuration.issuerMasterKeys.formUnion(
            issuers.compactMap { $0.contactlessStripeKey.map { KeyName($0) } })
        configuration.hasVisaScripts = issuers.contains { issuer in
            issuer.keyVersions.contains { $0.secureMessagingIntegrityKey != nil }
                && issuer.profiles.contains {
                    CryptogramProfile.named($0)?.secureMessaging.sessionKey == .visa
                }
        }
        configuration.cardVerificationKeys = Set(
            issuers.compactMap { $0.nonChip.map { KeyName($0.cardVerificationKey) } })
        addAuthentication(to: &configuration)
        try addPINs(to: &configuration)
        configuration.hasAESCards = issuers.contains { issuer in
            issuer.profiles.contains { CryptogramProfile.named($0)?.cipher == .aes }
        }
        configuration.refusesTestKeys = profile == .production
        configuration.refusesLeavingKeys =
            profile == .production && !audit.acceptedFindings.contains("probe-export")
        configuration.zoneAuthenticationKeys = try zoneAuthenticationKeys()
        configuration.zoneMasterKeys = Set(
            links.compactMap { $0.keyChange.map { KeyName($0.zoneMasterKey) } })
        return configuration
    }

    private func masterKeys(_ key: (KeyVersion) -> String?) -> Set<KeyName> {
        Set(issuers.flatMap(\.keyVersions).compactMap(key).map { KeyName($0) })
    }

    func rangeTable() throws -> IssuerRangeTable {
        var prefixes: Set<String> = []
        return IssuerRangeTable(
            try issuers.map { issuer in
                let place = "issuers.\(issuer.name)"
                guard let prefix = PANPrefix(issuer.prefix) else {
                    throw WiringError("\(place).prefix: 1 to 12 digits are needed, not \(issuer.prefix)")
                }
                guard prefixes.insert(issuer.prefix).inserted else {
                    throw WiringError("\(place).prefix: \(issuer.prefix) belongs to another range already")
                }
                guard let option = MasterKeyOption(rawValue: issuer.masterKeyOption) else {
                    throw WiringError("\(place).masterKeyOption: A, B or C, not \(issuer.masterKeyOption)")
                }
                let profiles = try issuer.profiles.map { name in
                    guard let profile = CryptogramProfile.named(name) else {
                        let known = CryptogramProfile.all.map(\.name).joined(separator: ", ")
                        throw WiringError("\(place).profiles: \(name) is none of \(known)")
                    }
                    guard (profile.cipher == .aes) == (option == .c) else {
                        throw WiringError(
                            "\(place): profile \(name) and masterKeyOption \(option.rawValue) do not go together: "
                                + "option C is for AES cards, and for them alone")
                    }
                    return profile
                }
                guard issuer.sessionKeyTree == nil else {
                    throw WiringError(
                        "\(place).sessionKeyTree is refused: no PKCS#11 mechanism enciphers one key under another "
                            + "and keeps the result inside the token, so that every key of an EMV2000 tree below "
                            + "the first would be a clear value outside")
                }
                return IssuerRange(
                    name: issuer.name, prefix: prefix,
                    keys: try IssuerKeys(issuer.keyVersions, place: place), masterKeyOption: option,
                    profiles: profiles,
                    cardPolicy: try cardPolicy(issuer, place: place),
                    nonChip: try issuer.nonChip.map {
                        var policy = try NonChipPolicy($0, place: "\(place).nonChip")
                        policy.contactlessStripe = try issuer.contactlessStripe(
                            option, place: "\(place).nonChip")
                        return policy
                    },
                    authentication: try issuer.authenticationValue.map {
                        try AuthenticationPolicy($0, place: "\(place).authenticationValue")
                    },
                    offlineResults: try OfflineResultsPolicy(issuer, place: place),
                    scriptPINForm: try issuer.scriptPINForm.map { text in
                        guard let form = SecureMessaging.PINForm(rawValue: text) else {
                            throw WiringError("\(place).scriptPINForm: iso2 or vis, not \(text)")
                        }
                        return form
                    },
                    pinVerification: try pinVerification(issuer))
            })
    }

    private func cardPolicy(_ issuer: Issuer, place: String) throws -> CardPolicy {
        CardPolicy(
            limits: try issuer.limits.map { try SpendingLimits($0, place: "\(place).limits") },
            abroad: try AbroadPolicy(issuer.abroad, place: "\(place).abroad"),
            holds: try HoldRules(issuer, place: place), atcJumpMax: policy.atcJumpMax,
            acceptsLateATC: policy.lateATCAccepted, countsMalformedPINBlocks: issuer.pins.countsMalformed)
    }

    /// One of the four ways.
    func storeLocation() throws -> StoreLocation {
        if !redis.cluster.isEmpty {
            return .cluster(try redis.cluster.map { try address($0, "redis.cluster") })
        }
        if let master = redis.sentinelMaster {
            let sentinels = try redis.sentinels.map { try address($0, "redis.sentinels") }
            return .server(.sentinels(master: master, sentinels))
        }
        return .server(
            .fixed(redis.unixSocket.map { .unix(path: $0) } ?? .tcp(host: redis.host, port: redis.port)))
    }

    private func address(_ text: String, _ key: String) throws -> RedisAddress {
        guard let colon = text.lastIndex(of: ":"), colon > text.startIndex,
            let port = Int(text[text.index(after: colon)...]), (1...65_535).contains(port)
        else { throw WiringError("\(key): host:port is needed, not \(text)") }
        return .tcp(host: String(text[..<colon]), port: port)
    }

    /// A store that pauses is waited for as long as there is time left to answer then: three fifths of the longest answer
    /// time, and a moment for what has gathered.
    var connectionSettings: RedisConnectionSettings {
        var settings = RedisConnectionSettings()
        let longest = Int64(links.map(\.answerTimeoutMilliseconds).max() ?? 0)
        settings.stallTimeout = max(settings.stallTimeout, .milliseconds(longest * 7 / 10))
        settings.replyTimeout = settings.stallTimeout
        return settings
    }

    var cardStateSettings: CardStateSettings {
        var settings = CardStateSettings()
        settings.bucketCount = redis.buckets
        settings.replicasMin = redis.replicasMin
        settings.replicaTimeoutMilliseconds = redis.replicaTimeoutMilliseconds
        return settings
    }
}

/// Runs a body on an event loop, where the connections of that loop may be used.
func onLoop<Result: Sendable>(
    _ eventLoop: any EventLoop, _ body: @escaping @Sendable () async throws -> Result
) async throws -> Result {
    try await Task(executorPreference: EventLoopExecutor(eventLoop)) { try await body() }.value
}
