internal import ByteCoding
internal import FoundationEssentials
internal import Synchronization

/// A message as it went over the line, without its length. It describes itself without its content, which is card
/// data in clear: whoever asks for bytes takes them from `hex`.
package struct WireMessage: Hashable, Sendable, CustomStringConvertible, CustomReflectable {
    /// Seen from the terminal.
    package enum Direction: String, Hashable, Sendable {
        case sent, received
    }

    /// Seen from the terminal.
    package let direction: Direction
    /// Without length and TPDU of the framing: what `decode` and `explain-arqc` take.
    package let payload: [UInt8]

    /// Capital hex digits, two a byte.
    package var hex: String { Hex.encode(payload) }
    /// How long it is.
    package var description: String { "\(direction.rawValue), \(payload.count) bytes" }
    /// Empty, so that a dump shows nothing.
    package var customMirror: Mirror { Mirror(self, children: []) }
}

/// Keeps what goes over a link until somebody takes it, and hands it to a capture file where there is one. Links with
/// TLS are tapped before encipherment.
package final class WireTap: Sendable {
    /// More than any step sends; the oldest go first.
    private static let messagesMax = 256

    private let messages = Mutex<[WireMessage]>([])
    private let capture: CaptureFile?

    /// - Parameter capture: gets everything as well; nil for none.
    package init(capture: CaptureFile? = nil) { self.capture = capture }

    /// What came and went since the last call, in order.
    package func take() -> [WireMessage] {
        messages.withLock { messages in
            defer { messages = [] }
            return messages
        }
    }

    func opened(_ endpoint: Endpoint) -> Int { capture?.opened(endpoint) ?? 0 }

    func closed(_ connection: Int) { capture?.closed(connection) }

    /// - Parameters:
    ///   - frame: with everything that the framing puts before the message.
    ///   - payload: the message within it.
    func passed(
        _ direction: WireMessage.Direction, _ frame: [UInt8], payload: Range<Int>, connection: Int
    ) {
        messages.withLock { messages in
            if messages.count >= WireTap.messagesMax { messages.removeFirst() }
            messages.append(WireMessage(direction: direction, payload: Array(frame[payload])))
        }
        capture?.passed(direction, frame, number: connection)
    }
}
