internal import Authorisation
internal import Redis

/// What operators do with a store as a whole.
package struct StoreLife: Sendable {
    private let store: StateStore
    private let settings: CardStateSettings

    /// Takes a store that is ready.
    package init(_ store: StateStore, settings: CardStateSettings) {
        (self.store, self.settings) = (store, settings)
    }

    /// Makes a store that was never initialised this host's store, and leaves one that was alone. What a run that was
    /// killed began is completed.
    /// - Parameter path: of the host's place; a host that knows a store is given no other one.
    /// - Returns: the generation.
    /// - Throws: `StateUnavailable`; `StorePlaceError`.
    package func initialise(path: String) async throws -> String {
        let place = try StorePlace(path: path)
        let found = try await findings(place)
        if Set(found.map(\.generation)).count == 1, let generation = found[0].generation {
            if let why = StoreWatch.fault(found, place) { throw StateUnavailable("store refused: \(why)") }
            return generation
        }
        guard place.generation == nil else {
            throw StateUnavailable("store refused: \(StoreWatch.fault(found, place) ?? "")")
        }
        return try await name(found)
    }

    /// Gives every bucket without a generation the others', or all of them a new one. The first bucket says which while
    /// that is under way, so that two who do it at once do the same.
    private func name(_ found: [StoreWatch.Finding]) async throws -> String {
        let known = Set(found.compactMap(\.generation))
        guard known.count <= 1 else {
            throw StateUnavailable(
                "store: its buckets are of \(known.count) generations: parts of several stores")
        }
        let proposed = known.first ?? StoreLife.random()
        _ = try await send(RedisCommand("SET", key(0, ":generation-begun"), proposed, "NX"), 0)
        guard let agreed = try await send(RedisCommand("GET", key(0, ":generation-begun")), 0).text else {
            throw StateUnavailable("store: initialised by somebody else at the same time")
        }
        let generation = known.first ?? agreed
        for bucket in (0..<settings.bucketCount).reversed() {
            _ = try await send(RedisCommand("SET", key(bucket, ":generation"), generation, "NX"), bucket)
        }
        _ = try await send(RedisCommand("DEL", key(0, ":generation-begun")), 0)
        return generation
    }

    /// What this host knows, what the store says, and whether they agree.
    package func status(path: String) async throws -> [String] {
        let place = try StorePlace(path: path)
        let found = try await findings(place)
        let generations = Set(found.map { $0.generation ?? "none" }).sorted().joined(separator: ", ")
        var lines = [
            "this host's place   \(path)",
            "generation known    \(place.generation ?? "none: this host has seen no store yet")",
            "generation found    \(generations)",
        ]
        let lacking = found.filter { !$0.hasEntry }
        lines.append(
            "buckets             \(found.count), \(place.entries.count) with an entry that this host saw")
        for finding in lacking {
            let known = place.entries[finding.bucket].map { "\($0.position)" } ?? "-"
            lines.append(
                "bucket \(finding.bucket) lacks entry \(known), its journal ends with \(finding.last)")
        }
        if let why = StoreWatch.fault(found, place) {
            lines.append("refused: \(why)")
        } else if !lacking.isEmpty {
            lines.append("refused: \(lacking.count) buckets lack the last entry that this host saw")
        } else {
            lines.append("accepted: nothing that this host saw is missing")
        }
        for memory in try await store.memory() { lines.append("memory              \(memory.words)") }
        return lines
    }

    /// Takes the store as it is: what this host knows from now on is what the store has now. With a line in
    /// the journal.
    /// - Parameter note: who, when and why, divided by `;`.
    /// - Returns: how many buckets lacked an entry, and the generation.
    package func accept(path: String, note: String) async throws -> (lacking: Int, generation: String) {
        let known: StorePlace
        do throws(StorePlaceError) { known = try StorePlace(path: path) } catch { known = StorePlace() }
        let found = try await findings(known)
        let generations = Set(found.map(\.generation))
        // Parts of several stores are one from now on; a store without a name gets one.
        var generation = generations.count == 1 ? found[0].generation : nil
        if generation == nil { generation = try await rename(found) }
        guard let generation else { throw StateUnavailable("store: no generation") }
        let lacking = found.filter { !$0.hasEntry }.count
        _ = try await send(
            RedisCommand(
                "FCALL", "cardrecords_note", "1", key(0, ":journal"), "o",
                "store-accept;\(generation);\(known.generation ?? "none"), \(lacking) buckets lack entries;\(note)"
            ), 0)
        try await noteLoss(found, known)
        var place = StorePlace()
        place.generation = generation
        place.accepted = known.accepted + 1
        for finding in try await findings(StorePlace()) where finding.last.milliseconds > 0 {
            place.entries[finding.bucket] = AcknowledgedPlaces.Place(
                position: finding.last, server: finding.server)
        }
        try place.write(to: path)
        return (lacking, generation)
    }

    /// From when to when the store lacks decisions: from the last one that it has, of a server the last of all its buckets,
    /// until now. What another host's acceptance has said before is said once.
    private func noteLoss(_ found: [StoreWatch.Finding], _ known: StorePlace) async throws {
        let lacking = found.filter { !$0.hasEntry }
        guard !lacking.isEmpty else { return }
        var times = LostTimes.read(try await send(LostTimes.question, 0)) ?? []
        let seen = lacking.compactMap { known.entries[$0.bucket]?.position.milliseconds }.map {
            Int64($0 / 1_000)
        }
        guard !seen.allSatisfy({ moment in times.contains { $0.from <= moment && moment <= $0.until } })
        else { return }
        var last: [RedisAddress: UInt64] = [:]
        for finding in found {
            last[finding.server] = max(last[finding.server] ?? 0, finding.last.milliseconds)
        }
        let now = try await send(RedisCommand("TIME"), 0).elements?.first?.text.flatMap { Int64($0) }
        guard let now else { throw StateUnavailable("store: another reply than TIME's") }
        let from = lacking.compactMap { last[$0.server] }.min() ?? 0
        times.append(LostTime(from: Int64(from / 1_000), until: now))
        _ = try await send(LostTimes.command(times), 0)
    }

    private func rename(_ found: [StoreWatch.Finding]) async throws -> String {
        let known = Set(found.compactMap(\.generation))
        let generation = known.count == 1 ? known.first ?? StoreLife.random() : StoreLife.random()
        for bucket in (0..<settings.bucketCount).reversed() {
            _ = try await send(RedisCommand("SET", key(bucket, ":generation"), generation), bucket)
        }
        return generation
    }

    private func findings(_ place: StorePlace) async throws -> [StoreWatch.Finding] {
        var findings: [StoreWatch.Finding] = []
        for bucket in 0..<settings.bucketCount {
            let question = StoreWatch.question(bucket, place.entries[bucket]?.position)
            let answer = try await store.replyFromAnywhere(to: question, bucket: bucket)
            guard let finding = try StoreWatch.Finding(bucket, answer.reply, server: answer.session.address)
            else {
                throw StateUnavailable("store: bucket \(bucket) is moving, try again")
            }
            findings.append(finding)
        }
        return findings
    }

    private func key(_ bucket: Int, _ end: String) -> String { StoreNames.bucketTag(bucket) + end }

    private func send(_ command: RedisCommand, _ bucket: Int) async throws -> RedisReply {
        do { return try await store.sendFromAnywhere(command, bucket: bucket) } catch {
            throw StateUnavailable("store: \(error.inWords)")
        }
    }

    private static func random() -> String {
        let number = UInt64.random(in: .min ... .max)
        let digits = String(number, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
