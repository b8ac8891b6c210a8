package import Authorisation
internal import ByteCoding
package import EMV
internal import PKCS11

/// What pieces of a well-formed PIN field are when they are enciphered, by which a block is judged that no host may see:
/// all first bytes that a PIN field can have, and the fills of formats 0 and 4. The token makes a key for it with each
/// session; a piece leaves it padded (PKCS #7) and enciphered under that key.
struct PINMarks {
    /// Enciphers and wraps, and cannot undo either.
    let key: ObjectHandle
    /// By first byte, 0…4F, control digit and length: only the formats that travel.
    private let heads: [UInt64: Int]
    /// F's of format 0 by number of bytes, 1…5.
    let fills0: ArraySlice<UInt64>
    /// A's of format 4.
    let fills4: ArraySlice<UInt64>
    /// The fill of a format 0 block with four digits, and any byte behind it.
    private let usual: ArraySlice<UInt64>

    private static let headCount = 0x50
    static let usualDigits = 4
    /// Bytes of the piece that `usual` is of.
    static let usualCount = 6

    init(_ session: inout Session) throws(PKCS11Error) {
        let key = try session.generateKey(.des3, PINMarks.template)
        self.key = key
        let fills = { (byte: UInt64) in
            (1...5).map { count in
                PINMarks.padded(byte &* 0x0101_0101_0101_0101 << UInt64(64 - 8 * count), count)
            }
        }
        let blocks =
            (0..<PINMarks.headCount).map { PINMarks.padded(UInt64($0) << 56, 1) } + fills(0xFF) + fills(0xAA)
            + (0..<256).map { PINMarks.padded(0xFFFF_FFFF_FF00_0000 | UInt64($0) << 16, PINMarks.usualCount) }
        let marks = try PINMarks.marks(blocks, key, session: &session)
        heads = Dictionary(
            zip(marks.prefix(PINMarks.headCount), 0..<PINMarks.headCount), uniquingKeysWith: { one, _ in one }
        )
        let rest = marks.dropFirst(PINMarks.headCount)
        fills0 = ArraySlice(Array(rest.prefix(5)))
        fills4 = ArraySlice(Array(rest.dropFirst(5).prefix(5)))
        usual = ArraySlice(Array(rest.dropFirst(10)))
    }

    private static let template = Template(
        keyType: .des3, on: [.sensitive, .isPrivate, .encrypt, .wrap],
        off: [.token, .extractable] + KeyPurpose.usages.filter { $0 != .encrypt && $0 != .wrap })

    /// A piece as it is wrapped: `count` bytes at the left, then as many of the rest's number.
    private static func padded(_ block: UInt64, _ count: Int) -> UInt64 {
        let rest = UInt64(8 - count)
        let padding = (rest &* 0x0101_0101_0101_0101) & (1 << (8 * rest) - 1)
        return block | padding
    }

    /// One byte and its padding.
    static func mark(
        ofBytes bytes: [UInt8], _ key: ObjectHandle, session: inout Session
    ) throws(PKCS11Error) -> [UInt64] {
        try marks(bytes.map { padded(UInt64($0) << 56, 1) }, key, session: &session)
    }

    /// All in one call.
    private static func marks(
        _ blocks: [UInt64], _ key: ObjectHandle, session: inout Session
    ) throws(PKCS11Error) -> [UInt64] {
        var words = blocks.map(\.bigEndian)
        let result = words.withUnsafeMutableBytes { bytes in
            Result { () throws(PKCS11Error) in
                try session.encrypt(
                    .tripleDESECB, key: key, input: UnsafeRawBufferPointer(bytes), into: bytes)
            }
        }
        try result.get()
        return words.map { UInt64(bigEndian: $0) }
    }

    /// The first byte of a PIN field, nil for one that none of the formats has.
    func head(_ mark: UInt64) -> Int? { heads[mark] }

    /// The fill of four digits with this byte behind it.
    func usual(before byte: UInt8) -> UInt64 { usual[usual.startIndex + Int(byte)] }
}

extension CryptographySession {
    mutating func pinMarks() throws(JobError) -> PINMarks {
        if let known = knownPINMarks { return known }
        let made = try withToken { () throws(PKCS11Error) in try PINMarks(&session) }
        knownPINMarks = made
        return made
    }

    /// Makes what requests will need, so that none of them waits for it. What cannot be made now fails in the request that
    /// needs it, by name.
    mutating func prepare(_ configuration: HSMConfiguration) {
        if !configuration.zonePINKeys.isEmpty { _ = try? pinMarks() }
        for name in configuration.cardVerificationKeys.sorted(by: { $0.rawValue < $1.rawValue }) {
            _ = try? doubledLeftHalf(of: name)
        }
        for name in configuration.authenticationVerificationKeys.sorted(by: { $0.rawValue < $1.rawValue }) {
            _ = try? authenticationCiphers(of: name)
        }
        for (name, algorithm) in configuration.zoneAuthenticationKeys where algorithm == .iso9797Algorithm3 {
            _ = try? doubledLeftHalf(of: name)
            guard let previous = configuration.zoneKeyLabels[name]?.previousKey else { continue }
            _ = try? doubledLeftHalf(of: previous)
        }
    }
}

extension HSMPort {
    /// One job.
    package func pinAnswer(
        for question: PINQuestion, card: CardIdentity, deadline: Deadline
    ) async throws(CryptographyUnavailable) -> PINAnswer {
        try await perform(deadline: deadline) { session throws(JobError) in
            try session.answer(question, pan: card.pan)
        }
    }

    /// One job.
    package func fault(
        in question: PINQuestion, card: CardIdentity, deadline: Deadline
    ) async throws(CryptographyUnavailable) -> PINBlockFault? {
        try await perform(deadline: deadline) { session throws(JobError) in
            try session.fault(in: question, pan: card.pan)
        }
    }
}
