import Testing

@testable import IssuerConfiguration

@Suite struct UsableProcessorsTests {
    @Test(
        "Event loops go by the processors that the process may use, not by those of the machine",
        arguments: [("3", 2), ("1", 1), ("00000000,00000080", 1), ("ff,ffffffff", 40)])
    func affinity(mask: String, count: Int) {
        let status = "Name:\tissuer-host\nCpus_allowed:\t\(mask)\nCpus_allowed_list:\t0-63\n"
        #expect(IssuerConfiguration.usableProcessors(status: status) == count)
    }

    @Test("Where the kernel does not say, all of them count")
    func unknown() {
        for status in [nil, "", "Cpus_allowed:\t0\n"] as [String?] {
            #expect(IssuerConfiguration.usableProcessors(status: status) >= 1)
        }
    }
}
