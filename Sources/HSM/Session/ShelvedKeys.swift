internal import Authorisation
internal import EMV
internal import PKCS11

/// One worker's side of the shelf: the session in which it makes keys that stay, and what the job under way took.
struct ShelvedKeys {
    let shelf: MasterKeyShelf
    /// Nil where the token has no further session for it; keys then end with their jobs.
    private(set) var home: KeyHome?
    /// Held so that no other worker ends their keys.
    var inUse: [KeyHome] = []
    /// Calls of the token in homes that were left.
    private var earlierCalls: UInt64 = 0

    init(_ shelf: MasterKeyShelf, beside session: borrowing Session) {
        self.shelf = shelf
        move(beside: session)
    }

    var calls: UInt64 { earlierCalls &+ (home?.session.callCount ?? 0) }

    mutating func handle(at place: MasterKeyShelf.Place) -> ObjectHandle? {
        guard let entry = shelf.entry(at: place) else { return nil }
        inUse.append(entry.home)
        return entry.handle
    }

    mutating func keep(_ key: ObjectHandle, made home: KeyHome, at place: MasterKeyShelf.Place) {
        // A full list moves on, and the home of this key with it.
        inUse.append(home)
        shelf.keep(MasterKeyShelf.Entry(handle: key, home: home), at: place)
    }

    /// Between jobs: a new home where the lists have moved on. Keys of one home are in one list, so that they end together.
    mutating func tidy(beside session: borrowing Session) {
        guard let home, home.generation != shelf.generation else { return }
        move(beside: session)
    }

    /// Opens the session that further keys are made in, by one call of the token.
    private mutating func move(beside session: borrowing Session) {
        earlierCalls = calls &+ 2
        let generation = shelf.generation
        home = nil
        do { home = KeyHome(try session.sibling(), generation: generation) } catch {
            // Without one, keys end with their jobs; what is wrong with the token the next job will say.
        }
    }
}

extension CryptographySession {
    /// Between jobs, when nobody waits: ends what some of them left behind.
    mutating func tidy() -> ResourceFate {
        shelved?.tidy(beside: session)
        guard passing.own != nil else { return .keep }
        passing.jobs += 1
        guard passing.jobs >= PassingKeys.jobsMax else { return .keep }
        passing.earlierCalls = passing.callCount &+ 2
        passing.own = nil
        passing.jobs = 0
        do { passing.own = try session.sibling() } catch { return .evict }
        return .keep
    }

    /// - Parameter shelf: nil where ICC master keys end with their jobs.
    mutating func shelve(on shelf: MasterKeyShelf?) {
        guard let shelf else { return }
        shelved = ShelvedKeys(shelf, beside: session)
    }

    /// Where an ICC master key of this session's token stands on the shelf.
    func shelfPlace(
        _ question: CryptogramQuestion, _ card: CardIdentity, use: MasterKeyUse
    ) -> MasterKeyShelf.Place {
        MasterKeyShelf.Place(
            token: session.slot,
            key: MasterKeyPlace(
                issuerMasterKey: question.issuerMasterKey, option: question.masterKeyOption, card: card,
                use: use))
    }
}
