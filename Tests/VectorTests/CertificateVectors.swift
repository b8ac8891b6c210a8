import ByteCoding
import EMV
import LibCrypto
import VectorSupport

/// Certificates and signatures, opened with plain Swift and with libcrypto, then made anew where the case has the
/// private key beside it (EMV Book 2 5 and 6).
enum CertificateVectors {
    static let operations: [String: Comparator] = [
        "recover-certificate": { vector, _ in try eachArithmetic { try recover(vector, $0) } },
        "verify-sda": { vector, _ in try eachArithmetic { try staticData(vector, $0) } },
        "verify-dda": { vector, _ in try eachArithmetic { try dynamicData(vector, $0) } },
        "verify-cda": { vector, _ in try eachArithmetic { try combined(vector, $0) } },
    ]

    static let libcrypto = PublicKeyArithmetic(
        power: { data, key in
            try? RSAPublicPower.compute(data, exponent: key.exponent, modulus: key.modulus)
        }, sha1: { try? Digest.sha1($0) })

    private static func require(_ holds: Bool, _ step: String) throws(Mismatch) { try expect(step, holds) }

    private static func eachArithmetic(_ body: (PublicKeyArithmetic) throws -> Void) throws {
        try body(.portable)
        try body(libcrypto)
    }

    /// What the case says has to come out, or that nothing may.
    private static func judge(_ vector: VectorCase, _ body: () throws -> Void) throws {
        let isGood = vector.fields["ok"] as? Bool == true
        do {
            try body()
            try require(isGood, "verdict: the case is refused for \(vector.optionalText("reason") ?? "?")")
        } catch let fault as CertificateFault {
            try require(fault.reason == vector.optionalText("reason"), "reason: \(fault.reason)")
        }
    }

    private static func recover(_ vector: VectorCase, _ arithmetic: PublicKeyArithmetic) throws {
        try judge(vector) {
            let isIssuer = try vector.text("kind") == "issuer"
            let made = try isIssuer ? issuer(vector, arithmetic) : icc(vector, arithmetic)
            try require(Hex.encode(made.key.modulus) == vector.text("modulus"), "modulus")
            try require(Hex.encode(made.key.exponent) == vector.text("exponent"), "exponent")
            try require(
                made.identifierDigits.map(String.init).joined() == vector.text("identifier"), "identifier")
            let serial = UInt32(try vector.text("serial"), radix: 16)
            try require(made.serialNumber == serial, "serial number")
            // The same block has to be made from the same fields.
            let signer = try vector.bytes(isIssuer ? "ca_modulus" : "issuer_modulus", orNil: true)
            let block = try vector.bytes("recovered")
            let again = try made.block(
                signerByteCount: signer?.count ?? block.count, staticData: staticBytes(vector),
                arithmetic: arithmetic)
            try require(again.block == block, "block made anew")
            let tags = try vector.inner("tags")
            try require(
                Hex.encode(again.remainder) == tags.optionalText(isIssuer ? "92" : "9F48") ?? "", "remainder")
        }
    }

    private static func staticData(_ vector: VectorCase, _ arithmetic: PublicKeyArithmetic) throws {
        try judge(vector) {
            let signature = try vector.inner("tags").bytes("93")
            let key = try issuer(vector, arithmetic).key
            let code = try SignedData.recoverStatic(
                signature, under: key, staticData: staticBytes(vector), arithmetic: arithmetic)
            try require(code == UInt16(vector.text("dac"), radix: 16), "data authentication code")
            let block = try SignedData.staticBlock(
                code: code, signerByteCount: key.byteCount, staticData: staticBytes(vector),
                arithmetic: arithmetic)
            try require(Hex.encode(block) == vector.text("recovered"), "block made anew")
        }
    }

    private static func dynamicData(_ vector: VectorCase, _ arithmetic: PublicKeyArithmetic) throws {
        try judge(vector) {
            let signature = try vector.inner("tags").bytes("9F4B")
            let key = try iccKey(vector, arithmetic)
            let tail = try vector.bytes("dynamic_data")
            let data = try SignedData.recoverDynamic(
                signature, under: key, tail: tail, arithmetic: arithmetic)
            let count = Int(data.first ?? 0)
            try require(
                data.count > count && Hex.encode(data[1..<count + 1]) == vector.text("icc_dynamic_number"),
                "dynamic number")
            let block = try SignedData.dynamicBlock(
                data, signerByteCount: key.byteCount, tail: tail, arithmetic: arithmetic)
            try require(Hex.encode(block) == vector.text("recovered"), "block made anew")
        }
    }

    private static func combined(_ vector: VectorCase, _ arithmetic: PublicKeyArithmetic) throws {
        try judge(vector) {
            let key = try iccKey(vector, arithmetic)
            let response = vector.fields["response"] as? [[String]] ?? []
            let objects = try response.map { pair in
                (tag: EMV.Tag(hex: pair[0]) ?? EMV.Tag(rawValue: 0), value: try Hex.decode(pair[1]))
            }
            let terminalData = try ["pdol_data", "cdol1_data", "cdol2_data"].flatMap {
                try Hex.decode(vector.optionalText($0) ?? "")
            }
            let number = try vector.bytes("un")
            let data = try CombinedDynamicData.verify(
                objects, under: key, unpredictableNumber: number, terminalData: terminalData,
                arithmetic: arithmetic)
            try require(Hex.encode(data.dynamicNumber) == vector.text("icc_dynamic_number"), "dynamic number")
            try require(data.cryptogram.rawValue == vector.word("ac"), "cryptogram")
            try require(Hex.encode(data.transactionHash) == vector.text("transaction_data_hash"), "hash")
            let block = try SignedData.dynamicBlock(
                data.bytes, signerByteCount: key.byteCount, tail: number, arithmetic: arithmetic)
            try require(Hex.encode(block) == vector.text("recovered"), "block made anew")
        }
    }

    // MARK: - The chain

    private static func circumstances(_ vector: VectorCase) -> KeyCertificate.Circumstances {
        let digits = vector.optionalText("pan")?.compactMap { $0.wholeNumberValue.map(UInt8.init) }
        let month = vector.optionalText("date").flatMap { date in
            CertificateMonth(text: "20\(date.prefix(2))-\(date.dropFirst(2).prefix(2))")
        }
        return KeyCertificate.Circumstances(accountDigits: digits, month: month)
    }

    private static func objects(
        _ vector: VectorCase, _ certificate: String, _ remainder: String, _ exponent: String
    ) throws -> KeyCertificate.Objects {
        let tags = try vector.inner("tags")
        return KeyCertificate.Objects(
            certificate: try tags.bytes(certificate),
            remainder: try Hex.decode(tags.optionalText(remainder) ?? ""),
            exponent: try tags.bytes(exponent))
    }

    private static func issuer(
        _ vector: VectorCase, _ arithmetic: PublicKeyArithmetic
    ) throws -> KeyCertificate {
        let authority = try RSAPublicKey(
            modulus: vector.bytes("ca_modulus"), exponent: vector.bytes("ca_exponent"))
        return try KeyCertificate.recover(
            .issuer, objects(vector, "90", "92", "9F32"), signedUnder: authority,
            circumstances: circumstances(vector),
            arithmetic: arithmetic)
    }

    private static func icc(_ vector: VectorCase, _ arithmetic: PublicKeyArithmetic) throws -> KeyCertificate
    {
        let tags = try vector.inner("tags")
        let signer =
            try tags.optionalText("90") == nil
            ? RSAPublicKey(
                modulus: vector.bytes("issuer_modulus"), exponent: vector.bytes("issuer_exponent"))
            : issuer(vector, arithmetic).key
        return try KeyCertificate.recover(
            .icc, objects(vector, "9F46", "9F48", "9F47"), signedUnder: signer,
            staticData: staticBytes(vector), circumstances: circumstances(vector), arithmetic: arithmetic)
    }

    private static func iccKey(
        _ vector: VectorCase, _ arithmetic: PublicKeyArithmetic
    ) throws -> RSAPublicKey {
        guard try vector.inner("tags").optionalText("9F46") == nil else {
            return try icc(vector, arithmetic).key
        }
        return try RSAPublicKey(modulus: vector.bytes("icc_modulus"), exponent: vector.bytes("icc_exponent"))
    }

    /// Put together from the records where the case has them: that has to give the same as its own field says.
    private static func staticBytes(_ vector: VectorCase) throws -> [UInt8] {
        let said = try Hex.decode(vector.optionalText("static_data") ?? "")
        guard let locator = vector.optionalText("afl"), let records = vector.fields["records"] as? [[Any]],
            vector.fields["ok"] as? Bool == true
        else { return said }
        var contents: [[UInt8]: [UInt8]] = [:]
        for record in records where record.count == 3 {
            guard let file = record[0] as? Int, let number = record[1] as? Int,
                let text = record[2] as? String
            else { throw Mismatch(step: "form of records") }
            contents[[UInt8(file), UInt8(number)]] = try Hex.decode(text)
        }
        guard let entries = FileLocatorEntry.entries(try Hex.decode(locator)) else {
            throw Mismatch(step: "AFL")
        }
        let profile = UInt16(try vector.text("aip"), radix: 16) ?? 0
        let made = try StaticData.assemble(
            entries, tagList: try vector.optionalText("sda_tag_list").map { try Hex.decode($0) },
            interchangeProfile: profile
        ) { contents[[$0, $1]] }
        try require(made == said, "static data")
        return made
    }
}

extension VectorCase {
    /// Nil where the field is absent.
    fileprivate func bytes(_ name: String, orNil: Bool) throws -> [UInt8]? {
        try optionalText(name).map { try Hex.decode($0) }
    }
}
