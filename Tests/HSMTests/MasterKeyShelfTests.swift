import Authorisation
import EMV
@testable import HSM
@testable import PKCS11
import Testing
import TokenSupport

@Suite("ICC master keys that stay in the token", .serialized)
struct MasterKeyShelfTests {
    private let location: TokenLocation
    private static var template: Template {
        Template(keyType: .genericSecret, valueCount: 16, on: [.sensitive, .isPrivate], off: [.token])
    }

    init() throws { location = try DemoKeys.nss.get() }

    private func place(_ number: Int, of token: TokenSlot) throws -> MasterKeyShelf.Place {
        MasterKeyShelf.Place(
            token: token,
            key: CryptographySession.MasterKeyPlace(
                issuerMasterKey: KeyName("imk"), option: .a,
                card: CardIdentity(
                    pan: try PAN("476173900300\(String(10_000 + number).dropFirst())"), panSequenceNumber: nil
                ),
                use: .derive))
    }

    @Test("A full list becomes the older one, and what the older one named ends in the token")
    func generations() throws {
        var session = try location.openSession()
        let shelf = MasterKeyShelf(capacity: 2)
        var shelved = ShelvedKeys(shelf, beside: session)
        var handles: [ObjectHandle] = []
        for number in 0..<6 {
            let home = try #require(shelved.home)
            let key = try home.session.generateKey(.genericSecret, Self.template)
            handles.append(key)
            shelved.keep(key, made: home, at: try place(number, of: session.slot))
            // As at the end of a job.
            shelved.inUse.removeAll()
            shelved.tidy(beside: session)
        }
        for number in 0..<6 {
            let entry = shelf.entry(at: try place(number, of: session.slot))
            #expect(entry?.handle == (number < 4 ? nil : handles[number]), "key \(number)")
        }
        // Four and five are on the older list; their session is open, those of the others are closed.
        #expect(throws: PKCS11Error.self) { try session.destroy(handles[0]) }
        #expect(throws: PKCS11Error.self) { try session.destroy(handles[3]) }
        try session.destroy(handles[4])
    }

    @Test("A key that a job took ends with the job at the earliest")
    func held() throws {
        var session = try location.openSession()
        let shelf = MasterKeyShelf(capacity: 8)
        var maker = ShelvedKeys(shelf, beside: session)
        let home = try #require(maker.home)
        let key = try home.session.generateKey(.genericSecret, Self.template)
        maker.keep(key, made: home, at: try place(1, of: session.slot))
        var user = ShelvedKeys(shelf, beside: session)
        #expect(user.handle(at: try place(1, of: session.slot)) == key)
        shelf.clear()
        maker.inUse.removeAll()
        maker.tidy(beside: session)
        #expect(user.handle(at: try place(1, of: session.slot)) == nil)
        // The user still holds the key's session; nobody else does but this test.
        try session.destroy(key)
    }

    @Test("Once the lists were cleared, a key made before does not come onto them")
    func cleared() throws {
        let session = try location.openSession()
        let shelf = MasterKeyShelf(capacity: 8)
        var worker = ShelvedKeys(shelf, beside: session)
        let home = try #require(worker.home)
        let key = try home.session.generateKey(.genericSecret, Self.template)
        shelf.clear()
        worker.keep(key, made: home, at: try place(1, of: session.slot))
        #expect(shelf.entry(at: try place(1, of: session.slot)) == nil)
        worker.tidy(beside: session)
        let next = try #require(worker.home)
        worker.keep(
            try next.session.generateKey(.genericSecret, Self.template), made: next,
            at: try place(1, of: session.slot))
        #expect(shelf.entry(at: try place(1, of: session.slot)) != nil)
    }

    @Test("Keys of another token are not found under the same name")
    func tokens() throws {
        let session = try location.openSession()
        let shelf = MasterKeyShelf(capacity: 8)
        var worker = ShelvedKeys(shelf, beside: session)
        let home = try #require(worker.home)
        let key = try home.session.generateKey(.genericSecret, Self.template)
        worker.keep(key, made: home, at: try place(1, of: session.slot))
        let other = TokenSlot(rawValue: session.slot.rawValue + 1)
        #expect(shelf.entry(at: try place(1, of: other)) == nil)
        #expect(shelf.entry(at: try place(1, of: session.slot))?.handle == key)
    }
}
