internal import ArgumentParser
internal import Authorisation
internal import AuditTrail
internal import ByteCoding
internal import EMV
internal import Foundation
internal import HSM
internal import Issuance
internal import IssuerConfiguration
internal import ProgramEntry

/// `issuer-keys authentication-value`: what an access control server gives a shop for an authenticated cardholder.
struct AuthenticationValueCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "authentication-value",
        abstract: "Make 3-D Secure authentication values in the token, as an access control server does.",
        discussion: """
            Standard input holds one JSON object a line: pan; number (an ACS's own, which counts up for each card; left \
            out where the range's number is the time); status (authenticated, attempted or failed), method, \
            keySelector; for the HMAC forms merchant, and for spa2-hmac amount in minor units and currency. Each gives \
            one line: value (base64), hex, number, form. Form and key are those of the range's authenticationValue. \
            docs/three-d-secure.md has an example.
            """)

    @OptionGroup var token: TokenOption

    private struct Wish: Decodable {
        let pan: String
        let number: UInt64?
        let status: String?
        let method: UInt8?
        let keySelector: String?
        let merchant: String?
        let amount: Int64?
        let currency: String?
    }

    private struct Answer: Encodable {
        let value, hex, form: String
        let number: UInt64
    }

    func run() throws {
        let desk = try token.desk()
        try desk.trail?.requireWritable()
        let issuers = desk.configuration.issuers
        let labels = Set(issuers.flatMap { $0.authenticationValue?.keyLabels ?? [] })
        guard !labels.isEmpty else {
            throw Refusal("no range of the configuration has authenticationValue")
        }
        var maker = try AuthenticationValueMaker(keys: Set(labels.map { KeyName($0) }), at: desk.location)
        var counts: [String: Int] = [:]
        let batch = try JSONLines { line in
            try Self.answer(JSONLines.decode(Wish.self, line), issuers, maker: &maker, counts: &counts)
        }
        // Before it is out: what cannot be noted is not said.
        try desk.note(
            counts.sorted { $0.key < $1.key }.map { label, count in
                AuditEvent(.authenticationValuesMade, key: label, details: ["values": "\(count)"])
            })
        try batch.finish()
    }

    private static func answer(
        _ wish: Wish, _ issuers: [IssuerConfiguration.Issuer], maker: inout AuthenticationValueMaker,
        counts: inout [String: Int]
    ) throws -> Answer {
        guard let pan = try? PAN(wish.pan) else { throw Refusal("pan is no PAN of 8 to 19 digits") }
        let fitting = issuers.filter { wish.pan.hasPrefix($0.prefix) }
        guard let issuer = fitting.max(by: { $0.prefix.count < $1.prefix.count }),
            let settings = issuer.authenticationValue,
            let form = AuthenticationValueForm(rawValue: settings.form)
        else { throw Refusal("pan: its range has no authenticationValue") }
        let draft = try draft(wish, form, settings: settings)
        let label = try key(draft.keySelector, settings)
        guard let value = try maker.value(draft, key: KeyName(label), pan: pan) else {
            throw Refusal(
                "\(form.name) has no place for this number, method, selector, status or amount")
        }
        counts[label, default: 0] += 1
        return Answer(
            value: Base64.text(value.encoded), hex: Hex.encode(value.encoded), form: form.name,
            number: draft.number)
    }

    private static func draft(
        _ wish: Wish, _ form: AuthenticationValueForm, settings: IssuerConfiguration.AuthenticationValue
    ) throws -> AuthenticationValueDraft {
        let time = UInt64(Date().timeIntervalSince1970) / UInt64(form.secondsOfNumber)
        guard let number = wish.number ?? (settings.numberIsTime ? time : nil) else {
            throw Refusal("number is missing: it counts a card's authentications")
        }
        var draft = AuthenticationValueDraft(form, number: number)
        switch wish.status ?? "authenticated" {
        case "authenticated": draft.status = .authenticated
        case "attempted": draft.status = .attempted
        case "failed": draft.status = .notAuthenticated
        default: throw Refusal("status: authenticated, attempted or failed")
        }
        if let method = wish.method { draft.method = method }
        if let text = wish.keySelector {
            guard let selector = UInt16(text, radix: 16), selector <= 0xFFF else {
                throw Refusal("keySelector: two or three hexadecimal digits")
            }
            draft.keySelector = selector
        } else if form == .hmacSHA256 {
            draft.keySelector = 0
        }
        if form.merchantHashBytes > 0 {
            guard let merchant = wish.merchant else { throw Refusal("merchant is missing") }
            draft.merchant = Array(merchant.utf8)
        }
        if form.bindsAmount {
            guard let amount = wish.amount else { throw Refusal("amount is missing: minor units") }
            guard let currency = wish.currency.flatMap({ UInt16($0) }), currency <= 999 else {
                throw Refusal("currency is missing: three digits (ISO 4217)")
            }
            (draft.minorUnits, draft.currency) = (amount, currency)
        }
        return draft
    }

    private static func key(
        _ selector: UInt16, _ settings: IssuerConfiguration.AuthenticationValue
    ) throws -> String {
        let named = settings.keys.compactMap { text -> String? in
            let parts = text.split(separator: ":", maxSplits: 1)
            guard parts.count == 2, UInt16(parts[0], radix: 16) == selector else { return nil }
            return String(parts[1])
        }
        guard let label = named.first ?? settings.key else {
            throw Refusal("keySelector: the range has no key for it")
        }
        return label
    }
}

extension AuditEvent.Kind {
    /// Authentication values were made, as an access control server does.
    static let authenticationValuesMade = AuditEvent.Kind(rawValue: "authentication-values-made")
    /// Content of an access control server was signed.
    static let contentSigned = AuditEvent.Kind(rawValue: "content-signed")
}
