internal import HSM
internal import IssuerConfiguration

/// One line of `issuer-host check`.
struct Finding: Sendable {
    enum Outcome: String, Sendable {
        case passed = "ok"
        /// Not as it should be, and no reason not to serve.
        case warning
        case failed = "FAILED"
    }

    let subject: String
    let outcome: Outcome
    let detail: String

    init(_ subject: String, _ outcome: Outcome, detail: String) {
        self.subject = subject
        self.outcome = outcome
        self.detail = detail
    }

    init(_ line: CheckLine) {
        self.init(line.subject, line.passed ? .passed : .failed, detail: line.detail)
    }

    /// A failure that names a key, behind the place where that stands.
    func located(_ settings: Settings) -> Finding {
        outcome == .passed ? self : Finding(subject, outcome, detail: settings.located(detail))
    }

    /// What a body says, or why it failed.
    init(_ subject: String, _ body: () throws -> String) {
        do { self.init(subject, .passed, detail: try body()) } catch {
            self.init(subject, .failed, detail: "\(error)")
        }
    }
}
