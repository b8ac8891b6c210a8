package import Authorisation
internal import Redis

/// The keys of one record of the layout before: `{bNN}:card:<name>` is a hash, `{bNN}:atc:<name>` its ATC window, and the
/// name is a keyed hash of PAN and sequence number. The journal and the register of keys are where they are now.
struct OldStoreNames {
    let bucket: Int
    let name: String

    init(_ name: CardToken, bucketCount: Int) {
        bucket = name.bucket(of: bucketCount)
        self.name = name.digits
    }

    private var tag: String { StoreNames.bucketTag(bucket) }
    var card: String { "\(tag):card:\(name)" }
    var window: String { "\(tag):atc:\(name)" }
    var register: String { "\(tag):imk" }
    var journal: String { "\(tag):journal" }
    /// Under which name an account of now has the records that were removed.
    var names: String { OldStoreNames.names(bucket) }

    static func names(_ bucket: Int) -> String { "\(StoreNames.bucketTag(bucket)):names" }
}

extension OldCard {
    /// What `cardstate_seal` returns.
    init(_ reply: [RedisReply], name: CardToken, sequenceNumber: UInt8) throws(RecordDamage) {
        let parts = reply + Array(repeating: RedisReply.null, count: max(0, 3 - reply.count))
        let pairs = parts[0].elements ?? []
        var fields: [String: [UInt8]] = [:]
        for index in stride(from: 0, to: pairs.count - 1, by: 2) {
            if let field = pairs[index].text { fields[field] = pairs[index + 1].bytes }
        }
        // Label and month.
        let registered = parts[2].text ?? ""
        try self.init(
            name: name, sequenceNumber: sequenceNumber, fields: fields, window: parts[1].bytes ?? [],
            issuerMasterKey: String(registered.prefix { $0 != ";" }))
    }
}

/// Old records in the store, of whichever PAN.
package struct OldRecordSurvey: Sendable {
    /// Their names.
    package private(set) var names: Set<CardToken> = []
    /// Of those, how many belong to an account already, and wait to be removed.
    package private(set) var sealed = 0

    /// Looks through the whole store, page by page; beside whoever serves.
    package init(_ store: StateStore) async throws {
        for master in store.masters {
            var cursor = "0"
            repeat {
                let reply = try await master.sendFromAnywhere(
                    RedisCommand(
                        "SCAN", cursor, "MATCH", "{b*}:card:*", "COUNT", "1000", "TYPE", "hash"))
                guard let parts = reply.elements, parts.count == 2, let next = parts[0].text else {
                    throw StateUnavailable("migration: another reply than SCAN's")
                }
                let keys = (parts[1].elements ?? []).compactMap(\.text)
                names.formUnion(keys.compactMap(OldRecordSurvey.name))
                sealed += try await OldRecordSurvey.sealed(keys, on: master)
                cursor = next
            } while cursor != "0"
        }
    }

    private static func sealed(_ keys: [String], on master: RedisConnection) async throws -> Int {
        let (replies, _) = await master.sendTogether(keys.map { RedisCommand("HEXISTS", $0, "to") })
        return replies.count { (try? $0.get()) == .integer(1) }
    }

    private static func name(_ key: String) -> CardToken? {
        let digits = key.suffix(32)
        guard digits.utf8.count == 32, let high = UInt64(digits.prefix(16), radix: 16),
            let low = UInt64(digits.suffix(16), radix: 16)
        else { return nil }
        return CardToken(high: high, low: low)
    }
}
