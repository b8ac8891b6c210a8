import Authorisation
import ByteCoding
import EMV
import Synchronization
@testable import HSM
@testable import PKCS11
import TokenSupport
import Testing
import VectorSupport

/// The port as the host uses it: real tokens, real threads.
@Suite("HSM port", .serialized)
struct HSMTests {
    private static let cards = (0..<400).map { number in
        (pan: "476173900200\(String(10_000 + number).dropFirst())", sequence: UInt8(number % 100))
    }

    private func question(
        _ number: Int, cryptogram: UInt64 = 0, pin: Bool = false, profile: CryptogramProfile = .visaCVN18,
        deadline: UInt64 = .max
    ) throws -> CryptographyQuestion {
        let input = try #require(
            CryptogramInput((0..<40).map { UInt8($0 + number % 50) }, padding: profile.padding))
        let card = CardIdentity(
            pan: try PAN(Self.cards[number].pan),
            panSequenceNumber: PANSequenceNumber(rawValue: Self.cards[number].sequence))
        return CryptographyQuestion(
            card: card,
            cryptogram: CryptogramQuestion(
                issuerMasterKey: KeyName("imk-ac-476173"), masterKeyOption: .a, profile: profile,
                atc: ApplicationTransactionCounter(rawValue: UInt16(number + 1)),
                unpredictableNumber: UnpredictableNumber(rawValue: UInt32(number)), input: input,
                cryptogram: ApplicationCryptogram(rawValue: cryptogram),
                prepared: [
                    .responseCode(AuthorisationResponseCode(rawValue: 0x3030)), .statusUpdate(.decline),
                ]),
            pin: pin
                ? PINQuestion(
                    zonePINKey: KeyName("zpk-acquirer-a"), format: .iso0,
                    block: EncipheredPINBlock(rawValue: UInt64(number) &* 0x9E37_79B9_7F4A_7C15)) : nil,
            deadline: Deadline(nanoseconds: deadline))
    }

    /// The right cryptogram, by the steps of EMV Book 2 with the clear test key and single encipherments:
    /// another way than the one under test.
    private func rightCryptogram(_ question: CryptographyQuestion, _ location: TokenLocation) throws -> UInt64
    {
        let asked = try #require(question.cryptogram)
        var session = try location.openSession()
        let issuer = try KnownAnswers.importKey(
            DemoKeys.clear("imk-ac-476173"), [.encrypt], session: &session)
        func key(_ base: ObjectHandle, _ diversifier: Diversifier) throws -> [UInt64] {
            [
                try session.encryptBlock(diversifier.left, key: base),
                try session.encryptBlock(diversifier.right, key: base),
            ]
        }
        func handle(_ halves: [UInt64]) throws -> ObjectHandle {
            let bytes = halves.flatMap { half in
                (0..<8).map { UInt8(truncatingIfNeeded: half >> UInt64(56 - 8 * $0)) }
            }
            return try KnownAnswers.importKey(bytes, [.encrypt], session: &session)
        }
        var halves = try key(issuer, MasterKeyDerivation.diversifier(for: question.card))
        if let diversifier = SessionKeyDerivation.diversifier(
            asked.profile.sessionKey, atc: asked.atc, unpredictableNumber: asked.unpredictableNumber)
        {
            halves = try key(handle(halves), diversifier)
        }
        let (full, left) = (try handle(halves), try handle([halves[0], halves[0]]))
        var chained: UInt64 = 0
        let bytes = asked.input.bytes
        for start in stride(from: 0, to: bytes.count, by: 8) {
            let block = bytes[start..<start + 8].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            chained = try session.encryptBlock(chained ^ block, key: start + 8 == bytes.count ? full : left)
        }
        return chained
    }

    private func matches(_ answer: CryptographyAnswer) -> [IssuerAuthenticationData]? {
        if case .matches(let data) = answer.cryptogram { data } else { nil }
    }

    @Test(
        "The right cryptogram matches and any other differs, on both tokens",
        arguments: [CryptogramProfile.visaCVN10, .visaCVN18, .mcCVN10h, .mcCVN14h].map(\.name), [true, false])
    func rightAndWrong(profileName: String, onNSS: Bool) async throws {
        let profile = try #require(CryptogramProfile.named(profileName))
        let location = try onNSS ? DemoKeys.nss.get() : DemoKeys.softHSM.get()
        let hsm = try HSM(DemoKeys.configuration(pins: onNSS), at: location)
        let port = hsm.port { work in work() }
        let asked = try question(1, pin: onNSS, profile: profile)
        let right = try rightCryptogram(asked, location)
        let good = try await port.begin(question(1, cryptogram: right, pin: onNSS, profile: profile)).answer()
        #expect(matches(good)?.count == 2)
        if onNSS {
            if case .translated = good.pin {} else { Issue.record("the PIN block was not translated") }
        }
        for bit in [0, 17, 63] {
            let bad = try await port.begin(
                question(1, cryptogram: right ^ 1 << UInt64(bit), pin: onNSS, profile: profile)
            ).answer()
            #expect(matches(bad) == nil)
            if case .notAsked = bad.pin {
            } else {
                Issue.record("a forged cryptogram made the token touch a PIN")
            }
        }
        hsm.stop()
    }

    @Test("Prepared and later answers are the same")
    func preparedAnswers() async throws {
        let location = try DemoKeys.nss.get()
        let hsm = try HSM(DemoKeys.configuration(), at: location)
        let port = hsm.port { work in work() }
        for profile in [CryptogramProfile.visaCVN10, .visaCVN18, .mcCVN10h] {
            let right = try rightCryptogram(question(2, profile: profile), location)
            let asked = try question(2, cryptogram: right, profile: profile)
            let answers = try #require(matches(try await port.begin(asked).answer()))
            for (verdict, prepared) in zip(try #require(asked.cryptogram).prepared, answers) {
                let later = try await port.issuerAuthenticationData(
                    for: try #require(asked.cryptogram), card: asked.card, verdict: verdict,
                    deadline: asked.deadline)
                #expect(later == prepared, "\(profile.name)")
            }
        }
        hsm.stop()
    }

    @Test("Two workers give for hundreds of cards what one gives, with few and with many kept master keys")
    func concurrency() async throws {
        let location = try DemoKeys.nss.get()
        var expected: [UInt64] = []
        for number in Self.cards.indices { expected.append(try rightCryptogram(question(number), location)) }
        var alone: [Int: (issuerAuthentication: [IssuerAuthenticationData], pin: UInt64)] = [:]
        for (workers, kept) in [(1, 4_096), (2, 4_096), (2, 3), (2, 0)] {
            let hsm = try HSM(
                DemoKeys.configuration(workers: workers, masterKeysKeptMax: kept), at: location)
            let port = hsm.port { work in work() }
            for _ in 0..<3 {
                let pending = try Self.cards.indices.map {
                    port.begin(try question($0, cryptogram: expected[$0], pin: true))
                }
                var wrong = 0
                for (number, answer) in pending.enumerated() {
                    let answer = try await answer.answer()
                    guard let data = matches(answer), case .translated(let block) = answer.pin else {
                        wrong += 1
                        continue
                    }
                    // The first round, by one worker, is what all others are held against: ARPCs and PIN blocks.
                    let first = alone[number] ?? (data, block.rawValue)
                    alone[number] = first
                    if first.issuerAuthentication != data || first.pin != block.rawValue { wrong += 1 }
                }
                #expect(wrong == 0, "\(workers) workers, \(kept) keys kept")
            }
            hsm.stop()
        }
    }

    @Test("What one worker derived, no other derives again")
    func keptMasterKeys() async throws {
        let location = try DemoKeys.nss.get()
        var counts: [Int: [UInt64]] = [:]
        for kept in [0, 64] {
            let hsm = try HSM(DemoKeys.configuration(workers: 4, masterKeysKeptMax: kept), at: location)
            let port = hsm.port { work in work() }
            #expect(hsm.waitUntilReady(seconds: 60))
            for _ in 0..<13 {
                let before = hsm.statistics.calls
                _ = try await port.begin(question(11)).answer()
                counts[kept, default: []].append(hsm.statistics.calls - before)
            }
            hsm.stop()
        }
        // The first one of a card derives its key; each later one spares that, whichever worker takes it.
        let (made, kept) = (try #require(counts[0]), try #require(counts[64]))
        #expect(kept[0] == made[0])
        #expect(zip(kept, made).dropFirst().allSatisfy { $0 + 1 == $1 }, "\(kept), and \(made) without")
    }

    @Test("The card token is the same for the same card, whoever asks, and known afterwards")
    func cardTokens() async throws {
        let location = try DemoKeys.nss.get()
        let hsm = try HSM(DemoKeys.configuration(workers: 2), at: location)
        let port = hsm.port { work in work() }
        var tokens: Set<CardToken> = []
        for number in Self.cards.indices {
            let asked = try question(number)
            #expect(port.knownToken(of: asked.card.pan) == nil)
            let token = try await port.begin(asked).answer().token
            #expect(port.knownToken(of: asked.card.pan) == token)
            #expect(try await port.begin(asked).answer().token == token)
            tokens.insert(token)
        }
        #expect(tokens.count == Self.cards.count)
        let other = try HSM(DemoKeys.configuration(), at: location)
        let asked = try question(7)
        #expect(
            try await other.port { $0() }.begin(asked).answer().token == port.knownToken(of: asked.card.pan))
        other.stop()
        hsm.stop()
    }

    @Test("No job leaves an object behind")
    func noLeak() throws {
        let location = try DemoKeys.nss.get()
        var owner = try location.openSession()
        let configuration = DemoKeys.configuration(masterKeysKeptMax: 0)
        let keys = try KeyRing(configuration, &owner)
        var serving = CryptographySession(
            session: owner, keys: keys, configuration: configuration, chaining: .mac)
        let right = try rightCryptogram(question(3), location)
        let asked = try question(3, cryptogram: right, pin: true)
        _ = try serving.answer(asked)
        let before = try serving.session.objectCount()
        for _ in 0..<5_000 { _ = try serving.answer(asked) }
        let after = try serving.session.objectCount()
        // With nothing kept, what is derived for a job is gone after it; other suites work on the token meanwhile.
        #expect(after - before < 500)
    }

    @Test("A job that is late is not begun, and a key that is not configured is named")
    func refusals() async throws {
        let hsm = try HSM(DemoKeys.configuration(), at: try DemoKeys.nss.get())
        let port = hsm.port { work in work() }
        await #expect(throws: CryptographyUnavailable.deadlinePassed) {
            try await port.begin(question(4, deadline: 1)).answer()
        }
        var stranger = try question(4)
        stranger = CryptographyQuestion(
            card: stranger.card, cryptogram: nil,
            pin: PINQuestion(
                zonePINKey: KeyName("zpk-nobody"), format: .iso0, block: EncipheredPINBlock(rawValue: 1)),
            deadline: stranger.deadline)
        do {
            _ = try await port.begin(stranger).answer()
            Issue.record("a key that is not configured was used")
        } catch {
            #expect(error.description.contains("zpk-nobody"))
        }
        // The session is as good as before.
        _ = try await port.begin(question(4)).answer()
        #expect(hsm.statistics.evictions == 0)
        hsm.stop()
        await #expect(throws: CryptographyUnavailable.stopped) { try await port.begin(question(4)).answer() }
    }

    @Test("A session that ends behind the worker's back costs one answer and is replaced")
    func recovery() async throws {
        let location = try DemoKeys.nss.get()
        let configuration = DemoKeys.configuration()
        let opened = Mutex(0)
        let hsm = HSM(configuration) { _ in
            var session = try location.openSession()
            let keys = try KeyRing(configuration, &session)
            let first = opened.withLock { count in
                count += 1
                return count == 1
            }
            // A second owner of the same handle closes it when it ends.
            if first { _ = Session(functions: session.functions, handle: session.handle) }
            return CryptographySession(
                session: session, keys: keys, configuration: configuration, chaining: .mac)
        }
        let port = hsm.port { work in work() }
        let right = try rightCryptogram(question(5), location)
        do {
            _ = try await port.begin(question(5, cryptogram: right)).answer()
            Issue.record("a closed session answered")
        } catch CryptographyUnavailable.tokenFailed(let words) {
            #expect(words.contains("CKR_"), "\(words)")
        }
        let answer = try await port.begin(question(5, cryptogram: right)).answer()
        #expect(matches(answer)?.count == 2, "the new session serves")
        #expect(hsm.statistics.evictions == 1 && opened.withLock { $0 } == 2)
        hsm.stop()
    }
}
