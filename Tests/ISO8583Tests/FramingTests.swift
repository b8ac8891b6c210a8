import ISO8583
import Testing

@Suite("Framing")
struct FramingTests {
    private func next(_ decoder: inout FrameDecoder, _ bytes: [UInt8]) -> FrameDecoder.Outcome {
        bytes.withUnsafeBytes { decoder.nextFrame(in: $0) }
    }

    struct Form: Sendable {
        var framing: Framing
        /// The length before a payload of 300 bytes.
        var prefix: [UInt8]
    }

    static let forms = [
        Form(framing: .twoByteBigEndian, prefix: [0x01, 0x2C]),
        Form(framing: Framing(.twoByteBigEndian, includesItself: true), prefix: [0x01, 0x2E]),
        Form(framing: .fourASCII, prefix: Array("0300".utf8)),
        Form(framing: Framing(.fourASCII, includesItself: true), prefix: Array("0304".utf8)),
        Form(framing: Framing(.fourByteBigEndian), prefix: [0, 0, 0x01, 0x2C]),
        Form(framing: Framing(.twoByteBCD), prefix: [0x03, 0x00]),
        Form(framing: Framing(.twoByteAndZeros, includesItself: true), prefix: [0x01, 0x30, 0, 0]),
        Form(framing: Framing(.fourHex), prefix: Array("012C".utf8)),
        Form(framing: Framing(.twoByteBigEndian, tpduLength: 5), prefix: [0x01, 0x31]),
        Form(framing: Framing(.fourASCII, includesItself: true, tpduLength: 5), prefix: Array("0309".utf8)),
    ]

    @Test(arguments: forms)
    func framesComeOutAsTheyWentIn(_ form: Form) throws {
        let payload = (0..<300).map { UInt8($0 & 0xFF) }
        let tpdu: [UInt8] = form.framing.tpduLength == 5 ? [0x60, 0, 1, 0, 2] : []
        var stream: [UInt8] = []
        try form.framing.appendFrame(of: payload, tpdu: tpdu, into: &stream)
        try form.framing.appendFrame(of: [0xAB], tpdu: tpdu, into: &stream)
        #expect(Array(stream.prefix(form.prefix.count)) == form.prefix)
        #expect(try form.framing.prefix(forPayloadCount: 300) == form.prefix)
        var decoder = FrameDecoder(framing: form.framing)
        let whole = form.prefix.count + tpdu.count + 300
        for count in 0..<whole {
            guard case .needMore(let missing) = next(&decoder, Array(stream.prefix(count))) else {
                Issue.record("\(count) bytes were taken for a frame")
                return
            }
            #expect(missing == (count < form.prefix.count ? form.prefix.count : whole) - count)
        }
        guard case .frame(let range, let consumed) = next(&decoder, stream) else {
            Issue.record("no frame")
            return
        }
        #expect(Array(stream[range]) == payload)
        #expect(Array(stream[form.framing.tpdu(before: range)]) == tpdu)
        let rest = Array(stream.dropFirst(consumed))
        let start = form.prefix.count + tpdu.count
        #expect(next(&decoder, rest) == .frame(payload: start..<start + 1, consumed: rest.count))
    }

    @Test func aLengthThatCountsItselfIsAtLeastItsOwn() {
        for length in 0...2 {
            var decoder = FrameDecoder(framing: Framing(.twoByteBigEndian, includesItself: true))
            #expect(next(&decoder, [0, UInt8(length), 0x30]) == .invalid(.emptyFrame))
        }
        var decoder = FrameDecoder(framing: Framing(.fourASCII, includesItself: true))
        #expect(next(&decoder, Array("0004".utf8)) == .invalid(.emptyFrame))
    }

    @Test func aTPDUAloneIsNoMessage() {
        var decoder = FrameDecoder(framing: Framing(.twoByteBigEndian, tpduLength: 5))
        #expect(next(&decoder, [0, 5]) == .invalid(.emptyFrame))
    }

    @Test func aFrameOverTheLimitIsPassedOverAndTheNextOneIsFound() {
        var decoder = FrameDecoder(framing: Framing(.twoByteBigEndian, frameBytesMax: 1000))
        #expect(next(&decoder, [0x03, 0xE8]) == .needMore(bytesMissing: 1000))
        #expect(next(&decoder, [0x03, 0xEB]) == .needMore(bytesMissing: 1000))
        let first = [UInt8](repeating: 0x31, count: 1000)
        #expect(
            next(&decoder, [0x03, 0xEB] + first)
                == .oversized(start: 2..<1002, frameBytes: 1003, consumed: 1002)
        )
        #expect(decoder.isSkipping)
        #expect(next(&decoder, []) == .needMore(bytesMissing: 3))
        #expect(next(&decoder, [0x31]) == .skipped(consumed: 1, isLast: false))
        #expect(next(&decoder, [0x31, 0x31, 0, 1, 0x32]) == .skipped(consumed: 2, isLast: true))
        #expect(next(&decoder, [0, 1, 0x32]) == .frame(payload: 2..<3, consumed: 3))
    }

    @Test func aLengthBeyondAllBoundsEndsTheStreamBeforeItComes() {
        var decoder = FrameDecoder(framing: Framing(.fourByteBigEndian, frameBytesMax: 1000))
        let error = FrameError.lengthOverMaximum(bytes: 65_536, maximum: 1000)
        #expect(next(&decoder, [0, 1, 0, 0]) == .invalid(error))
        // Out of step: what follows is not looked at any more.
        #expect(next(&decoder, [0, 0, 0, 1, 0]) == .invalid(error))
        var largest = FrameDecoder(framing: Framing(.fourByteBigEndian, frameBytesMax: 1000))
        #expect(next(&largest, [0, 0, 0xFF, 0xFF]) == .needMore(bytesMissing: 1000))
    }

    @Test func theTwoBytesBehindTheLengthAreZeros() {
        var decoder = FrameDecoder(framing: Framing(.twoByteAndZeros))
        #expect(next(&decoder, [0, 1, 0, 1, 0x30]) == .invalid(.zerosMissing))
    }

    @Test func everyFramingHasAName() {
        #expect(Framing.names.count == 14)
        for name in Framing.names {
            let framing = Framing(name: name)
            #expect(framing?.includesItself == name.hasSuffix("-incl"), "\(name)")
        }
        #expect(Framing(name: "3be") == nil && Framing(name: "-incl") == nil)
    }

    @Test func twoDigitsReachNinetyNine() throws {
        let framing = Framing(.twoASCII)
        #expect(framing.frameBytesMax == 99)
        #expect(try framing.prefix(forPayloadCount: 99) == Array("99".utf8))
        #expect(throws: FrameError.self) { try framing.prefix(forPayloadCount: 100) }
        var decoder = FrameDecoder(framing: framing)
        #expect(next(&decoder, Array("021".utf8)) == .needMore(bytesMissing: 1))
        #expect(next(&decoder, Array("0212".utf8)) == .frame(payload: 2..<4, consumed: 4))
    }

    @Test(arguments: ["00x1", " 001", "-001", "0x10", "\u{0}\u{0}\u{0}1"])
    func onlyDigitsAreALength(_ text: String) {
        var decoder = FrameDecoder(framing: .fourASCII)
        #expect(next(&decoder, Array(text.utf8)) == .invalid(.lengthNotDecimal))
    }

    @Test func whatTheLengthCannotSayIsNotFramed() {
        let framing = Framing(.fourASCII, includesItself: true, frameBytesMax: 100_000)
        #expect(framing.frameBytesMax == 9995)
        #expect(throws: FrameError.lengthOverMaximum(bytes: 9996, maximum: 9995)) {
            try framing.prefix(forPayloadCount: 9996)
        }
        #expect(throws: FrameError.emptyFrame) { try framing.prefix(forPayloadCount: 0) }
        var bytes: [UInt8] = []
        #expect(throws: FrameError.wrongTPDULength(bytes: 4, expected: 5)) {
            try Framing(.twoByteBigEndian, tpduLength: 5).appendFrame(
                of: [1], tpdu: [1, 2, 3, 4], into: &bytes)
        }
        #expect(bytes.isEmpty)
    }

    @Test func aTPDUGoesBackWithItsAddressesExchanged() throws {
        #expect(TPDU.reply(to: [0x60, 0x00, 0x01, 0x12, 0x34]) == [0x60, 0x12, 0x34, 0x00, 0x01])
        #expect(TPDU.reply(to: [0x60, 0x00, 0x01, 0x12]) == nil)
        let codec = MessageCodec(dialect: try VectorFiles.dialect("tpdu-ascii87-binbitmap"))
        let request = Message(mti: .authorisationRequest, header: [0x60, 0, 1, 0, 2])
        #expect(codec.responseHeader(for: request) == [0x60, 0, 2, 0, 1])
        let routed = MessageCodec(dialect: try VectorFiles.dialect("jpos-iso93-ebcdic"))
        let other = Message(mti: MTI(rawValue: 0x1100), header: Array(1...9))
        #expect(routed.responseHeader(for: other) == Array(1...9))
    }
}
