internal import Authorisation
internal import Books
internal import EMV

/// The issuer of a seed: accounts, cards, limits, and how much the world moves. Its tables of excess, holds and signed
/// types are written from the issuer's promises, not taken from the host.
struct Plan {
    struct Plastic: Hashable {
        let sequenceNumber: UInt8
        let expiry: ExpiryDate
        let pin: UInt64
        /// The PIN is known by Visa's value.
        var hasVerificationValue = false
    }

    struct Account {
        let token: CardToken
        let pan: PAN
        let plastics: [Plastic]
    }

    let accounts: [Account]
    let hasLimits: Bool
    /// Shops ask the cardholder by 3-D Secure.
    let hasAuthentication: Bool
    /// Minor units that each account has at first.
    let opening: Int64
    /// How much longer than others this seed runs, in times.
    let length: Int
    /// Chance of a jump of the clock, in a thousand steps.
    let jumps: Int
    let ranges: IssuerRangeTable

    static let currency = CurrencyCode(rawValue: 752)!
    static let start: Int64 = 1_795_000_000
    static let transactionMax: Int64 = 900
    static let contactlessMax: Int64 = 500
    static let unverifiedMax: Int64 = 700
    static let blockedCategory: UInt16 = 7_995
    static let blockedCountry: UInt16 = 408

    init(seed: UInt64, _ numbers: inout SimulatedNumbers) {
        // Every thirtieth seed wears one account out.
        let isLong = seed % 30 == 7
        length = isLong ? 10 : 1
        let count = isLong ? 1 : Int.random(in: 1...3, using: &numbers)
        let first = isLong ? Int.random(in: 0..<3, using: &numbers) : 0
        accounts = (first..<(first + count)).map { Self.all[$0 % 3] }
        hasAuthentication = seed % 8 == 0
        opening = isLong ? 2_000_000 : 8_000
        hasLimits = !isLong && numbers.chance(60)
        jumps = isLong ? 1 : [0, 4, 12].randomElement(using: &numbers)!
        ranges = hasLimits ? Self.limited : Self.unlimited
    }

    private static let all: [Account] = {
        let (early, late) = (
            ExpiryDate(monthsSince2000: 12 * 29 + 5), ExpiryDate(monthsSince2000: 12 * 30 + 11)
        )
        let plastics = [
            [Plastic(sequenceNumber: 1, expiry: late, pin: 1_234)],
            [
                Plastic(sequenceNumber: 1, expiry: early, pin: 2_345),
                Plastic(sequenceNumber: 2, expiry: late, pin: 2_345),
            ],
            [
                Plastic(sequenceNumber: 0, expiry: early, pin: 3_456),
                Plastic(sequenceNumber: 1, expiry: late, pin: 4_567, hasVerificationValue: true),
            ],
        ]
        return (0..<3).map { index in
            Account(
                token: CardToken(high: UInt64(index), low: 1), pan: try! PAN(Self.pan(of: index)),
                plastics: plastics[index])
        }
    }()

    private static func pan(of account: Int) -> String {
        let digits = "47617300000000\(account)"
        var sum = 0
        for (index, digit) in digits.reversed().compactMap(\.wholeNumberValue).enumerated() {
            sum += index % 2 == 0 ? (2 * digit > 9 ? 2 * digit - 9 : 2 * digit) : digit
        }
        return digits + "\((10 - sum % 10) % 10)"
    }

    /// Which of this seed's accounts it is.
    func position(of token: CardToken) -> Int { accounts.firstIndex { $0.token == token } ?? accounts.count }

    static func token(of pan: PAN) -> CardToken {
        all.first { $0.pan == pan }?.token ?? CardToken(high: 99, low: 1)
    }

    // MARK: - Limits

    static let limits: SpendingLimits = {
        var limits = SpendingLimits(currency: currency)
        limits.transactionMax = transactionMax
        limits.contactlessMax = contactlessMax
        limits.unverifiedMax = unverifiedMax
        limits.blockedMerchantCategories = [blockedCategory]
        limits.blockedCountries = [blockedCountry]
        limits.daily = Allowance(minorUnits: 5_000, count: 14)
        limits.dailyCash = Allowance(minorUnits: 900, count: 3)
        limits.rolling = Allowance(minorUnits: 9_000, count: 34)
        limits.rollingDays = 7
        return limits
    }()

    var bounds: Bounds {
        var bounds = Bounds()
        guard hasLimits else { return bounds }
        bounds.dailyMinorUnits = 5_000
        bounds.dailyCount = 14
        bounds.dailyCash = 900
        bounds.dailyCashCount = 3
        bounds.rollingMinorUnits = 9_000
        bounds.rollingCount = 34
        bounds.rollingDays = 7
        return bounds
    }

    func forbids(_ deal: Deal) -> Bool {
        deal.shop?.isUnserved == true
            || hasLimits
                && (deal.paid > Self.transactionMax || deal.shop?.isWrong(deal.minorUnits) == true
                    || deal.isContactless && deal.paid > Self.contactlessMax
                    || !deal.isHolderVerified && deal.paid > Self.unverifiedMax
                    || deal.category == Self.blockedCategory || deal.country == Self.blockedCountry)
    }

    // MARK: - What is promised of holds and of what a card signs

    static let categories: [(category: UInt16, excess: Int64, days: Int64)] = [
        (5_411, 15, 7), (5_542, 0, 1), (5_812, 20, 3), (7_011, 20, 31), (7_512, 25, 31),
    ]

    static func excess(_ category: UInt16?) -> Int64 {
        categories.first { $0.category == category }?.excess ?? 15
    }

    static func holdDays(_ category: UInt16?) -> Int64 {
        categories.first { $0.category == category }?.days ?? 7
    }

    /// Tag 9C as an honest card signs it.
    static func type(_ kind: TransactionKind) -> UInt8 {
        switch kind {
        case .purchase, .purchaseWithCashBack, .preAuthorisation, .completion: 0x00
        case .cash: 0x01
        case .refund: 0x20
        case .balanceEnquiry: 0x31
        }
    }

    static func isSigned(_ kind: TransactionKind, _ type: UInt8) -> Bool {
        switch kind {
        case .purchase, .purchaseWithCashBack: type == 0x00 || type == 0x09
        case .cash: type == 0x01
        case .refund: type == 0x20
        case .preAuthorisation: type == 0x00 || type == 0x30
        case .balanceEnquiry: type == 0x30 || type == 0x31 || type == 0x00
        case .completion: true
        }
    }

    // MARK: - The host's tables

    private static let unlimited = ranges(nil)
    private static let limited = ranges(limits)

    private static func ranges(_ limits: SpendingLimits?) -> IssuerRangeTable {
        var nonChip = NonChipPolicy(cardVerificationKey: KeyName("cvk"))
        nonChip.stripeValueOffset = 0
        let keys = IssuerKeys([
            IssuerKeyVersion(
                name: "", issuerMasterKey: KeyName("imk"), secureMessagingIntegrityKey: KeyName("smi"),
                secureMessagingConfidentialityKey: KeyName("smc"))
        ])
        let terms = AuthenticationPolicy.Terms(form: .cvvWithTrackingNumber, key: KeyName("av-cvk"))
        return IssuerRangeTable([
            IssuerRange(
                name: "visa", prefix: PANPrefix("476173")!, keys: keys, masterKeyOption: .a,
                profiles: [.visaCVN18],
                cardPolicy: CardPolicy(
                    limits: limits,
                    // Where nothing is bounded, a wrong DE6 is booked as it came.
                    abroad: AbroadPolicy(rates: Shop.table, declinesDifference: limits != nil)),
                nonChip: nonChip, authentication: AuthenticationPolicy(terms))
        ])
    }

    static let codes = AuthorisationResponseCodes(approved: AuthorisationResponseCode("00")!) { _ in
        AuthorisationResponseCode("05")!
    }

    func definition(_ plastic: Plastic, available: Int64) -> CardDefinition {
        let pin: PINOnRecord =
            plastic.hasVerificationValue
            ? .verificationValue(SimulatedPort.value(plastic.pin)!)
            : .reference(EncipheredPINBlock(rawValue: plastic.pin))
        return CardDefinition(
            sequenceNumber: plastic.sequenceNumber, status: .active, expiry: plastic.expiry, pin: pin,
            pinTriesMax: 3, availableMinorUnits: available, currency: Self.currency, profile: "visa-cvn18")
    }
}
