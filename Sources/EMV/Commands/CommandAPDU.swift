/// A command to a card in the short form (ISO/IEC 7816-3 12.1).
package struct CommandAPDU: Hashable, Sendable {
    /// CLA.
    package var instructionClass: UInt8
    /// INS.
    package var instruction: UInt8
    /// P1.
    package var parameter1: UInt8
    /// P2.
    package var parameter2: UInt8
    /// 0 to 255 bytes.
    package var data: [UInt8]
    /// Le: bytes that may come back, 1 to 256; nil for none.
    package var expectedCount: Int?

    package init(
        _ instructionClass: UInt8, _ instruction: UInt8, parameter1: UInt8, parameter2: UInt8,
        data: [UInt8] = [], expecting expectedCount: Int? = nil
    ) {
        self.instructionClass = instructionClass
        self.instruction = instruction
        self.parameter1 = parameter1
        self.parameter2 = parameter2
        self.data = data
        self.expectedCount = expectedCount
    }

    /// CLA, INS, P1, P2.
    package var header: [UInt8] { [instructionClass, instruction, parameter1, parameter2] }

    /// As it goes to the card.
    package var bytes: [UInt8] {
        header + (data.isEmpty ? [] : [UInt8(truncatingIfNeeded: data.count)] + data)
            + (expectedCount.map { [UInt8(truncatingIfNeeded: $0)] } ?? [])
    }

    /// Nil for what has another length than it says.
    package init?(_ bytes: [UInt8]) {
        guard bytes.count >= 4 else { return nil }
        var (data, expected): ([UInt8], Int?) = ([], nil)
        if bytes.count == 5 {
            expected = bytes[4] == 0 ? 256 : Int(bytes[4])
        } else if bytes.count > 5 {
            let count = Int(bytes[4])
            guard count > 0, bytes.count == 5 + count || bytes.count == 6 + count else { return nil }
            data = Array(bytes[5..<5 + count])
            if bytes.count == 6 + count { expected = bytes[5 + count] == 0 ? 256 : Int(bytes[5 + count]) }
        }
        self.init(
            bytes[0], bytes[1], parameter1: bytes[2], parameter2: bytes[3], data: data, expecting: expected)
    }
}

/// What a card answers: data, then SW1 SW2.
package struct ResponseAPDU: Hashable, Sendable {
    /// Without the status.
    package var data: [UInt8]
    /// `9000` for success.
    package var status: UInt16

    /// Takes both.
    package init(_ data: [UInt8] = [], status: UInt16) {
        self.data = data
        self.status = status
    }

    /// Nil for fewer than two bytes.
    package init?(_ bytes: [UInt8]) {
        guard bytes.count >= 2 else { return nil }
        self.init(
            Array(bytes.dropLast(2)),
            status: UInt16(bytes[bytes.count - 2]) << 8 | UInt16(bytes[bytes.count - 1]))
    }

    /// As it comes from the card.
    package var bytes: [UInt8] { data + [UInt8(status >> 8), UInt8(status & 0xFF)] }

    /// Success, or success with a warning: what comes with a MAC in a secure channel.
    package var isSuccess: Bool { status == 0x9000 || status >> 8 == 0x62 || status >> 8 == 0x63 }
}
