package import EMV

/// The port to records of the layout before, for the time in which a store is migrated.
package protocol OldRecords: Sendable {
    /// Looks for old records of a PAN that has no record, and makes its account of them.
    /// - Parameter token: the account's name of now.
    /// - Returns: false where there is none.
    /// - Throws: where they cannot be made one account without somebody's word, or store or token give no answer.
    func claim(_ pan: PAN, for token: CardToken, deadline: Deadline) async throws(CouldNotDecide) -> Bool
}
