import Authorisation
import ByteCoding
import EMV
import Foundation
import PKCS11
import Synchronization
import Testing

@testable import HSM

/// Zone keys that come under a ZMK, on the NSS token, with a clock that the test moves.
@Suite("Versions of zone keys", .serialized)
struct ZoneKeyVersionTests {
    private final class Clock: Sendable {
        private let seconds = Mutex(1_800_000_000)
        var now: Int { seconds.withLock { $0 } }
        func advance(_ count: Int) { seconds.withLock { $0 += count } }
    }

    private static let zmk = "zmk-acquirer-a"

    /// Enciphers blocks under the ZMK, for a sender's part; the token's own ZMK cannot.
    private func order(
        _ key: [UInt8], _ name: KeyName, checkValue: String? = nil, _ location: TokenLocation
    ) throws -> ZoneKeyOrder {
        var session = try location.openSession()
        let usage: [PKCS11.Attribute] = [.encrypt]
        let zmk = try KnownAnswers.importKey(DemoKeys.clear(Self.zmk), usage, session: &session)
        func encipher(_ bytes: ArraySlice<UInt8>) throws -> [UInt8] {
            let word = bytes.reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            return withUnsafeBytes(of: try session.encryptBlock(word, key: zmk).bigEndian) { Array($0) }
        }
        let wrapped = try encipher(key[..<8]) + encipher(key[8...])
        let clear = try KnownAnswers.importKey(key, usage, session: &session)
        let found = try session.encryptBlock(0, key: clear)
        let digits = String(String(found >> 40 | 1 << 24, radix: 16, uppercase: true).dropFirst())
        return ZoneKeyOrder(
            purpose: .zonePINKey, name: name, zoneMasterKey: KeyName(Self.zmk), wrapped: wrapped,
            checkValue: checkValue ?? digits)
    }

    private func key(_ seed: UInt8) -> [UInt8] { (0..<16).map { $0 &* 37 &+ seed } }

    @Test("Born, passing beside the next, ended, destroyed: each at its time")
    func life() throws {
        let (location, clock, name) = (try DemoKeys.nss.get(), Clock(), KeyName("zpk-life"))
        let keys = ZoneKeys([name: 60], at: location, refusesTestKeys: false, now: { clock.now })
        #expect(try keys.labels().isEmpty)
        let first = try keys.change(try order(key(1), name, location))
        #expect(first.label == "zpk-life" && first.isNew)
        #expect(try keys.labels()[name] == ZoneKeyLabels(current: "zpk-life", previous: nil))
        clock.advance(100)
        let second = try keys.change(try order(key(2), name, location))
        #expect(second.label == "zpk-life.v2" && second.checkValue != first.checkValue)
        let overlap = ZoneKeyLabels(current: "zpk-life.v2", previous: "zpk-life")
        #expect(try keys.labels()[name] == overlap)
        #expect(try keys.retire(except: keys.labels()).isEmpty)
        // The same order again, as after a lost answer; and the one before.
        #expect(try !keys.change(try order(key(2), name, location)).isNew)
        #expect(throws: ZoneKeyRefusal.usedBefore("zpk-life")) {
            try keys.change(try order(key(1), name, location))
        }
        clock.advance(60)
        #expect(try keys.labels()[name] == ZoneKeyLabels(current: "zpk-life.v2", previous: nil))
        #expect(try keys.retire(except: [name: overlap]).isEmpty, "sessions have it still")
        let retired = try keys.retire(except: keys.labels())
        #expect(retired.map(\.label) == ["zpk-life"] && retired[0].checkValue == first.checkValue)
        #expect(try keys.change(try order(key(3), name, location)).label == "zpk-life.v3")
    }

    @Test("What is refused leaves the token as it was")
    func refusals() throws {
        let (location, clock, name) = (try DemoKeys.nss.get(), Clock(), KeyName("zpk-refused"))
        let keys = ZoneKeys([name: 60], at: location, refusesTestKeys: true, now: { clock.now })
        let equal = Array(key(9)[..<8] + key(9)[..<8])
        #expect(throws: ZoneKeyRefusal.weak(.partsEqual)) {
            try keys.change(try order(equal, name, location))
        }
        // Equal but for parity, and a semi-weak half behind a good one.
        let parity = Array(key(9)[..<8]) + key(9)[..<8].map { $0 ^ 1 }
        #expect(throws: ZoneKeyRefusal.weak(.partsEqual)) {
            try keys.change(try order(parity, name, location))
        }
        let semiWeak = Array(key(9)[..<8]) + [0x01, 0xFE, 0x01, 0xFE, 0x01, 0xFE, 0x01, 0xFE]
        #expect(throws: ZoneKeyRefusal.weak(.knownWeak)) {
            try keys.change(try order(semiWeak, name, location))
        }
        #expect(throws: ZoneKeyRefusal.self) {
            try keys.change(try order(key(9), name, checkValue: "ABCDEF", location))
        }
        let known = try DemoKeys.clear("zpk-acquirer-b")
        #expect(throws: ZoneKeyRefusal.testKey("EAEE33")) {
            try keys.change(try order(known, name, location))
        }
        var foreign = try order(key(9), name, location)
        foreign = ZoneKeyOrder(
            purpose: .zonePINKey, name: name, zoneMasterKey: KeyName("zmk-none"), wrapped: foreign.wrapped,
            checkValue: foreign.checkValue)
        #expect { try keys.change(foreign) } throws: { "\($0)".contains("key zmk-none") }
        #expect(try keys.labels().isEmpty)
    }

    @Test("A born key has the least usage of its purpose, and passes every check of the start-up")
    func leastUsage() throws {
        let (location, clock, name) = (try DemoKeys.nss.get(), Clock(), KeyName("zpk-least"))
        let keys = ZoneKeys([name: 60], at: location, refusesTestKeys: true, now: { clock.now })
        for seed in [UInt8(21), 22] { _ = try keys.change(try order(key(seed), name, location)) }
        var configuration = DemoKeys.configuration()
        configuration.zonePINKeys.insert(name)
        configuration.zoneKeyLabels = try keys.labels()
        let lines = try HSMCheck.zoneKeys(configuration, at: location)
        #expect(lines.map(\.subject).sorted() == ["key zpk-least", "key zpk-least.v2"])
        for line in lines { #expect(line.passed, "\(line.detail)") }
        #expect(configuration.labels.contains { $0.label == "zpk-least.v2" && $0.purpose == .zonePINKey })
    }

    @Test("Sessions have the new key under the name and the one before beside it")
    func sessions() async throws {
        let (location, clock, name) = (try DemoKeys.nss.get(), Clock(), KeyName("zpk-session"))
        let keys = ZoneKeys([name: 60], at: location, refusesTestKeys: true, now: { clock.now })
        for seed in [UInt8(31), 32] { _ = try keys.change(try order(key(seed), name, location)) }
        var configuration = DemoKeys.configuration()
        configuration.zonePINKeys.insert(name)
        configuration.zoneKeyLabels = try keys.labels()
        let hsm = try HSM(configuration, at: location)
        defer { hsm.stop() }
        #expect(hsm.waitUntilReady(seconds: 30))
        let port = hsm.port { work in DispatchQueue.global().async(execute: work) }
        let before = try #require(port.zonePINKey(before: name))
        #expect(port.zonePINKey(before: KeyName("zpk-acquirer-a")) == nil)
        let pan = try PAN("4761739001010010")
        let clear: UInt64 = 0x0412_34FF_FFFF_FFFF ^ PINBlock.panField(for: pan)
        let expected = try encipher(clear, DemoKeys.clear("pvk"), location)
        for (asked, seed) in [(name, UInt8(32)), (before, 31)] {
            let block = EncipheredPINBlock(rawValue: try encipher(clear, key(seed), location))
            let answer = try await port.pinAnswer(
                for: PINQuestion(zonePINKey: asked, format: .iso0, block: block),
                card: CardIdentity(pan: pan, panSequenceNumber: nil),
                deadline: Deadline(nanoseconds: .max))
            guard case .translated(let translated) = answer else {
                Issue.record("not translated")
                continue
            }
            #expect(translated.rawValue == expected)
        }
    }

    private func encipher(_ block: UInt64, _ key: [UInt8], _ location: TokenLocation) throws -> UInt64 {
        var session = try location.openSession()
        let handle = try KnownAnswers.importKey(key, [.encrypt], session: &session)
        return try session.encryptBlock(block, key: handle)
    }
}
