internal import Authorisation
internal import EMV
package import ISO8583

/// Where the requests of a link carry CVV2: switches agree on no place, DE126 and DE48 are the usual ones.
package struct PrintedValuePlace: Sendable {
    /// The element.
    package let element: DataElement
    /// Characters of it before the three digits.
    package let offset: Int

    /// Takes both.
    package init(element: DataElement, offset: Int) {
        self.element = element
        self.offset = offset
    }

    /// Three digits in BCD; nil where there are none.
    func value(in message: Message) -> UInt16? {
        let found = message.reading(element) { bytes -> UInt16? in
            guard bytes.count >= offset + 3 else { return nil }
            var value: UInt16 = 0
            for byte in bytes[offset..<offset + 3] {
                guard (0x30...0x39).contains(byte) else { return nil }
                value = value << 4 | UInt16(byte - 0x30)
            }
            return value
        }
        return found.flatMap { $0 }
    }
}
