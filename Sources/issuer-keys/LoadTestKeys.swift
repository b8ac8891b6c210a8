internal import ArgumentParser
internal import AuditTrail
internal import ByteCoding
internal import Foundation
internal import HSM
internal import IssuerConfiguration
internal import ProgramEntry

struct LoadTestKeys: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Load public TEST keys into the token, each with its least usage.",
        discussion: """
            The file is JSON with `keys`: name to {value, kcv}, TDES of double or triple length in hex, and `aesKeys`. The name says the \
            purpose: imk-ac-*, imk-smi-*, imk-smc-*, zpk-*, zmk-*, zak-*, cvk-*, pvk. A key whose value does \
            not have the given check value is refused. Keys that are there already stay. The AES key that \
            names cards in the state store is made in the token. Never for production keys: the demo profile \
            is needed.
            """)

    @OptionGroup var token: TokenOption
    @Argument(help: ArgumentHelp("The file of test keys.", valueName: "file")) var path: String

    private struct KeyFile: Decodable {
        struct Key: Decodable {
            let value: String
            let kcv: String
        }
        let keys: [String: Key]
        let aesKeys: [String: Key]?
        let hmacKeys: [String: Key]?
    }

    func run() throws {
        let desk = try token.desk()
        guard desk.configuration.profile == .demo else {
            throw Refusal("test keys are for the demo profile only")
        }
        guard let data = FileManager.default.contents(atPath: path),
            let file = try? JSONDecoder().decode(KeyFile.self, from: data)
        else { throw Refusal("\(path): not a file of test keys") }
        try desk.trail?.requireWritable()
        var loaded: [LoadedKey] = []
        let outcome = Result { try load(file, desk, loaded: &loaded) }
        // Also what came before one that was refused.
        try desk.note(loaded.filter(\.created).map(LoadTestKeys.event))
        try outcome.get()
    }

    private func load(_ file: KeyFile, _ desk: KeyDesk, loaded: inout [LoadedKey]) throws {
        func report(_ key: LoadedKey) {
            loaded.append(key)
            LoadTestKeys.show(key)
        }
        for (name, key) in file.keys.sorted(by: { $0.key < $1.key }) {
            guard let purpose = KeyPurpose.named(name) else {
                throw Refusal("key \(name): the name says no purpose")
            }
            guard let value = try? Hex.decode(key.value), [16, 24].contains(value.count) else {
                throw Refusal("key \(name): 32 or 48 hex digits are needed")
            }
            report(
                try KeyLoading.loadTestKey(
                    label: name, purpose: purpose, value: SecretBytes(copying: value),
                    expectedCheckValue: key.kcv, at: desk.location))
        }
        for (name, key) in (file.aesKeys ?? [:]).sorted(by: { $0.key < $1.key }) {
            guard let purpose = KeyPurpose.named(name), let value = try? Hex.decode(key.value),
                [16, 24, 32].contains(value.count)
            else {
                throw Refusal("key \(name): a purpose in its name and an AES key in hex are needed")
            }
            report(
                try KeyLoading.loadAESTestKey(
                    label: name, purpose: purpose, value: SecretBytes(copying: value),
                    expectedCheckValue: key.kcv, at: desk.location))
        }
        for (name, key) in (file.hmacKeys ?? [:]).sorted(by: { $0.key < $1.key }) {
            guard let purpose = KeyPurpose.named(name), let value = try? Hex.decode(key.value),
                value.count == 32
            else {
                throw Refusal("key \(name): a purpose in its name and 64 hex digits are needed")
            }
            report(
                try KeyLoading.loadHMACTestKey(
                    label: name, purpose: purpose, value: SecretBytes(copying: value),
                    expectedCheckValue: key.kcv, at: desk.location))
        }
        report(
            try KeyLoading.generatePANHashKey(label: desk.configuration.panHashKey, at: desk.location))
    }

    private static func event(_ key: LoadedKey) -> AuditEvent {
        var details = key.description?.details ?? [:]
        details["purpose"] = key.purpose.rawValue
        details["kcv"] = key.checkValue
        return AuditEvent(
            key.purpose == .panHashKey ? .keyGenerated : .testKeyLoaded, key: key.label, details: details)
    }

    private static func show(_ key: LoadedKey) {
        let label = key.label.padding(toLength: 18, withPad: " ", startingAt: 0)
        let purpose = key.purpose.rawValue.padding(toLength: 10, withPad: " ", startingAt: 0)
        print(
            "\(label)\(purpose)KCV \(key.checkValue ?? "------")  \(key.created ? "created" : "there already")"
        )
    }
}
