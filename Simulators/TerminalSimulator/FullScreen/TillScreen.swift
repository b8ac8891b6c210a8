/// The program's screens. 80 by 24 is what they are made for; larger ones show more.
extension TillProgram {
    static let columnsMin = 60
    static let rowsMin = 18

    /// The screen as it stands.
    public func screen(columns: Int, rows: Int) -> Canvas {
        var canvas = Canvas(columns: columns, rows: rows)
        guard columns >= TillProgram.columnsMin, rows >= TillProgram.rowsMin else {
            canvas.write("Please enlarge the window", row: 0, column: 0)
            canvas.write(
                "to \(TillProgram.columnsMin) by \(TillProgram.rowsMin) or more, or press q.", row: 1,
                column: 0)
            return canvas
        }
        canvas.write(" PAYMENT TERMINAL", row: 0, column: 0, .strong)
        let link = "\(links[linkIndex].name)  \(links[linkIndex].words) "
        canvas.write(link, row: 0, column: max(columns - link.count, 20), .faint)
        switch view {
        case .form: drawForm(&canvas)
        case .busy: drawBusy(&canvas)
        case .receipt: drawReceipt(&canvas)
        }
        if !message.isEmpty { canvas.write(" \(message)", row: rows - 2, column: 0, .bad) }
        return canvas
    }

    // MARK: - Form

    private static let deviceWidth = 25

    private func drawForm(_ canvas: inout Canvas) {
        let width = canvas.columns - TillProgram.deviceWidth - 4
        for (index, field) in Field.allCases.enumerated() {
            let row = 2 + index
            let isChosen = field == self.field
            canvas.write(isChosen ? "▸" : " ", row: row, column: 1, .strong)
            canvas.write(TillProgram.names[index], row: row, column: 3, isChosen ? .strong : .faint)
            let value = " \(content(of: field, isChosen: isChosen)) "
            canvas.write(value, row: row, column: 11, width: width - 11, isChosen ? .chosen : .plain)
        }
        drawDevice(&canvas, column: canvas.columns - TillProgram.deviceWidth - 1)
        drawHistory(&canvas, from: 14)
        help(
            &canvas,
            "↑↓ field  ←→ choose  0-9 type  Enter on  r repeat  v reverse"
                + (receipt == nil ? "" : "  m messages") + "  q quit")
    }

    private static let names = ["Do", "Card", "Amount", "PIN", "Tamper", "Link", "Entry"]

    private func content(of field: Field, isChosen: Bool) -> String {
        func choice(_ words: String) -> String { isChosen ? "‹ \(words) ›" : words }
        return switch field {
        case .kind: choice(kind.words)
        case .card: choice("\(cards[cardIndex].name)  \(cards[cardIndex].words)")
        case .amount: TillProgram.money(amount)
        case .pin: pinDigitCount == 0 ? "none" : String(repeating: "•", count: pinDigitCount)
        case .deed: choice(deed.words)
        case .entry: choice(presentation.words)
        case .link: choice("\(links[linkIndex].name)  \(links[linkIndex].words)")
        }
    }

    private static func money(_ amount: UInt64) -> String {
        "\(amount / 100).\(MoneyText.digits(amount % 100, count: 2))"
    }

    /// The payment terminal's own display and pad. No key lights up: a PIN must not show on the pad either.
    private func drawDevice(_ canvas: inout Canvas, column: Int) {
        canvas.frame(row: 1, column: column, width: TillProgram.deviceWidth, height: 12)
        let (one, two) = display
        canvas.write(one, row: 2, column: column + 2, width: TillProgram.deviceWidth - 4, .faint)
        canvas.write(two, row: 3, column: column + 2, width: TillProgram.deviceWidth - 4, .strong)
        for (index, line) in ["1   2   3", "4   5   6", "7   8   9", "✗   0   ✓"].enumerated() {
            canvas.write(line, row: 5 + 2 * index - (index > 2 ? 0 : 0), column: column + 8)
        }
    }

    private var display: (String, String) {
        switch field {
        case .pin:
            ("PIN for \(TillProgram.money(amount))", String(repeating: "•", count: pinDigitCount) + "_")
        case .amount: ("AMOUNT", TillProgram.money(amount))
        default: ("\(kind.words.uppercased())", TillProgram.money(amount))
        }
    }

    private func drawHistory(_ canvas: inout Canvas, from start: Int) {
        canvas.write(" History", row: start - 1, column: 0, .strong)
        if history.isEmpty { canvas.write("no transaction yet", row: start, column: 3, .faint) }
        let room = canvas.rows - start - 2
        let titleWidth = min(max(canvas.columns - 50, 30), 44)
        for (index, past) in history.prefix(max(room, 0)).enumerated() {
            let row = start + index
            canvas.write(past.approved ? "✓" : "✗", row: row, column: 1, past.approved ? .good : .bad)
            canvas.write(past.title, row: row, column: 3, width: titleWidth - 1)
            let rest = canvas.columns - titleWidth - 3 - 10
            canvas.write(past.words, row: row, column: 3 + titleWidth, width: rest)
            canvas.write(
                Printing.rightAligned(past.milliseconds, 7) + " ms", row: row, column: canvas.columns - 11,
                .faint)
        }
    }

    // MARK: - Under way

    private func drawBusy(_ canvas: inout Canvas) {
        banner(&canvas, "PLEASE WAIT  \(Printing.milliseconds(waited)) ms", .waitBanner)
        drawStages(&canvas, from: 3, first: max(0, stages.count - (canvas.rows - 6)))
        help(&canvas, "the issuer is asked")
    }

    private func drawStages(_ canvas: inout Canvas, from start: Int, first: Int) {
        for (index, stage) in stages.dropFirst(first).prefix(canvas.rows - start - 3).enumerated() {
            canvas.write(stage.actor.rawValue, row: start + index, column: 2, .faint)
            canvas.write(stage.words, row: start + index, column: 12)
        }
    }

    // MARK: - Receipt

    private func drawReceipt(_ canvas: inout Canvas) {
        guard let receipt else { return }
        let words = receipt.response + (receipt.verdict.isEmpty ? "" : ". Card: \(receipt.verdict)")
        let style = receipt.approved ? TextStyle.goodBanner : .badBanner
        banner(&canvas, "\(receipt.approved ? "APPROVED" : "DECLINED")  \(words)", style)
        let time = receipt.milliseconds == "-" ? "" : "  \(receipt.milliseconds) ms"
        canvas.write(" \(receipt.title)\(time)", row: 2, column: 0, .strong)
        var column = canvas.columns - 34
        for page in Page.allCases {
            let name = " \(TillProgram.pageNames[page.rawValue]) "
            canvas.write(name, row: 2, column: column, page == self.page ? .chosen : .faint)
            column += name.count + 1
        }
        if !receipt.hint.isEmpty {
            canvas.write(" Why: \(receipt.hint)", row: canvas.rows - 2, column: 0, .faint)
        }
        let bottom = canvas.rows - 3
        switch page {
        case .messages: drawMessages(&canvas, receipt, 3..<bottom)
        case .card: drawLines(&canvas, receipt.scripts + receipt.trace, 3..<bottom)
        case .stages: drawStages(&canvas, from: 3, first: line)
        case .why: drawLines(&canvas, receipt.why, 3..<bottom)
        }
        help(&canvas, "↑↓ line  Tab page  r repeat  v reverse  n new  q quit")
    }

    private static let pageNames = ["Messages", "Card", "Stages", "Why"]

    /// Three columns: what it is, what was asked, what was answered; the chosen line in full below.
    private func drawMessages(_ canvas: inout Canvas, _ receipt: TillReceipt, _ range: Range<Int>) {
        let nameWidth = canvas.columns < 100 ? 27 : 36
        let valueWidth = (canvas.columns - nameWidth - 3) / 2
        let (left, right) = (nameWidth + 1, nameWidth + valueWidth + 2)
        canvas.write("Request", row: range.lowerBound, column: left, .faint)
        canvas.write("Answer", row: range.lowerBound, column: right, .faint)
        let rows = range.lowerBound + 1..<range.upperBound - 2
        let first = firstVisible(count: receipt.rows.count, room: rows.count)
        for (offset, entry) in receipt.rows.dropFirst(first).prefix(rows.count).enumerated() {
            let row = rows.lowerBound + offset
            let indent = String(repeating: "  ", count: entry.depth)
            canvas.write(
                " \(indent)\(Printing.padded(entry.identifier, 5)) \(entry.name)", row: row, column: 0,
                width: nameWidth, .faint)
            let differs = entry.request != nil && entry.response != nil && entry.request != entry.response
            canvas.write(entry.request ?? "·", row: row, column: left, width: valueWidth)
            canvas.write(
                entry.response ?? "·", row: row, column: right, width: valueWidth,
                differs ? .strong : entry.request == nil ? .strong : .plain)
            if first + offset == line { canvas.paint(row: row, columns: 0..<canvas.columns, .chosen) }
        }
        guard receipt.rows.indices.contains(line) else { return }
        let chosen = receipt.rows[line]
        let last = range.upperBound - 2
        canvas.write(
            " \(chosen.identifier) \(chosen.name): \(chosen.request ?? "not in the request")", row: last,
            column: 0)
        canvas.write(" answer: \(chosen.response ?? "not there")", row: last + 1, column: 0)
    }

    private func drawLines(_ canvas: inout Canvas, _ lines: [String], _ range: Range<Int>) {
        let first = min(line, max(lines.count - range.count, 0))
        for (offset, text) in lines.dropFirst(first).prefix(range.count).enumerated() {
            let isHead = !text.hasPrefix(" ")
            canvas.write(
                " \(text)", row: range.lowerBound + offset, column: 0, width: canvas.columns,
                isHead ? .strong : .plain)
        }
        if lines.isEmpty {
            let words = page == .why ? "Nothing is known of it here." : "The card took no part in this."
            canvas.write(words, row: range.lowerBound, column: 2, .faint)
        }
    }

    private func firstVisible(count: Int, room: Int) -> Int {
        min(max(line - room / 2, 0), max(count - room, 0))
    }

    private func banner(_ canvas: inout Canvas, _ words: String, _ style: TextStyle) {
        canvas.paint(row: 1, columns: 0..<canvas.columns, style)
        canvas.write(" \(words)", row: 1, column: 0, width: canvas.columns, style)
    }

    private func help(_ canvas: inout Canvas, _ words: String) {
        canvas.write(" \(words)", row: canvas.rows - 1, column: 0, .faint)
    }
}
