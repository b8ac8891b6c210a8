internal import EMV
internal import Foundation
internal import HSM
internal import HostServer
internal import Issuance
internal import IssuerConfiguration

/// When the issuer's certificates for offline data authentication end. Authorisations do not need them; cards in shops
/// do.
struct CertificateExpiry {
    /// One certificate.
    struct Row {
        let name: String
        /// To the end of its last day, UTC; nil where it does not verify.
        let daysLeft: Int?
        let fault: String?
        let expiry: CertificateMonth?
        /// Seconds since 1970; nil where it does not verify.
        let end: Int64?
    }

    let rows: [Row]
    private let warningDays: Int

    /// Nil where the configuration names no certificates.
    init?(_ configuration: IssuerConfiguration, now: Date = Date()) throws {
        let settings = configuration.certificates
        guard let folder = settings.folder, let caKeys = settings.caKeys else { return nil }
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = TimeZone(secondsFromGMT: 0) ?? .current
        let today = calendar.dateComponents([.year, .month], from: now)
        let month = CertificateMonth(year: today.year ?? 0, month: today.month ?? 0)
        // A file of CA keys that nobody has written yet knows no certificate.
        let keys =
            FileManager.default.fileExists(atPath: caKeys) ? try CAKeys(contentsOf: caKeys) : CAKeys([])
        warningDays = settings.warningDays
        rows = try CertificateStore(folder: folder).list(keys, month: month).map { entry in
            let expiry = entry.certificate?.expiry
            let end = expiry.flatMap { last in
                calendar.date(
                    from: DateComponents(
                        year: last.month == 12 ? last.year + 1 : last.year, month: last.month % 12 + 1, day: 1
                    ))
            }
            let daysLeft = end.flatMap { calendar.dateComponents([.day], from: now, to: $0).day }
            return Row(
                name: entry.name, daysLeft: daysLeft, fault: entry.fault, expiry: expiry,
                end: end.map { Int64($0.timeIntervalSince1970) })
        }
    }

    /// One line each for `check`: what has expired or does not verify fails, what ends soon is said.
    var lines: [CheckLine] {
        rows.map { row in
            let subject = "certificate \(row.name)"
            if let fault = row.fault { return CheckLine(subject, passed: false, detail: fault) }
            let days = row.daysLeft ?? 0
            let end = row.expiry.map { "good to the end of \($0)" } ?? "no end known"
            let warning =
                days <= warningDays ? "WARNING: \(days) days left; ask the CA for the next one; " : ""
            return CheckLine(subject, passed: true, detail: warning + end)
        }
    }

    /// Where each certificate ends; without those that do not verify.
    fileprivate var ends: [(name: String, seconds: Int64)] {
        rows.compactMap { row in row.fault == nil ? row.end.map { (row.name, $0) } : nil }
    }
}

/// When each certificate ends: those for offline data authentication, and those of links with TLS. A file that cannot be
/// read now has no sample: `check` says why.
func certificateMetrics(_ configuration: IssuerConfiguration) async -> [MetricFamily] {
    // Files are read: not on the loop that asks.
    let ends = await Task.detached {
        let issuer = (try? CertificateExpiry(configuration))??.ends ?? []
        let links = configuration.links.flatMap { link in
            configuration.certificateLives(of: link).map { ("\($0.key):\($0.place)", $0.notAfter) }
        }
        return issuer.map { ("offline_data_authentication", $0.name, $0.seconds) }
            + links.map { ("tls", $0.0, $0.1) }
    }.value
    guard !ends.isEmpty else { return [] }
    return [
        .labelled(
            "issuer_certificate_expiry_timestamp_seconds", .gauge,
            help: "When a certificate ends, seconds since 1970.",
            values: ends.map { ([("use", $0.0), ("certificate", $0.1)], "\($0.2)") })
    ]
}
