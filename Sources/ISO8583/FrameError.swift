/// Why a stream cannot be cut into frames, or a payload not be framed.
package enum FrameError: Error, Equatable, Sendable {
    /// The length is not made of digits.
    case lengthNotDecimal
    /// The two bytes behind the length are not zeros.
    case zerosMissing
    /// The length leaves no room for a message.
    case emptyFrame
    /// More bytes than the link allows.
    case lengthOverMaximum(bytes: Int, maximum: Int)
    /// The TPDU to be sent is not as long as the framing says.
    case wrongTPDULength(bytes: Int, expected: Int)
}

extension FrameError: CustomStringConvertible {
    /// One line for people.
    package var description: String {
        switch self {
        case .lengthNotDecimal: "the length before the message is not made of digits"
        case .zerosMissing: "the two bytes behind the length are not zeros"
        case .emptyFrame: "the length leaves no room for a message"
        case .lengthOverMaximum(let bytes, let maximum): "a frame of \(bytes) bytes, at most \(maximum)"
        case .wrongTPDULength(let bytes, let expected): "a TPDU of \(bytes) bytes instead of \(expected)"
        }
    }
}
