internal import Authorisation
internal import PKCS11
internal import Synchronization

/// Several tokens of one partition: each that answers has to be right, and all have to have the same keys. One may be gone.
extension HSMCheck {
    /// Runs all checks; one that fails does not stop the rest.
    package static func run(_ configuration: HSMConfiguration, at location: TokenLocation) -> [CheckLine] {
        guard location.tokenCount > 1 else { return runSingle(configuration, at: location) }
        var lines: [CheckLine] = []
        var missing: [(uri: String, words: String)] = []
        var answering: [TokenLocation] = []
        for token in location.single {
            do {
                _ = try token.openSession()
                answering.append(token)
            } catch {
                guard isAbsence(error) else {
                    lines.append(CheckLine("token \(token.uri)", passed: false, detail: "\(error)"))
                    continue
                }
                missing.append((token.uri, "\(error)"))
            }
        }
        lines += missing.map { token in
            CheckLine(
                "token \(token.uri)", passed: !answering.isEmpty,
                detail: answering.isEmpty ? token.words : "does not answer, the others serve: \(token.words)")
        }
        for token in answering { lines += runSingle(configuration, at: token) }
        if answering.count > 1 { lines += sameKeys(configuration, answering) }
        return lines
    }

    /// A token that is not there or not itself, as opposed to one that refuses who asks.
    private static func isAbsence(_ error: any Error) -> Bool {
        switch error {
        case ModuleError.noSuchToken: true
        case ModuleError.failed(let error): !error.refusesPIN
        case let error as PKCS11Error: !error.refusesPIN
        default: false
        }
    }

    /// By check value: a request may come to any of them.
    private static func sameKeys(
        _ configuration: HSMConfiguration, _ tokens: [TokenLocation]
    ) -> [CheckLine] {
        do {
            var values: [[String: String]] = []
            for token in tokens {
                var session = try token.openSession()
                values.append(
                    try KeyRing.lookingUp.withLock { _ in
                        var found: [String: String] = [:]
                        for (label, _) in configuration.labels {
                            // One that is missing is a line of its own already.
                            guard let key = try? KeyRing.tokenKey(label, &session) else { continue }
                            found[label] = try TokenCheckValue.of(key, &session)
                        }
                        return found
                    })
            }
            let labels = Set(values.flatMap(\.keys)).sorted()
            let different = labels.filter { label in Set(values.compactMap { $0[label] }).count > 1 }
            let subject = "keys of all tokens"
            guard let first = different.first else {
                let words = "\(labels.count) check values are the same"
                return [CheckLine(subject, passed: true, detail: words)]
            }
            let found = Set(values.compactMap { $0[first] }).sorted().joined(separator: " and ")
            let words = "key \(first): \(found); these are not tokens of one partition"
            return [CheckLine(subject, passed: false, detail: words)]
        } catch {
            return [CheckLine("keys of all tokens", passed: false, detail: "\(error)")]
        }
    }
}
