internal import Synchronization

/// What a look at the shared clock says of this host's. Times are milliseconds.
extension HeldClock {
    /// This host's clock and its monotonic one, at the time of a look.
    package func looked(own: Int64, monotonic: Int64) { atLook.store(own - monotonic, ordering: .relaxed) }

    /// The shared clock at a time of the monotonic one: what decisions go by from now on.
    package func adopt(shared: Int64, monotonic: Int64) {
        sharedAtLook.store(shared - monotonic, ordering: .relaxed)
    }

    /// Whether decisions go by the shared clock.
    package var hasAdopted: Bool { sharedAtLook.load(ordering: .relaxed) != .min }

    /// Why the clock is not to be relied on; nil: it is.
    package func setFault(_ why: String?) {
        words.withLock { $0 = why }
        hasFault.store(why != nil, ordering: .relaxed)
    }
}
