internal import Glibc
internal import PKCS11
internal import Synchronization

/// The load of one partition over the tokens that have it. Each seat, a worker or an event loop, is at home at one of them,
/// in turn; it goes to another while its own does not answer, and back once it does.
final class TokenShare: Sendable {
    private struct State {
        var gone: Set<Int> = []
        /// Where each seat was when it last opened a session.
        var places: [Seat: Int] = [:]
        var isWatched = false
    }

    /// Who has a session: the loops' numbers are their own.
    struct Seat: Hashable, Sendable {
        let number: Int
        let isLoop: Bool
    }

    private let location: TokenLocation
    private let state = Mutex(State())
    /// How often a token that is gone is tried.
    private static let lookMicroseconds: UInt32 = 500_000

    init(_ location: TokenLocation) { self.location = location }

    /// Whether what one token could not do may be tried at another.
    var hasOthers: Bool { location.tokenCount > 1 }

    /// Each token, whether it answered when it was tried last, and the seats with it.
    var tokens: [HSMHealth.Token] {
        state.withLock { state in
            location.single.enumerated().map { place, token in
                HSMHealth.Token(
                    uri: token.uri, answers: !state.gone.contains(place),
                    seats: state.places.values.count { $0 == place })
            }
        }
    }

    /// - Parameter make: what a session becomes; one that breaks off meanwhile is the token's fault, too. `away` is where the
    ///   seat is at home, if the session is with another token.
    func open(
        seat: Seat, _ make: (consuming Session, _ away: Int?) throws -> CryptographySession
    ) throws -> CryptographySession {
        let count = location.tokenCount
        let gone = state.withLock { state in
            state.places[seat] = nil
            return state.gone
        }
        let ring = (0..<count).map { (seat.number + $0) % count }
        var failure: (any Error)?
        // Those that are known to be gone last: trying one may take its time.
        for place in ring.filter({ !gone.contains($0) }) + ring.filter(gone.contains) {
            do {
                let made = try make(
                    try location.openSession(at: place, readWrite: false), place == ring[0] ? nil : ring[0])
                state.withLock { $0.places[seat] = place }
                return made
            } catch {
                failure = failure ?? error
                if hasOthers { noteGone(place) }
            }
        }
        throw failure ?? ModuleError.noSuchToken(uri: location.uri, present: [])
    }

    /// Whether a token that was gone answers again.
    func answers(_ place: Int) -> Bool { state.withLock { !$0.gone.contains(place) } }

    private func noteGone(_ place: Int) {
        let begins = state.withLock { state in
            state.gone.insert(place)
            defer { state.isWatched = true }
            return !state.isWatched
        }
        guard begins else { return }
        // Opening a session may take long: nobody who works waits for that.
        pthread_detach(
            startThread { [weak self] in
                repeat { usleep(Self.lookMicroseconds) } while self?.look() == true
            })
    }

    /// - Returns: whether one is gone still.
    private func look() -> Bool {
        for place in state.withLock({ $0.gone }).sorted() {
            guard (try? location.openSession(at: place, readWrite: false)) != nil else { continue }
            state.withLock { _ = $0.gone.remove(place) }
        }
        return state.withLock { state in
            state.isWatched = !state.gone.isEmpty
            return state.isWatched
        }
    }
}
