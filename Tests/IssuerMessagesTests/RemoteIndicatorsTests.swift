import Authorisation
import Foundation
import ISO8583
@testable import IssuerMessages
import Testing

/// What kind of payment a message says that it is.
@Suite struct RemoteIndicatorsTests {
    private static let json = """
        { "indicators": {
            "rows": [
              { "at": { "element": 48, "subElement": 22 }, "value": "0504C10", "says": "first-recurring" },
              { "at": { "element": 48, "subElement": 22 }, "value": "0504M10", "says": "recurring" },
              { "at": { "element": 60, "position": 9, "length": 2 }, "value": "01", "says": "mailOrder" },
              { "at": { "element": 60, "position": 9 }, "value": "05", "says": "none" } ],
            "ownReference": { "element": 37 },
            "firstReference": { "element": 48, "subElement": 63 } },
          "elements": { "3": { "name": "x", "type": "n", "max": 6 } } }
        """

    private func payment(
        _ fields: [(DataElement, String)], of kind: TransactionKind = .purchase,
        mti: MTI = .authorisationRequest
    ) throws -> RemotePayment? {
        var message = Message(mti: mti)
        for (element, text) in fields { message.set(element, text: text) }
        let dialect = try Dialect(json: Array(Self.json.utf8), name: "x")
        return try RemoteIndicators(dialect.indicators).payment(message, kind)
    }

    @Test("By DE25 and DE22 of 1987")
    func standard() throws {
        #expect(try payment([(.pointOfServiceConditionCode, "08")])?.kind == .mailOrder)
        #expect(try payment([(.pointOfServiceConditionCode, "51")])?.kind == .accountVerification)
        #expect(try payment([(.pointOfServiceConditionCode, "59")]) == nil)
        #expect(try payment([(.pointOfServiceEntryMode, "102")])?.kind == .storedCredential)
        #expect(try payment([(.pointOfServiceEntryMode, "812")]) == nil)
        #expect(try payment([(.pointOfServiceEntryMode, "812")], of: .refund)?.kind == .refund)
    }

    @Test("By what the dialect names, which comes first")
    func named() throws {
        #expect(try payment([(.privateData60, "0000000001")])?.kind == .mailOrder)
        #expect(try payment([(.privateData60, "000000000")]) == nil)
        #expect(try payment([(.privateData60, "0000000005"), (.pointOfServiceConditionCode, "08")]) == nil)
        #expect(try payment([(.additionalData, "T22080504M102")])?.kind == .recurring)
        // Not of this form as a whole: it may be anything.
        #expect(try payment([(.additionalData, "T22080504M10263")]) == nil)
    }

    @Test("The reference of the first is its own, and a later payment's is where the dialect has it")
    func references() throws {
        let first = try #require(
            try payment([(.additionalData, "22080504C102"), (.retrievalReferenceNumber, "632806000017")]))
        #expect(first.isFirst && first.kind == .recurring && first.reference != 0)
        let later = try #require(
            try payment([(.additionalData, "22080504M1026315632806000017   ")]))
        #expect(!later.isFirst && later.reference == first.reference)
        let other = try payment([(.additionalData, "22080504M1026312632806000018")])
        #expect(other?.reference != first.reference)
        #expect(try payment([(.additionalData, "22080504M102")])?.reference == 0)
        #expect(try payment([(.additionalData, "22080504M1026304    ")])?.reference == 0)
    }

    @Test("A word that means nothing and a place that no message has are refused")
    func faults() throws {
        for (word, element) in [
            ("recuring", 48), ("first-mailOrder", 48), ("recurring", 1), ("recurring", 129),
        ] {
            let json = """
                { "indicators": { "rows": [ { "at": { "element": \(element) }, "value": "1", "says": "\(word)" } ] },
                  "elements": { "3": { "name": "x", "type": "n", "max": 6 } } }
                """
            let dialect = try Dialect(json: Array(json.utf8), name: "x")
            #expect(throws: RemoteIndicators.Unknown.self, "\(word) in \(element)") {
                try RemoteIndicators(dialect.indicators)
            }
        }
        #expect(throws: DialectError.self) {
            try Dialect(json: Array(#"{ "indicators": { "row": [] } }"#.utf8), name: "x")
        }
    }

    @Test("In 1993 by the cardholder's place in DE22")
    func edition1993() throws {
        let mti = MTI(rawValue: 0x1100)
        #expect(try payment([(.pointOfServiceEntryMode, "100020100130")], mti: mti)?.kind == .mailOrder)
        #expect(try payment([(.pointOfServiceEntryMode, "100040100130")], mti: mti)?.kind == .recurring)
        #expect(try payment([(.pointOfServiceEntryMode, "100000100130")], mti: mti) == nil)
    }
}
