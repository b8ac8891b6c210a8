/// Arguments that are text.
extension RedisCommand {
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

    /// Appends one argument.
    package mutating func append(_ argument: String) { append(argument, []) }
}
