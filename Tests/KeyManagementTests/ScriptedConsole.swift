import ByteCoding
import KeyManagement

/// People who answer as they are asked. The witness confirms the check value that is shown.
final class ScriptedConsole: CeremonyConsole {
    private(set) var lines: [String] = []
    /// What is answered to a prompt, nil for the usual answer.
    var answer: (String) -> String? = { _ in nil }
    private var people = 0

    func say(_ line: String) { lines.append(line) }

    func ask(_ prompt: String) throws(CeremonyError) -> String {
        if let answer = answer(prompt) { return answer }
        if prompt.contains("GENERATE") { return "GENERATE" }
        if prompt.contains("check value to confirm") { return shownCheckValue }
        if prompt.contains("witness") { return "Wanda" }
        if prompt.hasPrefix("Your name") {
            people += 1
            return "Custodian \(people)"
        }
        return ""
    }

    func askSecret(_ prompt: String) throws(CeremonyError) -> SecretBytes {
        SecretBytes(copying: Array((answer(prompt) ?? ScriptedConsole.passphrase).utf8))
    }

    static let passphrase = "correct horse battery"

    private var shownCheckValue: String {
        lines.last { $0.contains("Key check value: ") }.map { String($0.suffix(6)) } ?? ""
    }
}
