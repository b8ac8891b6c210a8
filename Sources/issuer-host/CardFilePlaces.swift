/// Where the cards of a JSON file stand. The decoder does not tell, and who mends a file of thousands of cards has to know.
struct CardPlace: Sendable {
    /// The line where the card begins, from 1.
    let line: Int
    /// The lines of its keys.
    private(set) var keys: [String: Int] = [:]
    /// Keys that stand there more than once: the decoder would take one of them and say nothing.
    private(set) var repeated: [String] = []

    init(line: Int) { self.line = line }

    /// The line of a key; that of the card where it has none such.
    func line(of key: String) -> Int { keys[key] ?? line }

    /// One for each element of the list `cards`. Whether the text is JSON is the decoder's matter.
    static func all(in text: some Sequence<UInt8>) -> [CardPlace] {
        var scan = Scan()
        for byte in text { scan.take(byte) }
        return scan.places
    }

    private struct Scan {
        private(set) var places: [CardPlace] = []
        private var line = 1
        /// Braces and brackets that are open.
        private var open: [UInt8] = []
        /// The string that is read, or was read last, and where it began.
        private var string: [UInt8] = []
        private var stringLine = 1
        private var isInString = false
        private var isEscaped = false
        private var isInCards = false
        private var awaitsElement = false

        mutating func take(_ byte: UInt8) {
            if byte == UInt8(ascii: "\n") { line += 1 }
            guard !isInString else { return takeOfString(byte) }
            begin(byte)
            switch byte {
            case UInt8(ascii: "\""):
                (isInString, stringLine) = (true, line)
                string.removeAll(keepingCapacity: true)
            case UInt8(ascii: "{"): open.append(byte)
            case UInt8(ascii: "["):
                isInCards = isInCards || (open == Array("{".utf8) && string == Array("cards".utf8))
                awaitsElement = isInCards && open.count == 1
                open.append(byte)
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                _ = open.popLast()
                if open.count == 1 { isInCards = false }
            case UInt8(ascii: ","): if isInCards, open.count == 2 { awaitsElement = true }
            case UInt8(ascii: ":"):
                guard isInCards, open.count == 3, let last = places.indices.last else { return }
                let key = String(decoding: string, as: UTF8.self)
                if places[last].keys.updateValue(stringLine, forKey: key) != nil {
                    places[last].repeated.append(key)
                }
            default: break
            }
        }

        /// The first byte of an element of the list.
        private mutating func begin(_ byte: UInt8) {
            guard awaitsElement, byte > 0x20, byte != UInt8(ascii: "]"), byte != UInt8(ascii: ",") else {
                return
            }
            awaitsElement = false
            places.append(CardPlace(line: line))
        }

        private mutating func takeOfString(_ byte: UInt8) {
            if isEscaped {
                isEscaped = false
            } else if byte == UInt8(ascii: "\\") {
                isEscaped = true
            } else if byte == UInt8(ascii: "\"") {
                isInString = false
                return
            }
            string.append(byte)
        }
    }
}
