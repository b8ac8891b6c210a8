import Foundation
import Testing

/// A token that takes no clear keys and shows no secret: NSS in FIPS mode, real processes around it. The ceremony on it is
/// in `CeremonyTerminalTests`.
@Suite("A token in a strict mode", .serialized)
struct StrictTokenTests {
    private static let variables = ["DEMO_TOKEN": "nss-fips"]

    @Test("The demo runs as on any token, and an audit finds nothing that somebody caused")
    func demo() throws {
        let environment = try DemoEnvironment(command: ["demo"], variables: Self.variables)
        defer { environment.stop() }
        let (status, output) = environment.finish()
        #expect(status == 0 && output.contains("every outcome was the expected one"), "\(output)")
        let audit = try DemoEnvironment.run("issuer-keys", ["audit", "--config", environment.configuration])
        #expect(audit.output.contains("Audit of token NSS FIPS 140-2 Certificate DB"))
        #expect(audit.status == 0 && audit.output.contains("issuer-rsa-"), "\(audit.output)")
    }

    @Test("The shipped scenarios pass")
    func scenarios() throws {
        _ = try ScenarioRunTests().run(["Config/scenarios"], variables: Self.variables)
    }

    @Test("An entry point that the library does not have is named")
    func noSuchEntry() throws {
        let environment = try DemoEnvironment(command: ["prepare"], variables: Self.variables)
        defer { environment.stop() }
        _ = environment.finish()
        let list = try DemoEnvironment.run(
            "issuer-keys", ["list", "--config", environment.configuration],
            variables: ["ISSUER_TOKEN_FUNCTION_LIST": "XC_GetFunctionList"])
        #expect(list.status != 0)
        #expect(
            list.output.contains("no entry point XC_GetFunctionList (token.functionList)"), "\(list.output)")
    }
}
