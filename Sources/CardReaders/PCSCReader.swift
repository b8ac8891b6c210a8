internal import CPCSC
internal import Glibc

/// A card in a real reader, through libpcsclite. The library is loaded when the first reader is opened.
package final class PCSCReader: CardReader {
    package let name: String
    private var card: Int = 0
    private var transport: UInt = 0
    private var isOpen = false

    private static let gone: Set<UInt32> = [
        0x8010_0069, 0x8010_0068, 0x8010_0067, 0x8010_0017, 0x8010_0016,
        0x8010_0013,
    ]
    private static let absent: Set<UInt32> = [0x8010_000C, 0x8010_000A, 0x8010_0066]

    /// Every reader of this machine.
    package static func names() throws(CardReaderError) -> [String] {
        try begin()
        var count = 0
        let sized = cpcsc_readers(nil, &count)
        // No reader at all.
        if UInt32(truncatingIfNeeded: sized) == 0x8010_002E { return [] }
        try check(sized, "SCardListReaders")
        var bytes = [CChar](repeating: 0, count: max(count, 1))
        try check(cpcsc_readers(&bytes, &count), "SCardListReaders")
        return bytes.prefix(count).split(separator: 0).map { name in
            String(decoding: name.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
    }

    /// - Parameters:
    ///   - name: of the reader, or part of it that no other has.
    ///   - waiting: seconds for a card to be put in.
    package init(named name: String, waiting: Int = 0) throws(CardReaderError) {
        let all = try PCSCReader.names()
        let fitting = all.contains(name) ? [name] : all.filter { $0.contains(name) }
        guard let found = fitting.first else {
            let known = all.isEmpty ? "there is none" : "there are \(all.joined(separator: ", "))"
            throw CardReaderError(.unreachable, "no reader \(name): \(known)")
        }
        guard fitting.count == 1 else {
            throw CardReaderError(
                .unreachable,
                "\(name) is part of \(fitting.count) readers' names: "
                    + fitting.joined(separator: ", "))
        }
        self.name = found
        if waiting > 0 {
            try PCSCReader.check(cpcsc_wait(found, 1, UInt(waiting) * 1_000), "SCardGetStatusChange")
        }
        try PCSCReader.check(cpcsc_connect(found, &card, &transport), "SCardConnect")
        isOpen = true
    }

    deinit { close() }

    package func transmit(_ command: [UInt8]) throws(CardReaderError) -> [UInt8] {
        guard isOpen else { throw CardReaderError(.gone, "\(name): the reader is closed") }
        var answer = try send(command)
        // T=0 tells of data that wait, or of a better length (ISO/IEC 7816-4 5.1.3).
        while answer.count == 2, answer[0] == 0x61 { answer = try send([0x00, 0xC0, 0x00, 0x00, answer[1]]) }
        if answer.count == 2, answer[0] == 0x6C {
            var again = command
            if again.count == 4 { again.append(answer[1]) } else { again[again.count - 1] = answer[1] }
            answer = try send(again)
        }
        return answer
    }

    private func send(_ command: [UInt8]) throws(CardReaderError) -> [UInt8] {
        var answer = [UInt8](repeating: 0, count: 65_538)
        var count = answer.count
        // T=0 carries no Le behind data.
        let isBoth = command.count > 5 && command.count == 6 + Int(command[4])
        let sent = transport == 1 && isBoth ? Array(command.dropLast()) : command
        try PCSCReader.check(
            cpcsc_transmit(card, transport, sent, sent.count, &answer, &count), "SCardTransmit")
        guard count >= 2 else { throw CardReaderError(.gone, "\(name): the card answers nothing") }
        return Array(answer.prefix(count))
    }

    package func close() {
        guard isOpen else { return }
        _ = cpcsc_disconnect(card)
        isOpen = false
    }

    /// Waits until the card is taken out.
    /// - Returns: false where it is still there after so many seconds.
    package func waitForRemoval(seconds: Int) -> Bool {
        cpcsc_wait(name, 0, UInt(seconds) * 1_000) == 0
    }

    private static func begin() throws(CardReaderError) {
        let code = cpcsc_begin()
        guard code != -1 else {
            throw CardReaderError(
                .unreachable, "libpcsclite.so.1 is not there: install libpcsclite1 and pcscd")
        }
        try check(code, "SCardEstablishContext")
    }

    private static func check(_ result: Int, _ function: String) throws(CardReaderError) {
        let code = UInt32(truncatingIfNeeded: result)
        guard code != 0 else { return }
        let words = "\(function): 0x\(String(code, radix: 16, uppercase: true))"
        if code == 0x8010_001D {
            throw CardReaderError(.unreachable, "\(words): pcscd does not run")
        }
        throw CardReaderError(
            gone.contains(code) ? .gone : absent.contains(code) ? .absent : .unreachable, words)
    }
}
