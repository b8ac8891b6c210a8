internal import ArgumentParser
internal import AuditTrail
internal import Authorisation
internal import ByteCoding
internal import EMV
internal import HSM
internal import IssuerConfiguration
internal import ProgramEntry

struct PINReference: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pin-reference",
        abstract: "Turn a PIN block under a zone PIN key into what the card's record keeps.",
        discussion: """
            The block is deciphered and enciphered again inside the token. What is printed is a line for the file of \
            `issuer-host cards import`: pinReference, the format 0 block under keys.pinVerification, or \
            pinVerificationValue, Visa's, under keys.pinVerificationValue. A block that is malformed or made for \
            another PAN is refused.
            """)

    @OptionGroup var token: TokenOption
    @Option(name: .long, help: ArgumentHelp("The zone PIN key: AES for format 4.", valueName: "label"))
    var zoneKey: String
    @Option(name: .long, help: "The block's format: 0, 1, 3 or 4.") var format: UInt8 = 0
    @Option(name: .long, help: "The PIN block, 16 hex digits; of format 4, 32.") var block: String
    @Option(name: .long, help: "The card's PAN.") var pan: String
    @Option(name: .long, help: "reference or pvv.") var verification = "reference"
    @Option(name: .long, help: "Key index (PVKI) of a verification value, 0 to 9.") var keyIndex: UInt8 = 1

    func run() async throws {
        let (question, account) = (try question(), try commandWords("--pan") { try PAN(pan) })
        let desk = try token.desk()
        let configuration = desk.configuration
        var keys = HSMConfiguration(
            panHashKey: KeyName(configuration.panHashKey),
            pinVerificationKey: configuration.pinVerificationKey.map { KeyName($0) }, zonePINKeys: [],
            issuerMasterKeys: [])
        keys.pinVerificationValueKey = configuration.pinVerificationValueKey.map { KeyName($0) }
        let noted: (String) throws -> Void = { outcome in
            try desk.note([
                AuditEvent(
                    .pinReferenceMade, key: zoneKey,
                    details: [
                        "pan": "\(account)", "verification": verification, "format": "\(format)",
                        "outcome": outcome,
                    ])
            ])
        }
        try desk.trail?.requireWritable()
        let answer: PINAnswer
        do {
            answer = try PINIssuance.record(
                of: question, pan: account, configuration: keys, at: desk.location)
        } catch {
            try noted("refused: \(error)")
            throw error
        }
        // Before it is out: what cannot be noted is not said.
        try noted("made")
        switch answer {
        case .translated(let block):
            print("\"pinReference\": \"\(hexadecimal(block.rawValue, 16))\"")
        case .verificationValue(let value):
            print("\"pinVerificationValue\": \"\(value.keyIndex):\(hexadecimal(UInt64(value.digits), 4))\"")
        case .notAsked, .unreadable, .notServed: throw ExitCode.failure
        }
    }

    private func question() throws -> PINQuestion {
        guard let format = PINBlockFormat(rawValue: format) else {
            throw ValidationError("--format: 0, 1, 3 or 4")
        }
        guard let bytes = try? Hex.decode(block), bytes.count == format.byteCount else {
            throw ValidationError("--block: \(2 * format.byteCount) hex digits are needed")
        }
        let halves = stride(from: 0, to: bytes.count, by: 8).map { start in
            bytes[start..<start + 8].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        }
        let key = KeyName(zoneKey)
        var question =
            format == .iso4
            ? PINQuestion(zonePINKey: key, firstHalf: halves[0], secondHalf: halves[1])
            : PINQuestion(zonePINKey: key, format: format, block: EncipheredPINBlock(rawValue: halves[0]))
        switch verification {
        case "reference": question.verification = .reference
        case "pvv" where keyIndex <= 9: question.verification = .verificationValue(keyIndex: keyIndex)
        default: throw ValidationError("--verification: reference or pvv, --key-index: 0 to 9")
        }
        return question
    }

    private func hexadecimal(_ value: UInt64, _ digits: Int) -> String {
        let text = String(value, radix: 16, uppercase: true)
        return String(repeating: "0", count: digits - text.count) + text
    }
}
