internal import Authorisation
internal import ByteCoding
internal import Glibc
internal import PKCS11
internal import Synchronization

/// Runs work on the asking side after so many milliseconds.
package typealias HSMSchedule = @Sendable (Int64, @escaping @Sendable () -> Void) -> Void

/// The token with its workers, and with sessions of the event loops where these call it themselves: one for the whole host.
/// Each event loop takes a port of its own from it.
package final class HSM: Sendable {
    private let pool: WorkerPool<CryptographySession, TokenJob>
    private let tokens: CardTokenStore
    private let counters: HSMCounters
    private let pace: TokenPace
    /// What each worker has in the token now.
    private let underWay: [JobUnderWay]
    private let seats: Mutex<[LoopSeat]> = Mutex([])
    private let makeSession: @Sendable (TokenShare.Seat) throws -> CryptographySession
    private let share: TokenShare?
    private let takesLoops: Bool
    private let hung: @Sendable (String) -> Void
    private let isStopped = Atomic<Bool>(false)
    /// Zone PIN keys, each with the version that passes beside it.
    private let keysBefore: [KeyName: KeyName]

    /// Starts the workers. Each opens a session and makes working copies of the keys; until one has, jobs
    /// fail with the reason. Run `HSMCheck` before: this checks nothing.
    ///
    /// - Parameters:
    ///   - predecessor: one with the same PAN hash key, whose names of cards are known here, too.
    ///   - hung: called on a thread of its own, with words for people, when a loop has been in a call of the token past the
    ///     deadline of the request that it works for. Nothing can take the loop out of that call but the end of the process.
    package convenience init(
        _ configuration: HSMConfiguration, at location: TokenLocation, after predecessor: HSM? = nil,
        hung: @escaping @Sendable (String) -> Void = { _ in }
    ) throws {
        let chaining = try ChainingProbe.run(at: location)
        let takesLoops = try configuration.placement.takesLoops(
            configuration, at: location, chaining: chaining)
        let share = TokenShare(location)
        let kept = takesLoops ? 0 : configuration.masterKeysKeptMax
        let shelf = kept > 0 ? MasterKeyShelf(capacity: kept) : nil
        self.init(
            configuration, zoneKeys: configuration.zoneKeyLabels, tokens: predecessor?.tokens,
            takesLoops: takesLoops, share: share, shelf: shelf, hung: hung
        ) { seat in
            try share.open(seat: seat) { session, away in
                var session = session
                let keys = try KeyRing(configuration, &session)
                let passing = takesLoops ? PassingKeys() : try PassingKeys(beside: session)
                var serving = CryptographySession(
                    session: session, keys: keys, configuration: configuration, chaining: chaining,
                    passing: passing)
                serving.away = away
                serving.shelve(on: shelf)
                serving.prepare(configuration)
                return serving
            }
        }
    }

    /// - Parameters:
    ///   - share: nil for sessions that are all with one token.
    ///   - shelf: is cleared whenever a session breaks.
    ///   - makeSession: opens a session for a seat, again after each eviction.
    init(
        _ configuration: HSMConfiguration, zoneKeys: [KeyName: ZoneKeyLabels] = [:],
        tokens: CardTokenStore? = nil, takesLoops: Bool = false, share: TokenShare? = nil,
        shelf: MasterKeyShelf? = nil, hung: @escaping @Sendable (String) -> Void = { _ in },
        makeSession: @escaping @Sendable (TokenShare.Seat) throws -> CryptographySession
    ) {
        let (counters, pace) = (HSMCounters(), TokenPace())
        (self.counters, self.pace) = (counters, pace)
        self.makeSession = makeSession
        self.share = share
        self.takesLoops = takesLoops
        self.hung = hung
        self.tokens = tokens ?? CardTokenStore(capacity: configuration.cardTokensKeptMax)
        keysBefore = zoneKeys.compactMapValues(\.previousKey)
        let underWay = (0..<configuration.workers).map { _ in JobUnderWay() }
        self.underWay = underWay
        pool = WorkerPool(
            workers: configuration.workers, queuedJobsMax: configuration.queuedJobsMax,
            triesMax: share?.hasOthers == true ? configuration.workers + 1 : 1,
            makeResource: { number in
                do {
                    var session = try makeSession(.init(number: number, isLoop: false))
                    session.underWay = underWay[number]
                    counters.opened(failure: nil)
                    return session
                } catch {
                    counters.opened(failure: "\(error)")
                    throw error
                }
            },
            run: { job, session in
                let fate = HSM.run(job, on: &session, pace: pace, counters: counters)
                if fate == .evict { shelf?.clear() }
                return fate
            },
            tidy: { session in
                if let home = session.away, share?.answers(home) == true {
                    counters.workersDropped.wrappingAdd(1, ordering: .relaxed)
                    return .evict
                }
                return session.tidy()
            },
            idle: { HSM.look(after: &$0, counters: counters, shelf: shelf) })
    }

    private static func run(
        _ job: TokenJob, on session: inout CryptographySession, pace: TokenPace, counters: HSMCounters
    ) -> ResourceFate {
        let before = session.callCount
        let begun = monotonicNanoseconds()
        session.underWay?.begin(at: begun, deadline: job.deadlineNanoseconds)
        let fate = job.run(on: &session)
        session.underWay?.end()
        pace.note(monotonicNanoseconds() - begun)
        counters.add(jobs: 1, calls: session.callCount &- before)
        if fate == .evict { counters.workersDropped.wrappingAdd(1, ordering: .relaxed) }
        return fate
    }

    /// A port whose jobs run on workers and whose answers arrive through `wake`.
    /// - Parameters:
    ///   - schedule: for deadlines; without it, an answer is waited for as long as the token takes.
    ///   - wake: called on a worker's thread with work that has to be run soon on the asking side.
    package func port(
        after schedule: HSMSchedule? = nil,
        wake: @escaping @Sendable (@escaping @Sendable () -> Void) -> Void
    ) -> HSMPort {
        let counters = counters
        let mailbox = CompletionMailbox<TokenJob> { mailbox in
            wake {
                mailbox.drain { if !$0.deliver() { counters.addLate() } }
            }
        }
        return HSMPort(
            pool: pool, tokens: tokens, mailbox: mailbox, watch: schedule.map(AnswerWatch.init), seat: nil,
            keysBefore: keysBefore)
    }

    /// The port of an event loop: its jobs run there where the placement says so.
    /// - Parameters:
    ///   - schedule: for deadlines, on the loop.
    ///   - wake: runs work on the loop, from any thread, after what stands in line there.
    package func loopPort(
        after schedule: @escaping HSMSchedule,
        wake: @escaping @Sendable (@escaping @Sendable () -> Void) -> Void
    ) -> HSMPort {
        var port = port(after: schedule, wake: wake)
        guard takesLoops else { return port }
        let makeSession = makeSession
        let count = seats.withLock { seats in
            let number = seats.count
            let seat = LoopSeat(
                pace: pace, counters: counters, share: share, schedule: wake,
                toWorkers: port.toWorkers,
                makeSession: { try makeSession(.init(number: number, isLoop: true)) })
            port.seat = seat
            seats.append(seat)
            return seats.count
        }
        if count == 1 { watchForHungLoops() }
        return port
    }

    /// A loop that hangs cannot say so: a thread looks after all of them.
    private func watchForHungLoops() {
        pthread_detach(
            startThread { [weak self] in
                while let hsm = self, !hsm.isStopped.load(ordering: .relaxed) {
                    let now = monotonicNanoseconds()
                    let held = hsm.seats.withLock { $0 }.firstIndex { $0.underWay.isOverdue(now: now) }
                    if let held { hsm.hung("event loop \(held): a call of the token does not return") }
                    for seat in hsm.seats.withLock({ $0 }) { seat.lookIfIdle(now: now) }
                    usleep(Self.lookMicroseconds)
                }
            })
    }

    private static let lookMicroseconds: UInt32 = 50_000

    /// What the workers have done since the start.
    package var statistics: HSMStatistics {
        HSMStatistics(
            jobs: counters.jobs.load(ordering: .relaxed), calls: counters.calls.load(ordering: .relaxed),
            evictions: counters.evictions,
            lateAnswers: counters.lateAnswers.load(ordering: .relaxed), queuedJobs: pool.queuedJobs)
    }

    /// Whether the workers, and the loops that call the token themselves, can do anything now. Asks nobody: a few loads.
    package var health: HSMHealth {
        let (now, limit) = (monotonicNanoseconds(), pace.heldUpAfterNanoseconds)
        let seats = seats.withLock { $0 }
        return HSMHealth(
            workers: underWay.count, workersReady: counters.openSessions,
            workersHeldUp: underWay.count { $0.age(now: now) ?? 0 > limit }, loops: seats.count,
            loopsServing: seats.count(where: \.isTaken),
            loopsHeldUp: seats.indices.filter { seats[$0].underWay.age(now: now) ?? 0 > limit },
            tokens: share?.tokens ?? [],
            lastFailure: counters.lastFailure)
    }

    /// Waits until every worker has a session. Not on an event loop.
    /// - Returns: false if one has none after `seconds`.
    package func waitUntilReady(seconds: Int) -> Bool {
        let end = monotonicNanoseconds() + UInt64(seconds) * 1_000_000_000
        while counters.openSessions < underWay.count {
            guard monotonicNanoseconds() < end else { return false }
            usleep(1_000)
        }
        return true
    }

    /// Runs what is queued, then closes the sessions.
    /// - Returns: false if a worker or a loop is still in a call of the token after `seconds`; it is left there.
    @discardableResult
    package func stop(seconds: Int = 5) -> Bool {
        isStopped.store(true, ordering: .relaxed)
        let areLoopsOut = seats.withLock { $0 }.map { $0.close(seconds: seconds) }.allSatisfy { $0 }
        return pool.stop(seconds: seconds) && areLoopsOut
    }
}
