@testable import Authorisation
import ByteCoding
import EMV
@testable import HSM
@testable import PKCS11
import VectorSupport
import VirtualCard

/// PIN blocks by the code that serves requests. What the host makes of one is the format 0 block under its PIN
/// verification key, so that is what the vectors' PINs are compared by; where a vector's own output is another format,
/// it goes the same way and has to come to the same block.
enum PINVectors {
    static let operations: [String: Comparator] = [
        "pinblock": block, "pinblock-invalid": invalidBlock, "pin-translate": translation,
    ]

    static let publishedOperations: [String: Comparator] = [
        "cvv": CardValueVectors.published, "kcv": KeyVectors.publishedCheckValue,
        "pinblock": { vector, _ in
            try clearBlock(vector.inner("in"), vector.inner("out").text("clear_block"))
        },
        "pinblock-encrypted": publishedBlock,
        "pvv": { try verificationValue($0.inner("in"), $0.inner("out").text("pvv"), &$1) },
        "ibm3624-natural": naturalPIN, "ibm3624-offset": naturalPIN,
    ]

    static let verifications: [String: Comparator] = [
        "pvv": { try verificationValue($0, $0.text("pvv"), &$1) }, "ibm3624": naturalPIN,
    ]

    /// The key under which results are compared; any will do.
    private static let verificationKey: [UInt8] = Array(0x40..<0x50)

    // MARK: - Blocks

    private static func block(_ vector: VectorCase, _ token: inout TokenCalculator) throws {
        let format = try vector.number("format")
        let isAES = format == 4
        let key = try vector.bytes(isAES ? "aes_key" : "zpk")
        let checkValue = Hex.encode(
            try KeyVectors.checkBlock(key, isAES ? "AES" : "TDES", isAES ? "cmac" : "ecb", &token).prefix(3))
        try expect(
            "check value of the ZPK", checkValue == vector.text(isAES ? "aes_key_kcv_cmac" : "zpk_kcv"))
        // Format 1 is bound to no PAN; the reference is.
        let pan = try PAN(vector.optionalText("pan") ?? "4761739001010010")
        if !isAES { try clearBlock(vector, vector.text("clear_block")) }
        // Format 2 is for terminal and chip (ISO 9564-1 9.3.4): over a link it is a block of no format.
        guard format != 2 else {
            for served in [0, 1, 3] {
                let question = try question(vector, served, "encrypted_block")
                let fault = try token.fault(in: question, pan: pan, keys: keys(key, &token))
                try expect("refusal", fault == .control(question.format))
            }
            return
        }
        let found = try translated(question(vector, format, "encrypted_block"), pan, key, &token)
        try expect("reference block", found == reference(vector.text("pin"), pan, &token))
    }

    /// The terminal's side: the clear block as the virtual PIN pad makes it.
    private static func clearBlock(_ vector: VectorCase, _ expected: String) throws {
        guard let pin = PIN(try vector.text("pin")) else {
            throw VectorFault(id: vector.id, field: "pin")
        }
        let fill = try vector.optionalText("fill").map { try Hex.decode($0.count % 2 == 0 ? $0 : "0" + $0) }
        let nibbles = (fill ?? []).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        let block: UInt64
        switch try vector.number("format") {
        case 0: block = ClearPINBlock.format0(pin, pan: try PAN(vector.text("pan")))
        case 1: block = ClearPINBlock.format1(pin, fill: nibbles)
        case 3: block = ClearPINBlock.format3(pin, pan: try PAN(vector.text("pan")), fill: nibbles)
        default: return
        }
        try expect("clear block", Hex.encode(KeyVectors.word(block)) == expected)
    }

    private static func publishedBlock(_ vector: VectorCase, _ token: inout TokenCalculator) throws {
        let (input, output) = (try vector.inner("in"), try vector.inner("out"))
        let format = try input.number("format")
        guard try input.text("pan").count >= 8 else { throw Refused("a PAN has 8 to 19 digits") }
        let pan = try PAN(input.text("pan"))
        let key = try input.bytes(format == 4 ? "key" : "zpk")
        let found = try translated(question(input, format, "encrypted_block"), pan, key, &token)
        try expect("reference block", found == reference(output.text("pin"), pan, &token))
    }

    private static func translation(_ vector: VectorCase, _ token: inout TokenCalculator) throws {
        let pan = try PAN(vector.text("pan"))
        let (inFormat, outFormat) = (try vector.number("in_format"), try vector.number("out_format"))
        let expected = try reference(vector.text("pin"), pan, &token)
        let incoming = try question(vector, inFormat, "in_block")
        try expect(
            "incoming block", translated(incoming, pan, vector.bytes("in_key"), &token) == expected)
        let outgoing = try question(vector, outFormat, "out_block")
        try expect(
            "outgoing block", translated(outgoing, pan, vector.bytes("out_key"), &token) == expected)
        guard outFormat == 0 else { return }
        // What the host does itself: the vector's outgoing key is its PIN verification key.
        let direct = try translated(
            incoming, pan, vector.bytes("in_key"), under: vector.bytes("out_key"), &token)
        try expect("block under the outgoing key", direct == vector.word("out_block"))
    }

    /// A fault that shows without a look at the PIN's digits is named; otherwise the block comes to no reference.
    private static func invalidBlock(_ vector: VectorCase, _ token: inout TokenCalculator) throws {
        let pan = try PAN(vector.text("pan"))
        let key = Array(verificationKey.reversed())
        let sent = try token.session.encryptBlock(vector.word("clear_block"), key: token.key(key, [.encrypt]))
        let format = try vector.number("format")
        let served = PINBlockFormat(rawValue: UInt8(format == 2 ? 0 : format)) ?? .iso0
        let question = PINQuestion(
            zonePINKey: KeyName("zpk"), format: served, block: EncipheredPINBlock(rawValue: sent))
        let fault = try token.fault(in: question, pan: pan, keys: keys(key, &token))
        let hidden = ["PIN digit A", "fill digit 9 in format 3"].contains(try vector.text("reason"))
        try expect("fault", (fault == nil) == hidden)
        guard hidden, served == .iso0 else { return }
        try expect(
            "wrong PIN", translated(question, pan, key, &token) != reference("1220", pan, &token))
    }

    // MARK: - Verification values

    private static func verificationValue(
        _ vector: VectorCase, _ expected: String, _ token: inout TokenCalculator
    ) throws {
        let pan = try PAN(vector.text("pan"))
        guard let index = UInt8(try vector.text("pvki")), let pin = PIN(try vector.text("pin")) else {
            throw VectorFault(id: vector.id, field: "pvki")
        }
        if let parameter = vector.optionalText("tsp") {
            let digits = UInt64(try vector.text("pin").prefix(4), radix: 16) ?? 0
            let built = PINVerificationValue.publicPart(for: pan, keyIndex: index) << 16 | digits
            try expect("transformed security parameter", Hex.encode(KeyVectors.word(built)) == parameter)
        }
        let key = Array(verificationKey.reversed())
        let sent = try token.session.encryptBlock(
            ClearPINBlock.format0(pin, pan: pan), key: token.key(key, [.encrypt]))
        var question = PINQuestion(
            zonePINKey: KeyName("zpk"), format: .iso0, block: EncipheredPINBlock(rawValue: sent))
        question.verification = .verificationValue(keyIndex: index)
        let keys = [
            KeyName("zpk"): try token.key(key, [.unwrap]),
            KeyName("pvk"): try token.key(vector.bytes("pvk"), [.wrap]),
        ]
        guard case .verificationValue(let found) = try token.pinAnswer(question, pan: pan, keys: keys) else {
            throw Mismatch(step: "reading of the block")
        }
        try expect(
            "verification value", found.keyIndex == index && found.digits == UInt16(expected, radix: 16))
    }

    private static func naturalPIN(_ vector: VectorCase, _ token: inout TokenCalculator) throws {
        throw Refused("IBM 3624: its natural PIN would be a clear PIN outside the token")
    }

    // MARK: - Parts

    private static func question(
        _ vector: VectorCase, _ format: Int, _ field: String
    ) throws -> PINQuestion {
        let bytes = try vector.bytes(field)
        let halves = stride(from: 0, to: bytes.count, by: 8).map { start in
            bytes[start..<start + 8].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        }
        guard format == 4 else {
            guard let format = PINBlockFormat(rawValue: UInt8(format)) else {
                throw VectorFault(id: vector.id, field: "format")
            }
            return PINQuestion(
                zonePINKey: KeyName("zpk"), format: format, block: EncipheredPINBlock(rawValue: halves[0]))
        }
        return PINQuestion(zonePINKey: KeyName("zpk"), firstHalf: halves[0], secondHalf: halves[1])
    }

    private static func keys(
        _ zoneKey: [UInt8], under verificationKey: [UInt8] = verificationKey, isAES: Bool = false,
        _ token: inout TokenCalculator
    ) throws -> [KeyName: ObjectHandle] {
        [
            KeyName("zpk"): isAES ? try token.aesKey(zoneKey, [.unwrap]) : try token.key(zoneKey, [.unwrap]),
            KeyName("pvk"): try token.key(verificationKey, [.wrap]),
        ]
    }

    private static func translated(
        _ question: PINQuestion, _ pan: PAN, _ zoneKey: [UInt8],
        under verificationKey: [UInt8] = verificationKey, _ token: inout TokenCalculator
    ) throws -> UInt64 {
        let keys = try keys(zoneKey, under: verificationKey, isAES: question.format == .iso4, &token)
        guard case .translated(let block) = try token.pinAnswer(question, pan: pan, keys: keys) else {
            throw Mismatch(step: "reading of the block")
        }
        return block.rawValue
    }

    /// The format 0 block that the PIN pad's side makes, enciphered by itself.
    private static func reference(
        _ pin: String, _ pan: PAN, _ token: inout TokenCalculator
    ) throws -> UInt64 {
        guard let pin = PIN(pin) else { throw VectorFault(id: "pin", field: "pin") }
        return try token.session.encryptBlock(
            ClearPINBlock.format0(pin, pan: pan), key: token.key(verificationKey, [.encrypt]))
    }
}
