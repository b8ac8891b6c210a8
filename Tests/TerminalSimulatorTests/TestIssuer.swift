import EMV
import ISO8583
import IssuerMessages
import LibCrypto
import VirtualCard

/// A small issuer that decides as the real one has to, over libcrypto: what the terminal is tested against.
struct TestIssuer {
    /// How an issuer can be wrong.
    enum Flaw {
        case none
        /// Approves everything that it understands.
        case approvesEverything
        /// Answers with an ARPC of zeros.
        case wrongARPC
    }

    private struct CardState {
        var highestATC: UInt16 = 0
        var wrongPINs = 0
    }

    private let issuer: DemoIssuer
    private let flaw: Flaw
    private var states: [String: CardState] = [:]

    init(_ issuer: DemoIssuer, flaw: Flaw = .none) {
        self.issuer = issuer
        self.flaw = flaw
    }

    /// As `cards import`: PIN tries begin anew, counters stay.
    mutating func importCards() {
        for name in states.keys { states[name]?.wrongPINs = 0 }
    }

    /// The answer's bytes; nil for silence.
    mutating func answer(_ payload: [UInt8], codec: MessageCodec, zonePINKey: [UInt8]) throws -> [UInt8]? {
        let responses = ResponseMapping()
        let request: Message
        do throws(MessageDecodingError) {
            request = try codec.decode(payload)
        } catch {
            return try error.partial.flatMap(responses.formatError).map { try codec.encode($0) }
        }
        guard request.mti == .authorisationRequest else {
            return try responses.answer(request, .approved).map { try codec.encode($0) }
        }
        let (code, chipData) = try decide(request, zonePINKey)
        guard var response = responses.answer(request, code) else { return nil }
        if let chipData { response.set(.iccData, bytes: chipData) }
        response.copy(.cardholderBillingAmount, from: request)
        // In yen without DE6 the issuer converts, at 6.83 to one.
        if request.text(.currency) == "392", let yen = request.text(.transactionAmount).flatMap({ Int($0) }) {
            let digits = "\(yen * 683 / 100)"
            response.set(
                .cardholderBillingAmount, text: String(repeating: "0", count: 12 - digits.count) + digits)
        }
        return try codec.encode(response)
    }

    private mutating func decide(
        _ request: Message, _ zonePINKey: [UInt8]
    ) throws -> (ResponseCode, [UInt8]?) {
        guard let chip = try? ICCData(parsing: Array(request.bytes(.iccData) ?? [])) else {
            return (.formatError, nil)
        }
        let pan = request.text(.pan)
        guard let card = issuer.cards.first(where: { TestData.digits(of: $0.identity.pan) == pan }) else {
            return (.unknownCard, nil)
        }
        guard let signed = try verified(chip, card) else {
            return flaw == .approvesEverything ? (.approved, nil) : (.cryptogramFailure, nil)
        }
        var code = flaw == .approvesEverything ? .approved : ResponseCode.approved
        if flaw != .approvesEverything { code = try checks(request, chip, card, zonePINKey) }
        return (code, try issuerAuthentication(signed, card, code))
    }

    private func verified(_ data: ICCData, _ card: CardDefinition) throws -> SignedCryptogram? {
        var chip = try ChipCryptography()
        let profile = card.product.profile
        let iad = try IssuerApplicationData(parsing: data[.issuerApplicationData] ?? [])
        let personalised = try issuer.personalise(card.identity, with: &chip)
        guard let atc = data.atc, let number = data.unpredictableNumber else { return nil }
        let signed = try chip.sign(
            profile.cryptogramInput(from: data, iad: iad), profile: profile,
            iccMasterKey: personalised.iccMasterKey, atc: atc, unpredictableNumber: number)
        return signed.cryptogram == data.cryptogram ? signed : nil
    }

    private mutating func checks(
        _ request: Message, _ chip: ICCData, _ card: CardDefinition, _ zonePINKey: [UInt8]
    ) throws -> ResponseCode {
        if card.status == "lost" { return .lostCard }
        if card.expiry.description < "2611" { return .expiredCard }
        var state = states[card.name] ?? CardState()
        defer { states[card.name] = state }
        let atc = chip.atc?.rawValue ?? 0
        guard atc > state.highestATC, state.highestATC == 0 || atc - state.highestATC <= 1_000 else {
            return .securityViolation
        }
        state.highestATC = atc
        if let block = request.bytes(.pinData) {
            let pin = try PINBlockReader.pin(
                in: EncipheredPINBlock(rawValue: block.reduce(0) { $0 << 8 | UInt64($1) }), format: .iso0,
                pan: card.identity.pan, key: zonePINKey)
            if state.wrongPINs >= 3 { return .pinTriesExceeded }
            state.wrongPINs = pin == card.pin ? 0 : state.wrongPINs + 1
            if pin != card.pin { return state.wrongPINs >= 3 ? .pinTriesExceeded : .wrongPIN }
        }
        let amount = Int64(request.text(.transactionAmount) ?? "") ?? .max
        return amount <= card.availableMinorUnits ? .approved : .insufficientFunds
    }

    private func issuerAuthentication(
        _ signed: SignedCryptogram, _ card: CardDefinition, _ code: ResponseCode
    ) throws -> [UInt8] {
        var chip = try ChipCryptography()
        var writer = TLVWriter()
        if card.product.profile.responseMethod == .method1 {
            let code = AuthorisationResponseCode(code.rawValue) ?? AuthorisationResponseCode(rawValue: 0)
            let arpc = try chip.responseMethod1(key: signed.responseKey, signed.cryptogram, code: code)
            writer.append(IssuerAuthenticationData(arpc: flaw == .wrongARPC ? 0 : arpc, code: code))
        } else {
            let update = code == .approved ? CardStatusUpdate.approve : .decline
            let arpc = try chip.responseMethod2(
                key: signed.responseKey, signed.cryptogram, statusUpdate: update, proprietary: [])
            writer.append(
                IssuerAuthenticationData(arpc: flaw == .wrongARPC ? 0 : arpc ?? 0, statusUpdate: update))
        }
        return writer.bytes
    }
}
