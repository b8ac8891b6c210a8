import Authorisation
import EMV
import ISO8583
import IssuerMessages

/// Codec, chip data and mapping: no thread, no token, no server.
func pureBenchmarks(_ harness: inout Harness, _ parts: Parts, cards: inout Cards) async throws {
    let message = try cards.message(1)
    for name in ["ascii87-binbitmap", "bcd87-rightF"] {
        let codec = try parts.codec(name)
        let bytes = try codec.encode(message)
        var buffer: [UInt8] = []
        buffer.reserveCapacity(1_024)
        await harness.measure("codec decode \(name)", operations: 20_000, note: { "\(bytes.count) bytes" }) {
            for _ in 0..<20_000 { consume(try? codec.decode(bytes)) }
        }
        await harness.measure("codec encode \(name)", operations: 20_000) {
            for _ in 0..<20_000 {
                buffer.removeAll(keepingCapacity: true)
                try? codec.encode(message, into: &buffer)
            }
        }
        await harness.measure("codec decode + encode \(name)", operations: 20_000) {
            for _ in 0..<20_000 {
                buffer.removeAll(keepingCapacity: true)
                if let decoded = try? codec.decode(bytes) { try? codec.encode(decoded, into: &buffer) }
            }
        }
    }
    let chip = Array(message.bytes(.iccData) ?? [])
    await harness.measure("emv parse DE55", operations: 20_000, note: { "\(chip.count) bytes" }) {
        for _ in 0..<20_000 { consume(try? ICCData(parsing: chip[...])) }
    }
    let data = try ICCData(parsing: chip[...])
    await harness.measure("emv IAD, profile, cryptogram input", operations: 20_000) {
        for _ in 0..<20_000 {
            guard let iad = try? IssuerApplicationData(parsing: data[.issuerApplicationData] ?? []) else {
                return
            }
            consume(try? CryptogramProfile.visaCVN18.cryptogramInput(from: data, iad: iad))
        }
    }
    let mapping = RequestMapping(link: LinkProfile(name: "a", zonePINKey: KeyName("zpk-acquirer-a")))
    await harness.measure("mapping message to request", operations: 20_000) {
        for _ in 0..<20_000 { consume(try? mapping.request(message)) }
    }
    let responses = ResponseMapping()
    await harness.measure("mapping answer to message", operations: 20_000) {
        for _ in 0..<20_000 { consume(responses.answer(message, .approved)) }
    }
}
