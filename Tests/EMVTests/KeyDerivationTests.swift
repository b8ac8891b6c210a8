import ByteCoding
import EMV
import Testing
import VectorSupport

@Suite("Key derivation data")
struct KeyDerivationTests {
    private func card(_ pan: String, _ number: UInt8?) throws -> CardIdentity {
        CardIdentity(
            pan: try PAN(pan), panSequenceNumber: number.flatMap(PANSequenceNumber.init(rawValue:)))
    }

    @Test("Option A takes the rightmost 16 digits of PAN and sequence number, zeros before them")
    func optionA() throws {
        let cases: [(String, UInt8?, UInt64)] = [
            ("12345678", 1, 0x0000_0012_3456_7801),
            ("12345678901234", nil, 0x1234_5678_9012_3400),
            ("4761739001010010", 1, 0x6173_9001_0100_1001),
            ("6399990000001234568", 5, 0x9000_0001_2345_6805),
        ]
        for (pan, number, y) in cases {
            let diversifier = MasterKeyDerivation.diversifier(for: try card(pan, number))
            #expect(diversifier == Diversifier(left: y, right: ~y))
        }
    }

    @Test("Option B hashes only PANs over 16 digits, an odd number of digits with a zero before them")
    func optionBHashInput() throws {
        #expect(!MasterKeyDerivation.needsHash(.b, for: try card("4761739001010010", 1)))
        #expect(!MasterKeyDerivation.needsHash(.a, for: try card("6399990000001234568", 5)))
        #expect(MasterKeyDerivation.needsHash(.b, for: try card("12345678901234567", nil)))
        let odd = MasterKeyDerivation.bytesToHash(for: try card("12345678901234567", 45))
        #expect(Hex.encode(odd) == "01234567890123456745")
        let even = MasterKeyDerivation.bytesToHash(for: try card("123456789012345678", nil))
        #expect(Hex.encode(even) == "12345678901234567800")
        let longest = MasterKeyDerivation.bytesToHash(for: try card("9999999999999999999", 99))
        #expect(Hex.encode(longest) == "0" + String(repeating: "9", count: 21))
    }

    @Test("Option B: digits first, then letters from the left as 0 to 5")
    func optionBDigits() throws {
        let digitsEnough = try Hex.decode("A1B2C3D4E5F60718293A4B5C6D7E8F9012345678")
        #expect(MasterKeyDerivation.diversifier(fromSHA1: digitsEnough).left == 0x1234_5607_1829_3456)
        let lettersNeeded = try Hex.decode("ABCDEFABCDEFABCDEFABCDEFABCDEF1234567890")
        #expect(MasterKeyDerivation.diversifier(fromSHA1: lettersNeeded).left == 0x1234_5678_9001_2345)
        let lettersOnly = try Hex.decode("FEDCBAFEDCBAFEDCBAFEDCBAFEDCBAFEDCBAFEDC")
        let diversifier = MasterKeyDerivation.diversifier(fromSHA1: lettersOnly)
        #expect(diversifier.left == 0x5432_1054_3210_5432)
        #expect(diversifier.right == ~diversifier.left)
    }

    @Test("session keys: where the counter, the number and F0 or 0F stand")
    func session() {
        let atc = ApplicationTransactionCounter(rawValue: 0x1234)
        let number = UnpredictableNumber(rawValue: 0xAABB_CCDD)
        #expect(SessionKeyDerivation.diversifier(.none, atc: atc, unpredictableNumber: number) == nil)
        #expect(
            SessionKeyDerivation.diversifier(.common, atc: atc, unpredictableNumber: number)
                == Diversifier(left: 0x1234_F000_0000_0000, right: 0x1234_0F00_0000_0000))
        let mastercard = SessionKeyDerivation.diversifier(.mastercard, atc: atc, unpredictableNumber: number)
        #expect(mastercard == Diversifier(left: 0x1234_F000_AABB_CCDD, right: 0x1234_0F00_AABB_CCDD))
        #expect(
            mastercard?.leftTwice == Diversifier(left: 0x1234_F000_AABB_CCDD, right: 0x1234_F000_AABB_CCDD))
        #expect(
            SessionKeyDerivation.diversifier(from: 0xFFFF_FFFF_FFFF_FFFF)
                == Diversifier(left: 0xFFFF_F0FF_FFFF_FFFF, right: 0xFFFF_0FFF_FFFF_FFFF))
        let bytes = Diversifier(left: 0x0102_0304_0506_0708, right: 0x090A_0B0C_0D0E_0F10)
            .withUnsafeBytes { Hex.encode($0) }
        #expect(bytes == "0102030405060708090A0B0C0D0E0F10")
    }

    @Test("the tree has a leaf for every counter")
    func tree() throws {
        let zero = Diversifier(left: 0, right: 0)
        #expect(SessionKeyTree(height: 8, branchFactor: 3, initialVector: zero) == nil)
        #expect(SessionKeyTree(height: 15, branchFactor: 2, initialVector: zero) == nil)
        #expect(SessionKeyTree(height: 1, branchFactor: 256, initialVector: zero) == nil)
        let tree = try #require(SessionKeyTree(height: 8, branchFactor: 4, initialVector: zero))
        let last = ApplicationTransactionCounter(rawValue: 0xFFFF)
        #expect(
            (1...8).map { tree.node(ofLevel: $0, atc: last) } == [3, 15, 63, 255, 1023, 4095, 16383, 65535])
        #expect(tree.diversifier(grandparent: zero, node: 7) == Diversifier(left: 3, right: 0xF3))
    }

    @Test("the account field has twelve digits and never the check digit")
    func accountField() throws {
        #expect(PINBlock.panField(for: try PAN("4761739001010010")) == 0x0000_1739_0010_1001)
        #expect(PINBlock.panField(for: try PAN("12345678")) == 0x0000_0000_0123_4567)
        #expect(PINBlock.panField(for: try PAN("6399990123451234568")) == 0x0000_0123_4512_3456)
    }
}

@Suite("Issuer authentication data")
struct IssuerAuthenticationTests {
    @Test("arpc.json: tag 91 put together and read back, and what the ARPC is made over")
    func vectors() throws {
        var compared = 0
        for vector in try VectorCase.all("arpc.json") {
            let expected = try vector.bytes("tag91")
            let cryptogram = ApplicationCryptogram(rawValue: try vector.word("arqc"))
            let read = try #require(IssuerAuthenticationData(bytes: expected))
            #expect(read.bytes == expected, "\(vector)")
            if try vector.number("method") == 1 {
                let code = AuthorisationResponseCode(rawValue: UInt16(try vector.word("arc")))
                let data = IssuerAuthenticationData(arpc: try vector.word("arpc"), code: code)
                #expect(data == read, "\(vector)")
                let parts = try #require(read.method1)
                #expect(parts.arpc == (try vector.word("arpc")) && parts.code == code, "\(vector)")
                let block = IssuerAuthentication.block(cryptogram, code: code)
                #expect(block ^ cryptogram.rawValue == UInt64(code.rawValue) << 48, "\(vector)")
            } else {
                let update = CardStatusUpdate(rawValue: UInt32(try vector.word("csu")))
                let proprietary = try vector.bytes("prop_auth_data")
                let arpc = UInt32(try vector.word("arpc"))
                #expect(
                    IssuerAuthenticationData(arpc: arpc, statusUpdate: update, proprietary: proprietary)
                        == read,
                    "\(vector)")
                let parts = read.method2
                #expect(parts.arpc == arpc && parts.statusUpdate == update, "\(vector)")
                #expect(parts.proprietary == proprietary, "\(vector)")
                let data = try vector.bytes("arqc") + vector.bytes("csu") + proprietary
                #expect(
                    IssuerAuthentication.input(cryptogram, statusUpdate: update, proprietary: proprietary)?
                        .bytes
                        == CryptogramInput(data, padding: .method2)?.bytes, "\(vector)")
            }
            compared += 1
        }
        #expect(compared == 74)
    }

    @Test("the two blocks of method 2 are its padded input")
    func blocks() throws {
        let cryptogram = ApplicationCryptogram(rawValue: 0x0102_0304_0506_0708)
        let (first, second) = IssuerAuthentication.blocks(cryptogram, statusUpdate: .approve)
        let input = IssuerAuthentication.input(cryptogram, statusUpdate: .approve, proprietary: [])
        #expect(input?.bytes == (try Hex.decode("01020304050607080082000080000000")))
        #expect(first == 0x0102_0304_0506_0708 && second == 0x0082_0000_8000_0000)
    }

    @Test("8 to 16 bytes, nothing else")
    func counts() {
        for count in 0...20 {
            let data = IssuerAuthenticationData(bytes: [UInt8](repeating: 0xA5, count: count))
            #expect((data != nil) == (8...16).contains(count))
            #expect(data.map(\.count) ?? count == count)
            #expect((data?.method1 != nil) == (count == 10))
        }
        let nine = [UInt8](repeating: 0, count: 9)
        #expect(IssuerAuthenticationData(arpc: 0, statusUpdate: .approve, proprietary: nine) == nil)
        let cryptogram = ApplicationCryptogram(rawValue: 0)
        #expect(IssuerAuthentication.input(cryptogram, statusUpdate: .approve, proprietary: nine) == nil)
    }
}
