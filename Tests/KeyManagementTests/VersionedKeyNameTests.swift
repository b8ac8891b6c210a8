import KeyManagement
import PKCS11
import Testing

@Suite("Names of keys")
struct VersionedKeyNameTests {
    @Test(
        "A label says name and version, both ways",
        arguments: [
            ("imk-ac-476173", "imk-ac-476173", 1), ("imk-ac-476173.v2", "imk-ac-476173", 2),
            ("pvk.v255", "pvk", 255),
        ]
            as [(String, String, UInt8)])
    func labels(label: String, name: String, version: UInt8) throws {
        let parsed = try VersionedKeyName(label: label)
        #expect(parsed.name == name && parsed.version == version && parsed.label == label)
    }

    @Test(
        "What is no name is refused by name",
        arguments: [
            "", "imk ac", "imk.v1", "imk.v02", "imk.v256", "imk.2", "imk.v2.v3", "schlüssel",
            String(repeating: "k", count: 65),
        ])
    func refused(label: String) {
        let error = #expect(throws: KeyNameError.self) { try VersionedKeyName(label: label) }
        #expect(error?.description.isEmpty == false)
    }

    @Test func versionsSortByNumber() throws {
        let names = try ["pvk.v10", "pvk", "pvk.v2", "cvk"].map { try VersionedKeyName(label: $0) }
        #expect(names.sorted().map(\.label) == ["cvk", "pvk", "pvk.v2", "pvk.v10"])
    }

    @Test("A URI goes round", arguments: [nil, "NSS Certificate DB", "issuer;=/?%"] as [String?])
    func uris(token: String?) throws {
        let uri = KeyURI(token: token, object: "imk-ac-476173.v2")
        #expect(try KeyURI(parsing: uri.description) == uri)
    }

    @Test func aURIReadsAsOperatorsWriteIt() throws {
        let uri = try VersionedKeyName(label: "zpk-a.v3").uri(token: "NSS Certificate DB")
        #expect(uri.description == "pkcs11:token=NSS%20Certificate%20DB;object=zpk-a.v3;type=secret-key")
        #expect(try KeyURI(parsing: "pkcs11:object=zpk-a.v3;token=NSS%20Certificate%20DB") == uri)
    }

    @Test(
        "What names no secret key is refused",
        arguments: ["pvk", "pkcs11:token=issuer", "pkcs11:object=pvk;type=cert", "pkcs11:object=%zz"])
    func badURIs(text: String) {
        #expect(throws: ModuleError.self) { try KeyURI(parsing: text) }
    }
}
