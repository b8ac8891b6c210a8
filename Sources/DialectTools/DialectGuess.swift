internal import EMV
package import ISO8583

/// Which dialects a message may be written in: each is tried, with a length of two bytes or four digits before it as well,
/// and what it makes of the message is looked at.
package struct DialectGuess: Sendable {
    /// A dialect that the message can be read in.
    package struct Fit: Sendable {
        /// The dialect.
        package let dialect: Dialect
        /// As it reads.
        package let message: Message
        /// Bytes of a length before the message that were left out.
        package let lengthBytes: Int
        /// What speaks against it, in words; empty for a dialect that fits in all respects.
        package let doubts: [String]
    }

    /// A dialect that it cannot be read in.
    package struct Misfit: Sendable {
        /// Its name.
        package let name: String
        /// How far it got, and why no further.
        package let reason: String
    }

    /// The best first.
    package let fits: [Fit]
    /// In the order in which dialects were given.
    package let misfits: [Misfit]

    /// - Parameter bytes: a message, with its length or without.
    package init(_ bytes: [UInt8], dialects: [Dialect]) {
        var fits: [Fit] = []
        var misfits: [Misfit] = []
        for dialect in dialects {
            let codec = MessageCodec(dialect: dialect)
            var failure: MessageDecodingError?
            var found: Fit?
            for count in DialectGuess.lengths(bytes) where found == nil {
                do throws(MessageDecodingError) {
                    let message = try codec.decode(Array(bytes[count...]))
                    let doubts = DialectGuess.doubts(message, Array(bytes[count...]), codec: codec)
                    found = Fit(dialect: dialect, message: message, lengthBytes: count, doubts: doubts)
                } catch {
                    failure = failure ?? error
                }
            }
            if let found {
                fits.append(found)
            } else {
                misfits.append(Misfit(name: dialect.name, reason: failure.map { "\($0)" } ?? ""))
            }
        }
        self.fits = fits.enumerated().sorted {
            ($0.element.doubts.count, $0.offset) < ($1.element.doubts.count, $1.offset)
        }.map(\.element)
        self.misfits = misfits
    }

    /// Bytes that may be a length: none, or two or four that say how many follow.
    private static func lengths(_ bytes: [UInt8]) -> [Int] {
        var lengths = [0]
        guard bytes.count > 4 else { return lengths }
        let two = Int(bytes[0]) << 8 | Int(bytes[1])
        if two == bytes.count - 2 || two == bytes.count { lengths.append(2) }
        let four = Int(String(decoding: bytes[..<4], as: UTF8.self))
        if four == bytes.count - 4 || four == bytes.count { lengths.append(4) }
        return lengths
    }

    private static func doubts(_ message: Message, _ bytes: [UInt8], codec: MessageCodec) -> [String] {
        var doubts: [String] = []
        if !message.mti.isWellFormed { doubts.append("\(message.mti) is no message type") }
        if let again = try? codec.encode(message), again != bytes {
            doubts.append("written again it comes out in other bytes")
        }
        if let chip = message.bytes(.iccData), (try? TLVReader.objects(in: chip)) == nil {
            doubts.append("DE55 is no BER-TLV")
        }
        if let pan = message.bytes(.pan), (try? PAN(ascii: pan)) == nil { doubts.append("DE2 is no PAN") }
        if let time = message.text(.transmissionTime), !isTime(time) { doubts.append("DE7 is no time") }
        for element in [DataElement.stan, .processingCode, .transactionAmount] {
            if let text = message.text(element), !text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) {
                doubts.append("\(element) is no number")
            }
        }
        return doubts
    }

    /// MMDDhhmmss.
    private static func isTime(_ text: String) -> Bool {
        let digits = Array(text.utf8)
        guard digits.count == 10, digits.allSatisfy({ (0x30...0x39).contains($0) }) else { return false }
        let parts = stride(from: 0, to: 10, by: 2).map {
            Int(digits[$0] - 0x30) * 10 + Int(digits[$0 + 1] - 0x30)
        }
        return (1...12).contains(parts[0]) && (1...31).contains(parts[1]) && parts[2] < 24 && parts[3] < 60
            && parts[4] < 60
    }

    /// What was found, and the message as the best dialect reads it.
    /// - Returns: lines without line ends.
    package var lines: [String] {
        guard let best = fits.first else {
            return ["No dialect fits:"] + misfits.map { "  \($0.name): \($0.reason)" }
        }
        let sure = fits.filter(\.doubts.isEmpty)
        var lines = ["fits: \((sure.isEmpty ? [best] : sure).map(\.dialect.name).joined(separator: ", "))"]
        if best.lengthBytes > 0 {
            lines.append("(without the \(best.lengthBytes) bytes of length before it)")
        }
        for fit in fits where !fit.doubts.isEmpty {
            lines.append("can be read as \(fit.dialect.name), but: \(fit.doubts.joined(separator: ", "))")
        }
        for misfit in misfits { lines.append("not \(misfit.name): \(misfit.reason)") }
        return lines + ["", "As \(best.dialect.name):"]
            + MessageListing.lines(best.message, dialect: best.dialect)
    }
}
