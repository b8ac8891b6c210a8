internal import ByteCoding
internal import Foundation
package import HSM
package import LibCrypto
internal import PKCS11

/// A key ceremony at a terminal. See `issuer-keys ceremony --help` for the procedure as its people see it.
package struct Ceremony {
    let console: any CeremonyConsole
    let location: TokenLocation
    let auditKey: String
    let cost: Scrypt.Cost
    let refusesTestKeys: Bool

    /// Characters of a passphrase.
    package static let passphraseMin = 12
    /// Times that a passphrase may be typed.
    static let passphraseTries = 3

    /// - Parameters:
    ///   - auditKey: label of the HMAC key that seals the minutes; made when first needed.
    ///   - cost: what trying a passphrase costs.
    ///   - refusesTestKeys: true loads no key that everybody has.
    package init(
        console: any CeremonyConsole, at location: TokenLocation, auditKey: String = "audit",
        cost: Scrypt.Cost = .interactive, refusesTestKeys: Bool = false
    ) {
        self.console = console
        self.location = location
        self.auditKey = auditKey
        self.cost = cost
        self.refusesTestKeys = refusesTestKeys
    }

    // MARK: - A new key

    /// Makes a key as components of M of N custodians and loads it. Goes on with a ceremony that was broken off in
    /// this folder.
    package func generate(
        _ name: VersionedKeyName, algorithm: KeyAlgorithm? = nil, threshold: Int, custodians: Int,
        in folder: String
    ) throws -> KeyRecord {
        var store = try KeyStore(at: location, refusesTestKeys: refusesTestKeys)
        try TokenCapability.requireComposition(name.label, &store.session)
        var plan = try begin(
            name, algorithm, threshold: threshold, custodians: custodians, folder: folder, store: &store)
        if plan.keyCheckValue == nil {
            try enrol(&plan, folder)
            try generateComponents(&plan, name, folder: folder, store: &store)
        }
        guard try !store.session.findKeys(label: name.label).isEmpty else {
            throw CeremonyError(
                "the components are with their custodians, and the key is not in the token: "
                    + "issuer-keys ceremony load brings it there")
        }
        let record = try store.record(labelled: name.label)
        if !plan.closed { try close(&plan, record, folder: folder, store: &store) }
        return record
    }

    private func begin(
        _ name: VersionedKeyName, _ algorithm: KeyAlgorithm?, threshold: Int, custodians: Int,
        folder: String, store: inout KeyStore
    ) throws -> CeremonyPlan {
        let (purpose, algorithm) = try store.plan(name, algorithm)
        let sharing = try ReplicatedSharing(threshold: threshold, custodians: custodians)
        if let plan = try CeremonyPlan.read(from: folder) {
            guard plan.key == name.label, plan.algorithm == algorithm.rawValue,
                try plan.sharing() == sharing
            else {
                throw CeremonyError(
                    "\(folder) holds the ceremony of \(plan.key), \(plan.algorithm), \(plan.threshold) of "
                        + "\(plan.custodians): another ceremony needs another folder")
            }
            console.say(
                "Going on with ceremony \(plan.ceremony): \(plan.enrolled.count) of \(custodians) custodians have their files."
            )
            return plan
        }
        try store.requireFree(name)
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        console.say(
            """
            Ceremony for key \(name.label) (\(purpose.rawValue), \(algorithm.rawValue)), \(threshold) of \(custodians).
            Each custodian will choose a passphrase for a file of their own. Then the key is made as
            \(sharing.componentCount) components, each custodian's file gets \(sharing.components(of: 1).count) of them, and the token puts the key together.
            """)
        var plan = try CeremonyPlan(
            key: name, algorithm: algorithm, sharing: sharing,
            witness: try askName("Name of the witness:", []))
        plan.minute(
            "ceremony \(plan.ceremony) begun for key \(name.label), \(algorithm.rawValue), "
                + "\(threshold) of \(custodians), token \(store.tokenLabel); witness \(plan.witness)")
        try plan.write(to: folder)
        return plan
    }

    private func enrol(_ plan: inout CeremonyPlan, _ folder: String) throws {
        for custodian in 1...plan.custodians
        where !plan.enrolled.contains(where: { $0.custodian == custodian }) {
            console.say("\nCustodian \(custodian) of \(plan.custodians). Nobody else may see the keyboard.")
            let name = try askName("Your name:", plan.enrolled.map(\.name) + [plan.witness])
            let usual = "\(folder)/custodian-\(custodian).json"
            let answer = try console.ask("Your file [\(usual)]:")
            let path = answer.isEmpty ? usual : answer
            guard !FileManager.default.fileExists(atPath: path) else {
                throw CeremonyError("\(path) is there already; nothing is written over")
            }
            let passphrase = try Ceremony.newPassphrase(console)
            let file = try CustodianFile(
                plan, custodian: custodian, name: name, passphrase: passphrase, cost: cost)
            try file.write(to: path)
            plan.enrolled.append(.init(custodian: custodian, name: name, file: path))
            plan.minute("custodian \(custodian), \(name), chose a passphrase; file \(path)")
            try plan.write(to: folder)
        }
    }

    private func generateComponents(
        _ plan: inout CeremonyPlan, _ name: VersionedKeyName, folder: String, store: inout KeyStore
    ) throws {
        let (purpose, algorithm) = try store.plan(name, KeyAlgorithm(rawValue: plan.algorithm))
        let sharing = try plan.sharing()
        var files: [Int: CustodianFile] = [:]
        for enrolled in plan.enrolled {
            let file = try CustodianFile(readFrom: enrolled.file)
            guard file.ceremony == plan.ceremony, file.custodian == enrolled.custodian else {
                throw CeremonyError("\(enrolled.file) is not the file of custodian \(enrolled.custodian)")
            }
            files[enrolled.custodian] = file
        }
        console.say("\nAll custodians have their files.")
        guard try console.ask("\(plan.witness), type GENERATE to make the key now:") == "GENERATE" else {
            throw CeremonyError.interrupted
        }
        var recombination = Recombination()
        defer { recombination.forget(&store.session) }
        for number in 1...sharing.componentCount {
            let component = try SecretBytes(count: algorithm.byteCount) { bytes in
                try store.session.generateRandom(into: bytes)
            }
            let checkValue = try recombination.add(component, as: algorithm, session: &store.session)
            for holder in sharing.holders(of: number) {
                try files[holder]?.add(component: number, checkValue: checkValue, value: component)
            }
            let holders = sharing.holders(of: number).map(String.init).joined(separator: " ")
            plan.minute("component \(number): KCV \(checkValue), custodians \(holders)")
            console.say("component \(number)  KCV \(checkValue)  custodians \(holders)")
        }
        let checkValue = try recombination.checkValue(algorithm, &store.session)
        for enrolled in plan.enrolled {
            files[enrolled.custodian]?.keyCheckValue = checkValue
            try files[enrolled.custodian]?.write(to: enrolled.file)
        }
        plan.keyCheckValue = checkValue
        try plan.write(to: folder)
        // Before there is a key: a value that nobody confirms leaves none.
        try confirm(checkValue, plan.witness)
        plan.minute("key \(name.label): KCV \(checkValue), confirmed by witness \(plan.witness)")
        try recombination.install(name, purpose, algorithm: algorithm, store: &store)
    }

    private func close(
        _ plan: inout CeremonyPlan, _ record: KeyRecord, folder: String, store: inout KeyStore
    ) throws {
        // A ceremony that ended between key and minutes: what was confirmed then is confirmed again.
        if !plan.minutes.contains(where: { $0.contains("confirmed by witness") }) {
            try confirm(record.checkValue, plan.witness)
        }
        plan.minute(
            "key \(record.label): KCV \(record.checkValue ?? "unknown"), in the token; "
                + "confirmed by witness \(plan.witness)")
        let path = "\(folder)/minutes-\(plan.ceremony).txt"
        try Minutes.write(
            "Minutes of key ceremony \(plan.ceremony)", plan.minutes, to: path, sealedWith: auditKey,
            store: &store)
        plan.closed = true
        try plan.write(to: folder)
        console.say(
            "The minutes are \(path), sealed with key \(auditKey). Give each custodian their file and delete it here."
        )
    }

    // MARK: - Asking

    /// The witness types what the screen shows: nobody nods a value through.
    func confirm(_ checkValue: String?, _ witness: String) throws {
        let shown = checkValue ?? "unknown"
        console.say("\nKey check value: \(shown)")
        for _ in 1...Ceremony.passphraseTries {
            if try console.ask("\(witness), type the key check value to confirm it:").uppercased() == shown {
                return
            }
            console.say("That is another value.")
        }
        throw CeremonyError("the witness did not confirm the key check value")
    }

    func askName(_ prompt: String, _ taken: [String]) throws -> String {
        while true {
            let name = try console.ask(prompt)
            if name.isEmpty || name.count > 64 {
                console.say("A name has 1 to 64 characters.")
            } else if taken.contains(where: { $0.lowercased() == name.lowercased() }) {
                console.say("\(name) has a part already: each part needs a person of its own.")
            } else {
                return name
            }
        }
    }

    static func newPassphrase(_ console: any CeremonyConsole) throws -> SecretBytes {
        while true {
            let first = try console.askSecret(
                "Your passphrase, at least \(Ceremony.passphraseMin) characters:")
            guard first.count >= Ceremony.passphraseMin else {
                console.say("That is too short.")
                continue
            }
            let second = try console.askSecret("The same again:")
            let same = first.withUnsafeBytes { one in second.withUnsafeBytes { constantTimeEqual(one, $0) } }
            if same { return first }
            console.say("Those were two different passphrases.")
        }
    }
}
