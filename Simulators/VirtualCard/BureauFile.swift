internal import ByteCoding
package import EMV
internal import Foundation
package import LibCrypto

/// A bureau's input file that a virtual card is personalised from, as a real one would be: the key blocks in it are
/// opened with the transport key, by libcrypto alone.
package struct BureauFile: Sendable {
    /// A file or key block that gave no card. Never holds a key or a PAN.
    package struct Fault: Error, Sendable, CustomStringConvertible {
        /// One line for people.
        package let description: String
    }

    private struct Contents: Decodable {
        struct Key: Decodable {
            let use: String
            let keyBlock: String
            let checkValue: String
        }
        struct Card: Decodable {
            let pan: String
            let panSequenceNumber: String?
            let keys: [Key]
            let application: PersonalisedApplication?
        }
        let format: String
        let cards: [Card]
    }

    /// The keys of one card, by use: `AC`, `SMI`, `SMC`.
    package struct PersonalisedCard: Sendable {
        /// The card.
        package let identity: CardIdentity
        /// Its master keys.
        package let keys: [String: DoubleLengthKey]
        /// 82; nil where the file has no certificates for it.
        package let interchangeProfile: UInt16?
        /// Certificates, records and private keys; nil where the file has none for it.
        package let authentication: CardAuthentication?

        /// A chip that has made no cryptogram yet; nil where the file has no AC key for it.
        package var chip: ChipCard? {
            keys["AC"].map { ChipCard(identity: identity, iccMasterKey: $0, atc: .init(rawValue: 0)) }
        }

        /// For issuer scripts; nil where the file has none.
        var scriptKeys: CardScriptKeys? {
            guard let integrity = keys["SMI"], let confidentiality = keys["SMC"] else { return nil }
            return CardScriptKeys(integrity: integrity, confidentiality: confidentiality)
        }
    }

    /// All cards, in the order of the file.
    package let cards: [PersonalisedCard]

    /// - Parameters:
    ///   - path: what `issuer-keys personalise` wrote.
    ///   - transportKey: 16 or 24 bytes for TDES key blocks (version B), 16, 24 or 32 for AES (version D).
    ///   - dataEncryptionKey: what private keys are under: TDES in ECB mode; nil where the file has none.
    package init(path: String, transportKey: [UInt8], dataEncryptionKey: [UInt8]? = nil) throws {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw Fault(description: "\(path) cannot be read")
        }
        guard let contents = try? JSONDecoder().decode(Contents.self, from: data),
            contents.format == "issuer-keys personalisation 1"
        else {
            throw Fault(
                description: "\(path) is no personalisation file, as `issuer-keys personalise` writes them")
        }
        cards = try contents.cards.enumerated().map { number, card in
            guard let pan = try? PAN(card.pan) else {
                throw Fault(description: "\(path), card \(number + 1): no PAN")
            }
            let sequenceNumber = card.panSequenceNumber.flatMap { UInt8($0) }
                .flatMap(PANSequenceNumber.init(rawValue:))
            var keys: [String: DoubleLengthKey] = [:]
            for key in card.keys {
                let value = try KeyBlockReader.open(key.keyBlock, under: transportKey)
                guard Hex.encode(try KeyCheckValue.tdes(value).prefix(3)) == key.checkValue,
                    let double = DoubleLengthKey(bytes: value)
                else {
                    throw Fault(
                        description: "\(path), card \(number + 1), key \(key.use): another check value")
                }
                keys[key.use] = double
            }
            do {
                return PersonalisedCard(
                    identity: CardIdentity(pan: pan, panSequenceNumber: sequenceNumber), keys: keys,
                    interchangeProfile: card.application.flatMap { UInt16($0.interchangeProfile, radix: 16) },
                    authentication: try card.application.map {
                        try $0.authentication(under: dataEncryptionKey)
                    })
            } catch let fault as Fault {
                throw Fault(description: "\(path), card \(number + 1): \(fault)")
            }
        }
    }
}

/// Key blocks of version B and D (TR-31:2018 5.3.2.2), opened with libcrypto.
enum KeyBlockReader {
    static func open(_ text: String, under protectionKey: [UInt8]) throws -> [UInt8] {
        let characters = Array(text.utf8)
        guard characters.count >= 16, let version = text.first, version == "B" || version == "D" else {
            throw BureauFile.Fault(description: "a key block of version B or D is needed")
        }
        let algorithm: BlockAlgorithm = version == "D" ? .aes : .tdes
        // The blocks of a bureau's file have no optional blocks.
        let header = Array(characters[..<16])
        guard let body = try? Hex.decode(String(decoding: characters[16...], as: UTF8.self)),
            body.count > 2 * algorithm.blockCount
        else { throw BureauFile.Fault(description: "a key block is cut off or not hexadecimal") }
        let mac = Array(body.suffix(algorithm.blockCount))
        let encipherment = try derive(protectionKey, algorithm, use: 0)
        var cipher = try KeyedCipher(
            algorithm, .cbc, direction: .decrypt, key: encipherment, initialVector: mac)
        let clear = try cipher.process(Array(body.dropLast(algorithm.blockCount)))
        let expected = try MAC.cmac(
            algorithm, key: derive(protectionKey, algorithm, use: 1), data: header + clear)
        guard constantTimeEqual(expected, mac) else {
            throw BureauFile.Fault(description: "a key block's MAC does not verify under this transport key")
        }
        let count = (Int(clear[0]) << 8 | Int(clear[1])) / 8
        guard count == 16 else { throw BureauFile.Fault(description: "a card's key has 16 bytes") }
        return Array(clear[2..<2 + count])
    }

    /// CMACs of a counter, the use and the length, one after another.
    private static func derive(
        _ key: [UInt8], _ algorithm: BlockAlgorithm, use: UInt8
    ) throws -> [UInt8] {
        let indicators: [[Int]: UInt8] = [[8, 16]: 0, [8, 24]: 1, [16, 16]: 2, [16, 24]: 3, [16, 32]: 4]
        guard let indicator = indicators[[algorithm.blockCount, key.count]] else {
            throw BureauFile.Fault(description: "a transport key of \(key.count) bytes is not of this kind")
        }
        let bits = key.count * 8
        var derived: [UInt8] = []
        var counter: UInt8 = 1
        while derived.count < key.count {
            derived += try MAC.cmac(
                algorithm, key: key,
                data: [counter, 0, use, 0, 0, indicator, UInt8(bits >> 8), UInt8(bits & 0xFF)])
            counter += 1
        }
        return Array(derived.prefix(key.count))
    }
}

extension PersonalisedApplication {
    /// What a chip makes of it: the records, and the private keys out of their DGIs.
    func authentication(under dataEncryptionKey: [UInt8]?) throws -> CardAuthentication {
        func file(_ identifier: UInt8) throws -> [[UInt8]] {
            try records.filter { $0.file == identifier }.sorted { $0.number < $1.number }.map {
                try Hex.decode($0.data)
            }
        }
        var made = CardAuthentication(
            certificateRecords: try file(ApplicationLayout.certificateFile), locator: try Hex.decode(locator))
        made.staticRecords = try file(ApplicationLayout.staticFile)
        made.key = try privateKey.map { try $0.open(dataEncryptionKey) }
        made.pinKey = try pinPrivateKey.map { try $0.open(dataEncryptionKey) }
        return made
    }
}

extension PersonalisedApplication.PrivateKey {
    fileprivate func open(_ dataEncryptionKey: [UInt8]?) throws -> RSAPrivateKey {
        guard let dataEncryptionKey else {
            throw BureauFile.Fault(
                description: "its private key is under a data encryption key, which is not given")
        }
        func component(_ identifier: String) throws -> [UInt8] {
            guard let text = components[identifier], let enciphered = try? Hex.decode(text) else {
                throw BureauFile.Fault(description: "DGI \(identifier) is missing")
            }
            var cipher = try KeyedCipher(.tdes, .ecb, direction: .decrypt, key: dataEncryptionKey)
            let clear = try cipher.process(enciphered)
            // As long as a prime, then 80 and zeros.
            guard clear.count > bits / 16, clear[bits / 16] == 0x80,
                clear[(bits / 16 + 1)...].allSatisfy({ $0 == 0 })
            else { throw BureauFile.Fault(description: "DGI \(identifier) is under another key") }
            return Array(clear.prefix(bits / 16))
        }
        return try RSAPrivateKey(
            .init(
                prime1: component("8205"), prime2: component("8204"), exponent1: component("8203"),
                exponent2: component("8202"), coefficient: component("8201")))
    }
}
