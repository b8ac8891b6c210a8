internal import ArgumentParser
internal import Authorisation
internal import ByteCoding
internal import CardStateStore
internal import EMV
internal import EventLoops
internal import HSM
internal import HostServer
internal import IssuerConfiguration
internal import NIOCore

extension StoreCommand {
    struct Migrate: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Take over records of the layout before (function library 7).",
            discussion: """
                The old layout has a record for each PAN and sequence number, under a keyed hash of both; the store \
                holds no PAN, so the file has to name them: JSON with a list `cards` (a file of `cards import` will \
                do), or a line for each PAN: `PAN, sequence numbers, merge`. All sequence numbers of a PAN are looked for, \
                whether named or not. Records of one PAN become one account. Where their balances differ they are \
                listed and left, until `merge` says `sum`, `lowest` or how many minor units. Hosts may serve \
                meanwhile, with redis.migration on; those of the release before are kept out. A run that was killed is \
                run again. Without --cards it says how many old records there are. Exit code 1 if any are listed.
                """)

        @OptionGroup var options: ConfigurationOption
        @Option(help: ArgumentHelp("PANs and sequence numbers.", valueName: "file")) var cards: String?

        private static let together = 32

        func run() async throws {
            let file = try cards.map { try MigrationFile(path: $0) }
            let desk = try await CardDesk(options.config, migrates: true)
            _ = try await StoreLife(desk.store, settings: desk.configuration.cardStateSettings)
                .initialise(path: desk.configuration.redis.placeFile)
            let survey = try await OldRecordSurvey(desk.store)
            var counts = Counts()
            if let file {
                for start in stride(from: 0, to: file.accounts.count, by: Self.together) {
                    let part = file.accounts[start..<min(start + Self.together, file.accounts.count)]
                    for (pan, result) in try await claim(Array(part), survey.names, desk: desk) {
                        counts.add(pan, result)
                    }
                }
            }
            let left = file == nil ? survey : try await OldRecordSurvey(desk.store)
            await desk.close()
            if file != nil { print(counts.words) }
            print(
                "old records in the store: \(left.names.count)"
                    + (left.sealed > 0 ? ", \(left.sealed) of them taken over in part" : ""))
            if counts.listed > 0 { throw ExitCode.failure }
        }

        private typealias Result = Swift.Result<OldRecordClaims.Outcome, MigrationObstacle>

        /// What came of the PANs.
        private struct Counts {
            var accounts = 0
            var cards = 0
            var ended = 0
            var without = 0
            var listed = 0

            mutating func add(_ pan: PAN, _ result: Result) {
                switch result {
                case .success(.claimed(let count)): (accounts, cards) = (accounts + 1, cards + count)
                case .success(.removed(let count)): (ended, cards) = (ended + 1, cards + count)
                case .success(.nothing): without += 1
                case .failure(let obstacle):
                    listed += 1
                    print("\(pan): \(obstacle)")
                }
            }

            var words: String {
                "\(accounts) accounts of now, \(ended) that had been begun, of \(cards) old records; "
                    + "\(without) PANs without an old record; \(listed) listed and left"
            }
        }

        /// Many at a time: each waits for the token and for Redis.
        private func claim(
            _ accounts: [MigrationFile.Account], _ old: Set<CardToken>, desk: CardDesk
        ) async throws -> [(PAN, Result)] {
            let tokens = try await desk.names(of: accounts.map(\.pan))
            let (claims, port) = (desk.claims, desk.port)
            return try await onLoop(desk.store.eventLoop) {
                try await withThrowingTaskGroup(of: (PAN, Result).self) { group in
                    for (account, token) in zip(accounts, tokens) {
                        group.addTask(executorPreference: EventLoopExecutor(claims.eventLoop)) {
                            let deadline = Deadline(nanoseconds: monotonicNanoseconds() + 60_000_000_000)
                            let names = try await port.oldTokens(of: account.pan, deadline: deadline)
                            let present = names.enumerated().filter { old.contains($0.element) }
                            return (
                                account.pan,
                                try await claims.claim(
                                    present.map { (UInt8($0.offset), $0.element) }, for: token,
                                    merging: account.merging)
                            )
                        }
                    }
                    var results: [(PAN, Result)] = []
                    for try await result in group { results.append(result) }
                    return results
                }
            }
        }
    }
}
