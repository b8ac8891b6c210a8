internal import ByteCoding
package import EMV
internal import FoundationEssentials
package import LibCrypto

/// The demo issuer's file is missing or wrong. Names file, card and field, never a key or PIN.
package enum DemoIssuerError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The file cannot be read or is no such JSON.
    case unreadable(String)
    /// A field of a card or key has no possible value.
    case badField(owner: String, field: String)
    /// A key's check value is not the one beside it.
    case wrongCheckValue(key: String)
    /// No key of this name.
    case noKey(String)
    /// No card of this name.
    case noCard(String)
    /// The card's counter file cannot be read or written.
    case counter(card: String, reason: String)
    /// A computation failed.
    case cryptography(LibCryptoError)

    /// One line for people.
    package var description: String {
        switch self {
        case .unreadable(let reason): "demo issuer file: \(reason)"
        case .badField(let owner, let field): "demo issuer file: \(field) of \(owner) is impossible"
        case .wrongCheckValue(let key): "demo issuer file: key \(key) does not have the given check value"
        case .noKey(let name): "demo issuer file: no key \(name)"
        case .noCard(let name): "no card \(name)"
        case .counter(let card, let reason): "counter of card \(card): \(reason)"
        case .cryptography(let error): "demo issuer: \(error)"
        }
    }
}

/// One of the demo's cards, as the file defines it.
package struct CardDefinition: Sendable {
    /// The name that the simulator's user gives.
    package let name: String
    /// PAN and sequence number.
    package let identity: CardIdentity
    /// Its last month.
    package let expiry: ExpiryDate
    /// What it has in common with others of its profile.
    package let product: CardProduct
    /// What its holder would type.
    package let pin: PIN
    /// What the issuer thinks of it: `active`, `lost`, ….
    package let status: String
    /// What may be spent at first, in minor units.
    package let availableMinorUnits: Int64
    /// ISO 4217, three digits.
    package let currencyCode: UInt16
}

extension CardDefinition {
    /// The same card with another name and number.
    package func renumbered(_ pan: PAN, name: String) -> CardDefinition {
        CardDefinition(
            name: name, identity: CardIdentity(pan: pan, panSequenceNumber: identity.panSequenceNumber),
            expiry: expiry, product: product, pin: pin, status: status,
            availableMinorUnits: availableMinorUnits, currencyCode: currencyCode)
    }
}

/// The demo issuer: public test keys and cards, read from one JSON file that host, simulator and any other
/// client share.
package struct DemoIssuer: Sendable {
    private let keys: [String: [UInt8]]
    private let aesKeys: [String: [UInt8]]
    private let hmacKeys: [String: [UInt8]]
    /// The cards in the file's order.
    package let cards: [CardDefinition]

    /// Reads a file of the form of `Config/demo/demo-issuer.json`; every key's check value is compared.
    package init(contentsOf path: String) throws(DemoIssuerError) {
        let data: Data
        do {
            data = try Data(contentsOf: URL(filePath: path))
        } catch {
            throw .unreadable("cannot read \(path)")
        }
        do throws(DemoIssuerError) { try self.init(json: Array(data)) } catch {
            guard case .unreadable(let reason) = error else { throw error }
            throw .unreadable("\(path): \(reason)")
        }
    }

    /// The same from memory.
    package init(json: [UInt8]) throws(DemoIssuerError) {
        let file: DemoIssuerFile
        do {
            file = try JSONDecoder().decode(DemoIssuerFile.self, from: Data(json))
        } catch {
            throw .unreadable(DemoIssuer.words(error))
        }
        var keys: [String: [UInt8]] = [:]
        for (name, key) in file.keys { keys[name] = try key.bytes(name) }
        self.keys = keys
        var aesKeys: [String: [UInt8]] = [:]
        for (name, key) in file.aesKeys ?? [:] { aesKeys[name] = try key.aesBytes(name) }
        self.aesKeys = aesKeys
        var hmacKeys: [String: [UInt8]] = [:]
        for (name, key) in file.hmacKeys ?? [:] { hmacKeys[name] = try key.hmacBytes(name) }
        self.hmacKeys = hmacKeys
        var cards: [CardDefinition] = []
        for card in file.cards { cards.append(try card.definition()) }
        self.cards = cards
    }

    /// The place at fault; no values, since keys are among them.
    private static func words(_ error: any Error) -> String {
        func place(_ path: [any CodingKey]) -> String { path.map(\.stringValue).joined(separator: ".") }
        switch error {
        case DecodingError.keyNotFound(let key, let context):
            return "\(place(context.codingPath + [key])) is missing"
        case DecodingError.typeMismatch(_, let context), DecodingError.valueNotFound(_, let context):
            return "\(place(context.codingPath)) is of the wrong type"
        default: return "it is no JSON of the form of Config/demo/demo-issuer.json"
        }
    }

    /// The test keys of sixteen bytes, by name.
    package var namedKeys: [NamedKey] {
        keys.sorted { $0.key < $1.key }.compactMap { NamedKey(name: $0.key, bytes: $0.value) }
    }

    /// The test key with this name.
    package func key(_ name: String) throws(DemoIssuerError) -> [UInt8] {
        guard let key = keys[name] ?? aesKeys[name] else { throw .noKey(name) }
        return key
    }

    /// The definition with this name.
    package func card(_ name: String) throws(DemoIssuerError) -> CardDefinition {
        guard let card = cards.first(where: { $0.name == name }) else { throw .noCard(name) }
        return card
    }

    /// IMK-AC of a PAN: chosen by its first six digits.
    package func issuerMasterKey(for pan: PAN) throws(DemoIssuerError) -> DoubleLengthKey {
        let prefix = (0..<6).map { String(pan.digit(at: $0)) }.joined()
        let name = "imk-ac-\(prefix)"
        guard let key = DoubleLengthKey(bytes: try key(name)) else {
            throw .badField(owner: name, field: "value")
        }
        return key
    }

    /// The card's master keys for issuer scripts (Option A); nil where the file has no such keys for its range.
    package func scriptKeys(
        of identity: CardIdentity, with chip: inout ChipCryptography
    ) throws(DemoIssuerError) -> CardScriptKeys? {
        let prefix = (0..<6).map { String(identity.pan.digit(at: $0)) }.joined()
        guard let integrity = keys["imk-smi-\(prefix)"].flatMap({ DoubleLengthKey(bytes: $0) }),
            let confidentiality = keys["imk-smc-\(prefix)"].flatMap({ DoubleLengthKey(bytes: $0) })
        else { return nil }
        do throws(LibCryptoError) {
            return CardScriptKeys(
                integrity: try chip.iccMasterKey(issuerMasterKey: integrity, option: .a, card: identity),
                confidentiality: try chip.iccMasterKey(
                    issuerMasterKey: confidentiality, option: .a, card: identity))
        } catch {
            throw .cryptography(error)
        }
    }

    /// What computes a range's card verification values; nil where the file has no such key for it.
    package func cardValues(of identity: CardIdentity) -> CardValues? {
        let prefix = (0..<6).map { String(identity.pan.digit(at: $0)) }.joined()
        return keys["cvk-\(prefix)"].flatMap { DoubleLengthKey(bytes: $0) }
            .map(CardValues.init(cardVerificationKey:))
    }

    /// The access control server that has the key with this name; nil where the file has no such key.
    package func authenticationServer(key name: String) -> AuthenticationServer? {
        (hmacKeys[name] ?? keys[name]).map(AuthenticationServer.init(key:))
    }

    /// Personalises a card: derives its master key (option A, as the file says; option C where the range's key is of AES).
    package func personalise(
        _ identity: CardIdentity, with chip: inout ChipCryptography
    ) throws(DemoIssuerError) -> ChipCard {
        let name = "imk-ac-" + (0..<6).map { String(identity.pan.digit(at: $0)) }.joined()
        let (aes, tripleLength) = (aesKeys[name], keys[name].flatMap { $0.count == 24 ? $0 : nil })
        if aes == nil, tripleLength == nil {
            let master = try issuerMasterKey(for: identity.pan)
            return try derived(identity) { () throws(LibCryptoError) in
                .tripleDES(try chip.iccMasterKey(issuerMasterKey: master, option: .a, card: identity))
            }
        }
        return try derived(identity) { () throws(LibCryptoError) in
            if let aes { return .aes(try AESChip.iccMasterKey(issuerMasterKey: aes, card: identity)) }
            return .tripleDES(try Self.iccMasterKey(tripleLength: tripleLength ?? [], card: identity))
        }
    }

    private func derived(
        _ identity: CardIdentity, _ key: () throws(LibCryptoError) -> ChipKey
    ) throws(DemoIssuerError) -> ChipCard {
        do throws(LibCryptoError) {
            return ChipCard(identity: identity, masterKey: try key(), atc: .init(rawValue: 0))
        } catch {
            throw .cryptography(error)
        }
    }

    /// A key of three parts gives cards keys of two (EMV Book 2 A1.4.1), odd parity.
    private static func iccMasterKey(
        tripleLength key: [UInt8], card: CardIdentity
    ) throws(LibCryptoError) -> DoubleLengthKey {
        let diversifier = MasterKeyDerivation.diversifier(for: card)
        let data = [diversifier.left, diversifier.right].flatMap { word in
            (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64(56 - 8 * $0)) }
        }
        let words = try TDES.encryptECB(key: key, data).map(UInt64.init)
        return DoubleLengthKey(
            left: words.prefix(8).reduce(0) { $0 << 8 | $1 },
            right: words.suffix(8).reduce(0) { $0 << 8 | $1 }
        ).withOddParity
    }
}

private struct DemoIssuerFile: Decodable {
    struct Key: Decodable {
        let value: String
        let kcv: String

        func bytes(_ name: String) throws(DemoIssuerError) -> [UInt8] {
            let bytes: [UInt8]
            do { bytes = try Hex.decode(value) } catch { throw .badField(owner: name, field: "value") }
            let checkValue: [UInt8]
            do { checkValue = try KeyCheckValue.tdes(bytes) } catch { throw .cryptography(error) }
            guard Hex.encode(checkValue.prefix(3)) == kcv.uppercased() else {
                throw .wrongCheckValue(key: name)
            }
            return bytes
        }

        func hmacBytes(_ name: String) throws(DemoIssuerError) -> [UInt8] {
            guard let bytes = try? Hex.decode(value), !bytes.isEmpty else {
                throw .badField(owner: name, field: "value")
            }
            let zeros = [UInt8](repeating: 0, count: 16)
            let checkValue: [UInt8]
            do { checkValue = try MAC.hmacSHA256(key: bytes, zeros) } catch { throw .cryptography(error) }
            guard Hex.encode(checkValue.prefix(3)) == kcv.uppercased() else {
                throw .wrongCheckValue(key: name)
            }
            return bytes
        }

        func aesBytes(_ name: String) throws(DemoIssuerError) -> [UInt8] {
            guard let bytes = try? Hex.decode(value) else { throw .badField(owner: name, field: "value") }
            let checkValue: [UInt8]
            do { checkValue = try KeyCheckValue.aes(bytes) } catch { throw .cryptography(error) }
            guard Hex.encode(checkValue.prefix(3)) == kcv.uppercased() else {
                throw .wrongCheckValue(key: name)
            }
            return bytes
        }
    }

    struct Card: Decodable {
        let name: String
        let pan: String
        let panSequenceNumber: String?
        let expiry: String
        let cryptogramProfile: String
        let pin: String
        let issuerApplicationData: String
        let status: String
        let availableMinorUnits: Int64
        let currency: String

        func definition() throws(DemoIssuerError) -> CardDefinition {
            guard let profile = CryptogramProfile.named(cryptogramProfile) else {
                throw .badField(owner: name, field: "cryptogramProfile")
            }
            guard let expiry = ExpiryDate(ascii: Array(expiry.utf8)) else {
                throw .badField(owner: name, field: "expiry")
            }
            guard let pin = PIN(pin) else { throw .badField(owner: name, field: "pin") }
            guard let iad = try? Hex.decode(issuerApplicationData), (1...32).contains(iad.count) else {
                throw .badField(owner: name, field: "issuerApplicationData")
            }
            guard let currencyCode = UInt16(currency), currencyCode <= 999 else {
                throw .badField(owner: name, field: "currency")
            }
            return CardDefinition(
                name: name, identity: try identity(), expiry: expiry,
                product: CardProduct(profile: profile, issuerApplicationData: iad), pin: pin, status: status,
                availableMinorUnits: availableMinorUnits, currencyCode: currencyCode)
        }

        private func identity() throws(DemoIssuerError) -> CardIdentity {
            guard let pan = try? PAN(pan) else { throw .badField(owner: name, field: "pan") }
            var sequenceNumber: PANSequenceNumber?
            if let text = panSequenceNumber {
                guard let number = UInt8(text), let valid = PANSequenceNumber(rawValue: number) else {
                    throw .badField(owner: name, field: "panSequenceNumber")
                }
                sequenceNumber = valid
            }
            return CardIdentity(pan: pan, panSequenceNumber: sequenceNumber)
        }
    }

    let keys: [String: Key]
    let aesKeys: [String: Key]?
    let hmacKeys: [String: Key]?
    let cards: [Card]
}
