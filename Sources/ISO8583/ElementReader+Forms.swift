internal import ByteCoding

/// Packed digits, EBCDIC, hex digits and data sets, and where an element ends that cannot be read.
extension ElementReader {
    @inline(__always)
    func fault(_ reason: MessageDecodingError.Reason, at offset: Int) -> Fault {
        Fault(place: .element(element), offset: offset, reason: reason)
    }

    /// The forms that few dialects have.
    mutating func readOther(_ spec: ElementSpec, _ count: Int, at start: Int) throws(Fault) {
        switch spec.form {
        case .ebcdic: try readEBCDIC(count, spec.type)
        case .hex, .ebcdicHex: try readHex(count, ebcdic: spec.form == .ebcdicHex)
        case .signPacked:
            try readASCII(1, spec.type == .signedNibbles ? .any : .alphanumeric)
            written += 1
            try readPacked(
                count - 1, pad: spec.pad, separator: spec.type == .signedNibbles ? ElementSpec.anyNibble : 0)
            written -= 1
        case .ascii, .binary, .packed, .undefined: throw fault(.unknownElement, at: start)
        }
    }

    /// The objects alone, without `01` and their length.
    func openedDataSet(_ count: Int, at start: Int) throws(Fault) -> Message.Extent {
        let (content, head) = (output + written, ElementSpec.dataSetHeadBytes)
        var (place, found) = (0, Message.Extent?.none)
        while place < count {
            // No data set has this name: senders fill up with it.
            if content[place] == 0 {
                place += 1
                continue
            }
            guard count - place >= head else { throw fault(.badDataSet, at: start) }
            let length = Int(content[place + 1]) << 8 | Int(content[place + 2])
            guard length <= count - place - head else { throw fault(.badDataSet, at: start) }
            if content[place] == 0x01 {
                guard found == nil else { throw fault(.badDataSet, at: start) }
                found = Message.Extent(offset: written + place + head, count: length)
            }
            place += head + length
        }
        guard let found else { throw fault(.badDataSet, at: start) }
        return found
    }

    /// Where the element that begins here ends, whatever its content is; nil where its length cannot be known.
    mutating func end(of spec: ElementSpec, from start: Int) -> Int? {
        position = start
        var count = Int(spec.max)
        if let form = spec.lengthForm {
            guard let length = try? readLength(spec, form) else { return nil }
            guard !spec.countsHexDigits || length.isMultiple(of: 2) else { return nil }
            count = spec.countsHexDigits ? length / 2 : length
        }
        let bytes: Int
        switch spec.form {
        case .ascii, .ebcdic, .binary: bytes = count
        case .hex, .ebcdicHex: bytes = 2 * count
        case .packed: bytes = spec.countsBytes && spec.lengthForm != nil ? count : (count + 1) / 2
        case .signPacked: bytes = 1 + count / 2
        case .undefined: return nil
        }
        let whole = spec.around == .spaces ? max(bytes, Int(spec.max)) : bytes
        return end - position >= whole ? position + whole : nil
    }

    /// Of packed digits whose indicator counts bytes, an F at the end says that their number is odd.
    func digitCount(inBytes bytes: Int, pad: ElementDefinition.PadNibble) throws(Fault) -> Int {
        try need(bytes)
        let padded = bytes > 0 && pad == .rightF && input[position + bytes - 1] & 0x0F == 0x0F
        return 2 * bytes - (padded ? 1 : 0)
    }

    func misfitFault(_ type: CharacterClass, at offset: Int) -> Fault {
        fault(type == .digits || type == .signedDigits ? .notADigit : .badCharacter, at: offset)
    }

    mutating func readEBCDIC(_ count: Int, _ type: CharacterClass) throws(Fault) {
        try need(count)
        let source = input + position
        let target = output + written
        EBCDIC.toLatin1.withUnsafeBufferPointer { table in
            for index in 0..<count {
                target[index] = table[Int(source[index])]
            }
        }
        let misfit = type.firstMisfit(target, count)
        guard misfit == count else { throw misfitFault(type, at: position + misfit) }
        position += count
    }

    mutating func readHex(_ count: Int, ebcdic: Bool) throws(Fault) {
        try need(2 * count)
        for index in 0..<count {
            let high = HexForm.nibble(input[position], ebcdic: ebcdic)
            guard high <= 0x0F else { throw fault(.badHexDigit, at: position) }
            let low = HexForm.nibble(input[position + 1], ebcdic: ebcdic)
            guard low <= 0x0F else { throw fault(.badHexDigit, at: position + 1) }
            output[written + index] = high << 4 | low
            position += 2
        }
    }

    /// `count` digits out of half as many bytes.
    mutating func readPacked(
        _ count: Int, pad: ElementDefinition.PadNibble, separator: UInt8
    ) throws(Fault) {
        let bytes = (count + 1) / 2
        try need(bytes)
        var target = output + written
        var next = position
        var last = position + bytes
        if !count.isMultiple(of: 2) {
            if try isPaddedLeft(pad, separator, first: next, last: last - 1) {
                try unpack(input[next] & 0x0F, to: target, separator: separator, at: next)
                target += 1
                next += 1
            } else {
                last -= 1
                try unpack(input[last] >> 4, to: target + (count - 1), separator: separator, at: last)
            }
        }
        while next < last {
            let byte = input[next]
            let high = byte >> 4
            let low = byte & 0x0F
            if (high &+ 6) | (low &+ 6) < 0x10 {
                target[0] = 0x30 | high
                target[1] = 0x30 | low
            } else {
                try unpack(high, to: target, separator: separator, at: next)
                try unpack(low, to: target + 1, separator: separator, at: next)
            }
            target += 2
            next += 1
        }
        position += bytes
    }

    /// On which side of an odd number of digits the nibble is that fills them up.
    @inline(__always)
    private func isPaddedLeft(
        _ pad: ElementDefinition.PadNibble, _ separator: UInt8, first: Int, last: Int
    ) throws(Fault) -> Bool {
        if pad == .left0 {
            if input[first] >> 4 == 0 { return true }
        } else if input[last] & 0x0F == (pad == .rightF ? 0x0F : 0) {
            return false
        }
        return try unusualPad(pad, separator, first: first, last: last)
    }

    /// Senders of track 2 fill it up as they please. No PAN begins with 0, so that what stands on the other side than
    /// the dialect's is told from a digit.
    private func unusualPad(
        _ pad: ElementDefinition.PadNibble, _ separator: UInt8, first: Int, last: Int
    ) throws(Fault) -> Bool {
        if separator == ElementSpec.anyNibble { return pad == .left0 }
        let (before, behind) = (input[first] >> 4, input[last] & 0x0F)
        if separator != 0, behind == 0 || behind == 0x0F { return false }
        if separator != 0, before == 0 { return true }
        throw fault(.badPad, at: pad == .left0 ? first : last)
    }

    @inline(__always)
    private func unpack(
        _ nibble: UInt8, to target: UnsafeMutablePointer<UInt8>, separator: UInt8, at offset: Int
    ) throws(Fault) {
        if nibble <= 9 {
            target.pointee = 0x30 | nibble
        } else if separator == ElementSpec.anyNibble {
            target.pointee = 0x30 | nibble
        } else if nibble == 0x0D, separator != 0 {
            target.pointee = separator
        } else if nibble == 0x0F, separator != 0 {
            target.pointee = 0x46
        } else if nibble == 0x0B, separator != 0 {
            target.pointee = 0x3B
        } else {
            throw fault(.badNibble, at: offset)
        }
    }
}

/// Hex digits in ASCII and EBCDIC.
enum HexForm {
    /// The value of a hex digit, 0xFF for any other character.
    @inline(__always)
    static func nibble(_ character: UInt8, ebcdic: Bool) -> UInt8 {
        if ebcdic {
            switch character {
            case 0xF0...0xF9: return character &- 0xF0
            case 0xC1...0xC6: return character &- 0xB7
            case 0x81...0x86: return character &- 0x77
            default: return 0xFF
            }
        }
        return Hex.nibble(character) ?? 0xFF
    }

    /// The hex digit, upper case, of a nibble.
    @inline(__always)
    static func digit(_ nibble: UInt8, ebcdic: Bool) -> UInt8 {
        guard ebcdic else { return Hex.digit(nibble) }
        return nibble < 10 ? nibble &+ 0xF0 : nibble &+ 0xB7
    }
}
