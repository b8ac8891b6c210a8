package import EMV
internal import ISO8583
internal import IssuerMessages
internal import VirtualCard

/// What the shop's 3-D Secure comes to, where it is not simply right.
package struct AuthenticationSettings: Hashable, Sendable {
    /// The authentication value.
    package enum Value: String, Hashable, Sendable, CaseIterable {
        case right, wrong
        /// The one of the card's last payment.
        case again
        case none
    }

    /// What is sent.
    package var value = Value.right
    /// What became of the authentication.
    package var status = AuthenticationStatus.authenticated
    /// The amount that the cardholder saw, in minor units; nil: that of the payment.
    package var minorUnits: UInt64?
    /// The shop that the cardholder saw; nil: the one that asks.
    package var merchant: String?
    /// How long ago that was.
    package var ageMinutes: Int64 = 0
    /// Digits of the electronic commerce indicator; nil: what the status gives the shop.
    package var indicator: String?
    /// One of a series of payments.
    package var isRecurring = false

    /// The cardholder was authenticated just now, for this payment.
    package init() {}
}

/// How a range's access control server makes values.
package struct AuthenticationRange: Hashable, Sendable {
    /// Leading digits of its PANs.
    package let prefix: String
    /// How its values are made.
    package let form: AuthenticationValueForm
    /// Name of its key in the demo issuer's file.
    package let key: String
    /// The number in a value is the time.
    package let numberIsTime: Bool

    package init(prefix: String, form: AuthenticationValueForm, key: String, numberIsTime: Bool) {
        self.prefix = prefix
        self.form = form
        self.key = key
        self.numberIsTime = numberIsTime
    }
}

/// Where a link has 3-D Secure, and the access control servers of the ranges behind it.
package struct ThreeDSecure: Sendable {
    /// Where the link has it.
    let place: AuthenticationPlace
    /// Longest prefix first.
    let servers: [(range: AuthenticationRange, server: AuthenticationServer)]

    /// The shop's name, as its requests have it in DE43.
    static let shop = "Test Shop 1"

    /// An access control server is there for this card.
    func serves(_ panDigits: String) -> Bool {
        servers.contains { panDigits.hasPrefix($0.range.prefix) }
    }

    /// Authenticates the cardholder and puts what comes of it into a request.
    /// - Parameters:
    ///   - last: the value of the card's last payment; of this one when it returns.
    ///   - now: seconds since 1970.
    func fill(
        _ message: inout Message, _ purchase: Purchase, card: inout VirtualCard, last: inout [UInt8]?,
        currency: UInt16, now: Int64
    ) throws {
        let settings = purchase.authentication
        guard let (range, server) = servers.first(where: { card.panDigits.hasPrefix($0.range.prefix) }) else {
            throw TerminalError.noAuthenticationServer
        }
        message.set(.merchantNameAndLocation, text: Self.nameAndLocation)
        var value: [UInt8]?
        switch settings.value {
        case .none: break
        case .again: value = last
        case .right, .wrong:
            let draft = try draft(settings, purchase, range: range, card: &card, currency: currency, now: now)
            guard let made = try server.value(draft, pan: card.definition.identity.pan) else {
                throw TerminalError.noSuchAuthentication
            }
            let isWrong = settings.value == .wrong
            guard let sent = isWrong ? draft.value(proof: Self.another(made)) : made else {
                throw TerminalError.noSuchAuthentication
            }
            value = sent.encoded
            last = value
        }
        place.write(
            value, indicator: settings.indicator ?? Self.indicator(settings.status, range.form),
            isRecurring: settings.isRecurring, to: &message)
    }

    private func draft(
        _ settings: AuthenticationSettings, _ purchase: Purchase, range: AuthenticationRange,
        card: inout VirtualCard, currency: UInt16, now: Int64
    ) throws -> AuthenticationValueDraft {
        let count = UInt64(try card.nextAuthentication())
        let made = now - settings.ageMinutes * 60
        // Two values of one second are told apart by a few seconds that the host forgives.
        let number =
            range.numberIsTime
            ? UInt64(max(0, made / range.form.secondsOfNumber)) + count
                % UInt64(240 / range.form.secondsOfNumber)
            : count
        var draft = AuthenticationValueDraft(range.form, number: number)
        draft.status = settings.status
        draft.method = range.form.isCardVerificationValue ? 2 : 1
        draft.merchant = Array((settings.merchant ?? Self.shop).utf8)
        draft.minorUnits = Int64(clamping: settings.minorUnits ?? purchase.amount)
        draft.currency = currency
        return draft
    }

    /// A proof that the key does not give.
    private static func another(_ value: AuthenticationValue) -> UInt64 {
        value.proof & 0xF == 1 ? value.proof ^ 3 : value.proof & ~0xF | 1
    }

    /// Visa's 05 to 07, Mastercard's 02 to 00.
    private static func indicator(_ status: AuthenticationStatus, _ form: AuthenticationValueForm) -> String {
        switch status {
        case .authenticated: form.isCardVerificationValue ? "05" : "02"
        case .attempted: form.isCardVerificationValue ? "06" : "01"
        case .notAuthenticated: form.isCardVerificationValue ? "07" : "00"
        }
    }

    /// Name, city and country: 25, 13 and 2 characters (ISO 8583:1987 DE43).
    private static var nameAndLocation: String {
        func filled(_ text: String, _ count: Int) -> String {
            text + String(repeating: " ", count: count - text.utf8.count)
        }
        return filled(shop, 25) + filled("Stockholm", 13) + "SE"
    }
}

extension TillReceipt {
    /// The value that was sent, and what the issuer's answer says to it.
    mutating func addAuthentication(of request: Message, at place: AuthenticationPlace) {
        let sent = place.words(in: request)
        trace.append("3-D Secure: \(sent)")
        let additional = rows.first { $0.identifier == "DE44" }?.response.map { ", DE44 \($0)" } ?? ""
        judge = "Issuer"
        verdict = "\(approved ? "took the authentication value" : "declined")\(additional)"
    }
}
