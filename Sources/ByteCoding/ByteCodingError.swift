/// What was wrong with digits or characters given to one of the codings. It holds a position and never the
/// character itself, because the text may be a key, a PAN or a PIN block.
package enum ByteCodingError: Error, Equatable, Sendable {
    /// A hex string has an odd number of digits.
    case oddNumberOfHexDigits(count: Int)
    /// The character at this index (counted from 0) is no hex digit.
    case notAHexDigit(index: Int)
    /// The nibble at this index (counted from 0, the high nibble of a byte first) is no decimal digit.
    case notADecimalNibble(index: Int)
    /// The character at this index (counted from 0) is no decimal digit.
    case notADecimalDigit(index: Int)
    /// The padding nibble of packed digits is not the expected one.
    case wrongPadNibble(index: Int)
    /// Fewer bytes than the digits need.
    case tooFewBytes(needed: Int, given: Int)
}

extension ByteCodingError: CustomStringConvertible {
    /// What was wrong and where, in words, without any of the data.
    package var description: String {
        switch self {
        case .oddNumberOfHexDigits(let count): "\(count) hex digits do not make whole bytes"
        case .notAHexDigit(let index): "the character at index \(index) is not a hex digit"
        case .notADecimalNibble(let index): "the nibble at index \(index) is not a decimal digit"
        case .notADecimalDigit(let index): "the character at index \(index) is not a decimal digit"
        case .wrongPadNibble(let index): "the pad nibble at index \(index) is not the expected one"
        case .tooFewBytes(let needed, let given): "\(needed) bytes are needed, \(given) were given"
        }
    }
}
