internal import DialectTools
internal import EMV
internal import Foundation
internal import ISO8583

/// What the fuzzer feeds: each takes any bytes at all and must come back, whatever they are. A broken promise is a
/// trap, which libFuzzer and the replay in the tests both see.
package enum FuzzTarget: String, CaseIterable, Sendable {
    case frame
    case message
    case tlv
    case dialect

    /// Runs the target once.
    package func run(_ bytes: [UInt8]) {
        switch self {
        case .frame: Self.frame(bytes)
        case .message: Self.message(bytes)
        case .tlv: Self.tlv(bytes)
        case .dialect: Self.dialect(bytes)
        }
    }

    /// The first byte chooses the framing, the second how the stream is cut; frames never overlap, and the decoder
    /// asks for more only where there is no whole frame.
    private static func frame(_ bytes: [UInt8]) {
        guard bytes.count > 2 else { return }
        let framing = framings[Int(bytes[0]) % framings.count]
        let step = max(1, Int(bytes[1]))
        var decoder = FrameDecoder(framing: framing)
        var unread: [UInt8] = []
        for start in stride(from: 2, to: bytes.count, by: step) {
            unread += bytes[start..<min(start + step, bytes.count)]
            while !unread.isEmpty {
                let outcome = unread.withUnsafeBytes { decoder.nextFrame(in: $0) }
                switch outcome {
                case .needMore: break
                case .invalid: return
                case .frame(let payload, let consumed):
                    precondition(payload.upperBound <= consumed && consumed <= unread.count && consumed > 0)
                    unread.removeFirst(consumed)
                    continue
                case .oversized(let start, let frame, let consumed):
                    precondition(start.upperBound == consumed && frame > framing.frameBytesMax)
                    unread.removeFirst(consumed)
                    continue
                case .skipped(let consumed, let isLast):
                    precondition(consumed > 0 && isLast != decoder.isSkipping)
                    unread.removeFirst(consumed)
                    continue
                }
                break
            }
        }
    }

    private static let framings: [Framing] = [
        Framing(.twoByteBigEndian), Framing(.twoByteBigEndian, includesItself: true), Framing(.fourASCII),
        Framing(.fourASCII, includesItself: true), Framing(.twoByteBigEndian, tpduLength: 5),
        Framing(.fourByteBigEndian, frameBytesMax: 64), Framing(.twoASCII), Framing(.twoByteBCD),
        Framing(.twoByteAndZeros, includesItself: true), Framing(.fourHex, frameBytesMax: 16),
    ]

    /// The first byte chooses the dialect. What decodes can be encoded, and that decodes to the same; what does not
    /// decode says where, and its description never fails.
    private static func message(_ bytes: [UInt8]) {
        guard let first = bytes.first else { return }
        let codec = codecs[Int(first) % codecs.count]
        let message: Message
        do throws(MessageDecodingError) {
            message = try codec.decode(Array(bytes.dropFirst()))
        } catch {
            precondition(error.offset <= bytes.count && !error.description.isEmpty)
            _ = error.partial?.description
            return
        }
        _ = message.description
        _ = MessageListing.lines(message, dialect: codec.dialect)
        guard let again = try? codec.encode(message) else { return }
        guard let second = try? codec.decode(again) else {
            preconditionFailure("what was encoded does not decode")
        }
        precondition(second == message, "decoding, encoding and decoding changes a message")
    }

    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    /// All dialects that are shipped, in the order of their names.
    private static let codecs: [MessageCodec] = {
        let folder = root.appending(path: "Config/iso8583")
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path())) ?? []
        let codecs = names.filter { $0.hasSuffix(".json") }.sorted().compactMap { name in
            (try? Dialect(contentsOf: folder.appending(path: name).path())).map(MessageCodec.init(dialect:))
        }
        precondition(!codecs.isEmpty, "no dialects in \(folder.path())")
        return codecs
    }()

    private static func tlv(_ bytes: [UInt8]) {
        _ = try? TLVReader.objects(in: bytes[...])
        _ = try? ChipDataListing.lines(bytes[...])
        _ = try? IssuerApplicationData(parsing: bytes[...])
        guard let data = try? ICCData(parsing: bytes) else { return }
        var writer = TLVWriter()
        for tag in data.tags { writer.append(tag, data[tag] ?? []) }
        guard let again = try? ICCData(parsing: writer.bytes) else {
            preconditionFailure("what was written does not parse")
        }
        precondition(again.tags == data.tags && again.tags.allSatisfy { again[$0] == data[$0] })
        _ = (data.amountAuthorised, data.amountOther, data.atc, data.cryptogramKind, data.cvmResults)
    }

    private static func dialect(_ bytes: [UInt8]) {
        _ = try? Dialect(json: bytes, name: "fuzzed")
        guard let imported = try? ImportedDialect.importing(bytes, name: "fuzzed") else { return }
        _ = DialectListing.lines(imported.dialect)
        guard let again = try? Dialect(json: imported.json, name: "fuzzed") else {
            preconditionFailure("an imported dialect cannot be read")
        }
        precondition(again.definedElements == imported.dialect.definedElements)
    }
}
