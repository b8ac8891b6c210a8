import Authorisation
import EMV
import ISO8583
import IssuerMessages
import Testing

/// What each message type and processing code comes to.
@Suite struct MessageClassTests {
    private func interpret(
        _ mti: MTI, link: LinkProfile = LinkProfile(name: "a", zonePINKey: nil),
        _ change: (inout Message) -> Void = { _ in }
    ) throws -> IncomingMessage {
        var message = Message(mti: mti)
        for (element, text) in [
            (.pan, "4761739001010010"), (.processingCode, "000000"), (.transactionAmount, "000000004250"),
            (.transmissionTime, "1123120000"), (.stan, "000123"), (.acquirerIdentifier, "00123456"),
            (.retrievalReferenceNumber, "000000000123"), (.currency, "752"),
        ] as [(DataElement, String)] { message.set(element, text: text) }
        change(&message)
        return try RequestMapping(link: link).interpret(
            message, receivedAt: 7, answerBy: 9)
    }

    private func request(
        _ mti: MTI, link: LinkProfile = LinkProfile(name: "a", zonePINKey: nil),
        _ change: (inout Message) -> Void = { _ in }
    ) throws -> AuthorisationRequest {
        guard case .authorise(let request) = try interpret(mti, link: link, change) else {
            throw Unexpected()
        }
        return request
    }

    private struct Unexpected: Error {}

    @Test(
        "Every type of message and its repeat",
        arguments: [
            (0x0100, .decision), (0x0101, .decision), (0x0200, .decision), (0x0201, .decision),
            (0x0120, .advice(approved: true)), (0x0121, .advice(approved: true)),
            (0x0220, .advice(approved: true)), (0x0221, .advice(approved: true)),
            (0x0400, .reversal(remainingMinorUnits: 0)), (0x0401, .reversal(remainingMinorUnits: 0)),
            (0x0420, .reversal(remainingMinorUnits: 0)), (0x0421, .reversal(remainingMinorUnits: 0)),
        ] as [(UInt16, RequestPurpose)])
    func types(mti: UInt16, purpose: RequestPurpose) throws {
        #expect(try request(MTI(rawValue: mti)).purpose == purpose)
    }

    @Test(
        "Every processing code that is served",
        arguments: [
            ("000000", .purchase), ("010000", .cash), ("110000", .cash), ("170000", .cash),
            ("090000", .purchaseWithCashBack), ("200000", .refund), ("300000", .preAuthorisation),
            ("310000", .balanceEnquiry),
        ] as [(String, TransactionKind)])
    func kinds(code: String, kind: TransactionKind) throws {
        let found = try request(.authorisationRequest) { $0.set(.processingCode, text: code) }
        #expect(found.circumstances.kind == kind)
    }

    @Test func whatBelongsToAnEarlierApproval() throws {
        func kind(_ mti: MTI, _ change: (inout Message) -> Void) throws -> TransactionKind {
            try request(mti, change).circumstances.kind
        }
        let condition: (inout Message) -> Void = { $0.set(.pointOfServiceConditionCode, text: "06") }
        #expect(try kind(.authorisationRequest, condition) == .preAuthorisation)
        #expect(try kind(.financialRequest, condition) == .completion)
        #expect(try kind(.financialAdvice, condition) == .completion)
        let original = "0100000122112311595900000123456" + "00000000000"
        let completion = try request(.financialRequest) { $0.set(.originalDataElements, text: original) }
        #expect(completion.circumstances.kind == .completion && completion.original?.stan == 122)
        #expect(
            try kind(.authorisationRequest) {
                $0.set(.processingCode, text: "300000")
                $0.set(.transactionAmount, text: "000000000000")
            } == .balanceEnquiry, "nothing asked for")
        #expect(
            try request(.authorisationRequest) {
                $0.set(.processingCode, text: "310000")
                $0.remove(.transactionAmount)
            }.amount.minorUnits == 0)
    }

    @Test func whatIsNotServedIsAnsweredWith12() throws {
        guard
            case .answer(let answer) = try interpret(
                .authorisationRequest, { $0.set(.processingCode, text: "400000") })
        else { throw Unexpected() }
        #expect(answer.text(.responseCode) == "12")
    }

    @Test("DE90 names the very numbers that the original came with")
    func originals() throws {
        for (mti, type) in [(MTI.authorisationRequest, "0100"), (.financialAdvice, "0220")] {
            let first = try request(mti).transmission
            // STAN, time, and the acquirer with leading zeros or without.
            for acquirer in ["00000123456", "00000000000"] {
                let text = type + "000123" + "1123120000" + acquirer + "00000000000"
                let reversal = try request(.reversalAdvice) {
                    $0.set(.originalDataElements, text: text)
                    $0.set(.stan, text: "000999")
                }
                let original = try #require(reversal.original)
                #expect(original.stan == first.stan && original.sentAt == first.sentAt)
                #expect(original.isAdvice == (first.messageClass == .advice))
                #expect(original.acquirer == first.acquirer && original.reference == first.reference)
                #expect(reversal.transmission.stan == 999 && original.ownSTAN == 999)
            }
        }
        // The same numbers on a request, its advice and its reversal are of three classes.
        let classes = try [MTI.authorisationRequest, .authorisationAdvice, .reversalRequest]
            .map { try request($0).transmission.messageClass }
        #expect(classes == [.request, .advice, .reversal])
        for zeros in [nil, "0", " ", "\0"].map({ $0.map { String(repeating: $0, count: 42) } }) {
            let weak = try request(.reversalRequest) {
                if let zeros { $0.set(.originalDataElements, text: zeros) }
            }.original
            #expect(weak?.stan == 0 && weak?.reference != 0 && weak?.ownSTAN == 123)
            // Nor does it make a completion of a purchase.
            let purchase = try request(.financialRequest) {
                if let zeros { $0.set(.originalDataElements, text: zeros) }
            }
            #expect(purchase.circumstances.kind == .purchase && purchase.original == nil)
        }
        for (element, isNamed) in [("123456", true), ("000000", false), ("      ", false), (nil, false)] {
            let reversal = try request(.reversalRequest) {
                if let element {
                    $0.set(.acquirerIdentifier, text: element)
                } else {
                    $0.remove(.acquirerIdentifier)
                }
            }
            #expect(reversal.original?.namesAcquirer == isNamed)
            #expect(reversal.transmission.namesAcquirer == isNamed)
        }
        let blanks = try request(.reversalRequest) {
            $0.set(.originalDataElements, text: "    000123          " + String(repeating: " ", count: 22))
        }.original
        #expect(blanks?.stan == 123 && blanks?.sentAt == 0)
    }

    @Test(
        "DE39 of an advice says in many ways that it was approved",
        arguments: [
            ("00", true), ("08", true), ("10", true), ("11", true), ("85", true), ("Y1", true), ("Y3", true),
            ("Z1", false), ("Z3", false), ("05", false), ("51", false), ("91", false),
        ])
    func approvedElsewhere(_ code: String, _ approved: Bool) throws {
        #expect(
            try request(.financialAdvice) { $0.set(.responseCode, text: code) }.purpose
                == .advice(approved: approved))
    }

    @Test func replacementAmounts() throws {
        let partial = try request(.reversalAdvice) {
            $0.set(.replacementAmounts, text: "000000001500" + String(repeating: "0", count: 30))
        }
        #expect(partial.purpose == .reversal(remainingMinorUnits: 1_500))
        let whole = try request(.reversalAdvice) {
            $0.set(.replacementAmounts, text: String(repeating: "0", count: 42))
        }
        #expect(whole.purpose == .reversal(remainingMinorUnits: 0))
        let blank = try request(.reversalAdvice) {
            $0.set(.replacementAmounts, text: String(repeating: " ", count: 42))
        }
        #expect(blank.purpose == .reversal(remainingMinorUnits: 0))
    }

    @Test("Elements of reversals and cash back at fault are named")
    func faults() throws {
        func fault(_ mti: MTI, _ change: (inout Message) -> Void) -> DataElement? {
            do throws(MappingError) {
                var message = Message(mti: mti)
                message.set(.pan, text: "4761739001010010")
                message.set(.transactionAmount, text: "000000004250")
                message.set(.stan, text: "000123")
                message.set(.currency, text: "752")
                change(&message)
                _ = try RequestMapping(link: LinkProfile(name: "a", zonePINKey: nil))
                    .interpret(message, receivedAt: 1, answerBy: 2)
                return nil
            } catch { return error.element }
        }
        // Its own numbers may be those of its original.
        #expect(fault(.reversalRequest) { _ in } == nil)
        // As a whole it need not say how much.
        #expect(fault(.reversalRequest) { $0.remove(.transactionAmount) } == nil)
        #expect(fault(.authorisationRequest) { $0.remove(.transactionAmount) } == .transactionAmount)
        #expect(
            fault(.reversalRequest) { $0.set(.originalDataElements, text: "12") } == .originalDataElements)
        #expect(fault(.reversalRequest) { $0.set(.replacementAmounts, text: "1A") } == .replacementAmounts)
        for amounts in ["0040752C", "0040752C00000000042X"] {
            #expect(
                fault(.financialRequest) {
                    $0.set(.processingCode, text: "090000")
                    $0.set(.additionalAmounts, text: amounts)
                } == .additionalAmounts)
        }
    }

    @Test func cashBackComesFromDE54() throws {
        let request = try request(.financialRequest) {
            $0.set(.processingCode, text: "090000")
            $0.set(.additionalAmounts, text: "0002752C000000000100" + "0040752C000000001000")
        }
        #expect(request.circumstances.cashBackMinorUnits == 1_000)
    }

    @Test func advicesSayWhatWasDecidedElsewhere() throws {
        for (code, approved) in [("00", true), ("10", true), ("05", false), ("51", false)] {
            let purpose = try request(.authorisationAdvice) { $0.set(.responseCode, text: code) }.purpose
            #expect(purpose == .advice(approved: approved))
        }
    }

    @Test(
        "Where a request says that a part will do",
        arguments: [
            ("R610510000", PartialApprovalIndicator.de48SubElement61, true),
            ("610510000", .de48SubElement61, true), ("R42070103210610510000", .de48SubElement61, true),
            ("R610500000", .de48SubElement61, false), ("R6105100", .de48SubElement61, false),
            ("610510000 anything else", .de48SubElement61, false), ("R610510000", .never, false),
        ] as [(String, PartialApprovalIndicator, Bool)])
    func parts(content: String, indicator: PartialApprovalIndicator, allowed: Bool) throws {
        let link = LinkProfile(name: "a", zonePINKey: nil, partialApproval: indicator)
        let request = try request(.authorisationRequest, link: link) {
            $0.set(.additionalData, text: content)
        }
        #expect(request.circumstances.allowsPartialApproval == allowed)
    }

    @Test func aPartInDE60() throws {
        let link = LinkProfile(name: "a", zonePINKey: nil, partialApproval: .de60Position12)
        for (content, allowed) in [("000000000001", true), ("000000000000", false), ("00000000000", false)] {
            let request = try request(.authorisationRequest, link: link) {
                $0.set(.privateData60, text: content)
            }
            #expect(request.circumstances.allowsPartialApproval == allowed)
        }
    }
}
