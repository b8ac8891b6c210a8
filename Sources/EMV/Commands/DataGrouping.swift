/// A data grouping of a personalisation command: two bytes of identifier, a length, data (EMV CPS 1.1, 3.2.5).
package struct DataGrouping: Hashable, Sendable {
    /// DGI.
    package let identifier: UInt16
    /// Enciphered where the identifier says so.
    package let data: [UInt8]

    /// Takes both.
    package init(_ identifier: UInt16, _ data: [UInt8]) {
        self.identifier = identifier
        self.data = data
    }

    /// Lengths from 255 on take FF and two bytes.
    package var bytes: [UInt8] {
        let length =
            data.count < 0xFF
            ? [UInt8(data.count)] : [0xFF, UInt8(data.count >> 8), UInt8(data.count & 0xFF)]
        return [UInt8(identifier >> 8), UInt8(identifier & 0xFF)] + length + data
    }

    /// Takes whole groupings off the front of a stream.
    /// - Returns: what was whole; the rest stays in `stream`.
    package static func take(from stream: inout [UInt8]) -> [DataGrouping] {
        var found: [DataGrouping] = []
        var index = 0
        while index + 3 <= stream.count {
            let isLong = stream[index + 2] == 0xFF
            guard !isLong || index + 5 <= stream.count else { break }
            let head = isLong ? 5 : 3
            let count =
                isLong ? Int(stream[index + 3]) << 8 | Int(stream[index + 4]) : Int(stream[index + 2])
            guard index + head + count <= stream.count else { break }
            found.append(
                DataGrouping(
                    UInt16(stream[index]) << 8 | UInt16(stream[index + 1]),
                    Array(stream[index + head..<index + head + count])))
            index += head + count
        }
        stream.removeFirst(index)
        return found
    }
}

/// Identifiers that this product writes (EMV CPS 1.1, 4 and annex A).
package enum GroupingIdentifier {
    /// FCI proprietary template of SELECT.
    package static let selectAnswer: UInt16 = 0x9102
    /// 82 and 94.
    package static let processingOptions: UInt16 = 0x9104
    /// 9F10 as it is when no cryptogram has been made.
    package static let issuerData: UInt16 = 0x9200
    /// Card keys for the cryptogram, MACs and encipherment of scripts, under the DEK.
    package static let keys: UInt16 = 0x8000
    /// Their check values, three bytes each.
    package static let checkValues: UInt16 = 0x9000
    /// The components of the private key, 8201 to 8205, under the DEK.
    package static let privateKey: ClosedRange<UInt16> = 0x8201...0x8205
    /// Those of the key for PINs.
    package static let pinPrivateKey: ClosedRange<UInt16> = 0x8301...0x8305

    /// Of a record: its file and its number.
    package static func record(file: UInt8, _ number: UInt8) -> UInt16 { UInt16(file) << 8 | UInt16(number) }

    /// True for what comes under the data encryption key.
    package static func isEnciphered(_ identifier: UInt16) -> Bool {
        identifier == keys || privateKey.contains(identifier) || pinPrivateKey.contains(identifier)
    }
}
