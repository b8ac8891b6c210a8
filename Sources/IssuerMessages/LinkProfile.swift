package import Authorisation
package import EMV
package import ISO8583

/// What a link adds to its messages.
package struct LinkProfile: Sendable {
    /// The name in logs, metrics and the journal.
    package let name: String
    /// How its PIN blocks come.
    package let pins: PINArrangement
    /// Where its requests say that a part will do.
    package let partialApproval: PartialApprovalIndicator
    /// Where its requests carry CVV2; nil: nowhere.
    package var printedValue: PrintedValuePlace?
    /// Where its requests carry what 3-D Secure brings; nil: nowhere.
    package var authentication: AuthenticationPlace?
    /// How its answers are made.
    package var responses = ResponseMapping()
    /// How its requests say what kind of payment they are.
    package var remote = RemoteIndicators()

    /// A link whose PIN blocks are of format 0.
    /// - Parameter zonePINKey: nil for a link that sends no PINs.
    package init(
        name: String, zonePINKey: KeyName?, partialApproval: PartialApprovalIndicator = .de48SubElement61
    ) {
        self.init(
            name: name, pins: PINArrangement(zonePINKey: zonePINKey), partialApproval: partialApproval)
    }

    package init(
        name: String, pins: PINArrangement, partialApproval: PartialApprovalIndicator = .de48SubElement61
    ) {
        self.name = name
        self.pins = pins
        self.partialApproval = partialApproval
    }
}

/// How the PIN blocks of a link come: under which keys, in which format, in which element.
package struct PINArrangement: Sendable {
    /// The zone PIN key of TDES; nil: the link sends no blocks of eight bytes.
    package var zonePINKey: KeyName?
    /// The zone PIN key of AES; nil: no blocks of format 4.
    package var aesZonePINKey: KeyName?
    /// The format where DE53 does not say it or is absent.
    package var format = PINBlockFormat.iso0
    /// Digits 5 and 6 of DE53 in BCD, and the format that they stand for; empty: DE53 is not looked at.
    package var formatCodes: [UInt8: PINBlockFormat] = [:]
    /// Where the dialect carries a format 4 block, unless DE52 is of sixteen bytes.
    package var format4Element: DataElement?

    /// - Parameter zonePINKey: of TDES.
    package init(zonePINKey: KeyName?) { self.zonePINKey = zonePINKey }

    /// Every format that may come.
    package var formats: Set<PINBlockFormat> {
        Set(formatCodes.values).union([format])
    }
}

extension Message {
    /// Sixteen bytes or 32 hexadecimal characters, as words; of eight bytes the first alone; nil for anything else.
    func halves(_ element: DataElement) -> (first: UInt64, second: UInt64?)? {
        let found = reading(element) { bytes -> (first: UInt64, second: UInt64?)? in
            switch bytes.count {
            case 8: (UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self)), nil)
            case 16:
                (
                    UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self)),
                    UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
                )
            case 32: hexadecimal(bytes)
            default: nil
            }
        }
        return found.flatMap { $0 }
    }

    private func hexadecimal(_ characters: UnsafeRawBufferPointer) -> (first: UInt64, second: UInt64?)? {
        var value: UInt128 = 0
        for character in characters {
            let digit: UInt8
            switch character {
            case 0x30...0x39: digit = character - 0x30
            case 0x41...0x46: digit = character - 0x37
            case 0x61...0x66: digit = character - 0x57
            default: return nil
            }
            value = value << 4 | UInt128(digit)
        }
        return (UInt64(truncatingIfNeeded: value >> 64), UInt64(truncatingIfNeeded: value))
    }
}

/// PIN blocks of format 4, and links whose messages say which format they have.
extension LinkProfile {
    var noPINKey: MappingError {
        MappingError(
            .pinData, pins.aesZonePINKey == nil ? "this link carries no PINs" : "no key for this format")
    }

    /// A block of format 4 with no DE53 to announce it is a PIN all the same: to leave it out would be to approve
    /// without the PIN that the cardholder gave.
    func isUnannounced(_ message: Message) -> Bool {
        guard !message.has(.pinData), !message.has(.securityControl), pins.aesZonePINKey != nil,
            let element = pins.format4Element
        else { return false }
        return message.halves(element)?.second != nil
    }

    func format4Question(
        _ message: Message, _ element: DataElement
    ) throws(MappingError) -> PINQuestion {
        guard let key = pins.aesZonePINKey else { throw MappingError(.pinData, "no key for format 4") }
        guard let block = message.halves(element), let second = block.second else {
            throw MappingError(element, "not a PIN block of sixteen bytes")
        }
        return PINQuestion(zonePINKey: key, firstHalf: block.first, secondHalf: second)
    }

    /// DE53 (ISO 8583:1987): security format, PIN encipherment algorithm, PIN block format, key index, two digits each. In
    /// 1993 the parties say what its bytes are: here the same digits, two a byte.
    func pinFormat(_ message: Message) throws(MappingError) -> PINBlockFormat {
        let code = message.reading(.securityControl) { digits -> UInt8? in
            if digits.count == 8, message.mti.is1993 { return digits[2] }
            guard digits.count == 16 else { return nil }
            let (tens, ones) = (digits[4] &- 0x30, digits[5] &- 0x30)
            return tens <= 9 && ones <= 9 ? tens << 4 | ones : nil
        }
        guard let code, let code else {
            throw MappingError(.securityControl, "not sixteen digits")
        }
        guard let format = pins.formatCodes[code] else {
            throw MappingError(.securityControl, "its PIN block format is none of this link")
        }
        return format
    }
}
