/// A card that can be talked to: a reader with a card in it. Belongs to one thread at a time.
package protocol CardReader: AnyObject {
    /// How people know it.
    var name: String { get }
    /// One command and its answer, SW1 SW2 at its end.
    func transmit(_ command: [UInt8]) throws(CardReaderError) -> [UInt8]
    /// Gives the card back.
    func close()
}

/// A reader or a card that does not answer. Never holds what was sent.
package struct CardReaderError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What became of the card.
    package enum Kind: Hashable, Sendable {
        /// It was pulled out, or its connection ended.
        case gone
        /// No card came.
        case absent
        /// The place cannot be reached at all.
        case unreachable
    }

    /// What became of the card.
    package let kind: Kind
    /// One line for people.
    package let description: String

    /// Takes both.
    package init(_ kind: Kind, _ description: String) {
        self.kind = kind
        self.description = description
    }
}

/// Where cards are: `rack`, `tcp:HOST:PORT`, or `pcsc:READER`.
package enum CardPlace: Hashable, Sendable, CustomStringConvertible {
    case tcp(host: String, port: UInt16)
    /// Part of a reader's name is enough.
    case pcsc(reader: String)

    /// Where `card-rack` listens where nothing else is said.
    package static let rack = CardPlace.tcp(host: "127.0.0.1", port: 8590)

    /// Nil for text of another form.
    package init?(_ text: String) {
        if text == "rack" {
            self = .rack
        } else if text.hasPrefix("pcsc:"), text.utf8.count > 5 {
            self = .pcsc(reader: String(text.dropFirst(5)))
        } else if text.hasPrefix("tcp:"), let colon = text.lastIndex(of: ":"),
            let port = UInt16(text[text.index(after: colon)...]),
            let start = text.index(text.startIndex, offsetBy: 4, limitedBy: colon), start < colon
        {
            self = .tcp(host: String(text[start..<colon]), port: port)
        } else {
            return nil
        }
    }

    /// As it is written.
    package var description: String {
        switch self {
        case .tcp(let host, let port): "tcp:\(host):\(port)"
        case .pcsc(let reader): "pcsc:\(reader)"
        }
    }

    /// Opens a reader. A rack puts a card into it; in a real one there has to be one, or one is waited for.
    /// - Parameter waiting: seconds for a card to come.
    package func open(waiting: Int = 0) throws(CardReaderError) -> any CardReader {
        switch self {
        case .tcp(let host, let port): try TCPCardReader(host: host, port: port)
        case .pcsc(let reader): try PCSCReader(named: reader, waiting: waiting)
        }
    }
}
