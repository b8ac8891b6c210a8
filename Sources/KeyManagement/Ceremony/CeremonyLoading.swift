internal import ByteCoding
internal import Foundation
package import HSM
internal import PKCS11

/// A key that comes back under quorum, or comes as components from elsewhere.
extension Ceremony {
    /// Loads a key from the files of M custodians.
    ///
    /// - Parameters:
    ///   - paths: the files; those that are not named are asked for.
    ///   - folder: where the minutes go.
    package func load(_ paths: [String], minutesIn folder: String) throws -> KeyRecord {
        var store = try KeyStore(at: location, refusesTestKeys: refusesTestKeys)
        let witness = try askName("Name of the witness:", [])
        var recombination = Recombination()
        defer { recombination.forget(&store.session) }
        var present: [CustodianFile] = []
        var seen: [Int: String] = [:]
        var remaining = paths[...]
        repeat {
            let path = try remaining.popFirst() ?? askFile(present)
            let file = try CustodianFile(readFrom: path)
            try check(file, path, beside: present)
            if present.isEmpty {
                console.say(
                    "Ceremony \(file.ceremony): key \(file.key), \(file.algorithm), \(file.threshold) of \(file.custodians)."
                )
                try TokenCapability.requireComposition(file.key, &store.session)
                try store.requireFree(try VersionedKeyName(label: file.key))
            }
            let privateKey = try unlock(file)
            try add(file, privateKey, recombination: &recombination, seen: &seen, store: &store)
            present.append(file)
        } while present.count < present[0].threshold
        return try finish(present, recombination, witness: witness, folder: folder, store: &store)
    }

    private func askFile(_ present: [CustodianFile]) throws -> String {
        let answer = try console.ask("File of the next custodian (empty to break off):")
        guard answer.isEmpty else { return answer }
        guard let first = present.first else { throw CeremonyError.interrupted }
        let missing = try ReplicatedSharing(threshold: first.threshold, custodians: first.custodians)
            .missing(from: Set(present.map(\.custodian)))
        throw CeremonyError(
            "\(present.count) of \(first.threshold) custodians: component "
                + missing.map(String.init).joined(separator: ", ") + " is missing; nothing was loaded")
    }

    /// What can be said of a file without its passphrase.
    private func check(_ file: CustodianFile, _ path: String, beside present: [CustodianFile]) throws {
        let who = "custodian \(file.custodian), \(file.name)"
        guard file.keyCheckValue != nil else {
            throw CeremonyError("\(path) of \(who) holds no components: its ceremony was not finished")
        }
        if let first = present.first {
            guard file.ceremony == first.ceremony, file.key == first.key else {
                throw CeremonyError(
                    "\(path) is foreign: of ceremony \(file.ceremony), key \(file.key), not of ceremony \(first.ceremony), key \(first.key)"
                )
            }
            guard !present.contains(where: { $0.custodian == file.custodian }) else {
                throw CeremonyError("\(path) is repeated: \(who), has given a file already")
            }
            guard file.keyCheckValue == first.keyCheckValue, file.threshold == first.threshold,
                file.custodians == first.custodians, file.algorithm == first.algorithm
            else {
                throw CeremonyError(
                    "\(path) of \(who) disagrees with the file of custodian \(first.custodian)")
            }
        }
        let sharing = try ReplicatedSharing(threshold: file.threshold, custodians: file.custodians)
        guard (1...file.custodians).contains(file.custodian) else {
            throw CeremonyError("\(path): no custodian \(file.custodian) of \(file.custodians)")
        }
        let expected = sharing.components(of: file.custodian)
        let found = file.components.map(\.number)
        for number in expected where !found.contains(number) {
            throw CeremonyError("component \(number) is missing from the file of \(who)")
        }
        for number in found where !expected.contains(number) {
            throw CeremonyError("component \(number) in the file of \(who) is foreign: it is not theirs")
        }
        for number in expected where found.count(where: { $0 == number }) > 1 {
            throw CeremonyError("component \(number) is repeated in the file of \(who)")
        }
    }

    private func unlock(_ file: CustodianFile) throws -> SecretBytes {
        for tried in 1...Ceremony.passphraseTries {
            let passphrase = try console.askSecret("Passphrase of custodian \(file.custodian), \(file.name):")
            do { return try file.unlock(passphrase) } catch CeremonyError.wrongPassphrase {
                guard tried < Ceremony.passphraseTries else { break }
                console.say("\(CeremonyError.wrongPassphrase(custodian: file.custodian, name: file.name)).")
            }
        }
        throw CeremonyError.wrongPassphrase(custodian: file.custodian, name: file.name)
    }

    private func add(
        _ file: CustodianFile, _ privateKey: borrowing SecretBytes, recombination: inout Recombination,
        seen: inout [Int: String], store: inout KeyStore
    ) throws {
        let algorithm = try algorithm(of: file)
        for component in file.components.sorted(by: { $0.number < $1.number }) {
            let value = try file.open(component, with: privateKey)
            guard value.count == algorithm.byteCount else { throw file.altered(component) }
            let checkValue =
                seen[component.number] == nil
                ? try recombination.add(value, as: algorithm, session: &store.session)
                : try Recombination.checkValue(of: value, as: algorithm, session: &store.session)
            guard checkValue == component.checkValue, seen[component.number] ?? checkValue == checkValue
            else {
                throw CeremonyError(
                    "component \(component.number) of custodian \(file.custodian), \(file.name), has KCV \(checkValue), not \(component.checkValue)"
                )
            }
            seen[component.number] = checkValue
        }
        console.say(
            "Custodian \(file.custodian), \(file.name): \(file.components.count) components are right.")
    }

    private func algorithm(of file: CustodianFile) throws -> KeyAlgorithm {
        guard let algorithm = KeyAlgorithm(rawValue: file.algorithm) else {
            throw CeremonyError(
                "algorithm \(file.algorithm) of custodian \(file.custodian)'s file is unknown")
        }
        return algorithm
    }

    private func finish(
        _ present: [CustodianFile], _ recombination: Recombination, witness: String, folder: String,
        store: inout KeyStore
    ) throws -> KeyRecord {
        let algorithm = try algorithm(of: present[0])
        let found = try recombination.checkValue(algorithm, &store.session)
        guard found == present[0].keyCheckValue else {
            throw CeremonyError(
                "the key has KCV \(found), not \(present[0].keyCheckValue ?? "unknown"); nothing was loaded")
        }
        let name = try VersionedKeyName(label: present[0].key)
        try confirm(found, witness)
        let (purpose, _) = try store.plan(name, algorithm)
        try recombination.install(name, purpose, algorithm: algorithm, store: &store)
        let now = KeyProvenance.text(of: Int(Date().timeIntervalSince1970))
        let people = present.map { "\(now)  custodian \($0.custodian), \($0.name), opened their file" }
        try writeMinutes(
            present[0].ceremony,
            people
                + [
                    "\(now)  key \(name.label): KCV \(found), loaded into token \(store.tokenLabel); witness \(witness)"
                ],
            now: now, folder: folder, store: &store)
        return try store.record(labelled: name.label)
    }

    // MARK: - Components on paper

    /// How many components on paper a key can have.
    package static var paperComponents: ClosedRange<Int> { 2...9 }

    /// Loads a key from components that custodians type, each with its check value: the form in which zone master keys
    /// come by courier. All of them are needed.
    package func enter(
        _ name: VersionedKeyName, algorithm: KeyAlgorithm? = nil, components: Int, minutesIn folder: String
    ) throws -> KeyRecord {
        guard Ceremony.paperComponents.contains(components) else {
            throw CeremonyError("2 to 9 components, not \(components)")
        }
        var store = try KeyStore(at: location, refusesTestKeys: refusesTestKeys)
        let (purpose, algorithm) = try store.plan(name, algorithm)
        try TokenCapability.requireComposition(name.label, &store.session)
        try store.requireFree(name)
        let witness = try askName("Name of the witness:", [])
        var recombination = Recombination()
        defer { recombination.forget(&store.session) }
        var people: [String] = []
        var minutes: [String] = []
        for number in 1...components {
            console.say(
                "\nComponent \(number) of \(components), \(algorithm.byteCount * 2) hexadecimal digits.")
            let person = try askName("Your name:", people + [witness])
            people.append(person)
            let checkValue = try enterComponent(
                number, algorithm, recombination: &recombination, store: &store)
            minutes.append(
                "\(KeyProvenance.text(of: Int(Date().timeIntervalSince1970)))  component \(number): KCV \(checkValue), typed by \(person)"
            )
        }
        let found = try recombination.checkValue(algorithm, &store.session)
        try confirm(found, witness)
        try recombination.install(name, purpose, algorithm: algorithm, store: &store)
        let now = KeyProvenance.text(of: Int(Date().timeIntervalSince1970))
        minutes.append(
            "\(now)  key \(name.label): KCV \(found), loaded into token \(store.tokenLabel); witness \(witness)"
        )
        try writeMinutes(name.label, minutes, now: now, folder: folder, store: &store)
        return try store.record(labelled: name.label)
    }

    private func enterComponent(
        _ number: Int, _ algorithm: KeyAlgorithm, recombination: inout Recombination,
        store: inout KeyStore
    ) throws -> String {
        while true {
            let typed = try console.askSecret("Component \(number):")
            guard let value = SecretBytes.decodingHexadecimal(typed), value.count == algorithm.byteCount
            else {
                console.say("Those are not \(algorithm.byteCount * 2) hexadecimal digits.")
                continue
            }
            guard value.withUnsafeBytes({ $0.contains { $0 != 0 } }) else {
                console.say("A component of zeros adds nothing: its bearer would have no part in the key.")
                continue
            }
            let expected = try console.ask("Its check value:").uppercased()
            let found = try Recombination.checkValue(of: value, as: algorithm, session: &store.session)
            guard found == expected else {
                console.say(
                    "That component has KCV \(found), not \(expected): one of the two was typed wrongly.")
                continue
            }
            return try recombination.add(value, as: algorithm, session: &store.session)
        }
    }

    private func writeMinutes(
        _ subject: String, _ lines: [String], now: String, folder: String, store: inout KeyStore
    ) throws {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let path = "\(folder)/minutes-\(subject)-\(now).txt"
        try Minutes.write(
            "Minutes of loading \(subject)", lines, to: path, sealedWith: auditKey, store: &store)
        console.say("The minutes are \(path), sealed with key \(auditKey).")
    }
}

extension SecretBytes {
    /// The bytes that hexadecimal digits stand for; blanks between them do not count. Nil for anything else.
    static func decodingHexadecimal(_ text: borrowing SecretBytes) -> SecretBytes? {
        let digits = text.withUnsafeBytes { bytes in bytes.count { $0 != 0x20 } }
        var valid = digits.isMultiple(of: 2)
        let value = SecretBytes(count: digits / 2) { output in
            text.withUnsafeBytes { input in
                var index = 0
                for byte in input where byte != 0x20 && valid {
                    if let digit = Character(UnicodeScalar(byte)).hexDigitValue {
                        output[index / 2] = output[index / 2] << 4 | UInt8(digit)
                    } else {
                        valid = false
                    }
                    index += 1
                }
            }
        }
        guard valid else { return nil }
        return value
    }
}
