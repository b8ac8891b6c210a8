package import Authorisation
internal import ByteCoding
package import EMV
internal import PKCS11

/// Encipherments of all first bytes that a PIN field can have, and of the fills of formats 0 and 4, under the host's
/// wrapping key: made once a session, looked up for each block that is not simply translated.
struct PINMarks {
    let key: ObjectHandle
    /// By first byte, 0…255: control digit and length.
    let heads: [UInt64]
    /// F's of format 0 by number of bytes, 1…5.
    let fills0: [UInt64]
    /// A's of format 4.
    let fills4: [UInt64]

    init(_ key: ObjectHandle, _ session: inout Session) throws(PKCS11Error) {
        self.key = key
        // Only the formats that travel: control digits 0 to 4.
        heads = try PINMarks.marks((0..<0x50).map { UInt64($0) << 56 }, key, &session)
        fills0 = try PINMarks.fills(0xFF, key, &session)
        fills4 = try PINMarks.fills(0xAA, key, &session)
    }

    private static func fills(
        _ byte: UInt64, _ key: ObjectHandle, _ session: inout Session
    ) throws(PKCS11Error) -> [UInt64] {
        let whole = byte &* 0x0101_0101_0101_0101
        return try marks((1...5).map { whole << UInt64(64 - 8 * $0) }, key, &session)
    }

    static func marks(
        _ blocks: [UInt64], _ key: ObjectHandle, _ session: inout Session
    ) throws(PKCS11Error) -> [UInt64] {
        var marks: [UInt64] = []
        marks.reserveCapacity(blocks.count)
        for block in blocks {
            let value = SecretBytes(count: 8) { $0.storeBytes(of: block.bigEndian, as: UInt64.self) }
            let object = try session.createKey(SessionTemplates.pinField, value: value)
            defer { try? session.destroy(object) }
            marks.append(try session.wrapBlock(object, key: key))
        }
        return marks
    }
}

extension CryptographySession {
    /// Under the PIN verification key, or the one of verification values where a host has no other.
    mutating func pinMarks() throws(JobError) -> PINMarks {
        if let known = knownPINMarks { return known }
        guard let name = pinVerificationKey ?? pinVerificationValueKey else {
            throw .noSuchKey("for PIN verification")
        }
        let key = try keys.handle(name)
        let made = try withToken { () throws(PKCS11Error) in try PINMarks(key, &session) }
        knownPINMarks = made
        return made
    }
}

/// Verifies a PIN block by itself.
struct PINTask: TokenTask {
    let question: PINQuestion
    let card: CardIdentity

    func run(on session: inout CryptographySession) throws(JobError) -> PINAnswer {
        try session.answer(question, pan: card.pan)
    }
}

/// Looks for what is wrong with a PIN block.
struct PINFaultTask: TokenTask {
    let question: PINQuestion
    let card: CardIdentity

    func run(on session: inout CryptographySession) throws(JobError) -> PINBlockFault? {
        try session.fault(in: question, pan: card.pan)
    }
}

extension HSMPort {
    /// One job.
    package func pinAnswer(
        for question: PINQuestion, card: CardIdentity, deadline: Deadline
    ) async throws(CryptographyUnavailable) -> PINAnswer {
        try await perform(PINTask(question: question, card: card), deadline: deadline)
    }

    /// One job.
    package func fault(
        in question: PINQuestion, card: CardIdentity, deadline: Deadline
    ) async throws(CryptographyUnavailable) -> PINBlockFault? {
        try await perform(PINFaultTask(question: question, card: card), deadline: deadline)
    }
}
