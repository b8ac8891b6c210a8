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
        /// Its own, in place of the range's.
        var limits: SpendingLimits?

        /// As the auditor knows a PIN: by its form and its digits.
        func name(of pin: UInt64) -> Int { Int(pin) + (hasVerificationValue ? 10_000 : 0) }
    }

    struct Account {
        let token: CardToken
        let pan: PAN
        var plastics: [Plastic]
    }

    /// Those that are there at first, then for each the account of the PAN that it may move to.
    let accounts: [Account]
    let firstCount: Int
    /// Operators move accounts to new PANs.
    let hasMoves: Bool
    let hasLimits: Bool
    /// A malformed PIN block counts as a wrong PIN.
    let countsMalformed: Bool
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
        var accounts =
            (first..<(first + count)).map { Self.all[$0 % 3] }
            + (first..<(first + count)).map { Self.all[3 + $0 % 3] }
        firstCount = count
        hasMoves = seed % 3 == 1
        hasAuthentication = seed % 8 == 0
        opening = isLong ? 2_000_000 : 8_000
        hasLimits = !isLong && numbers.chance(60)
        countsMalformed = numbers.chance(50)
        for account in accounts.indices where !isLong {
            for plastic in accounts[account].plastics.indices where numbers.chance(25) {
                accounts[account].plastics[plastic].limits = Self.own.randomElement(using: &numbers)!
            }
        }
        self.accounts = accounts
        jumps = isLong ? 1 : [0, 4, 12].randomElement(using: &numbers)!
        ranges = Self.tables[(hasLimits ? 2 : 0) + (countsMalformed ? 1 : 0)]
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
            [Plastic(sequenceNumber: 1, expiry: late, pin: 5_678)],
            [
                Plastic(sequenceNumber: 1, expiry: late, pin: 6_789),
                Plastic(sequenceNumber: 2, expiry: early, pin: 7_890),
            ],
            [Plastic(sequenceNumber: 0, expiry: late, pin: 8_901)],
        ]
        return plastics.indices.map { index in
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

    /// Of plastics of their own: of one transaction alone, of a day, of several days.
    static let own: [SpendingLimits] = {
        var single = SpendingLimits(currency: currency)
        single.transactionMax = 450
        single.contactlessMax = 200
        single.blockedMerchantCategories = [5_812]
        var day = SpendingLimits(currency: currency)
        day.daily = Allowance(minorUnits: 2_500, count: 8)
        day.dailyCash = Allowance(minorUnits: 500, count: 2)
        day.unverifiedMax = 600
        var several = SpendingLimits(currency: currency)
        several.rolling = Allowance(minorUnits: 4_000, count: 7)
        several.rollingDays = 3
        return [single, day, several]
    }()

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

    /// What an account is opened with, in the auditor's words.
    func terms(_ account: Account) -> AccountTerms {
        var terms = AccountTerms(
            bounds: Self.bounds(hasLimits ? Self.limits : nil),
            pins: Dictionary(
                uniqueKeysWithValues: account.plastics.map { (Int($0.sequenceNumber), $0.name(of: $0.pin)) }))
        terms.countsMalformed = countsMalformed
        for plastic in account.plastics {
            guard let limits = plastic.limits else { continue }
            terms.own[Int(plastic.sequenceNumber)] = Self.bounds(limits)
        }
        return terms
    }

    private static func bounds(_ limits: SpendingLimits?) -> Bounds {
        var bounds = Bounds()
        guard let limits else { return bounds }
        bounds.dailyMinorUnits = limits.daily.minorUnits
        bounds.dailyCount = limits.daily.count.map(Int.init)
        bounds.dailyCash = limits.dailyCash.minorUnits
        bounds.dailyCashCount = limits.dailyCash.count.map(Int.init)
        bounds.rollingMinorUnits = limits.rolling.minorUnits
        bounds.rollingCount = limits.rolling.count.map(Int.init)
        bounds.rollingDays = limits.rollingDays
        return bounds
    }

    /// The cards that a message may be of, by what it says: without a chip, all that its date fits.
    func fitting(_ deal: Deal) -> [Plastic] {
        if deal.entry == .chip { return [deal.plastic] }
        let all = accounts[deal.account].plastics
        if deal.entry == .none || deal.hidesExpiry { return all }
        return all.filter { $0.expiry == deal.plastic.expiry }
    }

    /// A bound of one transaction forbids it, on any of those cards.
    func forbids(_ deal: Deal, _ plastics: [Plastic]) -> Bool {
        if deal.shop?.isUnserved == true { return true }
        if hasLimits, deal.shop?.isWrong(deal.minorUnits) == true { return true }
        return plastics.contains { plastic in
            guard let limits = plastic.limits ?? (hasLimits ? Self.limits : nil) else { return false }
            func isOver(_ bound: Int64?) -> Bool { bound.map { deal.paid > $0 } ?? false }
            return isOver(limits.transactionMax) || deal.isContactless && isOver(limits.contactlessMax)
                || !deal.isHolderVerified && isOver(limits.unverifiedMax)
                || deal.category.map(limits.blockedMerchantCategories.contains) ?? false
                || limits.blockedCountries.contains(deal.country)
        }
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

    /// By whether there are limits, and whether malformed PIN blocks count.
    private static let tables = [
        ranges(nil, false), ranges(nil, true), ranges(limits, false), ranges(limits, true),
    ]

    private static func ranges(_ limits: SpendingLimits?, _ countsMalformed: Bool) -> IssuerRangeTable {
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
                    abroad: AbroadPolicy(rates: Shop.table, declinesDifference: limits != nil),
                    countsMalformedPINBlocks: countsMalformed),
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
            pinTriesMax: 3, availableMinorUnits: available, currency: Self.currency, profile: "visa-cvn18",
            limits: plastic.limits)
    }
}
