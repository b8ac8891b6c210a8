/// Content for people: what a peer sends must neither steer a terminal nor break a log line.
enum ShownText {
    /// How much of the numbers in a text is taken for account numbers.
    enum Masking {
        case none
        /// Numbers of their own: those of merchants, which are as long, stay readable.
        case numbers
        /// Within longer numbers too, as a PAN with its expiry date behind it.
        case freeText
    }

    /// Printable ASCII as it is, a backslash doubled, every other byte as `\xNN`. What looks like a PAN keeps its first
    /// six and last four digits only.
    static func visible(_ content: some Collection<UInt8>, masking: Masking = .none) -> String {
        var bytes = Array(content)
        if masking != .none { maskAccounts(&bytes, within: masking == .freeText) }
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

    /// 13 to 19 digits (ISO/IEC 7812-1) in a row, or in groups with up to two characters between them that people put
    /// there, whose last is the right check digit: other long numbers stay readable.
    private static func maskAccounts(_ bytes: inout [UInt8], within: Bool) {
        var start = 0
        while start < bytes.count {
            guard isDigit(bytes[start]) else {
                start += 1
                continue
            }
            var places = account(in: bytes, from: start)
            if places.isEmpty, within { places = accountWithin(bytes, from: start) }
            for index in places.dropFirst(6).dropLast(4) { bytes[index] = 0x2A }
            if let last = places.last {
                start = last + 1
            } else if within {
                start += 1
            } else {
                while start < bytes.count, isDigit(bytes[start]) { start += 1 }
            }
        }
    }

    /// The places of the digits of the longest account number that begins here and ends with a group; empty for none.
    private static func account(in bytes: [UInt8], from start: Int) -> [Int] {
        guard start == 0 || !isDigit(bytes[start - 1]) else { return [] }
        var (digits, found): ([Int], [Int]) = ([], [])
        var (index, between) = (start, 0)
        while index < bytes.count, digits.count <= 19 {
            if isDigit(bytes[index]) {
                (digits, between) = (digits + [index], 0)
                let endsGroup = index + 1 == bytes.count || !isDigit(bytes[index + 1])
                if endsGroup, (13...19).contains(digits.count), hasCheckDigit(bytes, digits) {
                    found = digits
                }
            } else {
                between += 1
                guard between <= 2, separators.contains(bytes[index]) else { break }
            }
            index += 1
        }
        return found
    }

    /// One that begins here in the middle of a number, or ends there. Cards' numbers begin with 2 to 6 (ISO/IEC 7812-1),
    /// and most have sixteen digits.
    private static func accountWithin(_ bytes: [UInt8], from start: Int) -> [Int] {
        guard (0x32...0x36).contains(bytes[start]) else { return [] }
        let end = bytes[start...].firstIndex { !isDigit($0) } ?? bytes.count
        for count in [16, 19, 18, 17, 15, 14, 13] where start + count <= end {
            let digits = Array(start..<start + count)
            if hasCheckDigit(bytes, digits) { return digits }
        }
        return []
    }

    /// NUL stands between the digits of UTF-16.
    private static let separators: Set<UInt8> = [0x00, 0x09, 0x20, 0x2C, 0x2D, 0x2E, 0x2F, 0x3A, 0x5F]

    private static func isDigit(_ byte: UInt8) -> Bool { byte &- 0x30 <= 9 }

    /// ISO/IEC 7812-1 annex B.
    private static func hasCheckDigit(_ bytes: [UInt8], _ places: [Int]) -> Bool {
        var (sum, isZero) = (0, true)
        for (place, index) in places.reversed().enumerated() {
            let digit = Int(bytes[index] & 0x0F)
            let value = place.isMultiple(of: 2) ? digit : 2 * digit
            sum += value > 9 ? value - 9 : value
            isZero = isZero && digit == 0
        }
        return sum.isMultiple(of: 10) && !isZero
    }
}
