/// Why bytes are no message of the dialect, and where. It holds no data of the message except in `partial`,
/// whose description is masked.
package struct MessageDecodingError: Error, Sendable {
    /// The part of the message in which the fault lies.
    package let place: Place
    /// Bytes from the start of what was given to `decode` to the fault.
    package let offset: Int
    /// What is wrong there.
    package let reason: Reason
    /// Message type and all elements that could be read: those before the fault, and those behind it where only the
    /// content of an element is wrong and its end is known. Nil if not even the message type could be read.
    package let partial: Message?

    /// The element in fault; for bytes behind the message the last one, for a bitmap element 1, nil for
    /// header and message type.
    package var dataElement: DataElement? {
        switch place {
        case .header, .messageType: nil
        case .bitmap: .secondaryBitmap
        case .element(let element): element
        case .behind(let element): element
        }
    }

    /// A part of a message.
    package enum Place: Equatable, Sendable {
        case header
        case messageType
        case bitmap
        case element(DataElement)
        /// After the last element (nil if the message has none).
        case behind(DataElement?)
    }

    /// What can be wrong with a part of a message.
    package enum Reason: Equatable, Sendable {
        /// The message ends before the part does.
        case truncated(bytesMissing: Int)
        /// Bytes that belong to no element.
        case trailingBytes(count: Int)
        /// The bitmap announces an element that the dialect does not define.
        case unknownElement
        /// Not four digits, of another version than the dialect's, or digits without a meaning.
        case wrongMessageType
        /// A character that is no digit in an element of digits.
        case notADigit
        /// A nibble above 9 in packed digits.
        case badNibble
        /// The nibble that fills up an odd number of digits is not the dialect's.
        case badPad
        /// A character that is no hex digit.
        case badHexDigit
        /// A character outside of the element's type.
        case badCharacter
        /// The length indicator is not made of digits.
        case badLengthDigits
        /// Bit 65 announces a third bitmap, which the dialect does not have.
        case thirdBitmap
        /// Chip data that is not data set 01 with its length.
        case badDataSet
        /// A length indicator that counts hex digits and is odd.
        case oddHexLength(Int)
        /// Longer than the dialect allows; in digits, characters or (binary) bytes.
        case lengthOverMaximum(length: Int, maximum: Int)
    }
}

extension MessageDecodingError: CustomStringConvertible {
    /// Place, offset and reason, without data.
    package var description: String {
        "\(place.words) at offset \(offset): \(reason.words)"
    }
}

extension MessageDecodingError.Place {
    var words: String {
        switch self {
        case .header: "header"
        case .messageType: "message type"
        case .bitmap: "bitmap"
        case .element(let element): "\(element)"
        case .behind(let element): element.map { "behind \($0)" } ?? "behind the bitmap"
        }
    }
}

extension MessageDecodingError.Reason {
    var words: String {
        switch self {
        case .truncated(let missing): "the message ends \(missing) bytes too early"
        case .trailingBytes(let count): "\(count) bytes belong to no element"
        case .unknownElement: "the dialect does not know this element"
        case .wrongMessageType: "no message type of this dialect"
        case .notADigit: "a character is no decimal digit"
        case .badNibble: "a nibble is no decimal digit"
        case .badPad: "the pad nibble is not the dialect's"
        case .badHexDigit: "a character is no hex digit"
        case .badCharacter: "a character is outside of the element's type"
        case .badLengthDigits: "the length indicator is not made of digits"
        case .thirdBitmap: "a third bitmap, which the dialect does not have"
        case .badDataSet:
            "the objects do not stand in one data set 01, behind 01 and their length in two bytes"
        case .oddHexLength(let length): "\(length) hex digits do not make whole bytes"
        case .lengthOverMaximum(let length, let maximum): "length \(length), at most \(maximum) allowed"
        }
    }
}

/// Why a message cannot be written in a dialect.
package struct MessageEncodingError: Error, Equatable, Sendable {
    /// The element in fault; nil for header and message type.
    package let dataElement: DataElement?
    /// What is wrong with it.
    package let reason: Reason

    init(dataElement: DataElement?, reason: Reason) {
        self.dataElement = dataElement
        self.reason = reason
    }

    /// What can be wrong with a message to be written.
    package enum Reason: Equatable, Sendable {
        /// The dialect does not define the element.
        case unknownElement
        /// A fixed element of another length, in digits, characters or (binary) bytes.
        case wrongLength(length: Int, expected: Int)
        /// Longer than the dialect allows.
        case lengthOverMaximum(length: Int, maximum: Int)
        /// A character outside of the element's type, counted from 0.
        case badCharacter(index: Int)
        /// The message type is not of the dialect's version or has no meaning.
        case wrongMessageType
        /// The header is not as long as the dialect's.
        case wrongHeaderLength(length: Int, expected: Int)
    }
}

extension MessageEncodingError: CustomStringConvertible {
    /// Element and reason, without data.
    package var description: String {
        let place = dataElement.map { "\($0)" } ?? "message"
        return switch reason {
        case .unknownElement: "\(place): the dialect does not know this element"
        case .wrongLength(let length, let expected): "\(place): length \(length) instead of \(expected)"
        case .lengthOverMaximum(let length, let maximum): "\(place): length \(length), at most \(maximum)"
        case .badCharacter(let index): "\(place): the character at index \(index) is outside of its type"
        case .wrongMessageType: "no message type of this dialect"
        case .wrongHeaderLength(let length, let expected): "header of \(length) bytes instead of \(expected)"
        }
    }
}
