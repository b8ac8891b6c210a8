import Authorisation
import EMV
import ISO8583
import IssuerMessages
import Testing

/// DE6, DE51 and DE10, as they come.
@Suite struct CardholderBillingTests {
    private func request(_ change: (inout Message) -> Void) throws -> AuthorisationRequest? {
        var message = Message(mti: .authorisationRequest)
        message.set(.pan, text: "4761739001010010")
        message.set(.transactionAmount, text: "000000004250")
        message.set(.stan, text: "000123")
        message.set(.currency, text: "840")
        change(&message)
        let mapping = RequestMapping(link: LinkProfile(name: "a", zonePINKey: nil))
        guard
            case .authorise(let request) = try mapping.interpret(
                message, receivedAt: 7, answerBy: 9)
        else { return nil }
        return request
    }

    @Test func bothAmountsAndTheRateArrive() throws {
        let request = try #require(
            try request {
                $0.set(.cardholderBillingAmount, text: "000000044677")
                $0.set(.cardholderBillingCurrency, text: "752")
                $0.set(.cardholderBillingConversionRate, text: "61051234")
            })
        #expect(request.amount.description == "42.50 USD")
        #expect(request.billing?.amount.description == "446.77 SEK")
        #expect(request.billing?.rate?.description == "1.051234")
    }

    @Test("What is absent, or filled with zeros, says nothing")
    func absent() throws {
        #expect(try request { $0.set(.cardholderBillingAmount, text: "000000044677") }?.billing == nil)
        #expect(try request { $0.set(.cardholderBillingCurrency, text: "752") }?.billing == nil)
        let zeros = try request {
            $0.set(.cardholderBillingAmount, text: "000000000000")
            $0.set(.cardholderBillingCurrency, text: "000")
        }
        #expect(zeros?.billing == nil)
        let noRate = try request {
            $0.set(.cardholderBillingAmount, text: "000000044677")
            $0.set(.cardholderBillingCurrency, text: "752")
            $0.set(.cardholderBillingConversionRate, text: "00000000")
        }
        #expect(noRate?.billing != nil && noRate?.billing?.rate == nil)
        // At home zeros say nothing either; abroad they do.
        for (currency, says) in [("752", false), ("840", true)] {
            let filled = try request {
                $0.set(.currency, text: currency)
                $0.set(.cardholderBillingAmount, text: "000000000000")
                $0.set(.cardholderBillingCurrency, text: "752")
                $0.set(.cardholderBillingConversionRate, text: "00000000")
            }
            #expect((filled?.billing != nil) == says)
        }
        // Between one currency and itself nobody needs a rate.
        let home = try request {
            $0.set(.currency, text: "752")
            $0.set(.cardholderBillingAmount, text: "000000004250")
            $0.set(.cardholderBillingCurrency, text: "752")
            $0.set(.cardholderBillingConversionRate, text: "9xxxxxxx")
        }
        #expect(home?.billing?.amount.minorUnits == 4_250)
    }

    @Test(
        "What is there and wrong is named",
        arguments: [
            (DataElement.cardholderBillingAmount, "00000004467X"), (.cardholderBillingCurrency, "7X2"),
            (.cardholderBillingCurrency, "1752"), (.cardholderBillingConversionRate, "81234567"),
            (.cardholderBillingConversionRate, "6105123"), (.cardholderBillingConversionRate, "6105123A"),
            (.cardholderBillingConversionRate, "60000000"),
        ])
    func faults(_ element: DataElement, _ text: String) throws {
        let error = #expect(throws: MappingError.self) {
            _ = try request {
                $0.set(.cardholderBillingAmount, text: "000000044677")
                $0.set(.cardholderBillingCurrency, text: "752")
                $0.set(.cardholderBillingConversionRate, text: "61051234")
                $0.set(element, text: text)
            }
        }
        #expect(error?.element == element)
    }
}
