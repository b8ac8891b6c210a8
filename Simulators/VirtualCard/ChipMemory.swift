package import EMV

/// What a chip remembers beside its counter, as long as the simulator runs.
package struct ChipMemory: Sendable {
    /// 9F13: the counter of the last transaction in which the issuer was authentic; 0 for a new card.
    package var lastOnlineCounter = ApplicationTransactionCounter(rawValue: 0)
    /// 9F17: offline PIN tries left.
    package var pinTriesLeft = ChipMemory.pinTriesMax

    /// What a right PIN, or a script, sets the tries to.
    package static let pinTriesMax = 3

    /// A card as it leaves the bureau.
    package init() {}
}
