/// Modular powers of public numbers, by words of 32 bits. No secret may come here: its time depends on its input.
enum PublicPower {
    static func power(_ data: [UInt8], _ key: RSAPublicKey) -> [UInt8]? {
        let modulus = words(key.modulus)
        let base = words(data)
        guard data.count == key.modulus.count, isLess(base, modulus) else { return nil }
        let exponent = key.exponent.reduce(0) { $0 << 8 | UInt32($1) }
        var result = base
        // The first bit of the exponent is the base itself.
        for bit in stride(from: 30 - exponent.leadingZeroBitCount, through: 0, by: -1) {
            result = product(result, result, modulo: modulus)
            if exponent >> UInt32(bit) & 1 == 1 { result = product(result, base, modulo: modulus) }
        }
        return bytes(result, count: key.modulus.count)
    }

    /// Little endian words.
    private static func words(_ bytes: [UInt8]) -> [UInt32] {
        var words = [UInt32](repeating: 0, count: (bytes.count + 3) / 4)
        for (index, byte) in bytes.reversed().enumerated() {
            words[index / 4] |= UInt32(byte) << UInt32(8 * (index % 4))
        }
        return words
    }

    private static func bytes(_ words: [UInt32], count: Int) -> [UInt8] {
        (0..<count).reversed().map { UInt8(truncatingIfNeeded: words[$0 / 4] >> UInt32(8 * ($0 % 4))) }
    }

    private static func isLess(_ one: [UInt32], _ other: [UInt32]) -> Bool {
        for index in one.indices.reversed() where one[index] != other[index] {
            return one[index] < other[index]
        }
        return false
    }

    /// Shift and add, a word of `one` at a time from the top (Horner), reduced after each step.
    private static func product(
        _ one: [UInt32], _ other: [UInt32], modulo modulus: [UInt32]
    ) -> [UInt32] {
        let count = modulus.count
        var whole = [UInt32](repeating: 0, count: 2 * count + 1)
        for i in 0..<count {
            var carry: UInt64 = 0
            for j in 0..<count {
                let sum = UInt64(whole[i + j]) + UInt64(one[i]) * UInt64(other[j]) + carry
                whole[i + j] = UInt32(truncatingIfNeeded: sum)
                carry = sum >> 32
            }
            whole[i + count] = UInt32(carry)
        }
        return remainder(whole, modulus)
    }

    /// Long division (Knuth, algorithm D), the quotient thrown away.
    private static func remainder(_ number: [UInt32], _ modulus: [UInt32]) -> [UInt32] {
        let shift = UInt32(modulus[modulus.count - 1].leadingZeroBitCount)
        let divisor = shifted(modulus, by: shift)
        var rest = shifted(number, by: shift)
        let count = modulus.count
        let top = UInt64(divisor[count - 1])
        for place in stride(from: rest.count - count - 1, through: 0, by: -1) {
            let head = UInt64(rest[place + count]) << 32 | UInt64(rest[place + count - 1])
            var digit = min(head / top, 0xFFFF_FFFF)
            // At most two too many; `subtract` says so, and the divisor is given back.
            while digit > 0 {
                if subtract(divisor, times: digit, from: &rest, at: place) { break }
                add(divisor, times: digit, to: &rest, at: place)
                digit -= 1
            }
        }
        var result = Array(rest.prefix(count))
        if shift > 0 {
            for index in 0..<count {
                let above = index + 1 < count ? result[index + 1] : 0
                result[index] = result[index] >> shift | above << (32 - shift)
            }
        }
        return result
    }

    private static func shifted(_ number: [UInt32], by shift: UInt32) -> [UInt32] {
        guard shift > 0 else { return number }
        var result = number
        for index in number.indices.reversed() {
            let below = index > 0 ? number[index - 1] >> (32 - shift) : 0
            result[index] = number[index] << shift | below
        }
        return result
    }

    /// - Returns: false where the difference is below zero; the words hold it modulo their range.
    private static func subtract(
        _ divisor: [UInt32], times digit: UInt64, from rest: inout [UInt32], at place: Int
    ) -> Bool {
        var carry: UInt64 = 0
        var borrow: UInt64 = 0
        for index in 0...divisor.count {
            let part = (index < divisor.count ? UInt64(divisor[index]) * digit : 0) + carry
            carry = part >> 32
            let taken = (part & 0xFFFF_FFFF) + borrow
            let here = UInt64(rest[place + index])
            borrow = here < taken ? 1 : 0
            rest[place + index] = UInt32(truncatingIfNeeded: here &- taken)
        }
        return borrow == 0
    }

    private static func add(
        _ divisor: [UInt32], times digit: UInt64, to rest: inout [UInt32], at place: Int
    ) {
        var carry: UInt64 = 0
        for index in 0...divisor.count {
            let part = (index < divisor.count ? UInt64(divisor[index]) * digit : 0) + carry
            let sum = UInt64(rest[place + index]) + (part & 0xFFFF_FFFF)
            rest[place + index] = UInt32(truncatingIfNeeded: sum)
            carry = part >> 32 + sum >> 32
        }
    }
}

/// SHA-1 (FIPS 180-4, 6.1) of public data.
enum PublicDigest {
    static func sha1(_ data: [UInt8]) -> [UInt8] {
        var message = data + [0x80]
        message += [UInt8](repeating: 0, count: (120 - message.count % 64) % 64)
        message += (0..<8).map { UInt8(truncatingIfNeeded: (UInt64(data.count) * 8) >> UInt64(56 - 8 * $0)) }
        var state: [UInt32] = [0x6745_2301, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476, 0xC3D2_E1F0]
        var schedule = [UInt32](repeating: 0, count: 80)
        for start in stride(from: 0, to: message.count, by: 64) {
            for index in 0..<16 {
                schedule[index] = message[start + 4 * index..<start + 4 * index + 4]
                    .reduce(0) { $0 << 8 | UInt32($1) }
            }
            for index in 16..<80 {
                schedule[index] = rotated(
                    schedule[index - 3] ^ schedule[index - 8] ^ schedule[index - 14] ^ schedule[index - 16], 1
                )
            }
            compress(schedule, &state)
        }
        return state.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> UInt32(24 - 8 * $0)) }
        }
    }

    private static func compress(_ schedule: [UInt32], _ state: inout [UInt32]) {
        var (a, b, c, d, e) = (state[0], state[1], state[2], state[3], state[4])
        for index in 0..<80 {
            let (mix, constant): (UInt32, UInt32) =
                switch index / 20 {
                case 0: (b & c | ~b & d, 0x5A82_7999)
                case 1: (b ^ c ^ d, 0x6ED9_EBA1)
                case 2: (b & c | b & d | c & d, 0x8F1B_BCDC)
                default: (b ^ c ^ d, 0xCA62_C1D6)
                }
            let next = rotated(a, 5) &+ mix &+ e &+ constant &+ schedule[index]
            (a, b, c, d, e) = (next, a, rotated(b, 30), c, d)
        }
        for (index, value) in [a, b, c, d, e].enumerated() { state[index] &+= value }
    }

    private static func rotated(_ word: UInt32, _ count: UInt32) -> UInt32 {
        word << count | word >> (32 - count)
    }
}
