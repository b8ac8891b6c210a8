internal import EMV
internal import ISO8583
internal import IssuerConfiguration
internal import IssuerMessages
internal import LibCrypto
internal import VirtualCard

/// 3-D Secure of a link: where it has it, and the access control servers whose values have a time, so that none comes twice.
struct LoadAuthentication: Sendable {
    let place: AuthenticationPlace
    let servers: [(prefix: [UInt8], form: AuthenticationValueForm, server: AuthenticationServer)]

    /// Nil for a link or an issuer without.
    init?(_ link: IssuerConfiguration.Link, _ issuers: [IssuerConfiguration.Issuer], keys: DemoIssuer) {
        guard let file = link.authenticationValue,
            let element = UInt8(exactly: file.element).flatMap(DataElement.init(rawValue:))
        else { return nil }
        var place = AuthenticationPlace(element: element)
        place.offset = file.offset
        place.encoding = AuthenticationPlace.Encoding(rawValue: file.encoding) ?? .base64
        place.indicatorElement = file.eciElement.flatMap { UInt8(exactly: $0) }.flatMap(
            DataElement.init(rawValue:))
        place.indicatorOffset = file.eciOffset
        place.indicatorLength = file.eciLength
        self.place = place
        servers = issuers.compactMap { issuer in
            guard let value = issuer.authenticationValue, value.numberIsTime, let key = value.keyLabels.first,
                let form = AuthenticationValueForm(rawValue: value.form), !form.isCardVerificationValue,
                let server = keys.authenticationServer(key: key)
            else { return nil }
            return (issuer.prefix.utf8.map { $0 - 0x30 }, form, server)
        }
    }

    func server(_ pan: PAN) -> (form: AuthenticationValueForm, server: AuthenticationServer)? {
        servers.first { server in
            server.prefix.indices.allSatisfy { $0 < pan.digitCount && pan.digit(at: $0) == server.prefix[$0] }
        }.map { ($0.form, $0.server) }
    }
}

extension RequestBuilder {
    private static let shop = "Test Shop 1"

    /// A web shop's request with an authentication value of now.
    func authenticatedMessage(
        product: Int, identity: CardIdentity, amount: UInt64, sequence: UInt64, now: Int
    ) throws -> Message {
        guard let authentication = link.authentication,
            let (form, server) = authentication.server(identity.pan)
        else { throw LoadSetupError("link \(link.name) has no 3-D Secure for a card of the mix") }
        var draft = AuthenticationValueDraft(form, number: UInt64(now))
        draft.merchant = Array(Self.shop.utf8)
        (draft.minorUnits, draft.currency) = (Int64(amount), 752)
        guard let value = try server.value(draft, pan: identity.pan) else {
            throw LoadSetupError("no authentication value can be made")
        }
        var message = try message(
            product: product, identity: identity, amount: amount, chipData: [], pin: nil, sequence: sequence)
        for element in [DataElement.iccData, .track2] { message.remove(element) }
        message.set(.pointOfServiceEntryMode, text: "812")
        message.set(.pointOfServiceConditionCode, text: "59")
        let name = Self.shop + String(repeating: " ", count: 25 - Self.shop.utf8.count)
        message.set(.merchantNameAndLocation, text: name + "Stockholm    SE")
        authentication.place.write(value.encoded, indicator: "02", isRecurring: false, to: &message)
        return message
    }
}
