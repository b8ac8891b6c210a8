internal import Authorisation
internal import ByteCoding
internal import EMV
internal import PKCS11

/// Where the jobs of requests run.
package enum TokenPlacement: String, CaseIterable, Sendable {
    /// On the event loop if the token is a library that works in this process and proves quick, on workers otherwise.
    case auto
    /// On the event loop, whatever the token is. A token that is slow is left to the workers all the same.
    case loop
    /// On workers: right for a token at the end of a wire, where a call is waiting and not work.
    case workers

    /// Libraries that compute in the process of their caller. What is not here may be a wire.
    static let librariesInProcess = ["libsoftokn3.so", "libsofthsm2.so"]
    /// The most that an authorisation's job may take on a loop, in nanoseconds: two trips between threads cost 12 to 18
    /// microseconds, and while a job runs, nothing else does on its loop.
    static let quickNanoseconds: UInt64 = 75_000

    /// Whether loops get sessions of their own.
    func takesLoops(
        _ configuration: HSMConfiguration, at location: TokenLocation,
        chaining: CryptographySession.Chaining, within limit: UInt64 = quickNanoseconds
    ) throws -> Bool {
        switch self {
        case .loop: return true
        case .workers: return false
        case .auto:
            let name = location.module.path.split(separator: "/").last.map(String.init) ?? ""
            guard Self.librariesInProcess.contains(name) else { return false }
            return try Self.jobNanoseconds(configuration, at: location, chaining: chaining)
                <= limit
        }
    }

    /// What a job takes here: a card token and a cryptogram that is known to be wrong, the median of some.
    static func jobNanoseconds(
        _ configuration: HSMConfiguration, at location: TokenLocation,
        chaining: CryptographySession.Chaining
    ) throws -> UInt64 {
        var session = try location.openSession()
        let keys = try KeyRing(configuration, &session)
        var serving = CryptographySession(
            session: session, keys: keys, configuration: configuration, chaining: chaining)
        let names = configuration.issuerMasterKeys.sorted { $0.rawValue < $1.rawValue }
        var question = try probe(nil)
        for name in names {
            // A key of an AES range derives nothing for this question.
            let asked = try probe(name)
            if case .differs? = (try? serving.answer(asked))?.cryptogram {
                question = asked
                break
            }
        }
        var times: [UInt64] = []
        for _ in 0..<33 {
            let begun = monotonicNanoseconds()
            _ = try serving.answer(question)
            times.append(monotonicNanoseconds() - begun)
        }
        return times.sorted()[times.count / 2]
    }

    private static func probe(_ name: KeyName?) throws -> CryptographyQuestion {
        let profile = CryptogramProfile.visaCVN18
        let input = CryptogramInput([UInt8](repeating: 0, count: 40), padding: profile.padding)
        var cryptogram: CryptogramQuestion?
        if let name, let input {
            cryptogram = CryptogramQuestion(
                issuerMasterKey: name, masterKeyOption: .a, profile: profile,
                atc: ApplicationTransactionCounter(rawValue: 1),
                unpredictableNumber: UnpredictableNumber(rawValue: 0), input: input,
                cryptogram: ApplicationCryptogram(rawValue: 0),
                prepared: [.statusUpdate(.approve), .statusUpdate(.decline)])
        }
        return CryptographyQuestion(
            card: CardIdentity(pan: try PAN("4761739001010010"), panSequenceNumber: nil),
            cryptogram: cryptogram, pin: nil, deadline: Deadline(nanoseconds: .max))
    }
}
