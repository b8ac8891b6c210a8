extension Authoriser {
    /// One authorisation under way. What lives across the waits stands here and not in the frame of the task, which is
    /// memory taken and given back for each request. One task works on it at a time.
    final class Work: @unchecked Sendable {
        let request: AuthorisationRequest
        let range: IssuerRange?
        var chip = ChipFinding.skip("")
        /// Nil for nearly every request.
        var authentication: AuthenticationFinding?
        var answer: CryptographyAnswer?
        var reading = CardReading(record: nil, past: nil)
        var token = CardToken(high: 0, low: 0)
        var times = StageTimes()
        var evidenceAt: UInt64 = 0
        var verified: VerifiedCryptogram?
        /// What replicas may not have yet; and the tag that was written, and since when.
        var unconfirmed: CardReading?
        var written: RecordTag?
        var writtenFrom: UInt64 = 0
        /// Template 71 or 72, made before anything is claimed.
        var template: [UInt8]?
        /// How often its account has moved to another PAN.
        var moves = 0

        init(_ request: AuthorisationRequest, _ range: IssuerRange?) {
            (self.request, self.range) = (request, range)
        }

        /// Without an ATC of its own, only what is filed away says whether a message is a repeat, and what it speaks of.
        var readsPast: Bool {
            request.chip == nil || request.purpose != .decision || request.circumstances.kind == .completion
        }
    }
}
