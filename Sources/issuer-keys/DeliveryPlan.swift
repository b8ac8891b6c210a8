internal import AuditTrail
internal import ByteCoding
internal import CardReaders
internal import EMV
internal import Foundation
internal import HSM
internal import Issuance
internal import PKCS11

/// All that a batch for chips goes by, opened before people are asked to approve it: what is wrong with the token, the list or
/// the keys is found then, and nothing has been written or given out.
struct DeliveryPlan: Sendable {
    let orders: CardOrders
    let desk: KeyDesk
    let seat: TokenSeat
    let keys: Keys
    let place: CardPlace
    let readers: Int
    let level: SecurityLevel?
    /// Key pairs that are made before the first card.
    let ahead: Int
    /// Of the list of cards, SHA-256 in hex.
    let list: String
    /// Where the report goes.
    let out: String
    let masterKey: String
    /// Of a batch that was broken off; nil for a new one.
    let ledger: BatchLedger?
    /// Key pairs that are still to be made, by bits of their modulus.
    let pairs: [Int: Int]
    private let batch: String

    /// Session objects.
    struct Keys: Sendable {
        let products: [CardProductKeys]
        let transport: CardManagementMaster
        let replacement: (master: CardManagementMaster, version: UInt8)?
    }

    /// - Parameters:
    ///   - seat: in a token that has what a batch needs.
    ///   - list: hash of the list of cards.
    init(
        _ orders: CardOrders, _ certification: Certification, options: DeliveryOptions, seat: TokenSeat,
        list: String, out: String, desk: KeyDesk
    ) throws {
        (self.orders, self.seat, self.list, self.out, self.desk) = (orders, seat, list, out, desk)
        let masterKey = try options.masterKey()
        (self.masterKey, place, level, ahead) = (
            masterKey, try options.place(), try options.level(), try options.ahead()
        )
        readers = try options.count(orders.orders.count, place)
        batch = Hex.encode(
            PublicKeyArithmetic.portable.sha1(
                Array((list + orders.products.map(\.issuer.fingerprint).joined() + masterKey).utf8)) ?? [])
        let count = orders.orders.count
        ledger = try BatchLedger.existing(path: out + ".batch", batch: batch, cards: count)
        // Certificates of each issuer, and pairs of each length.
        var (certificates, pairs) = ([Int: Int](), [Int: Int]())
        for number in ledger?.left(of: count) ?? Array(1...count) {
            let product = orders.orders[number - 1].product
            let wanted = orders.products[product].issuer.certifier.keyPairsOfACard
            certificates[product, default: 0] += wanted.values.reduce(0, +)
            pairs.merge(wanted, uniquingKeysWith: +)
        }
        self.pairs = pairs
        keys = try DeliveryPlan.open(
            orders, certification, options: options, certificates: certificates, seat: seat)
    }

    private static func open(
        _ orders: CardOrders, _ certification: Certification, options: DeliveryOptions,
        certificates: [Int: Int], seat: TokenSeat
    ) throws -> Keys {
        let form = try options.form()
        let opened = try seat.work { keys in
            Keys(
                products: try orders.products.enumerated().map { index, product in
                    try CardProductKeys(
                        product.issuer.certifier,
                        CardKeySource(product.labels, option: product.option, session: &keys.session),
                        serialNumbers: SerialNumberSupply(
                            certification.serialNumbers(of: product.issuer), wanted: certificates[index] ?? 0),
                        keys: &keys)
                },
                transport: try CardManagementMaster(
                    options.masterKey(), diversification: form, session: &keys.session),
                replacement: try options.replacement().map {
                    (try CardManagementMaster($0.label, session: &keys.session), $0.version)
                })
        }
        // The card would have keys that its protocol has no use for, and could never be opened again.
        let isAES = opened.transport.diversification.isAES
        if let new = opened.replacement?.master, new.diversification.isAES != isAES {
            throw IssuanceError(
                new.label,
                "\(isAES ? "cards of SCP03 take AES" : "cards of SCP02 take triple DES") keys by PUT KEY, as "
                    + "\(opened.transport.label) is one")
        }
        return opened
    }

    /// A new batch's.
    func beginLedger() throws -> BatchLedger {
        try BatchLedger(path: out + ".batch", batch: batch, cards: orders.orders.count)
    }

    /// What happened to the batch.
    func event(_ kind: AuditEvent.Kind, _ details: [String: String]) -> AuditEvent {
        AuditEvent(
            kind, key: masterKey,
            details: ["to": place.description, "list": list, "cards": "\(orders.orders.count)"]
                .merging(details) { $1 })
    }
}
