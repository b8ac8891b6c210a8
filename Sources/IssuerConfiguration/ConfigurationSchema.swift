/// Every key that a configuration may have, and what its value is. `*` stands for a name that the operator
/// chooses. What is not here is refused.
enum ConfigurationSchema {
    enum Kind {
        case text, number, flag, list
    }

    static let keys: [(path: String, kind: Kind)] = [
        ("profile", .text),
        ("dialects", .text),
        ("token.module", .text),
        ("token.initArguments", .text),
        ("token.uri", .text),
        ("token.pinFile", .text),
        ("token.workers", .number),
        ("token.queuedJobsMax", .number),
        ("token.masterKeysKept", .number),
        ("keys.panHash", .text),
        ("keys.pinVerification", .text),
        ("keys.pinVerificationValue", .text),
        ("redis.unixSocket", .text),
        ("redis.host", .text),
        ("redis.port", .number),
        ("redis.sentinelMaster", .text),
        ("redis.sentinels", .list),
        ("redis.cluster", .list),
        ("redis.replicasMin", .number),
        ("redis.replicaTimeoutMilliseconds", .number),
        ("redis.buckets", .number),
        ("policy.atcJumpMax", .number),
        ("policy.lateATCAccepted", .flag),
        ("policy.pinTriesMax", .number),
        ("issuers.*.prefix", .text),
        ("issuers.*.issuerMasterKey", .text),
        ("issuers.*.secureMessagingIntegrityKey", .text),
        ("issuers.*.secureMessagingConfidentialityKey", .text),
        ("issuers.*.keyVersions.*.derivationKeyIndices", .list),
        ("issuers.*.keyVersions.*.cardExpiryFrom", .text),
        ("issuers.*.keyVersions.*.cardExpiryUntil", .text),
        ("issuers.*.keyVersions.*.issuerMasterKey", .text),
        ("issuers.*.keyVersions.*.secureMessagingIntegrityKey", .text),
        ("issuers.*.keyVersions.*.secureMessagingConfidentialityKey", .text),
        ("issuers.*.masterKeyOption", .text),
        ("issuers.*.scriptPINForm", .text),
        ("issuers.*.declineOnTVR", .list),
        ("issuers.*.declineOnCVR", .list),
        ("issuers.*.declineOnCVM", .list),
        ("issuers.*.profiles", .list),
        ("issuers.*.nonChip.cardVerificationKey", .text),
        ("issuers.*.nonChip.stripeValueOffset", .number),
        ("issuers.*.nonChip.magneticStripe", .flag),
        ("issuers.*.nonChip.fallback", .flag),
        ("issuers.*.nonChip.cardNotPresent", .flag),
        ("issuers.*.nonChip.printedValueDate", .text),
        ("issuers.*.sessionKeyTree", .text),
        ("issuers.*.pin.verification", .text),
        ("issuers.*.pin.keyIndex", .number),
        ("issuers.*.pin.countsMalformed", .flag),
        ("issuers.*.limits.currency", .text),
        ("issuers.*.limits.transactionMax", .number),
        ("issuers.*.limits.contactlessMax", .number),
        ("issuers.*.limits.unverifiedMax", .number),
        ("issuers.*.limits.dailyAmount", .number),
        ("issuers.*.limits.dailyCount", .number),
        ("issuers.*.limits.rollingAmount", .number),
        ("issuers.*.limits.rollingCount", .number),
        ("issuers.*.limits.rollingDays", .number),
        ("issuers.*.limits.cashAmount", .number),
        ("issuers.*.limits.cashCount", .number),
        ("issuers.*.limits.blockedMerchantCategories", .list),
        ("issuers.*.limits.blockedCountries", .list),
        ("links.*.host", .text),
        ("links.*.port", .number),
        ("links.*.dialect", .text),
        ("links.*.framing", .text),
        ("links.*.tpduBytes", .number),
        ("links.*.zonePINKey", .text),
        ("links.*.cvv2Element", .number),
        ("links.*.partialApproval", .text),
        ("links.*.cvv2Offset", .number),
        ("links.*.pin.format", .number),
        ("links.*.pin.aesKey", .text),
        ("links.*.pin.formatCodes", .list),
        ("links.*.inFlightMax", .number),
        ("links.*.answerTimeoutMilliseconds", .number),
        ("links.*.role", .text),
        ("links.*.allowedPeers", .list),
        ("links.*.connectionsMax", .number),
        ("links.*.frameTimeoutMilliseconds", .number),
        ("links.*.echoAfterSeconds", .number),
        ("links.*.echoAnswerMilliseconds", .number),
        ("links.*.signOn", .flag),
        ("links.*.signOnRequired", .flag),
        ("links.*.tls.certificateFile", .text),
        ("links.*.tls.privateKeyFile", .text),
        ("links.*.tls.trustedFile", .text),
        ("links.*.tls.peerNames", .list),
        ("links.*.tls.minimumVersion", .text),
        ("links.*.tls.serverName", .text),
        ("links.*.mac.key", .text),
        ("links.*.mac.algorithm", .text),
        ("links.*.mac.padding", .number),
        ("links.*.keyChange.zoneMasterKey", .text),
        ("links.*.keyChange.codes", .list),
        ("links.*.keyChange.element", .number),
        ("links.*.keyChange.form", .text),
        ("links.*.keyChange.overlapSeconds", .number),
        ("audit.log", .text),
        ("audit.key", .text),
        ("audit.acceptedFindings", .list),
        ("admin.host", .text),
        ("admin.port", .number),
        ("server.eventLoops", .number),
        ("server.drainTimeoutSeconds", .number),
        ("log.level", .text),
        ("log.format", .text),
        // For the simulators, which read the same file.
        ("demo.issuer", .text),
        ("demo.cardState", .text),
        ("demo.tls.trustedFile", .text),
        ("demo.tls.certificateFile", .text),
        ("demo.tls.privateKeyFile", .text),
        ("demo.tls.serverName", .text),
    ]

    /// The kind of a key, nil where the key is unknown.
    static func kind(of path: [String]) -> Kind? {
        keys.first { matches($0.path, path) }?.kind
    }

    /// True if some key lies below this path.
    static func isSection(_ path: [String]) -> Bool {
        keys.contains { key in
            let parts = key.path.split(separator: ".")
            return parts.count > path.count && zip(parts, path).allSatisfy { $0 == "*" || $0 == $1 }
        }
    }

    /// The valid name at this place that is nearest to what was written.
    static func nearest(to path: [String]) -> String? {
        guard let written = path.last else { return nil }
        let names = keys.compactMap { key -> String? in
            let parts = key.path.split(separator: ".").map(String.init)
            guard parts.count >= path.count, parts[path.count - 1] != "*",
                zip(parts, path.dropLast()).allSatisfy({ $0 == "*" || $0 == $1 })
            else { return nil }
            return parts[path.count - 1]
        }
        return Set(names).min { (distance($0, written), $0) < (distance($1, written), $1) }
    }

    private static func matches(_ pattern: String, _ path: [String]) -> Bool {
        let parts = pattern.split(separator: ".")
        return parts.count == path.count && zip(parts, path).allSatisfy { $0 == "*" || $0 == $1 }
    }

    /// Levenshtein's distance.
    private static func distance(_ left: String, _ right: String) -> Int {
        let right = Array(right)
        var row = Array(0...right.count)
        for (index, character) in left.enumerated() {
            var diagonal = row[0]
            row[0] = index + 1
            for column in right.indices {
                let cost = diagonal + (character == right[column] ? 0 : 1)
                diagonal = row[column + 1]
                row[column + 1] = min(cost, row[column] + 1, row[column + 1] + 1)
            }
        }
        return row[right.count]
    }
}
