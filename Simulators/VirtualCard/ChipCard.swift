package import EMV
package import LibCrypto

/// The decimal digits of a date as tag 9A carries them.
package struct TransactionDate: Hashable, Sendable {
    /// YYMMDD in BCD, in the lower three bytes.
    package let packed: UInt32

    /// - Returns: nil unless year is 0…99, month 1…12 and day 1…31.
    package init?(year: Int, month: Int, day: Int) {
        guard (0...99).contains(year), (1...12).contains(month), (1...31).contains(day) else { return nil }
        func bcd(_ value: Int) -> UInt32 { UInt32((value / 10) << 4 | value % 10) }
        packed = bcd(year) << 16 | bcd(month) << 8 | bcd(day)
    }
}

/// What the terminal brings to a transaction. Numbers are big endian in their tags.
package struct TerminalTransaction: Sendable {
    /// 9F02, minor units, below 10^12.
    package var amount: UInt64
    /// 9F03, minor units, below 10^12.
    package var amountOther: UInt64 = 0
    /// 9F1A, three digits.
    package var countryCode: UInt16 = 752
    /// 5F2A, three digits.
    package var currencyCode: UInt16 = 752
    /// 9A.
    package var date: TransactionDate
    /// 9C: 00 purchase, 01 cash, 20 refund.
    package var type: UInt8 = 0x00
    /// 9F37.
    package var unpredictableNumber: UnpredictableNumber
    /// 95, five bytes; the default says "exceeds floor limit", which is why the terminal is online.
    package var terminalVerificationResults: UInt64 = 0x00_0000_8000
    /// 9F33, three bytes.
    package var terminalCapabilities: UInt32 = 0xE0F8C8
    /// 9F34, three bytes; the default is "enciphered PIN online, result unknown".
    package var verificationMethodResults: UInt32 = 0x020300
    /// 9F35.
    package var terminalType: UInt8 = 0x22
    /// 9F1E, eight characters.
    package var deviceSerialNumber: UInt64 = 0x3030_3030_3030_3031

    /// Takes what has no default.
    package init(amount: UInt64, date: TransactionDate, unpredictableNumber: UnpredictableNumber) {
        self.amount = amount
        self.date = date
        self.unpredictableNumber = unpredictableNumber
    }
}

/// What all cards of one product have in common: one value serves a million cards.
package struct CardProduct: Sendable {
    /// The cryptogram profile.
    package let profile: CryptogramProfile
    /// 9F10 as every transaction sends it; at most 32 bytes.
    package let issuerApplicationData: [UInt8]
    /// 84 (AID).
    package let dedicatedFileName: [UInt8]
    /// 82.
    package var applicationInterchangeProfile: UInt16 = 0x3900
    /// 9F09.
    package var applicationVersionNumber: UInt16 = 0x008C

    /// Takes what has no default. The AID follows from the profile's scheme.
    package init(profile: CryptogramProfile, issuerApplicationData: [UInt8]) {
        self.profile = profile
        self.issuerApplicationData = issuerApplicationData
        dedicatedFileName = CardProduct.applicationIdentifier(profile.format)
    }

    /// The same with another IAD.
    func with(issuerApplicationData: [UInt8]) -> CardProduct {
        var changed = CardProduct(profile: profile, issuerApplicationData: issuerApplicationData)
        changed.applicationInterchangeProfile = applicationInterchangeProfile
        changed.applicationVersionNumber = applicationVersionNumber
        return changed
    }

    private static func applicationIdentifier(_ format: IssuerApplicationDataFormat) -> [UInt8] {
        switch format {
        case .visa, .visaFormat2: [0xA0, 0x00, 0x00, 0x00, 0x03, 0x10, 0x10]
        case .mChip: [0xA0, 0x00, 0x00, 0x00, 0x04, 0x10, 0x10]
        case .interac: [0xA0, 0x00, 0x00, 0x02, 0x77, 0x10, 0x10]
        // A proprietary, unregistered identifier (ISO/IEC 7816-5): the demo's own scheme.
        case .commonCore: [0xF0, 0x00, 0x00, 0x00, 0x01, 0x00, 0x01]
        }
    }
}

/// One card: who it is, its master key and its counter. Some hundred bytes, no allocation.
package struct ChipCard: Sendable {
    /// PAN and sequence number.
    package let identity: CardIdentity
    /// Derived from the issuer's test key.
    let masterKey: ChipKey
    /// The same where it is one of triple DES.
    package var iccMasterKey: DoubleLengthKey { masterKey.doubleLength }
    /// The counter of the last transaction; the next one uses the next number.
    package var atc: ApplicationTransactionCounter

    package init(identity: CardIdentity, iccMasterKey: DoubleLengthKey, atc: ApplicationTransactionCounter) {
        self.init(identity: identity, masterKey: .tripleDES(iccMasterKey), atc: atc)
    }

    init(identity: CardIdentity, masterKey: ChipKey, atc: ApplicationTransactionCounter) {
        self.identity = identity
        self.masterKey = masterKey
        self.atc = atc
    }
}

/// The card gives no cryptogram.
package enum ChipCardError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The counter is at 65,535: a real card blocks itself (EMV Book 3 6.5.5).
    case counterExhausted
    /// An issuer script has blocked the card.
    case blocked
    /// The data of card or terminal make no chip data; the words name the tag.
    case impossibleData(String)
    /// The computation failed.
    case cryptography(LibCryptoError)

    /// One line for people.
    package var description: String {
        switch self {
        case .blocked: "an issuer script has blocked the card"
        case .counterExhausted: "the card's transaction counter is exhausted"
        case .impossibleData(let words): "card data: \(words)"
        case .cryptography(let error): "card cryptography: \(error)"
        }
    }
}

/// The card's part of one transaction.
package struct CardAnswer: Sendable {
    /// DE55.
    package let chipData: [UInt8]
    /// The cryptogram as computed, before any tampering, with the key for the answer.
    package let signed: SignedCryptogram
    /// The counter that was used.
    package let atc: ApplicationTransactionCounter

    package init(chipData: [UInt8], signed: SignedCryptogram, atc: ApplicationTransactionCounter) {
        self.chipData = chipData
        self.signed = signed
        self.atc = atc
    }
}

extension ChipCard {
    /// One transaction: counts, puts the data together and signs them.
    /// - Parameters:
    ///   - tampering: what is done to the data behind the card's back; nothing by default.
    ///   - kind: what 9F27 says; a blocked application gives an AAC.
    package mutating func answer(
        _ transaction: TerminalTransaction, product: CardProduct, with chip: inout ChipCryptography,
        tampering: Tampering = .none, kind: CryptogramKind = .arqc
    ) throws(ChipCardError) -> CardAnswer {
        let used: ApplicationTransactionCounter
        if let given = tampering.atc {
            used = given
        } else {
            guard atc.rawValue < .max else { throw .counterExhausted }
            atc = ApplicationTransactionCounter(rawValue: atc.rawValue + 1)
            used = atc
        }
        let product = tampering.issuerApplicationData.map(product.with(issuerApplicationData:)) ?? product
        let draft = ChipDataDraft(
            transaction, product: product, identity: identity, atc: used, kind: kind)
        let input = try draft.cryptogramInput(product.profile)
        let signed: SignedCryptogram
        do throws(LibCryptoError) {
            signed = try chip.sign(
                input, profile: product.profile, key: masterKey, atc: used,
                unpredictableNumber: transaction.unpredictableNumber)
        } catch {
            throw .cryptography(error)
        }
        return CardAnswer(
            chipData: try tampering.apply(to: draft.bytes(with: signed.cryptogram)), signed: signed, atc: used
        )
    }
}

/// DE55 with room for the cryptogram.
struct ChipDataDraft {
    private var writer = TLVWriter(reserving: 192)
    private let cryptogramOffset: Int

    init(
        _ transaction: TerminalTransaction, product: CardProduct, identity: CardIdentity,
        atc: ApplicationTransactionCounter, kind: CryptogramKind = .arqc
    ) {
        writer.append(.amountAuthorised, number: packed(transaction.amount), count: 6)
        writer.append(.amountOther, number: packed(transaction.amountOther), count: 6)
        writer.append(.terminalCountryCode, number: packed(UInt64(transaction.countryCode)), count: 2)
        writer.append(.terminalVerificationResults, number: transaction.terminalVerificationResults, count: 5)
        writer.append(.transactionCurrencyCode, number: packed(UInt64(transaction.currencyCode)), count: 2)
        writer.append(.transactionDate, number: UInt64(transaction.date.packed), count: 3)
        writer.append(.transactionType, number: UInt64(transaction.type), count: 1)
        writer.append(
            .unpredictableNumber, number: UInt64(transaction.unpredictableNumber.rawValue), count: 4)
        writer.append(
            .applicationInterchangeProfile, number: UInt64(product.applicationInterchangeProfile), count: 2)
        writer.append(.applicationTransactionCounter, number: UInt64(atc.rawValue), count: 2)
        writer.append(.applicationCryptogram, number: 0, count: 8)
        cryptogramOffset = writer.bytes.count - 8
        writer.append(
            .cryptogramInformationData, number: kind == .aac ? 0x00 : kind == .tc ? 0x40 : 0x80, count: 1)
        writer.append(.issuerApplicationData, product.issuerApplicationData)
        writer.append(.terminalCapabilities, number: UInt64(transaction.terminalCapabilities), count: 3)
        writer.append(
            .cardholderVerificationMethodResults, number: UInt64(transaction.verificationMethodResults),
            count: 3)
        writer.append(.terminalType, number: UInt64(transaction.terminalType), count: 1)
        writer.append(.interfaceDeviceSerialNumber, number: transaction.deviceSerialNumber, count: 8)
        writer.append(.dedicatedFileName, product.dedicatedFileName)
        writer.append(.applicationVersionNumber, number: UInt64(product.applicationVersionNumber), count: 2)
        if let number = identity.panSequenceNumber {
            writer.append(.panSequenceNumber, number: UInt64(number.packed), count: 1)
        }
    }

    func cryptogramInput(_ profile: CryptogramProfile) throws(ChipCardError) -> CryptogramInput {
        do {
            let data = try ICCData(parsing: writer.bytes)
            let iad = try IssuerApplicationData(parsing: data[.issuerApplicationData] ?? [])
            return try profile.cryptogramInput(from: data, iad: iad)
        } catch {
            throw .impossibleData("\(error)")
        }
    }

    consuming func bytes(with cryptogram: ApplicationCryptogram) -> [UInt8] {
        var bytes = writer.bytes
        for index in 0..<8 {
            bytes[cryptogramOffset + index] =
                UInt8(truncatingIfNeeded: cryptogram.rawValue >> UInt64(8 * (7 - index)))
        }
        return bytes
    }
}

extension TerminalTransaction {
    /// The values of a data object list (CDOL1, CDOL2), zeros where the terminal has none (EMV Book 3 5.4).
    func values(
        of objects: [(tag: Tag, count: Int)], code: AuthorisationResponseCode?, issuerData: [UInt8]? = nil
    ) -> [(tag: Tag, value: [UInt8])] {
        objects.map { tag, count in
            if tag == .issuerAuthenticationData, let issuerData {
                let missing = [UInt8](repeating: 0, count: max(0, count - issuerData.count))
                return (tag, Array(issuerData.prefix(count)) + missing)
            }
            let number: UInt64 =
                switch tag {
                case .amountAuthorised: packed(amount)
                case .amountOther: packed(amountOther)
                case .terminalCountryCode: packed(UInt64(countryCode))
                case .terminalVerificationResults: terminalVerificationResults
                case .transactionCurrencyCode: packed(UInt64(currencyCode))
                case .transactionDate: UInt64(date.packed)
                case .transactionType: UInt64(type)
                case .unpredictableNumber: UInt64(unpredictableNumber.rawValue)
                case .terminalType: UInt64(terminalType)
                case .terminalCapabilities: UInt64(terminalCapabilities)
                case .cardholderVerificationMethodResults: UInt64(verificationMethodResults)
                case .authorisationResponseCode: UInt64(code?.rawValue ?? 0)
                default: 0
                }
            let value = (0..<count).map { index -> UInt8 in
                let shift = 8 * (count - 1 - index)
                return shift < 64 ? UInt8(truncatingIfNeeded: number >> UInt64(shift)) : 0
            }
            return (tag, value)
        }
    }
}

/// A number's decimal digits as BCD, right-aligned.
private func packed(_ number: UInt64) -> UInt64 {
    var rest = number
    var result: UInt64 = 0
    var shift: UInt64 = 0
    while rest > 0 {
        result |= (rest % 10) << shift
        rest /= 10
        shift += 4
    }
    return result
}
