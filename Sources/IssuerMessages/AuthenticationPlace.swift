internal import Authorisation
package import ISO8583

/// Where the requests of a link carry what 3-D Secure brings: switches agree on no place.
package struct AuthenticationPlace: Hashable, Sendable {
    /// How the twenty bytes stand there.
    package enum Encoding: String, CaseIterable, Sendable {
        /// Twenty bytes.
        case raw
        /// 28 characters (RFC 4648, 4).
        case base64
        /// Forty digits.
        case hex

        var count: Int {
            switch self {
            case .raw: 20
            case .base64: 28
            case .hex: 40
            }
        }
    }

    /// A text at a place that says that a payment is one of a series.
    package struct Mark: Hashable, Sendable {
        /// The element.
        package let element: DataElement
        /// Characters of it before the text.
        package let offset: Int
        /// The text, in ASCII.
        package let text: [UInt8]

        /// `ELEMENT:OFFSET:TEXT`; nil for anything else.
        package init?(_ words: String) {
            let parts = words.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard parts.count == 3, let number = UInt8(parts[0]), number > 1,
                let element = DataElement(rawValue: number), let offset = Int(parts[1]), offset >= 0,
                !parts[2].isEmpty
            else { return nil }
            self.element = element
            self.offset = offset
            text = Array(parts[2].utf8)
        }

        func stands(in message: Message) -> Bool {
            message.bytes(element).map {
                $0.count >= offset + text.count && $0.dropFirst(offset).starts(with: text)
            }
                ?? false
        }
    }

    /// The element with the value, bytes before it, and its form.
    package var element: DataElement
    /// See `element`.
    package var offset = 0
    /// See `element`.
    package var encoding = Encoding.base64
    /// The element with the electronic commerce indicator; nil: none has it.
    package var indicatorElement: DataElement?
    /// Characters of it before the digits.
    package var indicatorOffset = 0
    /// One digit or two.
    package var indicatorLength = 2
    /// Each says that a payment is one of a series.
    package var recurring: [Mark] = []
    /// Characters of DE43 that are the merchant's name.
    package var merchantNameLength = 25

    /// Takes what has no default.
    package init(element: DataElement) { self.element = element }

    /// Writes what a shop sends, as terminals of tests do it.
    /// - Parameters:
    ///   - value: twenty bytes; nil: none.
    ///   - indicator: as many digits as the link has.
    package func write(_ value: [UInt8]?, indicator: String, isRecurring: Bool, to message: inout Message) {
        if let value { put(encoding.encode(value), at: offset, of: element, in: &message) }
        if let indicatorElement {
            put(
                Array(indicator.utf8.suffix(indicatorLength)), at: indicatorOffset, of: indicatorElement,
                in: &message)
        }
        if isRecurring, let mark = recurring.first {
            put(mark.text, at: mark.offset, of: mark.element, in: &message)
        }
    }

    /// What a message has, for testers: the value as it stands there, and the indicator.
    package func words(in message: Message) -> String {
        let text = message.bytes(element).map { bytes -> String in
            let part = Array(bytes.dropFirst(offset).prefix(encoding.count))
            return String(decoding: encoding == .raw ? Encoding.hex.encode(part) : part, as: UTF8.self)
        }
        let value = text.flatMap { $0.allSatisfy { $0 == " " } ? nil : "value \($0)" } ?? "no value"
        let digits = indicator(in: message).map { String($0, radix: 16) }
        return value + (digits.map { ", ECI \($0.count < 2 ? "0" + $0 : $0)" } ?? ", no ECI")
    }

    /// Between what stands there already; spaces where nothing does.
    private func put(_ part: [UInt8], at offset: Int, of element: DataElement, in message: inout Message) {
        var bytes = Array(message.bytes(element) ?? [])
        if bytes.count < offset + part.count {
            bytes += [UInt8](repeating: 0x20, count: offset + part.count - bytes.count)
        }
        bytes.replaceSubrange(offset..<offset + part.count, with: part)
        message.set(element, bytes: bytes)
    }

    /// What a message without a card says of 3-D Secure; nil for all others.
    func evidence(_ message: Message, _ nonChip: NonChipEvidence?) -> AuthenticationEvidence? {
        guard case .cardNotPresent? = nonChip?.entry else { return nil }
        let value = value(in: message)
        let indicator = indicator(in: message)
        let isCommerce = indicator != nil || Self.isElectronicCommerce(message)
        let remote = nonChip?.remote
        let isLater = remote.map { !$0.isFirst } ?? false
        let isRecurring =
            recurring.contains { $0.stands(in: message) } || isLater && remote?.kind.hasFirst == true
        if case .none = value, indicator == nil, !isCommerce { return nil }
        return AuthenticationEvidence(
            value: value, indicator: indicator, isElectronicCommerce: isCommerce && !isRecurring && !isLater,
            isRecurring: isRecurring, merchant: merchant(in: message))
    }

    /// ISO 8583:1987: DE22 81 and DE25 59 are what the field has for it; 1993: S in position 7 of DE22.
    private static func isElectronicCommerce(_ message: Message) -> Bool {
        guard !message.mti.is1993 else {
            return message.bytes(.pointOfServiceEntryMode)?.dropFirst(6).first == UInt8(ascii: "S")
        }
        return message.number(.pointOfServiceEntryMode).map { $0 / 10 } == 81
            || message.number(.pointOfServiceConditionCode) == 59
    }

    private func value(in message: Message) -> AuthenticationEvidence.Value {
        let found = message.bytes(element).map { bytes -> AuthenticationEvidence.Value in
            guard bytes.count > offset else { return .none }
            let part = Array(bytes.dropFirst(offset).prefix(encoding.count))
            // A place that switches fill where they have nothing for it.
            guard part.contains(where: { $0 != 0x20 && $0 != 0x30 && $0 != 0 }) else { return .none }
            guard part.count == encoding.count, let value = encoding.decode(part) else { return .unreadable }
            return .bytes(value)
        }
        return found ?? .none
    }

    private func indicator(in message: Message) -> UInt8? {
        guard let indicatorElement else { return nil }
        let found = message.bytes(indicatorElement).map { bytes -> UInt8? in
            guard bytes.count >= indicatorOffset + indicatorLength else { return nil }
            var value: UInt8 = 0
            for byte in bytes.dropFirst(indicatorOffset).prefix(indicatorLength) {
                guard (0x30...0x39).contains(byte) else { return nil }
                value = value << 4 | (byte - 0x30)
            }
            return value
        }
        return found.flatMap { $0 }
    }

    private func merchant(in message: Message) -> [UInt8] {
        var name = Array(message.bytes(.merchantNameAndLocation)?.prefix(merchantNameLength) ?? [])
        while name.last == 0x20 { name.removeLast() }
        return name
    }
}

extension AuthenticationPlace.Encoding {
    /// Twenty bytes as they stand in the element.
    func encode(_ value: [UInt8]) -> [UInt8] {
        switch self {
        case .raw: return value
        case .hex: return value.flatMap { [$0 >> 4, $0 & 0xF].map { $0 < 10 ? 0x30 + $0 : 0x37 + $0 } }
        case .base64:
            let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
            var (text, word, count): ([UInt8], UInt32, Int) = ([], 0, 0)
            for byte in value {
                word = word << 8 | UInt32(byte)
                count += 8
                while count >= 6 {
                    count -= 6
                    text.append(alphabet[Int(word >> UInt32(count) & 0x3F)])
                }
            }
            if count > 0 { text.append(alphabet[Int(word << UInt32(6 - count) & 0x3F)]) }
            return text + [UInt8](repeating: 0x3D, count: (4 - text.count % 4) % 4)
        }
    }

    /// Twenty bytes, nil for what is no such text.
    func decode(_ part: [UInt8]) -> [UInt8]? {
        switch self {
        case .raw: return part
        case .hex:
            let digits = part.compactMap(Self.hexDigit)
            guard digits.count == part.count else { return nil }
            return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
        case .base64:
            // Twenty bytes are 27 characters and one to fill up.
            guard part.last == 0x3D else { return nil }
            let digits = part.dropLast().compactMap(Self.base64Digit)
            guard digits.count == part.count - 1 else { return nil }
            var (bytes, word, count): ([UInt8], UInt32, Int) = ([], 0, 0)
            for digit in digits {
                word = word << 6 | UInt32(digit)
                count += 6
                guard count >= 8 else { continue }
                count -= 8
                bytes.append(UInt8(truncatingIfNeeded: word >> UInt32(count)))
            }
            return word & 0x3 == 0 ? bytes : nil
        }
    }

    private static func hexDigit(_ character: UInt8) -> UInt8? {
        switch character {
        case 0x30...0x39: character - 0x30
        case 0x41...0x46: character - 0x37
        case 0x61...0x66: character - 0x57
        default: nil
        }
    }

    private static func base64Digit(_ character: UInt8) -> UInt8? {
        switch character {
        case 0x41...0x5A: character - 0x41
        case 0x61...0x7A: character - 0x61 + 26
        case 0x30...0x39: character - 0x30 + 52
        case 0x2B: 62
        case 0x2F: 63
        default: nil
        }
    }
}
