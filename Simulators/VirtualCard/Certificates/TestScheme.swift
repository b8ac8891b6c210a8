internal import ByteCoding
internal import EMV
internal import Foundation
internal import LibCrypto
internal import Synchronization

/// A scheme of the simulator's own: a CA and an issuer whose private keys everybody may have, so that every virtual card
/// has real certificates, and cards can be made with any one thing wrong. All of it is computed by libcrypto.
package final class TestScheme: Sendable {
    /// A file that holds no scheme.
    package struct Fault: Error, Sendable, CustomStringConvertible {
        /// One line for people.
        package let description: String
    }

    private struct Contents: Decodable {
        struct Key: Decodable {
            let exponent, prime1, prime2, exponent1, exponent2, coefficient: String
        }
        let format: String
        let caIndex: String
        let ca, issuer: Key
        let cardKeyBits: Int
        let revokedSerial: String
    }

    private struct Pair: Sendable {
        let key: RSAPublicKey
        let privateKey: RSAPrivateKey
    }

    /// 8F.
    package let caIndex: UInt8
    private let authority: Pair
    private let issuer: Pair
    private let cardKeyBits: Int
    private let revokedSerial: UInt32
    /// Making a key takes many milliseconds, and a card keeps its own.
    private let cardKeys = Mutex<[CardIdentity: RSAPrivateKey]>([:])

    private static let form = "EMV test scheme 1"
    /// An index that no terminal has a key for.
    private static let unknownIndex: UInt8 = 0xFE

    /// - Parameter path: a file of public test keys.
    package init(contentsOf path: String) throws {
        guard let data = FileManager.default.contents(atPath: path),
            let contents = try? JSONDecoder().decode(Contents.self, from: data),
            contents.format == TestScheme.form, let index = UInt8(contents.caIndex, radix: 16),
            let serial = UInt32(contents.revokedSerial, radix: 16)
        else { throw Fault(description: "\(path) is no test scheme") }
        caIndex = index
        cardKeyBits = contents.cardKeyBits
        revokedSerial = serial
        authority = try TestScheme.pair(contents.ca)
        issuer = try TestScheme.pair(contents.issuer)
    }

    private static func pair(_ key: Contents.Key) throws -> Pair {
        let made = try RSAPrivateKey(
            .init(
                prime1: Hex.decode(key.prime1), prime2: Hex.decode(key.prime2),
                exponent1: Hex.decode(key.exponent1), exponent2: Hex.decode(key.exponent2),
                coefficient: Hex.decode(key.coefficient)))
        return Pair(
            key: try RSAPublicKey(modulus: made.modulus, exponent: Hex.decode(key.exponent)), privateKey: made
        )
    }

    /// What makes a card genuine: by the bits of its AIP, SDA, DDA or CDA.
    /// - Parameters:
    ///   - application: its records and its AIP are signed, so nothing of them may change afterwards.
    ///   - fault: the one thing that is wrong; nil for a sound card.
    package func authentication(
        of card: CardDefinition, _ application: ChipApplication, fault: AuthenticationFault? = nil,
        pinKey: Bool = false
    ) throws -> CardAuthentication {
        let records = application.staticRecords(of: card)
        var data = records.flatMap { record in
            (try? TLVReader.objects(in: record[...]).first.map { Array($0.1) }) ?? []
        }
        data += [
            UInt8(application.interchangeProfile >> 8), UInt8(application.interchangeProfile & 0xFF),
        ]
        if fault == .hash { data.append(0x00) }
        var certificates = ApplicationLayout.Certificates(
            caIndex: fault == .unknownCA ? TestScheme.unknownIndex : caIndex,
            issuer: try issuerObjects(card, fault))
        let profile = application.interchangeProfile
        var made = CardAuthentication(certificateRecords: [], locator: [])
        if profile & OfflineAuthenticationMethod.static.rawValue != 0, fault != .missing {
            let block = try SignedData.staticBlock(
                code: 0xDAC1, signerByteCount: issuer.key.byteCount, staticData: data, arithmetic: .libcrypto)
            certificates.signedStatic = try issuer.privateKey.power(TestScheme.changed(block, by: fault))
        }
        if profile & ~OfflineAuthenticationMethod.static.rawValue & OfflineAuthenticationMethod.mask != 0 {
            let key = try cardKey(card.identity)
            made.key = key
            if fault != .missing {
                certificates.icc = try cardObjects(
                    .icc, card, modulus: key.modulus, staticData: data, fault: fault)
            }
        }
        if pinKey {
            let key = try RSAPrivateKey.generate(bits: cardKeyBits, exponent: 3)
            made.pinKey = key
            certificates.pin = try cardObjects(
                .pinEncipherment, card, modulus: key.modulus, staticData: [], fault: nil)
        }
        made.certificateRecords = ApplicationLayout.records(certificates)
        made.locator = ApplicationLayout.locator(
            staticRecords: records.count, certificateRecords: made.certificateRecords.count)
        // Signed, but not marked; or marked, but not there.
        if fault == .recordMissing { made.locator[3] -= 1 }
        if fault == .recordAbsent {
            made.locator[2] += 1
            made.locator[3] += 1
        }
        made.fault = fault
        return made
    }

    private func issuerObjects(
        _ card: CardDefinition, _ fault: AuthenticationFault?
    ) throws -> KeyCertificate.Objects {
        let pan = card.identity.pan
        let digits = fault == .issuerIdentifier ? [9, 9, 9, 9, 9, 9] : (0..<6).map { pan.digit(at: $0) }
        let certificate = KeyCertificate(
            .issuer, identifierDigits: digits,
            expiry: try TestScheme.month(fault == .issuerExpired ? 2020 : 2049),
            serialNumber: fault == .revoked ? revokedSerial : 0x00_0001, key: issuer.key)
        let (block, remainder) = try certificate.block(
            signerByteCount: authority.key.byteCount, arithmetic: .libcrypto)
        return KeyCertificate.Objects(
            certificate: try authority.privateKey.power(block), remainder: remainder,
            exponent: issuer.key.exponent)
    }

    private func cardObjects(
        _ kind: KeyCertificate.Kind, _ card: CardDefinition, modulus: [UInt8], staticData: [UInt8],
        fault: AuthenticationFault?
    ) throws -> KeyCertificate.Objects {
        let pan = card.identity.pan
        var digits = (0..<pan.digitCount).map { pan.digit(at: $0) }
        if fault == .pan { digits[digits.count - 1] = (digits[digits.count - 1] + 1) % 10 }
        let key = try RSAPublicKey(modulus: modulus, exponent: [3])
        let last = CertificateMonth(year: 2000 + card.expiry.months / 12, month: card.expiry.months % 12 + 1)
        let certificate = KeyCertificate(
            kind, identifierDigits: digits,
            expiry: try fault == .expired
                ? TestScheme.month(2020) : min(last ?? TestScheme.month(2049), TestScheme.month(2049)),
            serialNumber: 0x00_0001, key: key)
        let (block, remainder) = try certificate.block(
            signerByteCount: issuer.key.byteCount, staticData: staticData, arithmetic: .libcrypto)
        return KeyCertificate.Objects(
            certificate: try issuer.privateKey.power(TestScheme.changed(block, by: fault)),
            remainder: remainder, exponent: key.exponent)
    }

    private static func changed(_ block: [UInt8], by fault: AuthenticationFault?) -> [UInt8] {
        var block = block
        switch fault {
        case .trailer: block[block.count - 1] = 0xBD
        case .header: block[0] = 0x6B
        case .format: block[1] = 0x02
        default: break
        }
        return block
    }

    private static func month(_ year: Int) throws -> CertificateMonth {
        guard let month = CertificateMonth(year: year, month: 12) else {
            throw Fault(description: "no such year")
        }
        return month
    }

    private func cardKey(_ card: CardIdentity) throws -> RSAPrivateKey {
        if let key = cardKeys.withLock({ $0[card] }) { return key }
        let made = try RSAPrivateKey.generate(bits: cardKeyBits, exponent: 3)
        return cardKeys.withLock { keys in
            // Whoever came first keeps its key.
            if let key = keys[card] { return key }
            keys[card] = made
            return made
        }
    }
}
