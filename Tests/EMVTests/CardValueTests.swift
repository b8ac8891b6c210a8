import ByteCoding
import EMV
import Testing

@Suite("PAN")
struct PANTests {
    @Test("8 to 19 digits")
    func counts() throws {
        for count in 0...24 {
            let text = String(repeating: "4", count: count)
            if (8...19).contains(count) {
                #expect(try PAN(text).digitCount == count)
            } else {
                #expect(throws: PANError.digitCount(count)) { try PAN(text) }
            }
        }
        #expect(throws: PANError.notADigit(offset: 3)) { try PAN("476=739001010010") }
        #expect(throws: PANError.notADigit(offset: 0)) { try PAN(":761739001010010") }
    }

    @Test("descriptions hide the middle, or all but four digits of a short one")
    func masked() throws {
        #expect(try PAN("4761739001010010").description == "476173******0010")
        #expect(try PAN("1234567890").description == "******7890")
        #expect(try PAN("12345678").description == "****5678")
        #expect(try PAN("6399990000001234568").description == "639999*********4568")
        let card = CardIdentity(pan: try PAN("4761739001010010"), panSequenceNumber: nil)
        #expect(card.description == "476173******0010 --")
    }

    @Test("prefixes")
    func prefixes() throws {
        let pan = try PAN("4761739001010010")
        #expect(pan.hasPrefix(try #require(PANPrefix("476173"))))
        #expect(pan.hasPrefix(try #require(PANPrefix("4"))))
        #expect(!pan.hasPrefix(try #require(PANPrefix("476174"))))
        #expect(!(try PAN("47617390")).hasPrefix(try #require(PANPrefix("476173900"))))
        #expect(PANPrefix("") == nil && PANPrefix("1234567890123") == nil && PANPrefix("47a") == nil)
        #expect(PANPrefix("012")?.description == "012")
    }

    @Test("leading zeros make another PAN; an absent sequence number is 00")
    func identity() throws {
        #expect(try PAN("012345678") != PAN("12345678"))
        let pan = try PAN("4761739001010010")
        let absent = CardIdentity(pan: pan, panSequenceNumber: nil)
        let zero = CardIdentity(pan: pan, panSequenceNumber: PANSequenceNumber(rawValue: 0))
        let one = CardIdentity(pan: pan, panSequenceNumber: PANSequenceNumber(rawValue: 1))
        #expect(absent == zero && absent != one)
        #expect(absent.hashValue == zero.hashValue)
        let bytes = one.withUniqueBytes { Array($0) }
        #expect(Hex.encode(bytes) == "10" + "00004761739001010010" + "01")
        #expect(absent.withUniqueBytes { Array($0) } == zero.withUniqueBytes { Array($0) })
    }

    @Test("sequence numbers are two digits")
    func sequenceNumbers() {
        #expect(PANSequenceNumber(rawValue: 99)?.packed == 0x99)
        #expect(PANSequenceNumber(rawValue: 100) == nil)
        #expect(PANSequenceNumber(bcd: 0x42)?.rawValue == 42)
        #expect(PANSequenceNumber(bcd: 0x4A) == nil && PANSequenceNumber(bcd: 0xA4) == nil)
        #expect(PANSequenceNumber(rawValue: 7)?.description == "07")
    }
}

@Suite("Chip values")
struct ChipValueTests {
    @Test("expiry: months only, in order")
    func expiry() throws {
        let december = try #require(ExpiryDate(ascii: Array("2912".utf8)))
        #expect(december.description == "2912")
        #expect(try #require(ExpiryDate(ascii: Array("3001".utf8))) > december)
        #expect(ExpiryDate(ascii: Array("2900".utf8)) == nil)
        #expect(ExpiryDate(ascii: Array("2913".utf8)) == nil)
        #expect(ExpiryDate(ascii: Array("29A2".utf8)) == nil)
        #expect(ExpiryDate(ascii: Array("291".utf8)) == nil)
        // 29 February 2028 23:59:59 UTC, and one second later.
        #expect(ExpiryDate(unixSeconds: 1_835_481_599).description == "2802")
        #expect(ExpiryDate(unixSeconds: 1_835_481_600).description == "2803")
        #expect(ExpiryDate(unixSeconds: 946_684_800).description == "0001")
    }

    @Test("response codes are two letters or digits")
    func responseCodes() {
        #expect(AuthorisationResponseCode("00")?.rawValue == 0x3030)
        #expect(AuthorisationResponseCode("Z3")?.description == "Z3")
        for text in ["", "0", "000", "0 ", "é", "ª0", "\u{C3}", "a-"] {
            #expect(AuthorisationResponseCode(text) == nil, "\(text)")
        }
        #expect(AuthorisationResponseCode(rawValue: 0x0010).description == "..")
    }

    @Test("kinds of cryptogram")
    func kinds() {
        #expect(CryptogramKind(cryptogramInformationData: 0x80) == .arqc)
        #expect(CryptogramKind(cryptogramInformationData: 0x4F) == .tc)
        #expect(CryptogramKind(cryptogramInformationData: 0x00) == .aac)
        #expect(CryptogramKind(cryptogramInformationData: 0xC0) == nil)
    }

    @Test("tags from hex and back")
    func tags() {
        for text in ["82", "9F26", "5F2A", "DF8129", "DF818203"] {
            #expect(EMV.Tag(hex: text)?.description == text)
        }
        for text in ["", "8", "9F2", "+9F2", "-9F2", "9G", "DF81820301"] {
            #expect(EMV.Tag(hex: text) == nil)
        }
        #expect(EMV.Tag.applicationCryptogram.name == "Application Cryptogram")
        #expect(EMV.Tag(rawValue: 0xDF01).name == nil)
    }

    @Test("status updates")
    func statusUpdates() {
        #expect(CardStatusUpdate.approve.approves && !CardStatusUpdate.decline.approves)
    }
}
