internal import ByteCoding
internal import Glibc
internal import PKCS11
internal import Synchronization

/// The sessions of a loop: opened and closed on threads of their own.
extension LoopSeat {
    // MARK: - Sessions

    /// Closes the session that there is, and opens one as soon as the token lets it. Not on the loop: both are calls.
    func open() {
        if isOpen.exchange(false, ordering: .relaxed) {
            counters.loopsDropped.wrappingAdd(1, ordering: .relaxed)
        }
        pthread_detach(
            startThread { [self] in
                var delay: UInt32 = 50_000
                while !isClosed.load(ordering: .relaxed) {
                    if session.withLock({ renew(&$0) }) { return }
                    usleep(delay)
                    delay = min(2 * delay, 3_200_000)
                }
            })
    }

    /// - Returns: false if the token opens none now.
    private func renew(_ session: inout CryptographySession?) -> Bool {
        session = nil
        guard !isClosed.load(ordering: .relaxed) else { return true }
        do { session = try makeSession() } catch { return false }
        isOpen.store(true, ordering: .relaxed)
        return true
    }

    /// Jobs go to the workers from now on; the session closes. Not on the loop.
    /// - Returns: false if the loop is still in a call after `seconds`: the session is left to it.
    func close(seconds: Int) -> Bool {
        isClosed.store(true, ordering: .relaxed)
        isOpen.store(false, ordering: .relaxed)
        let latest = monotonicNanoseconds() + UInt64(seconds) * 1_000_000_000
        while session.withLockIfAvailable({ end(&$0) }) == nil {
            guard monotonicNanoseconds() < latest else { return false }
            usleep(1_000)
        }
        return true
    }

    private func end(_ session: inout CryptographySession?) {
        session = nil
        isOpen.store(false, ordering: .relaxed)
    }
}
