internal import ByteCoding
internal import Foundation
internal import HSM
internal import LibCrypto

/// How far a ceremony has come, in `ceremony.json` of its folder: no secret is in it, so that it can be broken off at
/// any prompt and gone on with.
struct CeremonyPlan: Codable {
    /// Somebody who has a file.
    struct Enrolled: Codable {
        let custodian: Int
        let name: String
        let file: String
    }

    static let format = "issuer-keys ceremony 1"

    let format: String
    let ceremony: String
    let key: String
    let algorithm: String
    let threshold: Int
    let custodians: Int
    let witness: String
    var enrolled: [Enrolled]
    /// Set once the components are in the custodians' files.
    var keyCheckValue: String?
    /// Set once the witness has confirmed and the minutes are sealed.
    var closed: Bool
    var minutes: [String]

    init(
        key: VersionedKeyName, algorithm: KeyAlgorithm, sharing: ReplicatedSharing, witness: String
    ) throws {
        format = CeremonyPlan.format
        ceremony = Hex.encode(try Random.bytes(8))
        self.key = key.label
        self.algorithm = algorithm.rawValue
        threshold = sharing.threshold
        custodians = sharing.custodians
        self.witness = witness
        enrolled = []
        closed = false
        minutes = []
    }

    static func path(in folder: String) -> String { folder + "/ceremony.json" }

    /// Nil where none was begun in this folder.
    static func read(from folder: String) throws -> CeremonyPlan? {
        guard let data = FileManager.default.contents(atPath: path(in: folder)) else { return nil }
        guard let plan = try? JSONDecoder().decode(CeremonyPlan.self, from: data), plan.format == format
        else {
            throw CeremonyError("\(path(in: folder)) is no ceremony")
        }
        return plan
    }

    func write(to folder: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        try writePrivately(try encoder.encode(self), to: CeremonyPlan.path(in: folder))
    }

    func sharing() throws -> ReplicatedSharing {
        try ReplicatedSharing(threshold: threshold, custodians: custodians)
    }

    mutating func minute(_ words: String) {
        minutes.append("\(KeyProvenance.text(of: Int(Date().timeIntervalSince1970)))  \(words)")
    }
}
