internal import Synchronization

/// Messages of one account queue within a host: only other hosts can be quicker between a read and its write.
final class CardTurns: Sendable {
    /// Who waits for each account that has a message under way, in the order of asking.
    private let waiting = Mutex<[CardToken: [UnsafeContinuation<Void, Never>]]>([:])

    /// Waits until no other message of the account is under way.
    func enter(_ token: CardToken) async {
        if begin(token) { return }
        await withUnsafeContinuation { continuation in
            let isFree = waiting.withLock { waiting in
                guard waiting[token] != nil else {
                    waiting[token] = []
                    return true
                }
                waiting[token]?.append(continuation)
                return false
            }
            if isFree { continuation.resume() }
        }
    }

    /// Lets the next one in.
    func leave(_ token: CardToken) {
        let next: UnsafeContinuation<Void, Never>? = waiting.withLock { waiting in
            guard let others = waiting[token], !others.isEmpty else {
                waiting[token] = nil
                return nil
            }
            return waiting[token]?.removeFirst()
        }
        next?.resume()
    }

    private func begin(_ token: CardToken) -> Bool {
        waiting.withLock { waiting in
            guard waiting[token] == nil else { return false }
            waiting[token] = []
            return true
        }
    }
}
