import Testing
import VirtualCard

@testable import TerminalSimulator

/// The full-screen program as a conversation: keys in, orders and screens out.
@Suite struct TillProgramTests {
    private func program() -> TillProgram {
        TillProgram(
            cards: ["visa-cvn10", "visa-cvn18", "mchip-10h"].map {
                .init(name: $0, words: "476173******0010, \($0)-profile")
            },
            links: [.init(name: "link-a", words: "[::1]:1"), .init(name: "link-b", words: "[::1]:2")])
    }

    /// Types a text and keys; the last action counts.
    @discardableResult
    private func type(_ program: inout TillProgram, _ text: String, _ keys: Key...) -> TillProgram.Action? {
        var action: TillProgram.Action?
        for key in text.map({ Key.character($0) }) + keys {
            action = program.received(.key(key))
        }
        return action
    }

    private func receipt(_ approved: Bool = true) -> TillReceipt {
        var receipt = TillReceipt(
            title: "42.50 SEK with visa-cvn10", approved: approved,
            response: approved ? "00 approved" : "55 wrong PIN")
        receipt.rows = (2...60).map { number in
            TillRow(
                identifier: "DE\(number)", name: "element \(number)", depth: 0, request: "asked \(number)",
                response: number == 39 ? "55 wrong PIN" : nil)
        }
        receipt.trace = ["SELECT AID  [00A40400]", "  < 9000"]
        receipt.milliseconds = "1.83"
        if !approved { receipt.hint = "issuer-host explain 000000000001" }
        return receipt
    }

    @Test func amountAndPINMakeAnOrder() throws {
        var program = program()
        type(&program, "4250", .enter)
        guard case .pay(let order)? = type(&program, "1234", .enter) else {
            Issue.record("no order")
            return
        }
        #expect(order.amount == 4_250 && order.card == "visa-cvn10" && order.link == "link-a")
        #expect(order.pin == PIN("1234") && order.kind == .purchase && order.deed == .nothing)
        #expect(program.view == .busy)
        // Nothing that is typed while the issuer is asked gives a second order.
        #expect(type(&program, "1q", .enter, .escape) == nil)
    }

    @Test func everyChoiceGoesIntoTheOrder() throws {
        var program = program()
        type(&program, "", .up, .right, .right, .up, .right)  // Card, then Do.
        type(&program, "", .up, .right, .up, .right, .up, .right)  // Entry, Link, then Tamper.
        type(&program, "", .enter)
        type(&program, "100", .enter)
        guard case .pay(let order)? = type(&program, "", .enter) else {
            Issue.record("no order")
            return
        }
        #expect(order.card == "mchip-10h" && order.kind == .cash && order.link == "link-b")
        #expect(order.presentation == .stripe)
        #expect(order.deed == .cryptogramBitFlipped && order.pin == nil && order.amount == 100)
    }

    @Test func thePINIsNeverOnTheScreen() {
        var program = program()
        type(&program, "0", .enter)
        #expect(program.screen(columns: 80, rows: 24).text.contains("Type an amount first"))
        type(&program, "100", .enter)
        for digit in "739182" {
            let before = program.screen(columns: 80, rows: 24).text
            type(&program, String(digit))
            let after = program.screen(columns: 80, rows: 24).text
            // One bullet more in two places is all that a key changes.
            #expect(after.filter { $0 == "•" }.count == before.filter { $0 == "•" }.count + 2)
            #expect(after.filter(\.isNumber) == before.filter(\.isNumber))
        }
        type(&program, "", .backspace, .backspace, .backspace)
        #expect(type(&program, "", .enter) == nil, "three digits are no PIN")
        #expect(program.screen(columns: 80, rows: 24).text.contains("4 to 12 digits"))
    }

    @Test func theStagesShowWhileTheIssuerIsAsked() {
        var program = program()
        type(&program, "100", .enter, .enter)
        _ = program.received(.stage(TillStage(.card, "GENERATE AC (first, ARQC)")))
        _ = program.received(.waited(.milliseconds(1_250)))
        let text = program.screen(columns: 80, rows: 24).text
        #expect(text.contains("PLEASE WAIT  1250.00 ms") && text.contains("GENERATE AC (first, ARQC)"))
    }

    @Test func theReceiptShowsRequestAndAnswerSideBySide() {
        var program = program()
        type(&program, "4250", .enter, .enter)
        _ = program.received(.finished(receipt(false)))
        for _ in 2..<39 { type(&program, "", .down) }
        let lines = program.screen(columns: 80, rows: 24).text.split(separator: "\n")
        #expect(lines.contains { $0.contains("DECLINED  55 wrong PIN") })
        #expect(
            lines.contains { $0.contains("DE39") && $0.contains("asked 39") && $0.contains("55 wrong PIN") })
        #expect(lines.contains { $0.contains("Why: issuer-host explain 000000000001") })
        type(&program, "", .tab)
        #expect(program.screen(columns: 80, rows: 24).text.contains("SELECT AID  [00A40400]"))
        type(&program, "n")
        #expect(program.view == .form && program.amount == 0)
        #expect(program.screen(columns: 80, rows: 24).text.contains("✗ 42.50 SEK with visa-cvn10"))
    }

    @Test func repeatReverseAndQuitAreOrders() {
        var program = program()
        #expect(type(&program, "r") == .payAgain)
        _ = program.received(.refused("nothing has been sent yet"))
        #expect(program.screen(columns: 80, rows: 24).text.contains("nothing has been sent yet"))
        #expect(type(&program, "v") == .reverse)
        _ = program.received(.finished(receipt()))
        #expect(type(&program, "r") == .payAgain)
        // Control-C and Control-Z work even while the issuer is asked.
        #expect(program.received(.key(.control("z"))) == .suspend)
        #expect(program.received(.key(.control("c"))) == .quit)
    }

    @Test func everySizeIsDrawn() {
        var programs = [program()]
        var paying = program()
        type(&paying, "100", .enter, .enter)
        programs.append(paying)
        for page in 0..<5 {
            var done = paying
            _ = done.received(.finished(receipt()))
            for _ in 0..<page { type(&done, "", .tab) }
            type(&done, "", .end)
            programs.append(done)
        }
        for program in programs {
            for columns in [0, 1, 59, 60, 80, 81, 240] {
                for rows in [0, 1, 17, 18, 24, 100] {
                    let canvas = program.screen(columns: columns, rows: rows)
                    #expect(canvas.columns == max(columns, 1) && canvas.rows == max(rows, 1))
                }
            }
        }
        #expect(program().screen(columns: 40, rows: 10).text.contains("Please enlarge the window"))
    }

    @Test(arguments: [(80, 24), (60, 20)])
    func nothingImportantIsCutOff(columns: Int, rows: Int) {
        var program = program()
        func screen() -> String { program.screen(columns: columns, rows: rows).text }
        #expect(screen().contains("? help  q quit"))
        // The chosen card in full.
        type(&program, "", .up)
        #expect(screen().contains("visa-cvn10-profile"), "\(screen())")
        type(&program, "", .down)
        type(&program, "100", .enter, .enter)
        #expect(screen().contains("Ctrl+C quit"))
        var receipt = receipt()
        receipt.response = "00 approved"
        receipt.verdict = "ARPC ok, status update approves, of a card that says much"
        receipt.why = [
            "The issuer's checks:", "  CVR " + String(repeating: "bit, ", count: 30) + "last words",
        ]
        receipt.requestHex = String(repeating: "30", count: 300)
        _ = program.received(.finished(receipt))
        #expect(screen().contains("APPROVED  00 approved") && screen().contains("much"))
        #expect(screen().contains("? help  q quit") && screen().contains("Bytes"))
        for _ in 0..<3 { type(&program, "", .tab) }
        // An approval is explained as a decline is, and long lines are shifted into view.
        #expect(screen().contains("The issuer's checks:") && !screen().contains("last words"))
        for _ in 0..<7 { type(&program, ">") }
        #expect(screen().contains("last words"), "\(screen())")
        type(&program, "", .tab)
        #expect(screen().contains("Request, 300 bytes") && screen().contains("303030303030"))
        type(&program, "?")
        #expect(screen().contains("reverses the last request") && screen().contains("q quit"))
        #expect(type(&program, "x") == nil)
        #expect(screen().contains("Request, 300 bytes"))
        type(&program, "?")
        type(&program, "xn")
        // What the history has no room for is marked as cut.
        let past = screen().split(separator: "\n").filter { $0.contains("✓") && $0.contains(" ms") }
        #expect(past.count == 1 && past[0].contains("…"), "\(past)")
        #expect(type(&program, "q") == .quit)
    }

    @Test func amountsKeepToTwelveDigits() {
        var program = program()
        type(&program, "9999999999999999")
        #expect(program.amount == MoneyText.minorUnitsMax)
        type(&program, "", .backspace)
        #expect(program.amount == 99_999_999_999)
    }

    // MARK: - Keys

    @Test func sequencesBecomeKeys() {
        let cases: [([UInt8], [Key])] = [
            (Array("a1".utf8), [.character("a"), .character("1")]), ([0x0D], [.enter]),
            ([0x7F], [.backspace]), ([0x09], [.tab]), ([0x03], [.control("c")]),
            (Array("\u{1B}[A\u{1B}[B\u{1B}OC\u{1B}[D".utf8), [.up, .down, .right, .left]),
            (
                Array("\u{1B}[Z\u{1B}[5~\u{1B}[6~\u{1B}[H\u{1B}[4~".utf8),
                [.backTab, .pageUp, .pageDown, .home, .end]
            ),
            (Array("\u{1B}[1;5A".utf8), [.up]), (Array("\u{1B}[200~x".utf8), [.character("x")]),
            (Array("é…".utf8), [.character("é"), .character("…")]), ([0xFF, 0x80, 0x41], [.character("A")]),
            ([0x1B, 0x1B, 0x5B, 0x41], [.escape, .up]),
        ]
        for (bytes, keys) in cases {
            var whole = KeyDecoder()
            #expect(whole.keys(bytes) == keys)
            // The same byte by byte: a terminal may be slow.
            var slow = KeyDecoder()
            let found = bytes.flatMap { slow.keys([$0]) }
            #expect(found == keys)
            #expect(!slow.isUndecided)
        }
    }

    @Test func aLoneEscapeIsDecidedByTime() {
        var decoder = KeyDecoder()
        #expect(decoder.keys([0x1B]).isEmpty && decoder.isUndecided)
        #expect(decoder.flush() == [.escape] && !decoder.isUndecided)
        // A sequence without an end does not grow for ever.
        #expect(decoder.keys([0x1B, 0x5B] + [UInt8](repeating: 0x30, count: 100)).isEmpty)
        #expect(decoder.keys([0x41]).last != .escape)
    }

    // MARK: - Canvas

    @Test func onlyWhatChangedIsSent() {
        var before = Canvas(columns: 20, rows: 3)
        before.write("one", row: 0, column: 0)
        var after = before
        after.write("two…", row: 2, column: 18, style: .good)
        #expect(after.sequence(after: after, colours: true, ascii: false).isEmpty)
        let sent = after.sequence(after: before, colours: true, ascii: true)
        #expect(
            sent.contains("\u{1B}[3;1H") && !sent.contains("\u{1B}[1;1H") && sent.contains("\u{1B}[0;32m"))
        #expect(sent.utf8.allSatisfy { $0 < 0x80 })
        #expect(!after.sequence(after: nil, colours: false, ascii: true).contains("[0;32m"))
    }

    @Test func controlCharactersCannotMoveTheCursor() {
        var canvas = Canvas(columns: 10, rows: 1)
        canvas.write("a\u{1B}[2Jb\r", row: 0, column: 0)
        #expect(canvas.text == "a?[2Jb?")
    }
}
