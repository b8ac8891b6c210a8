internal import EMV
internal import IssuerMessages
internal import ISO8583
internal import VirtualCard

/// A request that waits for its answer. A class: it is put into tables and taken out of them, and holds ten things that
/// would be copied and counted each time.
final class PendingRequest: Sendable {
    let message: Message
    let kind: TrafficKind
    /// Index in the population.
    let card: Int
    let product: Int
    let signed: SignedCryptogram
    /// Tag 91 of an approval, where it was foretold.
    let approval: [UInt8]?
    let prediction: Prediction
    /// Monotonic nanoseconds at which it should have been sent: where its latency begins.
    let intendedAt: UInt64
    /// Monotonic nanoseconds at which it was written.
    let sentAt: UInt64

    init(
        message: Message, kind: TrafficKind, card: Int, product: Int, signed: SignedCryptogram,
        approval: [UInt8]?, prediction: Prediction, intendedAt: UInt64, sentAt: UInt64
    ) {
        self.message = message
        self.kind = kind
        self.card = card
        self.product = product
        self.signed = signed
        self.approval = approval
        self.prediction = prediction
        self.intendedAt = intendedAt
        self.sentAt = sentAt
    }
}

/// Compares an answer with the request that it should belong to.
enum AnswerCheck {
    /// What an answer repeats as it came.
    private static let repeated: [DataElement] = [
        .pan, .processingCode, .transactionAmount, .transmissionTime, .stan, .localTime, .localDate,
        .acquirerIdentifier, .retrievalReferenceNumber, .terminalIdentifier, .merchantIdentifier, .currency,
    ]

    /// - Returns: nil for the right answer, otherwise the first thing that is wrong with it, without data of
    ///   the card.
    static func fault(
        _ answer: Message, _ pending: PendingRequest, source: inout TransactionSource
    ) throws -> String? {
        if answer.mti != pending.message.mti.response {
            return "type \(answer.mti) for a request \(pending.message.mti)"
        }
        if let element = answer.firstDifference(from: pending.message, among: repeated) {
            return "\(element) is not that of the request"
        }
        let expected = pending.prediction.code
        guard let code = responseCode(answer) else { return "DE39 missing or of another length" }
        guard code == number(expected) else {
            return "DE39 \(text(code)), expected \(expected.rawValue)"
        }
        if let fault = approvalFault(answer, pending.prediction) { return fault }
        return try authenticationFault(answer, pending, code: code, source: &source)
    }

    private static func approvalFault(_ answer: Message, _ prediction: Prediction) -> String? {
        let approved = prediction.code == .approved && prediction.approves
        guard let given = answer.bytes(.authorisationCode) else {
            return approved ? "DE38 missing in an approval" : nil
        }
        guard approved else { return "DE38 in an answer that approves nothing" }
        guard given.count == 6, given.allSatisfy({ (0x30...0x39).contains($0) || (0x41...0x5A).contains($0) })
        else { return "DE38 is no approval code" }
        if let earlier = prediction.approvalCode, !earlier.elementsEqual(given) {
            return "DE38 is not that of the first answer"
        }
        return nil
    }

    private static func authenticationFault(
        _ answer: Message, _ pending: PendingRequest, code: UInt16, source: inout TransactionSource
    ) throws -> String? {
        if pending.prediction.code == .approved, pending.prediction.authenticated,
            let approval = pending.approval, has(approval, answer)
        {
            return nil
        }
        let data = authenticationData(answer)
        guard pending.prediction.authenticated else {
            return data == nil ? nil : "ARPC for a cryptogram that is not the card's"
        }
        switch try source.verify(data, pending.signed, product: pending.product) {
        case .responseCode(let signed) where signed.rawValue == code: return nil
        case .responseCode: return "ARPC is over another response code"
        case .statusUpdate(let update, _) where update.approves == (pending.prediction.code == .approved):
            return nil
        case .statusUpdate: return "card status update contradicts DE39"
        case .absent: return "ARPC missing"
        case .malformed, .wrong: return "ARPC wrong"
        }
    }

    /// Tag 91 stands first and is this; the response code in it is that of DE39, which was compared before.
    private static func has(_ approval: [UInt8], _ answer: Message) -> Bool {
        guard let data = answer.bytes(.iccData), data.count >= approval.count + 2, data.first == 0x91,
            data[data.startIndex + 1] == approval.count
        else { return false }
        return data.dropFirst(2).prefix(approval.count) == approval[...]
    }

    /// Tag 91 stands first; where it does not, the whole element is read.
    private static func authenticationData(_ answer: Message) -> IssuerAuthenticationData? {
        guard let bytes = answer.bytes(.iccData), let first = bytes.first else { return nil }
        if first == 0x91, bytes.count > 2 {
            let count = Int(bytes[bytes.startIndex + 1])
            guard (8...16).contains(count), bytes.count >= count + 2 else { return nil }
            return IssuerAuthenticationData(bytes: bytes[bytes.startIndex + 2..<bytes.startIndex + 2 + count])
        }
        let objects = try? TLVReader.objects(in: bytes)
        return objects?.first { $0.0 == .issuerAuthenticationData }
            .flatMap { IssuerAuthenticationData(bytes: $0.1) }
    }

    private static func responseCode(_ answer: Message) -> UInt16? {
        answer.bytes(.responseCode).flatMap { bytes in
            bytes.count == 2 ? bytes.reduce(0) { $0 << 8 | UInt16($1) } : nil
        }
    }

    private static func number(_ code: ResponseCode) -> UInt16 {
        code.rawValue.utf8.reduce(0) { $0 << 8 | UInt16($1) }
    }

    private static func text(_ code: UInt16) -> String {
        String(decoding: [UInt8(code >> 8), UInt8(truncatingIfNeeded: code)], as: UTF8.self)
    }
}
