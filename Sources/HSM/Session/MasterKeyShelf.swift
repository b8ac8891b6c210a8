internal import PKCS11
internal import Synchronization

/// ICC master keys that workers made lately, for all workers of one `HSM`: a session object serves in every session that its
/// application has with the token (PKCS#11 v2.40, 6.6.1), and a card's next request may come to any worker.
///
/// A call costs its time on a wire, so no key is destroyed by a call of its own. There are two lists, the newer and the
/// older. Once the newer is full, it becomes the older, and what the older named ends with the sessions that made it.
final class MasterKeyShelf: Sendable {
    struct Place: Hashable {
        let token: TokenSlot
        let key: CryptographySession.MasterKeyPlace
    }

    /// A key, and the session that it lives as long as.
    struct Entry {
        let handle: ObjectHandle
        let home: KeyHome
    }

    private struct Lists {
        var newer: [Place: Entry] = [:]
        var older: [Place: Entry] = [:]
        var generation = 0
    }

    /// Keys in the newer list at most; the older one has as many.
    let capacity: Int
    private let lists = Mutex(Lists())

    /// - Parameter capacity: at least 1.
    init(capacity: Int) {
        precondition(capacity > 0)
        self.capacity = capacity
    }

    /// Changes whenever the newer list is begun anew. A key made in a home of an earlier generation is not taken.
    var generation: Int { lists.withLock(\.generation) }

    /// - Returns: nil where the key has to be made. Whoever uses the handle holds the entry meanwhile.
    func entry(at place: Place) -> Entry? {
        lists.withLock { $0.newer[place] ?? $0.older[place] }
    }

    /// Another worker may have put the same key there; both are good.
    func keep(_ entry: Entry, at place: Place) {
        let given: [Place: Entry] = lists.withLock { lists in
            guard entry.home.generation == lists.generation else { return [:] }
            lists.newer[place] = entry
            guard lists.newer.count >= capacity else { return [:] }
            defer {
                lists.older = lists.newer
                lists.newer = [:]
                lists.generation += 1
            }
            return lists.older
        }
        // What it closes are calls of the token: not under the lock.
        withExtendedLifetime(given) {}
    }

    /// Forgets all keys. After a token was away, a number that named one of them may name another object.
    func clear() {
        let given = lists.withLock { lists in
            defer { lists = Lists(generation: lists.generation + 1) }
            return lists
        }
        withExtendedLifetime(given) {}
    }
}

/// A session for nothing but making keys that stay on the shelf. Only the worker that opened it calls it; whoever holds its
/// last entry closes it, on any thread.
final class KeyHome: @unchecked Sendable {
    var session: Session
    let generation: Int

    init(_ session: consuming Session, generation: Int) {
        self.session = session
        self.generation = generation
    }
}
