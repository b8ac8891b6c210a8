import EMV
import LibCrypto
import Testing
import VectorSupport
import VirtualCard

/// CVV, iCVV and CVV2 of the virtual card against the vectors, every case of both files.
@Suite("Card value vectors")
struct CardValueVectorTests {
    private func value(_ input: VectorCase, expiry: String) throws -> String {
        let key = try #require(DoubleLengthKey(bytes: try input.bytes("cvk")))
        let date = try #require(UInt16(try input.text(expiry), radix: 16))
        let code = try #require(UInt16(try input.text("service_code"), radix: 16))
        let question = try #require(CardValueInput(expiry: date, serviceCode: code))
        return try CardValues(cardVerificationKey: key).value(question, of: PAN(input.text("pan")))
    }

    @Test("card-verification.json")
    func computed() throws {
        var compared = 0
        for vector in try VectorCase.all("card-verification.json") {
            let same = try value(vector, expiry: "expiry_as_used") == vector.text("cvv")
            #expect(same, "\(vector.id)")
            compared += 1
        }
        #expect(compared >= 31)
    }

    @Test("published-pin-card.json")
    func published() throws {
        var compared = 0
        for vector in try VectorCase.all("published-pin-card.json")
        where ["cvv", "cvv2", "icvv"].contains(try vector.text("op")) {
            let same = try value(vector.inner("in"), expiry: "expiry") == vector.inner("out").text("cvv")
            #expect(same, "\(vector.id)")
            compared += 1
        }
        #expect(compared > 0)
    }
}
