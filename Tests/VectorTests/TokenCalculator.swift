@testable import Authorisation
import ByteCoding
import EMV
@testable import HSM
@testable import PKCS11
import TokenSupport
import VectorSupport

/// The product's keyed operations inside a token, with the keys of a vector as session objects that can do
/// no more than their purpose. One session for one case.
struct TokenCalculator: ~Copyable {
    var session: Session
    let chaining: CryptographySession.Chaining

    private let location: TokenLocation

    init(_ location: TokenLocation) throws {
        var session = try location.openSession()
        let chaining = try ChainingProbe.run(&session)
        self.location = location
        self.chaining = chaining
        self.session = session
    }

    // MARK: - Keys

    mutating func key(_ value: [UInt8], _ usage: [Attribute]) throws -> ObjectHandle {
        // A single-length key is a double-length one with equal halves.
        let value = value.count == 8 ? value + value : value
        let template = Template(
            keyType: value.count == 24 ? .des3 : .des2, on: [.sensitive, .isPrivate] + usage,
            off: [.token, .extractable] + KeyPurpose.usages.filter { !usage.contains($0) })
        return try session.createKey(template, value: SecretBytes(copying: value))
    }

    mutating func leftHalf(_ value: [UInt8]) throws -> ObjectHandle {
        try key(Array(value.prefix(8)) + Array(value.prefix(8)), [.encrypt, .sign])
    }

    /// A derived key against a given value: the same check value and the same encipherment of one more block.
    mutating func same(_ handle: ObjectHandle, as value: [UInt8]) throws -> Bool {
        let expected = try key(value, [.encrypt])
        for block in [UInt64(0), 0x0123_4567_89AB_CDEF] {
            guard try session.encryptBlock(block, key: handle) == session.encryptBlock(block, key: expected)
            else {
                return false
            }
        }
        return true
    }

    /// - Throws: `Mismatch` naming `step` where the key in the token is another one.
    mutating func expectKey(_ step: String, _ handle: ObjectHandle, _ value: [UInt8]) throws {
        try expect(step, same(handle, as: value))
    }

    /// The leftmost bytes of the check value, in hex.
    mutating func expectCheckValue(_ step: String, _ handle: ObjectHandle, _ prefix: String) throws {
        try expect("check value of the \(step)", checkValue(handle).hasPrefix(prefix))
    }

    private mutating func checkValue(_ handle: ObjectHandle) throws -> String {
        let block = try session.encryptBlock(0, key: handle)
        return Hex.encode((0..<3).map { UInt8(truncatingIfNeeded: block >> UInt64(56 - 8 * $0)) })
    }

    // MARK: - Derivations

    /// The ICC master key (EMV Book 2 A1.4), able to encipher, and its deriving twin.
    mutating func masterKey(
        _ issuerMasterKey: [UInt8], _ option: MasterKeyOption, _ card: CardIdentity
    ) throws -> (enciphering: ObjectHandle, chaining: ObjectHandle, deriving: ObjectHandle) {
        let base = try key(issuerMasterKey, [.derive])
        return try derive(from: base, MasterKeyDerivation.diversifier(option, for: card))
    }

    mutating func derive(
        from base: ObjectHandle, _ diversifier: Diversifier
    ) throws -> (enciphering: ObjectHandle, chaining: ObjectHandle, deriving: ObjectHandle) {
        (
            try session.deriveKey(
                from: base, left: diversifier.left, right: diversifier.right,
                template: SessionTemplates.encipheringKey),
            try session.deriveKey(
                from: base, left: diversifier.left, right: diversifier.left,
                template: SessionTemplates.chainingKey),
            try session.deriveKey(
                from: base, left: diversifier.left, right: diversifier.right,
                template: SessionTemplates.derivingKey)
        )
    }

    // MARK: - MACs

    mutating func retailMAC(_ key: [UInt8], _ data: [UInt8], _ padding: MACPadding) throws -> UInt64 {
        try session.retailMAC(
            padding.pad(data), key: self.key(key, [.encrypt, .sign]), leftHalf: leftHalf(key),
            chaining: chaining)
    }

    /// The same with derived keys, which encipher and do not sign.
    mutating func retailMAC(
        _ data: [UInt8], _ padding: MACPadding, full: ObjectHandle, chain: ObjectHandle
    ) throws -> UInt64 {
        let blocks = padding.pad(data)
        let head = Array(blocks.dropLast(8))
        let tail = blocks.suffix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        let chained = head.isEmpty ? 0 : try session.cbcMAC(head, key: chain, chaining: chaining)
        return try session.encryptBlock(chained ^ tail, key: full)
    }

    /// A MAC by the code that serves links, under a key that may do nothing but sign.
    mutating func mac(
        _ algorithm: MACAlgorithm, _ key: [UInt8], _ data: [UInt8], _ padding: MACPadding
    ) throws -> [UInt8] {
        let handle = algorithm == .aesCMAC ? try aesKey(key) : try self.key(key, [.sign])
        var serving = try serving([KeyName("zak"): handle])
        return try serving.mac(
            MACQuestion(key: KeyName("zak"), algorithm: algorithm, padding: padding, data: data))
    }

    mutating func aesCMAC(_ key: [UInt8], _ data: [UInt8]) throws -> [UInt8] {
        let handle = try aesKey(key)
        var mac = [UInt8](repeating: 0, count: 16)
        try data.withUnsafeBytes { input in
            try mac.withUnsafeMutableBytes { try session.mac(.aesCMAC, key: handle, input: input, into: $0) }
        }
        return mac
    }

    mutating func aesEncryptZeros(_ key: [UInt8]) throws -> [UInt8] {
        let handle = try aesKey(key)
        let zeros = [UInt8](repeating: 0, count: 16)
        var output = zeros
        try zeros.withUnsafeBytes { input in
            try output.withUnsafeMutableBytes {
                try session.encrypt(.aesECB, key: handle, input: input, into: $0)
            }
        }
        return output
    }

    mutating func aesKey(
        _ key: [UInt8], _ usage: [Attribute] = [.sign, .encrypt]
    ) throws -> ObjectHandle {
        try session.createKey(
            Template(
                keyType: .aes, on: [.sensitive, .isPrivate] + usage,
                off: [.token, .extractable] + KeyPurpose.usages.filter { !usage.contains($0) }),
            value: SecretBytes(copying: key))
    }

    // MARK: - The way of a request

    /// One question answered by the code that serves requests, with the case's keys in the places of the
    /// configured ones.
    mutating func answer(
        _ question: CryptographyQuestion, keys: [KeyName: ObjectHandle]
    ) throws -> CryptographyAnswer {
        var serving = try serving(keys)
        var known = question
        known.knownToken = CardToken(high: 0, low: 0)
        return try serving.answer(known)
    }

    /// A PIN block by the code that serves requests.
    func pinAnswer(
        _ question: PINQuestion, pan: PAN, keys: [KeyName: ObjectHandle]
    ) throws -> PINAnswer {
        var serving = try serving(keys)
        return try serving.answer(question, pan: pan)
    }

    /// What the code that serves requests finds wrong with a PIN block.
    func fault(
        in question: PINQuestion, pan: PAN, keys: [KeyName: ObjectHandle]
    ) throws -> PINBlockFault? {
        var serving = try serving(keys)
        return try serving.fault(in: question, pan: pan)
    }

    /// Tag 91 by the code that serves requests.
    func issuerAuthenticationData(
        for question: CryptogramQuestion, card: CardIdentity, verdict: IssuerVerdict,
        keys: [KeyName: ObjectHandle]
    ) throws -> IssuerAuthenticationData {
        var serving = try serving(keys)
        return try serving.issuerAuthenticationData(for: question, card: card, verdict: verdict)
    }

    /// A session as a worker has it, for operations beside the authorisation.
    func serving(_ keys: [KeyName: ObjectHandle]) throws -> CryptographySession {
        var configuration = HSMConfiguration(
            panHashKey: KeyName("pan-hash"), pinVerificationKey: KeyName("pvk"), zonePINKeys: [],
            issuerMasterKeys: [])
        configuration.pinVerificationValueKey = KeyName("pvk")
        return CryptographySession(
            session: try location.openSession(), keys: KeyRing(keys), configuration: configuration,
            chaining: chaining)
    }
}

extension VectorCase {
    /// PAN and sequence number of a case.
    func card() throws -> CardIdentity {
        let number = optionalText("psn").flatMap { UInt8($0) }
        return CardIdentity(
            pan: try PAN(text("pan")), panSequenceNumber: number.flatMap(PANSequenceNumber.init(rawValue:)))
    }

    func masterKeyOption() throws -> MasterKeyOption {
        // "A/B (same, 16 digits)": either.
        guard let option = MasterKeyOption(rawValue: String(try text("mk_option").prefix(1))) else {
            throw Unsupported("master key option \(try text("mk_option"))")
        }
        return option
    }

    func sessionKeyMethod(_ field: String) throws -> SessionKeyMethod {
        switch try text(field) {
        case "none": .none
        case "csk": .common
        case "mastercard-skd": .mastercard
        case let other: throw Unsupported("session key method \(other)")
        }
    }
}
