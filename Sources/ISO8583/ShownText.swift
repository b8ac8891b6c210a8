/// Content for people: what a peer sends must neither steer a terminal nor break a log line.
enum ShownText {
    /// Printable ASCII as it is, a backslash doubled, every other byte as `\xNN`. With `masksAccounts` whatever looks
    /// like a PAN keeps its first six and last four digits only.
    static func visible(
        _ content: some Collection<UInt8>, masksAccounts: Bool = false
    ) -> String {
        var bytes = Array(content)
        if masksAccounts { maskAccounts(&bytes) }
        var text = ""
        for byte in bytes {
            switch byte {
            case 0x5C: text += "\\\\"
            case 0x20...0x7E: text.unicodeScalars.append(Unicode.Scalar(byte))
            default: text += "\\x" + hex(byte >> 4) + hex(byte & 0x0F)
            }
        }
        return text
    }

    private static func hex(_ nibble: UInt8) -> String { String(nibble, radix: 16, uppercase: true) }

    /// 13 to 19 digits (ISO/IEC 7812-1) in a row, or in groups with one space or hyphen between them, whose last is the
    /// right check digit: other long numbers, such as those of merchants, stay readable.
    private static func maskAccounts(_ bytes: inout [UInt8]) {
        var start = 0
        while start < bytes.count {
            guard isDigit(bytes[start]) else {
                start += 1
                continue
            }
            for index in account(in: bytes, from: start).dropFirst(6).dropLast(4) { bytes[index] = 0x2A }
            while start < bytes.count, isDigit(bytes[start]) || bytes[start] == 0x2A { start += 1 }
        }
    }

    /// The places of the digits of the longest account number that begins here and ends with a group; empty for none.
    private static func account(in bytes: [UInt8], from start: Int) -> [Int] {
        var (digits, found): ([Int], [Int]) = ([], [])
        var index = start
        while index < bytes.count, digits.count <= 19 {
            if isDigit(bytes[index]) {
                digits.append(index)
                let endsGroup = index + 1 == bytes.count || !isDigit(bytes[index + 1])
                if endsGroup, (13...19).contains(digits.count),
                    hasCheckDigit(digits.map { bytes[$0] & 0x0F })
                {
                    found = digits
                }
            } else {
                let isBetween = bytes[index] == 0x20 || bytes[index] == 0x2D
                guard isBetween, index + 1 < bytes.count, isDigit(bytes[index + 1]) else { break }
            }
            index += 1
        }
        return found
    }

    private static func isDigit(_ byte: UInt8) -> Bool { byte &- 0x30 <= 9 }

    /// ISO/IEC 7812-1 annex B.
    private static func hasCheckDigit(_ digits: [UInt8]) -> Bool {
        var sum = 0
        for (place, digit) in digits.reversed().enumerated() {
            let value = place.isMultiple(of: 2) ? Int(digit) : 2 * Int(digit)
            sum += value > 9 ? value - 9 : value
        }
        return sum.isMultiple(of: 10) && digits.contains { $0 != 0 }
    }
}
