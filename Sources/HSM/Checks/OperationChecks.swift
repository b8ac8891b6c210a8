internal import Authorisation
internal import ByteCoding
internal import EMV
internal import PKCS11

/// Known answers of what a configuration needs beside cryptograms: each operation is tried in the token, by way of the
/// code that serves requests, with public keys and the result that single encipherments give. What a token cannot do
/// is refused here by name; nothing of it is done outside.
struct OperationChecks: ~Copyable {
    static let pan = "4761739001010010"
    var serving: CryptographySession
    /// Twins of the keys, which encipher.
    private let zoneTwin: ObjectHandle
    private let verificationTwin: ObjectHandle
    private let aesTwin: ObjectHandle

    /// One of them, and who needs it.
    struct Operation {
        let name: String
        let isNeeded: (HSMConfiguration) -> Bool
        let run: (inout OperationChecks) throws -> Void

        init(
            _ name: String, _ isNeeded: @escaping (HSMConfiguration) -> Bool,
            run: @escaping (inout OperationChecks) throws -> Void
        ) {
            (self.name, self.isNeeded, self.run) = (name, isNeeded, run)
        }
    }

    /// All of them.
    static var all: [Operation] {
        let formats = [PINBlockFormat.iso1, .iso3, .iso4].map { format in
            Operation(
                "PIN block format \(format.rawValue)",
                { !$0.zonePINKeys.isEmpty && $0.pinFormats.contains(format) },
                run: { try $0.checkFormat(format) })
        }
        let macs = MACAlgorithm.allCases.map { algorithm in
            Operation(
                "MAC \(algorithm.rawValue)", { $0.zoneAuthenticationKeys.values.contains(algorithm) },
                run: { try $0.checkMAC(algorithm) })
        }
        return formats + [
            Operation("PIN block faults", { !$0.zonePINKeys.isEmpty }, run: { try $0.checkFaults() }),
            Operation(
                "PIN verification values (PVV)", { $0.pinVerificationValueKey != nil },
                run: { try $0.checkVerificationValue() }),
            Operation("AES card keys", { $0.hasAESCards }, run: { try $0.checkAESDerivation() }),
            Operation(
                "card verification values (CVV)", { !$0.cardVerificationKeys.isEmpty },
                run: { try $0.checkCardValue() }),
            Operation(
                "authentication values (CVV)", { !$0.authenticationVerificationKeys.isEmpty },
                run: { try $0.checkTrackingNumberValue() }),
            Operation(
                "authentication values (HMAC)", { !$0.authenticationHMACKeys.isEmpty },
                run: { try $0.checkAuthenticationHMAC() }),
            Operation(
                "issuer scripts", { !$0.secureMessagingIntegrityKeys.isEmpty },
                run: { try $0.checkScriptMAC() }),
            Operation(
                "issuer scripts, Visa session keys", { $0.hasVisaScripts },
                run: { try $0.checkVisaScriptMAC() }),
            Operation(
                "issuer scripts with a new PIN", { !$0.secureMessagingConfidentialityKeys.isEmpty },
                run: { try $0.checkScriptPIN() }),
        ] + macs
    }

    static func run(_ configuration: HSMConfiguration, at location: TokenLocation) -> [CheckLine] {
        all.filter { $0.isNeeded(configuration) }.map { operation in
            do {
                var checks = try OperationChecks(location)
                try operation.run(&checks)
                return CheckLine(operation.name, passed: true, detail: "known answer right")
            } catch {
                return CheckLine(
                    operation.name, passed: false, detail: "this token cannot do it inside: \(error)")
            }
        }
    }

    init(_ location: TokenLocation) throws {
        var session = try HSMCheck.openSession(at: location)
        // A token without any says so where a MAC is tried; what needs none may work all the same.
        var chaining = CryptographySession.Chaining.cbc
        do { chaining = try ChainingProbe.run(&session) } catch is CapabilityMissing {}
        let zoneTwin = try KnownAnswers.importKey(KnownAnswers.issuerMasterKey, [.encrypt], session: &session)
        let verificationTwin = try KnownAnswers.importKey(
            KnownAnswers.otherKey, [.encrypt], session: &session)
        let aesTwin = try OperationChecks.aesKey([.encrypt], &session)
        let keys = KeyRing([
            KeyName("zpk"): try KnownAnswers.importKey(
                KnownAnswers.issuerMasterKey, [.unwrap], session: &session),
            KeyName("zpk-aes"): try OperationChecks.aesKey([.unwrap], &session),
            KeyName("pvk"): try KnownAnswers.importKey(KnownAnswers.otherKey, [.wrap], session: &session),
            KeyName("imk"): try KnownAnswers.importKey(
                KnownAnswers.issuerMasterKey, [.derive], session: &session),
            KeyName("imk-smc"): try KnownAnswers.importKey(
                KnownAnswers.otherKey, [.derive], session: &session),
            KeyName("imk-aes"): try OperationChecks.aesKey([.derive], &session),
            KeyName("cvk"): try KnownAnswers.importKey(
                KnownAnswers.issuerMasterKey, [.encrypt], session: &session),
            KeyName("av-hmac"): try AuthenticationChecks.key(&session),
            KeyName("zak"): try KnownAnswers.importKey(
                KnownAnswers.issuerMasterKey, [.sign], session: &session),
            KeyName("zak-aes"): try OperationChecks.aesKey([.sign], &session),
        ])
        var configuration = HSMConfiguration(
            panHashKey: KeyName("pan-hash"), pinVerificationKey: KeyName("pvk"), zonePINKeys: [],
            issuerMasterKeys: [])
        configuration.pinVerificationValueKey = KeyName("pvk")
        self.zoneTwin = zoneTwin
        self.verificationTwin = verificationTwin
        self.aesTwin = aesTwin
        serving = CryptographySession(
            session: session, keys: keys, configuration: configuration, chaining: chaining)
    }

    /// The key of RFC 4493's examples.
    private static func aesKey(_ usage: [Attribute], _ session: inout Session) throws -> ObjectHandle {
        try session.createKey(
            aesTemplate(usage), value: SecretBytes(copying: Hex.decode("2B7E151628AED2A6ABF7158809CF4F3C")))
    }

    /// Without a length: some tokens take none beside a value.
    private static func aesTemplate(_ usage: [Attribute]) -> Template {
        Template(
            keyType: .aes, on: [.sensitive, .isPrivate] + usage,
            off: [.token, .extractable] + KeyPurpose.usages.filter { !usage.contains($0) })
    }

    // MARK: - PIN blocks

    /// Both parities of the PIN's length: they take different ways through the token.
    private mutating func checkFormat(_ format: PINBlockFormat) throws {
        let pan = try PAN(OperationChecks.pan)
        for (digits, count) in [(UInt64(0x1234_5678_9012), 12), (0x12345, 5), (0x9876, 4)] {
            let answer = try serving.answer(question(format, digits, count: count, pan: pan), pan: pan)
            let expected = try serving.session.encryptBlock(
                field(0, digits, count: count, fill: 0xFF) ^ PINBlock.panField(for: pan),
                key: verificationTwin)
            guard case .translated(let block) = answer, block.rawValue == expected else {
                throw CapabilityMissing("wrong answer for a PIN of \(count) digits")
            }
        }
    }

    /// A block for another PAN has to be told from a wrong PIN.
    private mutating func checkFaults() throws {
        let (pan, other) = (try PAN(OperationChecks.pan), try PAN("5413330089010483"))
        let asked = try question(.iso0, 0x1234, count: 4, pan: pan)
        guard try serving.fault(in: asked, pan: pan) == nil, try serving.fault(in: asked, pan: other) == .fill
        else { throw CapabilityMissing("wrong answer") }
    }

    private mutating func checkVerificationValue() throws {
        let pan = try PAN(OperationChecks.pan)
        var asked = try question(.iso0, 0x1234, count: 4, pan: pan)
        asked.verification = .verificationValue(keyIndex: 1)
        let parameter = PINVerificationValue.publicPart(for: pan, keyIndex: 1) << 16 | 0x1234
        let enciphered = try serving.session.encryptBlock(parameter, key: verificationTwin)
        guard case .verificationValue(let value) = try serving.answer(asked, pan: pan),
            value == PINVerificationValue(keyIndex: 1, enciphered: enciphered)
        else { throw CapabilityMissing("wrong answer") }
    }

    /// A public PIN in an enciphered block.
    mutating func question(
        _ format: PINBlockFormat, _ digits: UInt64, count: Int, pan: PAN
    ) throws -> PINQuestion {
        let field = field(format.rawValue, digits, count: count, fill: format == .iso0 ? 0xFF : 0xAA)
        guard format == .iso4 else {
            let clear = format == .iso1 ? field : field ^ PINBlock.panField(for: pan)
            let block = try serving.session.encryptBlock(clear, key: zoneTwin)
            return PINQuestion(
                zonePINKey: KeyName("zpk"), format: format, block: EncipheredPINBlock(rawValue: block))
        }
        let inner = try encipherAES(UInt128(field) << 64 | 0x0123_4567_89AB_CDEF)
        let outer = try encipherAES(inner ^ PINBlock.format4PANField(for: pan))
        return PINQuestion(
            zonePINKey: KeyName("zpk-aes"), firstHalf: UInt64(truncatingIfNeeded: outer >> 64),
            secondHalf: UInt64(truncatingIfNeeded: outer))
    }

    private func field(_ control: UInt8, _ digits: UInt64, count: Int, fill: UInt64) -> UInt64 {
        let fills = (fill &* 0x0101_0101_0101_0101) & (1 << UInt64(4 * (14 - count)) - 1)
        return UInt64(control) << 60 | UInt64(count) << 56 | digits << UInt64(4 * (14 - count)) | fills
    }

    private mutating func encipherAES(_ block: UInt128) throws -> UInt128 {
        var result = block.bigEndian
        try withUnsafeMutableBytes(of: &result) { bytes in
            try serving.session.encrypt(
                .aesECB, key: aesTwin, input: UnsafeRawBufferPointer(bytes), into: bytes)
        }
        return UInt128(bigEndian: result)
    }

    // MARK: - Card values and MACs

    private mutating func checkCardValue() throws {
        guard let input = CardValueInput(expiry: 0x2912, serviceCode: 0x201) else { return }
        let pan = try PAN(OperationChecks.pan)
        let half = KnownAnswers.issuerMasterKey.prefix(8)
        let left = try KnownAnswers.importKey(Array(half + half), [.encrypt], session: &serving.session)
        let (first, second) = input.blocks(for: pan)
        let chained = try serving.session.encryptBlock(first, key: left)
        let enciphered = try serving.session.encryptBlock(chained ^ second, key: zoneTwin)
        let asked = CardValueQuestion(
            cardVerificationKey: KeyName("cvk"), candidates: [input],
            value: Decimalisation.digits(enciphered, count: 3))
        guard try serving.verify(asked, pan: pan) == .matches(0) else {
            throw CapabilityMissing("wrong answer")
        }
    }

    /// A derived key has to be the encipherment of its data: the CMAC of zeros under both is the same.
    private mutating func checkAESDerivation() throws {
        let data = UInt128(0x4761_7390_0101_0010) << 8 | 1
        let base = try OperationChecks.aesKey([.derive], &serving.session)
        let derived = try serving.session.deriveKey(
            from: base, .aesECB, data: withUnsafeBytes(of: data.bigEndian) { Array($0) },
            template: SessionTemplates.aesKey(.sign, byteCount: 16))
        let value = withUnsafeBytes(of: try encipherAES(data).bigEndian) { SecretBytes(copying: Array($0)) }
        let expected = try serving.session.createKey(OperationChecks.aesTemplate([.sign]), value: value)
        let zeros = [UInt8](repeating: 0, count: 16)
        guard
            try serving.session.aesCMAC(zeros, key: derived) == serving.session.aesCMAC(zeros, key: expected),
            try serving.session.valueCount(of: base) == 16
        else { throw CapabilityMissing("wrong answer") }
    }

    private mutating func checkMAC(_ algorithm: MACAlgorithm) throws {
        let message: [UInt8] = Array("known answer".utf8)
        let found = try serving.mac(
            MACQuestion(
                key: KeyName(algorithm == .aesCMAC ? "zak-aes" : "zak"), algorithm: algorithm,
                padding: .method2,
                data: algorithm == .aesCMAC ? [] : message))
        guard algorithm != .aesCMAC else {
            // RFC 4493, example 1.
            guard Hex.encode(found) == "BB1D6929E95937287FA37D129B756746" else {
                throw CapabilityMissing("wrong answer")
            }
            return
        }
        guard Hex.encode(found) == (try expectedMAC(algorithm, message)) else {
            throw CapabilityMissing("wrong answer")
        }
    }

    /// By single encipherments under a twin of the key.
    private mutating func expectedMAC(_ algorithm: MACAlgorithm, _ message: [UInt8]) throws -> String {
        var words = stride(from: 0, to: 16, by: 8).map { start in
            MACPadding.method2.pad(message)[start..<start + 8].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        }
        if algorithm == .tripleDESCMAC {
            var subkey = try serving.session.encryptBlock(0, key: zoneTwin)
            for _ in 0..<2 { subkey = subkey << 1 ^ (subkey >> 63 == 1 ? 0x1B : 0) }
            words[1] ^= subkey
        }
        let half = KnownAnswers.issuerMasterKey.prefix(8)
        let left = try KnownAnswers.importKey(Array(half + half), [.encrypt], session: &serving.session)
        let first = algorithm == .iso9797Algorithm3 ? left : zoneTwin
        let chained = try serving.session.encryptBlock(words[0], key: first)
        let mac = try serving.session.encryptBlock(chained ^ words[1], key: zoneTwin)
        return Hex.encode(withUnsafeBytes(of: mac.bigEndian) { Array($0) })
    }
}
