import Foundation
import KeyManagement
import Testing

@Suite("Cards that need a key")
struct CardNeedsTests {
    private static let november = Date(timeIntervalSince1970: 1_795_500_000)

    private func needs(_ label: String) throws -> [String] {
        let path = CeremonyTests.newFolder()
        try """
        [{"issuerMasterKey": "imk-ac-476173", "expiry": "2912", "cards": 3},
         {"issuerMasterKey": "imk-ac-476173", "expiry": "2610", "cards": 5},
         {"issuerMasterKey": "imk-ac-476173", "expiry": "2611", "cards": 2},
         {"issuerMasterKey": "imk-ac-476173.v2", "expiry": "2610", "cards": 7}]
        """.write(toFile: path, atomically: true, encoding: .utf8)
        defer { try? FileManager.default.removeItem(atPath: path) }
        return try CardNeeds(path: path).needs(of: VersionedKeyName(label: label), at: Self.november)
    }

    @Test(
        "Cards until the end of their last month",
        arguments: [
            (
                "imk-ac-476173",
                [
                    "2 cards until 2611 (YYMM) need imk-ac-476173",
                    "3 cards until 2912 (YYMM) need imk-ac-476173",
                ]
            ),
            (
                "imk-smi-476173",
                [
                    "2 cards until 2611 (YYMM) need imk-ac-476173",
                    "3 cards until 2912 (YYMM) need imk-ac-476173",
                ]
            ),
            ("imk-ac-476173.v2", []), ("imk-ac-541333", []),
        ])
    func months(label: String, expected: [String]) throws { #expect(try needs(label) == expected) }

    @Test func aListThatIsNoneIsNamed() {
        #expect(throws: KeyManagementError.self) { try CardNeeds(path: "/nonexistent") }
    }
}
