internal import Synchronization

/// Messages that wait until the one before them has left their account.
extension CardTurns {
    private static let turnsInARow = 4
    private static let longestGap: UInt64 = 20_000_000

    /// Waits for the turn, and for the gap that is to be left before it.
    func wait(_ token: CardToken) async {
        let gap = await withUnsafeContinuation { continuation in
            let isFree = queues.withLock { queues in
                let isFree = Self.begin(token, &queues)
                if !isFree { queues[token]?.waiting.append(continuation) }
                return isFree
            }
            if isFree { continuation.resume(returning: 0) }
        }
        if gap > 0 { await surroundings.pause(gap) }
    }

    /// Gives the turn to the one that has waited longest. None but who has the turn takes one out of the line.
    func handOver(_ token: CardToken) {
        let now = surroundings.monotonicNanoseconds()
        // In place: a queue that two hold is copied when its first one leaves.
        let next = queues.withLock { $0[token]?.handOver(at: now) }
        next?.continuation.resume(returning: next?.gap ?? 0)
    }
}

extension CardTurns.Queue {
    fileprivate mutating func handOver(
        at now: UInt64
    ) -> (continuation: UnsafeContinuation<UInt64, Never>, gap: UInt64) {
        handedOver += 1
        let isEnough = handedOver.isMultiple(of: CardTurns.turnsInARow)
        let gap = isEnough ? min(now &- since, CardTurns.longestGap) : 0
        since = now + gap
        return (waiting.removeFirst(), gap)
    }
}
