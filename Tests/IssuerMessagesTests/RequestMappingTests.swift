import Authorisation
import EMV
import ISO8583
import IssuerMessages
import Testing

@Suite struct RequestMappingTests {
    private let mapping = RequestMapping(
        link: LinkProfile(name: "acquirer-a", zonePINKey: KeyName("zpk-acquirer-a")))

    /// A good request without chip data, changed by the test.
    private func interpret(
        link: LinkProfile? = nil, _ change: (inout Message) -> Void = { _ in }
    ) throws -> IncomingMessage {
        var message = Message(mti: .authorisationRequest)
        message.set(.pan, text: "4761739001010010")
        message.set(.transactionAmount, text: "000000004250")
        message.set(.transmissionTime, text: "1123120000")
        message.set(.stan, text: "000123")
        message.set(.acquirerIdentifier, text: "123456")
        message.set(.retrievalReferenceNumber, text: "000000000123")
        message.set(.currency, text: "752")
        change(&message)
        let mapping = link.map(RequestMapping.init(link:)) ?? mapping
        return try mapping.interpret(message, receivedAt: 7, answerBy: 9)
    }

    private func request(_ change: (inout Message) -> Void = { _ in }) throws -> AuthorisationRequest {
        guard case .authorise(let request) = try interpret(change) else { throw Unexpected() }
        return request
    }

    private struct Unexpected: Error {}

    @Test func everyElementArrives() throws {
        let request = try request {
            $0.set(.expirationDate, text: "2912")
            $0.set(.panSequenceNumber, text: "001")
            $0.set(.pinData, bytes: [1, 2, 3, 4, 5, 6, 7, 8])
            $0.set(.iccData, bytes: [0x9F, 0x36, 0x02, 0x00, 0x05])
        }
        #expect(request.link == "acquirer-a")
        #expect(request.card.pan.description == "476173******0010")
        #expect(request.card.panSequenceNumber?.rawValue == 1)
        #expect(request.expiry?.description == "2912")
        #expect(request.amount.description == "42.50 SEK")
        #expect(request.transmission.stan == 123)
        #expect(request.retrievalReferenceNumber == Array("000000000123".utf8))
        #expect(request.transmission.stan == 123 && request.transmission.sentAt == 1_123_120_000)
        #expect(request.transmission.messageClass == .request && !request.transmission.isRepeat)
        #expect(request.chip?.atc?.rawValue == 5)
        #expect(request.pin?.zonePINKey.rawValue == "zpk-acquirer-a")
        let sameBlock = request.pin?.block.rawValue == 0x0102_0304_0506_0708
        #expect(sameBlock)
        #expect(request.receivedAt == 7 && request.deadline.nanoseconds == 9)
    }

    private static let faulty: [(DataElement, String)] = [
        (.pan, "47617390"), (.pan, "476173900101001A"), (.stan, "00012"),
        (.transactionAmount, "00000000425O"), (.currency, "75X"), (.currency, "1752"),
        (.expirationDate, "2913"), (.expirationDate, "29"), (.panSequenceNumber, "100"),
        (.pinData, "1234567"), (.iccData, "123"), (.track2, "47617390010100102912"),
        (.track2, "4761739001010028=29122010000"),
    ]

    /// By number: arguments are printed, and these look like card data.
    @Test("Each element at fault is named", arguments: faulty.indices)
    func faults(number: Int) throws {
        let (element, text) = Self.faulty[number]
        // An eight-digit PAN and a short STAN are possible; they are here to be told from what is not.
        let possible = text == "47617390" || text == "00012"
        do {
            _ = try interpret { $0.set(element, text: text) }
            #expect(possible)
        } catch let error as MappingError {
            #expect(error.element == element)
            #expect(!error.description.contains(text), "the fault repeats the element's content")
        }
    }

    @Test(
        "Each element that is missing is named",
        arguments: [DataElement.pan, .stan, .transactionAmount, .currency])
    func missing(element: DataElement) throws {
        do {
            _ = try interpret { $0.remove(element) }
            Issue.record("\(element) is needed")
        } catch let error as MappingError {
            #expect(error.element == element)
        }
    }

    @Test func track2StandsInForThePAN() throws {
        for separator in ["=", "D"] {
            let request = try request {
                $0.remove(.pan)
                $0.set(.track2, text: "4761739001010010\(separator)29122010000000000")
            }
            #expect(request.card.pan.description == "476173******0010")
            #expect(request.expiry?.description == "2912")
        }
    }

    @Test func theSequenceNumberComesFromTheChipWhereDE23IsAbsent() throws {
        let chip: [UInt8] = [0x5F, 0x34, 0x01, 0x02]
        #expect(try request { $0.set(.iccData, bytes: chip) }.card.panSequenceNumber?.rawValue == 2)
        #expect(throws: MappingError.self) {
            try request {
                $0.set(.iccData, bytes: chip)
                $0.set(.panSequenceNumber, text: "001")
            }
        }
    }

    @Test func aLinkWithoutZonePINKeyTakesNoPINs() throws {
        let link = LinkProfile(name: "no-pins", zonePINKey: nil)
        #expect(throws: MappingError.self) {
            try interpret(link: link) { $0.set(.pinData, bytes: [UInt8](repeating: 0, count: 8)) }
        }
    }

    @Test(
        "Each number follows its element and no other",
        arguments: [
            (DataElement.stan, "000124", 0), (.transmissionTime, "1123120001", 1),
            (.acquirerIdentifier, "123457", 2), (.retrievalReferenceNumber, "000000000124", 3),
            (.terminalIdentifier, "TERM0009", 4), (.merchantIdentifier, "MERCHANT0000009", 5),
            (.localTime, "235958", 6), (.localDate, "1231", 6),
        ])
    func transmission(_ element: DataElement, _ text: String, _ differs: Int) throws {
        let first = try request { $0.set(.localTime, text: "120000") }.transmission
        let other = try request {
            $0.set(.localTime, text: "120000")
            $0.set(element, text: text)
        }.transmission
        let found = [
            first.stan != other.stan, first.sentAt != other.sentAt, first.acquirer != other.acquirer,
            first.reference != other.reference, first.terminal != other.terminal,
            first.merchant != other.merchant, first.localTime != other.localTime,
        ]
        #expect(found == (0..<7).map { $0 == differs })
    }

    @Test func aRepeatSaysSoAndIsOtherwiseTheSame() throws {
        let first = try request().transmission
        var again = try request { $0.mti = .authorisationRepeat }.transmission
        #expect(again.isRepeat && !first.isRepeat)
        again.isRepeat = false
        #expect(first == again)
    }

    @Test(
        "Track 2 is read through what readers, chips and packed digits leave around it",
        arguments: [
            ("", "F"), ("", "FF"), (";", "?"), (";", "?;"), (";", "?F"), ("", "0"), ("", "f"), ("", ""),
            ("0", ""), (";", "F9"), (";", "F"), ("", " "), ("", "  "), ("", "\0"), (";", "?0"), ("0", "F"),
        ])
    func trackAround(before: String, behind: String) throws {
        for separator in ["=", "D", "d"] {
            // 37 characters: with one more behind it the track would be too long.
            let track = "4761739001010010\(separator)29122010000000000000"
            let request = try request {
                $0.remove(.pan)
                $0.set(.track2, text: before + track + behind)
            }
            let same =
                request.card.pan.description == "476173******0010" && request.expiry?.description == "2912"
            #expect(same && request.nonChip?.serviceCode == 0x201, "\(separator) \(before)\(behind)")
        }
        #expect(throws: MappingError.self) {
            try self.request { $0.set(.track2, text: "4761739001010010=291220100000000000000" + "1") }
        }
    }

    @Test(
        "Network management is answered as what it is",
        arguments: [(0x0800, 0x0810), (0x0801, 0x0810), (0x0820, 0x0830), (0x0821, 0x0830)])
    func networkManagement(asked: UInt16, answered: UInt16) throws {
        guard
            case .answer(let answer) = try interpret({
                $0.mti = MTI(rawValue: asked)
                $0.set(.networkManagementCode, text: "301")
            })
        else { throw Unexpected() }
        #expect(answer.mti == MTI(rawValue: answered) && answer.text(.responseCode) == "00")
        #expect(answer.text(.stan) == "000123" && answer.text(.networkManagementCode) == "301")
    }

    @Test func whatIsNotServedIsAnsweredAndWhatIsNoRequestIsNot() throws {
        guard case .answer(let echo) = try interpret({ $0.mti = .networkManagementRequest }),
            case .answer(let reconciliation) = try interpret({ $0.mti = MTI(rawValue: 0x0500) }),
            case .ignore = try interpret({ $0.mti = .authorisationResponse })
        else { throw Unexpected() }
        #expect(echo.mti == .networkManagementResponse && echo.text(.responseCode) == "00")
        #expect(
            reconciliation.mti == MTI(rawValue: 0x0510)
                && reconciliation.text(.responseCode) == "12")
    }
}
