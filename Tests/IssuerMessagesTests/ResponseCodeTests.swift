import Authorisation
import EMV
import ISO8583
import IssuerMessages
import Testing

@Suite struct ResponseCodeTests {
    @Test("The table of DE39, reason by reason")
    func table() {
        let expected: [DeclineReason: String] = [
            .authenticationWrong: "82", .authenticationReplayed: "63", .authenticationClaimUnproven: "63",
            .authenticationMissing: "1A", .authenticationAmountDiffers: "1A",
            .authenticationMerchantDiffers: "1A", .authenticationTooOld: "1A",
            .authenticationSeriesEnded: "1A", .authenticationAttemptOnly: "1A",
            .cardholderNotAuthenticated: "1A",
            .unknownCard: "14", .cardLost: "41", .cardStolen: "43", .cardRestricted: "62",
            .cardExpired: "54", .expiryDiffers: "54", .chipDataMissing: "12", .chipDataMalformed: "30",
            .cryptogramProfileUnknown: "88", .notAnARQC: "88", .cryptogramWrong: "88", .amountDiffers: "13",
            .atcReplayed: "63", .atcOutOfRange: "63", .pinWrong: "55", .pinTriesExceeded: "75",
            .pinNotOnRecord: "57", .pinBlockUnreadable: "81", .insufficientFunds: "51",
            .currencyNotServed: "12", .retransmissionDiffers: "94",
            .transactionAmountTooHigh: "61", .contactlessAmountTooHigh: "61", .verificationNeeded: "1A",
            .merchantCategoryBlocked: "57", .countryBlocked: "57", .dailyAmountExceeded: "61",
            .dailyCountExceeded: "65", .rollingAmountExceeded: "61", .rollingCountExceeded: "65",
            .cashAmountExceeded: "61", .cashCountExceeded: "65", .offlineResultsBad: "63",
            .cardValueWrong: "82", .cardValueMissing: "82", .printedValueWrong: "N7", .clonedChip: "59",
            .fallbackNotAllowed: "57", .cardNotPresentNotAllowed: "57", .entryModeDiffers: "30",
            .reversedBefore: "21", .keyVersionUnknown: "88", .originalUnknown: "25", .completionTooHigh: "61",
            .transactionTypeDiffers: "12", .conversionDiffers: "13", .firstPaymentUnknown: "57",
        ]
        for reason in DeclineReason.allCases {
            #expect(ResponseCode(reason).rawValue == expected[reason], "\(reason)")
        }
        #expect(ResponseCode(.state(StateUnavailable("gone"))).rawValue == "91")
        #expect(ResponseCode(.cryptography(.overloaded)).rawValue == "91")
    }

    @Test func answersEchoWhatIdentifiesTheTransactionAndNothingElse() throws {
        var request = Message(mti: .authorisationRepeat)
        let echoed: [UInt8] = [
            2, 3, 4, 7, 11, 12, 13, 23, 32, 33, 37, 41, 42, 49, 62, 63,
        ]
        for number in 2...64 as ClosedRange<UInt8> {
            if let element = DataElement(rawValue: number) { request.set(element, text: "\(number)") }
        }
        let answer = try #require(ResponseMapping().answer(request, .issuerUnavailable))
        #expect(answer.mti == .authorisationResponse)
        #expect(answer.presentElements.map(\.rawValue) == (echoed + [39]).sorted())
        #expect(
            echoed.allSatisfy { number in
                DataElement(rawValue: number).flatMap { answer.text($0) } == "\(number)"
            })
        #expect(answer.text(.responseCode) == "91")
    }

    @Test func aLinkSaysWhatItsAnswersRepeat() throws {
        var request = Message(mti: .authorisationRequest)
        let name: [UInt8] = Array("\u{C5}ngstr".utf8) + [0, 0x0D, 0x80]
        request.set(.stan, text: "000001")
        request.set(.merchantNameAndLocation, bytes: name)
        request.set(.networkInternationalIdentifier, text: "001")
        let mapping = ResponseMapping(echo: [
            .merchantNameAndLocation, .stan, .networkInternationalIdentifier,
        ])
        let answer = try #require(mapping.answer(request, .approved))
        #expect(answer.presentElements.map(\.rawValue) == [11, 24, 39, 43])
        #expect(answer.bytes(.merchantNameAndLocation).map(Array.init) == name)
    }

    @Test func aFormatErrorIsAnsweredWithWhatCouldBeReadEvenWithoutASTAN() {
        var partial = Message(mti: .authorisationRequest)
        #expect(ResponseMapping().formatError(partial)?.text(.responseCode) == "30")
        partial.set(.stan, text: "000001")
        #expect(ResponseMapping().formatError(partial)?.text(.responseCode) == "30")
        partial.mti = .authorisationResponse
        #expect(ResponseMapping().formatError(partial) == nil)
    }
}
