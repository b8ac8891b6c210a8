/// A command in the form in which it is sent (RESP: an array of bulk strings), built in place: a third of
/// what formatting an argument vector costs.
package struct RedisCommand: Sendable {
    package internal(set) var bytes: [UInt8] = []
    var missing: Int

    /// - Parameters:
    ///   - argumentCount: how many arguments will be appended, the command's name among them.
    ///   - reserving: expected size in bytes.
    package init(argumentCount: Int, reserving: Int = 256) {
        bytes.reserveCapacity(reserving)
        missing = argumentCount
        bytes.append(UInt8(ascii: "*"))
        appendDecimal(argumentCount)
        appendLineEnd()
    }

    package mutating func append(_ argument: [UInt8]) { append(argument[...]) }

    /// Appends one argument.
    package mutating func append(_ argument: ArraySlice<UInt8>) {
        appendHeader(argument.count)
        bytes.append(contentsOf: argument)
        appendLineEnd()
    }

    /// Appends one argument that consists of two parts.
    package mutating func append(_ first: String, _ second: [UInt8]) {
        var first = first
        first.withUTF8 { utf8 in
            appendHeader(utf8.count + second.count)
            bytes.append(contentsOf: utf8)
        }
        bytes.append(contentsOf: second)
        appendLineEnd()
    }

    /// Appends one argument of big-endian numbers of eight bytes each.
    package mutating func append(bigEndian numbers: UInt64...) {
        appendHeader(8 * numbers.count)
        for number in numbers {
            withUnsafeBytes(of: number.bigEndian) { bytes.append(contentsOf: $0) }
        }
        appendLineEnd()
    }

    /// Appends a number as decimal digits.
    package mutating func append(decimal number: Int64) {
        withDigits(number) { digits in
            appendHeader(digits.count)
            bytes.append(contentsOf: digits)
        }
        appendLineEnd()
    }

    package mutating func append(_ argument: String) { append(argument, []) }

    mutating func appendHeader(_ count: Int) {
        precondition(missing > 0, "more arguments than announced")
        missing -= 1
        bytes.append(UInt8(ascii: "$"))
        appendDecimal(count)
        appendLineEnd()
    }

    mutating func appendLineEnd() {
        bytes.append(0x0D)
        bytes.append(0x0A)
    }

    mutating func appendDecimal(_ number: Int) {
        if number < 10 { return bytes.append(UInt8(ascii: "0") + UInt8(number)) }
        withDigits(Int64(number)) { bytes.append(contentsOf: $0) }
    }
}

/// The decimal digits of a number, with a minus where it is negative.
func withDigits(_ number: Int64, _ body: (UnsafeRawBufferPointer) -> Void) {
    withUnsafeTemporaryAllocation(byteCount: 20, alignment: 1) { digits in
        var start = digits.count
        var rest = number.magnitude
        repeat {
            start -= 1
            digits[start] = UInt8(ascii: "0") + UInt8(rest % 10)
            rest /= 10
        } while rest > 0
        if number < 0 {
            start -= 1
            digits[start] = UInt8(ascii: "-")
        }
        body(UnsafeRawBufferPointer(rebasing: digits[start...]))
    }
}
