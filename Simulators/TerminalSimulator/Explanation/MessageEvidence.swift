internal import ByteCoding
package import EMV
package import ISO8583
package import VirtualCard

/// A message that cannot be asked about.
package enum MessageEvidenceError: Error, Sendable, CustomStringConvertible {
    /// Not hex digits.
    case noHex
    /// No message of the dialect.
    case undecodable(MessageDecodingError)
    /// An element is missing or impossible; the words say which.
    case badElement(DataElement, String)

    /// One line for people.
    package var description: String {
        switch self {
        case .noHex: "--message has to be hex digits, two a byte"
        case .undecodable(let error): "no message of this dialect: \(error)"
        case .badElement(let element, let reason): "\(element): \(reason)"
        }
    }
}

/// From a request as it went over the line to what can be said of its cryptogram.
package enum MessageEvidence {
    /// Decodes a request; a length before it, of two bytes or four digits, is taken off where it is right.
    package static func message(
        hex: String, codec: MessageCodec
    ) throws(MessageEvidenceError) -> Message {
        let digits = hex.filter { !$0.isWhitespace }
        guard !digits.isEmpty, let bytes = try? Hex.decode(digits) else { throw .noHex }
        do { return try codec.decode(bytes) } catch {
            if let inner = framed(bytes), let message = try? codec.decode(inner) { return message }
            throw .undecodable(error)
        }
    }

    static func framed(_ bytes: [UInt8]) -> [UInt8]? {
        guard bytes.count > 4 else { return nil }
        if Int(bytes[0]) << 8 | Int(bytes[1]) == bytes.count - 2 { return Array(bytes[2...]) }
        let text = String(decoding: bytes[..<4], as: UTF8.self)
        return Int(text) == bytes.count - 4 ? Array(bytes[4...]) : nil
    }

    /// What card, chip and terminal say in a request.
    /// - Parameter issuer: its cards are tried as other signers.
    package static func evidence(
        of message: Message, issuer: DemoIssuer
    ) throws(MessageEvidenceError) -> CryptogramEvidence {
        guard let data = message.bytes(.iccData) else { throw .badElement(.iccData, "missing") }
        let chip: ICCData
        do { chip = try ICCData(parsing: Array(data)) } catch { throw .badElement(.iccData, "\(error)") }
        let trackPAN = message.bytes(.track2).flatMap { track -> PAN? in
            try? PAN(ascii: track.drop { $0 == UInt8(ascii: ";") }.prefix { (0x30...0x39).contains($0) })
        }
        let pan: PAN
        if let bytes = message.bytes(.pan) {
            do { pan = try PAN(ascii: bytes) } catch { throw .badElement(.pan, "\(error)") }
        } else if let trackPAN {
            pan = trackPAN
        } else {
            throw .badElement(.pan, "missing, and no DE35")
        }
        let sent = message.text(.panSequenceNumber).flatMap { UInt8($0) }
            .flatMap(PANSequenceNumber.init(rawValue:))
        var evidence = CryptogramEvidence(
            chip: chip,
            identity: CardIdentity(pan: pan, panSequenceNumber: chip.panSequenceNumber ?? sent))
        evidence.trackPAN = trackPAN == pan ? nil : trackPAN
        evidence.amount = message.text(.transactionAmount).flatMap { UInt64($0) }
        evidence.currency = message.text(.currency).flatMap { UInt16($0) }
        evidence.transactionType = message.text(.processingCode).flatMap { UInt8($0.prefix(2), radix: 16) }
        evidence.otherCards = issuer.cards.map(\.identity)
        return evidence
    }

    /// The key that the issuer should have used, by the naming of the demo issuer's file.
    package static func expectedKeyName(_ identity: CardIdentity) -> String {
        "imk-ac-" + (0..<6).map { String(identity.pan.digit(at: $0)) }.joined()
    }
}

/// A diagnosis as text for people.
package enum DiagnosisText {
    /// As many ways to the same cryptogram as anybody wants to read.
    static let explanationsMax = 8

    /// What was expected, and what the cryptogram is instead.
    package static func lines(
        _ diagnosis: CryptogramDiagnosis, _ evidence: CryptogramEvidence, key: String,
        option: MasterKeyOption
    ) -> [String] {
        let profiles = diagnosis.profiles.map(\.name).joined(separator: ", ")
        var lines = [
            "card        \(evidence.identity)",
            "profile     \(profiles)\(diagnosis.profiles.count > 3 ? " (the IAD is in no known format)" : "")",
            "ATC         \(evidence.chip.atc.map { "\($0)" } ?? "missing")",
            "expected    key \(key), option \(option.rawValue)"
                + (diagnosis.profiles.count == 1 ? ", \(recipe(diagnosis.profiles[0]))" : ""),
            "",
        ]
        switch diagnosis.verdict {
        case .right(let profile): lines.append("The cryptogram is right (\(profile.name)).")
        case .changedOnTheWay(let profile, let bit):
            lines.append(
                "The cryptogram differs from the right one (\(profile.name)) in bit \(bit % 8 + 1) of byte "
                    + "\(8 - bit / 8): 9F26 was changed after signing.")
        case .explained(let explanations):
            lines.append("The cryptogram is not the expected one. It comes out with:")
            for explanation in explanations.prefix(explanationsMax) {
                let profile = diagnosis.profiles.count > 1 ? " (as \(explanation.profile.name))" : ""
                lines.append("  - \(explanation.words)\(profile)")
            }
            if explanations.count > explanationsMax {
                lines.append("  and \(explanations.count - explanationsMax) more ways")
            }
        case .unexplained:
            lines.append(
                "The cryptogram is not the expected one, and no mistake or pair of mistakes that was tried "
                    + "explains it: a key that is not in the file, or data changed after signing.")
        }
        lines.append("(\(diagnosis.tried) cryptograms computed)")
        return lines
    }

    private static func recipe(_ profile: CryptogramProfile) -> String {
        let key =
            switch profile.sessionKey {
            case .none: "ICC master key signs"
            case .common: "common session key"
            case .mastercard: "Mastercard session key"
            }
        let tail =
            switch profile.tail {
            case .wholeIAD: "whole IAD"
            case .iadBytes(let first, let second):
                "bytes \(first.lowerBound + 1) to \(first.upperBound)"
                    + (second.isEmpty ? "" : " and \(second.lowerBound + 1) to \(second.upperBound)")
                    + " of the IAD"
            }
        return "\(key), \(tail), padding \(profile.padding == .method1 ? 1 : 2)"
    }
}
