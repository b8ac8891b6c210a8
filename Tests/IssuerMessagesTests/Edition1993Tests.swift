import Authorisation
import EMV
import Foundation
import ISO8583
import IssuerMessages
import Testing

/// Messages of ISO 8583:1993: the same domain, said in other elements.
@Suite struct Edition1993Tests {
    private struct Unexpected: Error {}

    private static func interpret(
        _ mti: UInt16, _ changes: [DataElement: String?] = [:]
    ) throws -> IncomingMessage {
        var message = Message(mti: MTI(rawValue: mti))
        let usual: [DataElement: String?] = [
            .pan: "4761739001010010", .processingCode: "000000", .transactionAmount: "000000004250",
            .transmissionTime: "1123120000", .stan: "000123", .localTime: "261123130000",
            .localDate: "2301", .pointOfServiceEntryMode: "51010151334C", .businessCode: "5411",
            .acquirerIdentifier: "00123456", .retrievalReferenceNumber: "000000000123",
            .terminalIdentifier: "TERM0001", .currency: "752",
        ]
        for (element, text) in usual.merging(changes, uniquingKeysWith: { $1 }) {
            if let text { message.set(element, text: text) }
        }
        return try RequestMapping(link: LinkProfile(name: "a", zonePINKey: nil)).interpret(
            message, receivedAt: 7, answerBy: 9)
    }

    private static func request(
        _ mti: UInt16, _ changes: [DataElement: String?] = [:]
    ) throws -> AuthorisationRequest {
        guard case .authorise(let request) = try interpret(mti, changes) else { throw Unexpected() }
        return request
    }

    @Test(
        "Every type, its repeat and its notification",
        arguments: [
            (0x1100, .decision), (0x1101, .decision), (0x1200, .decision), (0x1201, .decision),
            (0x1120, .advice(approved: true)), (0x1121, .advice(approved: true)),
            (0x1220, .advice(approved: true)), (0x1221, .advice(approved: true)),
            (0x1140, .advice(approved: true)), (0x1240, .advice(approved: true)),
            (0x1241, .advice(approved: true)), (0x1440, .reversal(remainingMinorUnits: 0)),
            (0x1400, .reversal(remainingMinorUnits: 0)), (0x1420, .reversal(remainingMinorUnits: 0)),
            (0x1421, .reversal(remainingMinorUnits: 0)),
        ] as [(UInt16, RequestPurpose)])
    func types(mti: UInt16, purpose: RequestPurpose) throws {
        #expect(try Self.request(mti).purpose == purpose)
    }

    @Test("DE39 of an advice decides whether it is booked")
    func advices() throws {
        for (code, approved) in [("000", true), ("003", true), ("116", false), ("208", false), ("00", false)]
        {
            #expect(try Self.request(0x1120, [.responseCode: code]).purpose == .advice(approved: approved))
        }
    }

    @Test(
        "DE24 says what DE3 alone does not",
        arguments: [
            (0x1100, "100", .purchase), (0x1100, "104", .purchase), (0x1100, "106", .purchase),
            (0x1100, "101", .preAuthorisation), (0x1100, "105", .preAuthorisation),
            (0x1100, "107", .preAuthorisation), (0x1200, "200", .purchase), (0x1220, "203", .purchase),
            (0x1220, "204", .purchase), (0x1220, "201", .completion), (0x1200, "202", .completion),
            (0x1100, nil, .purchase), (0x1100, "102", nil), (0x1100, "103", nil), (0x1100, "108", nil),
            (0x1100, "202", nil), (0x1200, "999", nil),
        ] as [(UInt16, String?, TransactionKind?)])
    func functionCodes(mti: UInt16, code: String?, kind: TransactionKind?) throws {
        let changes: [DataElement: String?] = [.functionCode: code]
        guard let kind else {
            guard case .answer(let answer) = try Self.interpret(mti, changes) else { throw Unexpected() }
            #expect(answer.text(.responseCode) == "902")
            return
        }
        #expect(try Self.request(mti, changes).circumstances.kind == kind)
    }

    @Test func anEnquiryIsOneWithEitherCode() throws {
        let found = try Self.request(0x1100, [.functionCode: "108", .processingCode: "310000"])
        #expect(found.circumstances.kind == .balanceEnquiry)
        let refund = try Self.request(0x1200, [.functionCode: "201", .processingCode: "200000"])
        #expect(refund.circumstances.kind == .refund)
    }

    @Test("DE12 is date and time, DE13 is none of it, DE26 is the merchant's category")
    func timesAndPlaces() throws {
        let found = try Self.request(0x1100, [.merchantType: "9999"])
        #expect(found.transmission.localTime == 1_123_130_000)
        #expect(found.circumstances.merchantCategory == 5411)
        #expect(
            try Self.request(0x1100, [.businessCode: nil, .merchantType: "6011"])
                .circumstances.merchantCategory == 6011)
    }

    @Test(
        "DE22: how the card came",
        arguments: [
            ("51010151334C", .chip, false), ("510101M1334C", .chip, true), ("51010X51334C", .chip, true),
            ("51010121314C", .magneticStripe, false), ("510101A1314C", .contactlessStripe, true),
            ("51010191314C", .fallback, false), ("600020600140", .cardNotPresent, false),
            ("100020100140", .cardNotPresent, false), ("600050S00140", .cardNotPresent, false),
            ("000000000000", .cardNotPresent, false), ("000001000000", .unknown, false),
            ("051", .unknown, false),
        ] as [(String, CardEntry, Bool)])
    func pointOfService(data: String, entry: CardEntry, isContactless: Bool) throws {
        let found = try Self.request(0x1100, [.pointOfServiceEntryMode: data])
        #expect(found.nonChip?.entry == entry && found.circumstances.isContactless == isContactless)
    }

    @Test(
        "A partial reversal says what remains in DE4 and what there was in DE30",
        arguments: [
            (["24": "400"], 0, 4_250), (["24": "401", "30": "000000009900000000000000"], 4_250, 9_900),
            (["24": "401"], 4_250, 0), (["25": "4004", "30": "000000009900000000000000"], 4_250, 9_900),
            (["30": "000000009900000000000000"], 4_250, 9_900),
            (["30": "000000004250000000000000"], 0, 4_250),
            (["24": "400", "30": "000000009900000000000000"], 0, 4_250),
            (["24": "401", "4": "000000000000", "30": "000000009900000000000000"], 0, 9_900),
            (["24": "400", "4": "000000000000", "30": "000000009900000000000000"], 0, 9_900),
        ] as [([String: String], Int64, Int64)])
    func partialReversals(fields: [String: String], remaining: Int64, asked: Int64) throws {
        var changes: [DataElement: String?] = [:]
        for (number, text) in fields {
            changes[try #require(DataElement(rawValue: UInt8(number) ?? 0))] = text
        }
        let found = try Self.request(0x1420, changes)
        #expect(found.purpose == .reversal(remainingMinorUnits: remaining))
        #expect(found.amount.minorUnits == asked)
    }

    @Test("DE56 names the original: type, STAN, local time, acquirer behind its length or without one")
    func originals() throws {
        let named = try #require(
            try Self.request(0x1420, [.originalData1993: "110000012226112312595906123456"]).original)
        #expect(named.stan == 122 && named.localTime == 1_123_125_959 && !named.isAdvice)
        let other = try #require(try Self.request(0x1420).original)
        #expect(named.acquirer == other.acquirer, "the same acquirer, without its zeros")
        #expect(other.stan == 0 && other.localTime == 1_123_130_000)
        for advice in ["1120", "1121", "1240"] {
            let found = try Self.request(0x1420, [.originalData1993: advice + "000122261123125959"]).original
            #expect(found?.isAdvice == true && found?.stan == 122)
        }
        let bare = try Self.request(0x1420, [.originalData1993: "1100000122261123125959123456"]).original
        #expect(bare?.acquirer == named.acquirer)
        for nothing in [String(repeating: "0", count: 35), String(repeating: " ", count: 35)] {
            #expect(try Self.request(0x1420, [.originalData1993: nothing]).original?.stan == 0)
        }
        for wrong in ["1100000122", "1100ABCDEF261123125959", "11000001222611231259590612345X"] {
            #expect(throws: MappingError.self) {
                try Self.request(0x1420, [.originalData1993: wrong])
            }
        }
        // What stands in DE90 is something else there.
        #expect(try Self.request(0x1420, [.originalDataElements: "1234567890"]).original?.stan == 0)
    }

    @Test("An action code for each code of 1987, none of them an approval but the approvals")
    func actionCodes() throws {
        for (mti, code) in [
            (0x1110, "000"), (0x1210, "000"), (0x1130, "900"), (0x1230, "900"), (0x1410, "400"),
            (0x1430, "400"), (0x1814, "800"), (0x1830, "800"),
        ] as [(UInt16, String)] {
            #expect(ResponseCode.approved.text(in: MTI(rawValue: mti), numeric: true) == code)
            #expect(ActionCode.saysAccepted(code))
        }
        for code in ResponseCode.allCases {
            let text = code.text(in: MTI(rawValue: 0x1110), numeric: false)
            #expect(text.utf8.count == 3 && ResponseCode.words(text) != nil)
            let isApproval = code == .approved || code == .partiallyApproved
            #expect(text.hasPrefix("0") == isApproval && ActionCode.saysAccepted(text) == isApproval)
            #expect(code.text(in: MTI(rawValue: 0x0110), numeric: false) == code.rawValue)
        }
        for code in ["902", "904", "909", "912", "100", "208", "00", "", "0000"] {
            #expect(!ActionCode.saysAccepted(code))
        }
    }

    @Test("Answers come back in their own edition; nothing answers a notification")
    func answers() throws {
        let responses = ResponseMapping(echo: ResponseMapping.usualEcho1993)
        var request = Message(mti: MTI(rawValue: 0x1804))
        request.set(.stan, text: "000001")
        request.set(.functionCode, text: "831")
        let answer = responses.networkManagement(request)
        #expect(answer.mti.rawValue == 0x1814 && answer.text(.responseCode) == "800")
        #expect(answer.text(.functionCode) == "831" && !answer.has(.networkManagementCode))
        request.mti = MTI(rawValue: 0x1101)
        #expect(responses.answer(request, .formatError)?.mti.rawValue == 0x1110)
        #expect(responses.malfunction(request)?.text(.responseCode) == "909")
        for mti in [0x1140, 0x1240, 0x1440, 0x1441] as [UInt16] {
            request.mti = MTI(rawValue: mti)
            #expect(responses.answer(request, .approved) == nil && responses.formatError(request) == nil)
        }
    }

    @Test("A key change is known by DE24 811")
    func keyChanges() {
        var message = Message(mti: MTI(rawValue: 0x1804))
        message.set(.functionCode, text: "811")
        #expect(KeyChangeRequest.isOne(message, nil))
        message.set(.functionCode, text: "831")
        message.set(.networkManagementCode, text: "101")
        #expect(!KeyChangeRequest.isOne(message, nil))
    }

    @Test("Every action code, and no other, is in the table of docs/acquirer-interface.md")
    func documentedCodes() throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let text = try String(
            contentsOf: root.appending(path: "docs/acquirer-interface.md"), encoding: .utf8)
        let table = try #require(text.components(separatedBy: "| DE39 | for | 1987 |\n").dropFirst().first)
        let rows = table.components(separatedBy: "\n\n")[0].split(separator: "\n").dropFirst()
        let told = rows.flatMap { $0.split(separator: "|")[0].split(separator: ",") }
            .map { $0.trimmingCharacters(in: .whitespaces) }
        #expect(Set(told).symmetricDifference(ActionCode.allCases.map(\.rawValue)) == [])
        #expect(told.count == Set(told).count)
    }
}
