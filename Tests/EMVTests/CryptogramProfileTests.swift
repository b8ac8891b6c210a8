import ByteCoding
@testable import EMV
import Testing
import VectorSupport

@Suite("Cryptogram profiles")
struct CryptogramProfileTests {
    @Test("arqc.json: input data and padding of every profile case, from its DE55")
    func vectors() throws {
        var compared = 0
        for vector in try VectorCase.all("arqc.json") where vector.fields["de55"] != nil {
            let chip = try ICCData(parsing: vector.bytes("de55"))
            let iad = try IssuerApplicationData(parsing: chip[.issuerApplicationData] ?? [])
            let profile = try CryptogramProfile.select(for: iad, among: CryptogramProfile.all)
            #expect(profile.name == (try vector.text("profile")), "\(vector)")
            let input = try profile.cryptogramInput(from: chip, iad: iad)
            let padding: CryptogramPadding = try vector.number("padding") == 1 ? .method1 : .method2
            #expect(profile.padding == padding, "\(vector)")
            #expect(
                input.bytes == CryptogramInput(try vector.bytes("ac_data"), padding: padding)?.bytes,
                "\(vector)")
            #expect(
                Array(input.bytes.prefix(try vector.bytes("ac_data").count)) == (try vector.bytes("ac_data")))
            #expect(name(profile.sessionKey) == (try vector.text("sk_method")), "\(vector)")
            #expect(chip.cryptogram?.rawValue == (try vector.word("arqc")), "\(vector)")
            #expect(chip.cryptogramKind == .arqc, "\(vector)")
            compared += 1
        }
        #expect(compared == 60)
    }

    @Test("arpc.json: method and key of every profile")
    func responseVectors() throws {
        for vector in try VectorCase.all("arpc.json") where try vector.text("profile") != "raw" {
            let profile = try #require(CryptogramProfile.named(vector.text("profile")))
            #expect(
                (profile.responseMethod == .method1 ? 1 : 2) == (try vector.number("method")), "\(vector)")
            #expect(name(profile.responseKey) == (try vector.text("arpc_sk_method")), "\(vector)")
        }
    }

    private func name(_ method: SessionKeyMethod) -> String {
        switch method {
        case .none: "none"
        case .common: "csk"
        case .mastercard: "mastercard-skd"
        }
    }

    @Test("names are unique and lead back to their row")
    func names() {
        for profile in CryptogramProfile.all {
            #expect(CryptogramProfile.named(profile.name)?.name == profile.name)
        }
        #expect(Set(CryptogramProfile.all.map(\.name)).count == 11)
        #expect(CryptogramProfile.named("visa-cvn99") == nil)
    }

    @Test("a missing object and one of the wrong length are named")
    func faults() throws {
        let vector = try #require(try VectorCase.all("arqc.json").first)
        let objects = try TLVReader.objects(in: vector.bytes("de55")[...])
        let signed: [EMV.Tag] = [
            .amountAuthorised, .amountOther, .terminalCountryCode, .terminalVerificationResults,
            .transactionCurrencyCode, .transactionDate, .transactionType, .unpredictableNumber,
            .applicationInterchangeProfile, .applicationTransactionCounter,
        ]
        let cannotBeLeftOut: Set<EMV.Tag> = [
            .unpredictableNumber, .applicationInterchangeProfile, .applicationTransactionCounter,
        ]
        for tag in signed {
            let without = try error(objects.filter { $0.0 != tag })
            #expect(without?.tag == (cannotBeLeftOut.contains(tag) ? tag : nil) && without?.foundCount == nil)
            let longer = try error(objects.map { $0.0 == tag ? ($0.0, $0.1 + [0]) : $0 })
            let count = try #require(objects.first { $0.0 == tag }?.1.count)
            #expect(longer?.tag == tag && longer?.expectedCount == count && longer?.foundCount == count + 1)
        }
    }

    @Test(
        "what a terminal leaves out stands as zeros in the input of every profile that signs it, and is named"
    )
    func zeros() throws {
        for profile in CryptogramProfile.all {
            // Of 18 bytes: every profile finds its part in it.
            let bytes = try Hex.decode("0114A00003220000000000000000000000FF")
            let iad = try IssuerApplicationData(parsing: bytes[...])
            for index in CryptogramProfile.inputObjects.indices {
                let (tag, count) = CryptogramProfile.inputObjects[index]
                let isSigned = profile.signedObjects & 1 << UInt16(index) != 0
                let zeros = try input([tag: [UInt8](repeating: 0, count: count)], profile, iad)
                for value in [nil, []] as [[UInt8]?] {
                    guard isSigned, Self.neverLeftOut.contains(tag) else {
                        let found = try input([tag: value], profile, iad)
                        #expect(found.bytes == zeros.bytes, "\(profile.name) \(tag)")
                        #expect(found.takenAsZeros == (isSigned ? tag : nil) && zeros.takenAsZeros == nil)
                        continue
                    }
                    let error = #expect(throws: CryptogramInputError.self) {
                        try input([tag: value], profile, iad)
                    }
                    #expect(error?.tag == tag && error?.foundCount == value?.count)
                }
            }
        }
    }

    /// The terminal always makes the first one; the others are the card's.
    private static let neverLeftOut: Set<EMV.Tag> = [
        .unpredictableNumber, .applicationInterchangeProfile, .applicationTransactionCounter,
    ]

    /// All objects of the input with values other than zeros, but those that are given.
    private func input(
        _ changed: [EMV.Tag: [UInt8]?], _ profile: CryptogramProfile, _ iad: IssuerApplicationData
    ) throws -> CryptogramInput {
        var writer = TLVWriter()
        for index in CryptogramProfile.inputObjects.indices {
            let (tag, count) = CryptogramProfile.inputObjects[index]
            if let value = changed[tag] ?? [UInt8](repeating: 0x11, count: count) {
                writer.append(tag, value)
            }
        }
        return try profile.cryptogramInput(from: ICCData(parsing: writer.bytes), iad: iad)
    }

    private func error(_ objects: [(EMV.Tag, ArraySlice<UInt8>)]) throws -> CryptogramInputError? {
        var writer = TLVWriter()
        for (tag, value) in objects { writer.append(tag, value) }
        let chip = try ICCData(parsing: writer.bytes)
        let iad = try IssuerApplicationData(parsing: chip[.issuerApplicationData] ?? [])
        do {
            _ = try CryptogramProfile.visaCVN10.cryptogramInput(from: chip, iad: iad)
            return nil
        } catch {
            return error
        }
    }

    @Test("padding at the block boundary")
    func padding() {
        let seven = [UInt8](repeating: 0x11, count: 7)
        let eight = [UInt8](repeating: 0x11, count: 8)
        #expect(CryptogramInput(seven, padding: .method1)?.bytes == seven + [0x00])
        #expect(CryptogramInput(seven, padding: .method2)?.bytes == seven + [0x80])
        #expect(CryptogramInput(eight, padding: .method1)?.bytes == eight)
        #expect(CryptogramInput(eight, padding: .method2)?.bytes == eight + [0x80, 0, 0, 0, 0, 0, 0, 0])
        #expect(CryptogramInput([], padding: .method1) == nil)
        #expect(CryptogramInput([UInt8](repeating: 1, count: 80), padding: .method1)?.count == 80)
        #expect(CryptogramInput([UInt8](repeating: 1, count: 80), padding: .method2) == nil)
        #expect(CryptogramInput([UInt8](repeating: 1, count: 81), padding: .method1) == nil)
    }
}
