import ByteCoding
import EMV
import Foundation
import ISO8583
import Testing

@testable import DialectTools

/// Which dialect a message is written in.
@Suite struct GuessTests {
    private let dialects: [Dialect]

    init() throws {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../../Config/iso8583").standardized.path
        dialects = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
            .filter { $0.hasSuffix(".json") }.map { try Dialect(contentsOf: "\(folder)/\($0)") }
    }

    @Test("A message is found in its own dialect, with a length before it and without")
    func ownDialect() throws {
        var tried = 0
        for dialect in dialects where dialect[.iccData]?.encoding == .binary && dialect.header.bytes == 0 {
            var message = Message(mti: .authorisationRequest)
            message.set(.pan, text: "4761739001010010")
            message.set(.processingCode, text: "000000")
            message.set(.transactionAmount, text: "000000004250")
            message.set(.transmissionTime, text: "1128210916")
            message.set(.stan, text: "000017")
            message.set(.iccData, bytes: [0x9F, 0x36, 0x02, 0x00, 0x07])
            guard let bytes = try? MessageCodec(dialect: dialect).encode(message) else { continue }
            tried += 1
            for before in [[], [UInt8(bytes.count >> 8), UInt8(bytes.count & 0xFF)]] {
                let guess = DialectGuess(before + bytes, dialects: dialects)
                let fit = guess.fits.first { $0.dialect.name == dialect.name }
                #expect(fit?.doubts == [] && fit?.lengthBytes == before.count, "\(dialect.name)")
                #expect(guess.fits.count + guess.misfits.count == dialects.count)
            }
        }
        #expect(tried >= 3)
    }

    @Test("Noise fits nothing, and each dialect says why")
    func noise() {
        let guess = DialectGuess([0xDE, 0xAD, 0xBE, 0xEF], dialects: dialects)
        #expect(guess.fits.isEmpty && guess.misfits.allSatisfy { !$0.reason.isEmpty })
        #expect(guess.lines.first == "No dialect fits:")
        #expect(DialectGuess([], dialects: dialects).fits.isEmpty)
    }
}
