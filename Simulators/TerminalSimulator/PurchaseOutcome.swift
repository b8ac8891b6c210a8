internal import EMV
internal import ISO8583
internal import IssuerMessages
package import VirtualCard

/// What terminal and card make of an answer.
package struct PurchaseOutcome: Sendable {
    /// The answer.
    package let answer: Answer
    /// DE39; nil if it is missing.
    package let responseCode: String?
    /// What the card says of tag 91; nil if DE55 is malformed.
    package let verdict: IssuerAuthenticationVerdict?
    /// False for a web shop.
    private let hasCard: Bool

    /// Lets the card look at the answer.
    /// - Throws: `LibCryptoError`.
    package init(_ answer: Answer, to request: PurchaseRequest, card: VirtualCard) throws {
        self.answer = answer
        hasCard = true
        responseCode = answer.message.text(.responseCode)
        do {
            verdict = try card.verify(
                chipData: answer.message.bytes(.iccData).map(Array.init), for: request.cardAnswer)
        } catch is TLVError {
            verdict = nil
        }
    }

    /// An answer to a web shop: no card looks at it.
    init(_ answer: Answer) {
        self.answer = answer
        responseCode = answer.message.text(.responseCode)
        verdict = .absent
        hasCard = false
    }

    /// Approved by the issuer, authentically so: what lets a card give its final cryptogram.
    package var isApproved: Bool {
        answer.isAccepted && (verdict?.approves == true || !hasCard)
            && answer.discrepancies.isEmpty
    }

    /// `00 approved`.
    package var responseWords: String { PurchaseOutcome.words(responseCode) }

    /// `ARPC ok, response code 00`.
    package var verdictWords: String {
        guard hasCard else {
            let additional = answer.message.text(.additionalResponseData).map { ", DE44 \($0)" } ?? ""
            return "authentication value \(isApproved ? "taken" : "refused")\(additional)"
        }
        return verdict?.description ?? "DE55 of the answer malformed"
    }

    static func words(_ responseCode: String?) -> String {
        guard let responseCode else { return "no DE39" }
        return "\(responseCode) \(ResponseCode.words(responseCode) ?? "(unknown code)")"
    }
}

extension Answer {
    /// DE39, of either edition, says that all is well.
    package var isAccepted: Bool { ResponseCode.isAccepted(message) }
}
