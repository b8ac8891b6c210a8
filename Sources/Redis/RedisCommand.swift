/// A command in the form in which it is sent (RESP: an array of bulk strings), built in place: a third of
/// what formatting an argument vector costs.
public struct RedisCommand: Sendable {
    /// The encoded command.
    public private(set) var bytes: [UInt8] = []
    private var missing: Int

    /// - Parameters:
    ///   - argumentCount: how many arguments will be appended, the command's name among them.
    ///   - reserving: expected size in bytes.
    public init(argumentCount: Int, reserving: Int = 256) {
        bytes.reserveCapacity(reserving)
        missing = argumentCount
        bytes.append(UInt8(ascii: "*"))
        appendDecimal(argumentCount)
        appendLineEnd()
    }

    /// A command of text arguments, for what is not hot.
    public init(_ arguments: String...) {
        self.init(arguments)
    }

    /// The same from an array.
    public init(_ arguments: [String]) {
        self.init(argumentCount: arguments.count)
        for argument in arguments { append(argument) }
    }

    /// True once every announced argument has been appended.
    public var isComplete: Bool { missing == 0 }

    /// Appends one argument.
    public mutating func append(_ argument: [UInt8]) {
        appendHeader(argument.count)
        bytes.append(contentsOf: argument)
        appendLineEnd()
    }

    /// Appends one argument.
    public mutating func append(_ argument: String) {
        let utf8 = argument.utf8
        appendHeader(utf8.count)
        bytes.append(contentsOf: utf8)
        appendLineEnd()
    }

    /// Appends a number as decimal digits.
    public mutating func append(decimal number: Int64) {
        appendHeader(digitCount(number))
        appendDecimal(Int(number))
        appendLineEnd()
    }

    private mutating func appendHeader(_ count: Int) {
        precondition(missing > 0, "more arguments than announced")
        missing -= 1
        bytes.append(UInt8(ascii: "$"))
        appendDecimal(count)
        appendLineEnd()
    }

    private mutating func appendLineEnd() {
        bytes.append(0x0D)
        bytes.append(0x0A)
    }

    private func digitCount(_ number: Int64) -> Int {
        var count = number < 0 ? 2 : 1
        var rest = number.magnitude / 10
        while rest > 0 {
            count += 1
            rest /= 10
        }
        return count
    }

    private mutating func appendDecimal(_ number: Int) {
        if number < 0 { bytes.append(UInt8(ascii: "-")) }
        let start = bytes.count
        var rest = number.magnitude
        repeat {
            bytes.append(UInt8(ascii: "0") + UInt8(rest % 10))
            rest /= 10
        } while rest > 0
        bytes[start...].reverse()
    }
}
