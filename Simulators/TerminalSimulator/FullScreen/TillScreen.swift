/// The program's screens. 80 by 24 is what they are made for; larger ones show more.
extension TillProgram {
    static let columnsMin = 60
    static let rowsMin = 18

    /// The screen as it stands.
    package func screen(columns: Int, rows: Int) -> Canvas {
        var canvas = Canvas(columns: columns, rows: rows)
        guard columns >= TillProgram.columnsMin, rows >= TillProgram.rowsMin else {
            canvas.write("Please enlarge the window", row: 0, column: 0)
            canvas.write(
                "to \(TillProgram.columnsMin) by \(TillProgram.rowsMin) or more, or press q.", row: 1,
                column: 0)
            return canvas
        }
        canvas.write(" PAYMENT TERMINAL", row: 0, column: 0, style: .strong)
        let link = "\(links[linkIndex].name)  \(links[linkIndex].words) "
        canvas.write(link, row: 0, column: max(columns - link.count, 20), style: .faint)
        switch view {
        case .form: drawForm(&canvas)
        case .busy: drawBusy(&canvas)
        case .receipt: drawReceipt(&canvas)
        }
        for (index, line) in messageLines(columns).enumerated() {
            let row = rows - 1 - messageLines(columns).count + index
            canvas.write(Printing.padded(" \(line)", columns), row: row, column: 0, style: .bad)
        }
        if showsHelp { drawHelp(&canvas) }
        return canvas
    }

    /// What went wrong, on as many lines as it needs, three at most.
    private func messageLines(_ columns: Int) -> [String] {
        message.isEmpty ? [] : Array(TillProgram.wrapped(message, columns - 2).prefix(3))
    }

    // MARK: - Form

    private static let deviceWidth = 25
    private static let columnsWithDevice = 72

    private func drawForm(_ canvas: inout Canvas) {
        // In a narrow window the fields say everything that the device would.
        let hasDevice = canvas.columns >= TillProgram.columnsWithDevice
        let width = hasDevice ? canvas.columns - TillProgram.deviceWidth - 4 : canvas.columns - 1
        for (index, field) in Field.allCases.enumerated() {
            let row = 2 + index
            let isChosen = field == self.field
            canvas.write(isChosen ? "▸" : " ", row: row, column: 1, style: .strong)
            canvas.write(TillProgram.names[index], row: row, column: 3, style: isChosen ? .strong : .faint)
            let value = " \(content(of: field, isChosen: isChosen)) "
            canvas.write(value, row: row, column: 11, width: width - 11, style: isChosen ? .chosen : .plain)
        }
        // What its row has no room for, the chosen field says below in full.
        let full = content(of: field, isChosen: false)
        if full.count + 6 > width - 11 {
            for (index, line) in TillProgram.wrapped(full, width - 4).prefix(hasDevice ? 3 : 1).enumerated() {
                canvas.write(line, row: 2 + Field.allCases.count + index, column: 3, style: .faint)
            }
        }
        if hasDevice { drawDevice(&canvas, column: canvas.columns - TillProgram.deviceWidth - 1) }
        drawHistory(&canvas, from: hasDevice ? 14 : 11)
        var keys = ["↑↓ field", "←→ choose", "0-9 type", "Enter on"]
        if receipt != nil { keys += ["m messages", "r repeat", "v reverse"] }
        help(&canvas, keys)
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
        canvas.write(one, row: 2, column: column + 2, width: TillProgram.deviceWidth - 4, style: .faint)
        canvas.write(two, row: 3, column: column + 2, width: TillProgram.deviceWidth - 4, style: .strong)
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
        canvas.write(" History", row: start - 1, column: 0, style: .strong)
        if history.isEmpty { canvas.write("no transaction yet", row: start, column: 3, style: .faint) }
        let room = canvas.rows - start - 2
        let titleWidth = min(max(canvas.columns - 50, 30), 44)
        for (index, past) in history.prefix(max(room, 0)).enumerated() {
            let row = start + index
            canvas.write(past.approved ? "✓" : "✗", row: row, column: 1, style: past.approved ? .good : .bad)
            canvas.write(past.title, row: row, column: 3, width: titleWidth - 1)
            let rest = canvas.columns - titleWidth - 3 - 12
            canvas.write(past.words, row: row, column: 3 + titleWidth, width: rest)
            canvas.write(
                Printing.rightAligned(past.milliseconds, 7) + " ms", row: row, column: canvas.columns - 11,
                style: .faint)
        }
    }

    // MARK: - Under way

    private func drawBusy(_ canvas: inout Canvas) {
        banner(&canvas, "PLEASE WAIT  \(Printing.milliseconds(waited)) ms", style: .waitBanner)
        drawStages(&canvas, from: 3, first: max(0, stages.count - (canvas.rows - 6)))
        canvas.write(" the issuer is asked", row: canvas.rows - 1, column: 0, style: .faint)
        let quit = "Ctrl+C quit "
        canvas.write(quit, row: canvas.rows - 1, column: canvas.columns - quit.count, style: .strong)
    }

    private func drawStages(_ canvas: inout Canvas, from start: Int, first: Int) {
        for (index, stage) in stages.dropFirst(first).prefix(canvas.rows - start - 3).enumerated() {
            canvas.write(stage.actor.rawValue, row: start + index, column: 2, style: .faint)
            canvas.write(stage.words, row: start + index, column: 12)
        }
    }

    // MARK: - Receipt

    private func drawReceipt(_ canvas: inout Canvas) {
        guard let receipt else { return }
        let outcome = "\(receipt.approved ? "APPROVED" : "DECLINED")  \(receipt.response)"
        let verdict = receipt.verdict.isEmpty ? "" : "\(receipt.judge): \(receipt.verdict)"
        let fits = outcome.count + verdict.count + 4 <= canvas.columns
        banner(
            &canvas, fits && !verdict.isEmpty ? "\(outcome). \(verdict)" : outcome,
            style: receipt.approved ? .goodBanner : .badBanner)
        let time = receipt.milliseconds == "-" ? "" : "  \(receipt.milliseconds) ms"
        // What does not fit beside the other gets a line of its own.
        let said = [fits || verdict.isEmpty ? nil : verdict, "\(receipt.title)\(time)"].compactMap { $0 }
        let head = said.flatMap { TillProgram.wrapped($0, canvas.columns - 2).prefix(2) }
        for (index, line) in head.enumerated() {
            canvas.write(" \(line)", row: 2 + index, column: 0, style: .strong)
        }
        let row = 2 + head.count
        var column = 0
        for page in Page.allCases {
            let name = " \(TillProgram.pageNames[page.rawValue]) "
            canvas.write(name, row: row, column: column, style: page == self.page ? .chosen : .faint)
            column += name.count + 1
        }
        let hint = receipt.hint.isEmpty ? [] : TillProgram.wrapped("Why: \(receipt.hint)", canvas.columns - 2)
        let hintRows = min(hint.count, 3)
        for (index, line) in hint.prefix(3).enumerated() {
            canvas.write(" \(line)", row: canvas.rows - 1 - hintRows + index, column: 0, style: .faint)
        }
        let range = row + 1..<canvas.rows - 1 - max(hintRows, messageLines(canvas.columns).count)
        switch page {
        case .messages: drawMessages(&canvas, receipt, range: range)
        case .card: drawLines(&canvas, receipt.scripts + receipt.trace, range: range)
        case .stages:
            for (index, stage) in stages.dropFirst(line).prefix(range.count).enumerated() {
                canvas.write(stage.actor.rawValue, row: range.lowerBound + index, column: 2, style: .faint)
                canvas.write(shifted(stage.words), row: range.lowerBound + index, column: 12)
            }
        case .why: drawLines(&canvas, receipt.why, range: range)
        case .bytes: drawLines(&canvas, byteLines, range: range)
        }
        help(&canvas, ["↑↓ line", "Tab page", "< > shift", "n new", "r repeat", "v reverse"])
    }

    /// Words on lines that are at most so wide.
    static func wrapped(_ text: String, _ width: Int) -> [String] {
        var lines = [""]
        for word in text.split(separator: " ", omittingEmptySubsequences: false) {
            let last = lines[lines.count - 1]
            if last.isEmpty {
                lines[lines.count - 1] = String(word)
            } else if last.count + word.count + 1 <= width {
                lines[lines.count - 1] = "\(last) \(word)"
            } else {
                lines.append(String(word))
            }
        }
        return lines
    }

    /// A line from where the user has shifted to.
    private func shifted(_ text: String) -> String {
        shift == 0 ? text : text.count > shift ? "‹" + text.dropFirst(shift + 1) : ""
    }

    private static let pageNames = ["Messages", "Card", "Stages", "Why", "Bytes"]

    /// Three columns: what it is, what was asked, what was answered; the chosen line in full below.
    private func drawMessages(_ canvas: inout Canvas, _ receipt: TillReceipt, range: Range<Int>) {
        let nameWidth = canvas.columns < 100 ? 27 : 36
        let valueWidth = (canvas.columns - nameWidth - 3) / 2
        let (left, right) = (nameWidth + 1, nameWidth + valueWidth + 2)
        canvas.write("Request", row: range.lowerBound, column: left, style: .faint)
        canvas.write("Answer", row: range.lowerBound, column: right, style: .faint)
        let chosen = receipt.rows.indices.contains(line) ? chosenLines(receipt.rows[line], canvas) : []
        let rows = range.lowerBound + 1..<max(range.lowerBound + 2, range.upperBound - chosen.count)
        let first = firstVisible(count: receipt.rows.count, room: rows.count)
        for (offset, entry) in receipt.rows.dropFirst(first).prefix(rows.count).enumerated() {
            let row = rows.lowerBound + offset
            let indent = String(repeating: "  ", count: entry.depth)
            canvas.write(
                " \(indent)\(Printing.padded(entry.identifier, 5)) \(entry.name)", row: row, column: 0,
                width: nameWidth, style: .faint)
            let differs = entry.request != nil && entry.response != nil && entry.request != entry.response
            canvas.write(entry.request ?? "·", row: row, column: left, width: valueWidth)
            canvas.write(
                entry.response ?? "·", row: row, column: right, width: valueWidth,
                style: differs ? .strong : entry.request == nil ? .strong : .plain)
            if first + offset == line { canvas.paint(row: row, columns: 0..<canvas.columns, style: .chosen) }
        }
        for (offset, text) in chosen.enumerated() {
            canvas.write(" \(text)", row: rows.upperBound + offset, column: 0)
        }
    }

    /// The chosen row in full: what the columns above have no room for.
    private func chosenLines(_ row: TillRow, _ canvas: Canvas) -> [String] {
        let texts = [
            "\(row.identifier) \(row.name): \(row.request ?? "not in the request")",
            "answer: \(row.response ?? "not there")",
        ]
        return texts.flatMap { text in
            // A long value has no blanks to break at.
            TillProgram.wrapped(text, canvas.columns - 2).flatMap { line in
                stride(from: 0, to: max(line.count, 1), by: canvas.columns - 2).map {
                    String(line.dropFirst($0).prefix(canvas.columns - 2))
                }
            }.prefix(3)
        }
    }

    private func drawLines(_ canvas: inout Canvas, _ lines: [String], range: Range<Int>) {
        let first = min(line, max(lines.count - range.count, 0))
        for (offset, text) in lines.dropFirst(first).prefix(range.count).enumerated() {
            let isHead = !text.hasPrefix(" ")
            canvas.write(
                " \(shifted(text))", row: range.lowerBound + offset, column: 0, width: canvas.columns,
                style: isHead ? .strong : .plain)
        }
        if lines.isEmpty {
            let words =
                switch page {
                case .why: "Nothing is known of it here."
                case .bytes: "Nothing was sent."
                default: "The card took no part in this."
                }
            canvas.write(words, row: range.lowerBound, column: 2, style: .faint)
        }
    }

    private func firstVisible(count: Int, room: Int) -> Int {
        min(max(line - room / 2, 0), max(count - room, 0))
    }

    private func banner(_ canvas: inout Canvas, _ words: String, style: TextStyle) {
        canvas.paint(row: 1, columns: 0..<canvas.columns, style: style)
        canvas.write(" \(words)", row: 1, column: 0, width: canvas.columns, style: style)
    }

    /// As many keys as there is room for; help and quit always stand at the right.
    private func help(_ canvas: inout Canvas, _ keys: [String]) {
        let always = "? help  q quit "
        var words = ""
        for key in keys where words.count + key.count + 2 + always.count <= canvas.columns {
            words += " \(key) "
        }
        canvas.write(words, row: canvas.rows - 1, column: 0, style: .faint)
        canvas.write(always, row: canvas.rows - 1, column: canvas.columns - always.count, style: .strong)
    }

    private static let keyHelp: [(key: String, words: String)] = [
        ("↑ ↓", "the field before, after; in messages the line"), ("← →", "the choice of a field; the page"),
        ("0-9", "amount and PIN"), ("Enter", "goes on; after the PIN asks the issuer"),
        ("letter", "in the list of cards: the next that begins with it"), ("Esc", "clears; leaves messages"),
        ("r", "the last request again"), ("v", "reverses the last request"), ("m", "the last messages again"),
        ("n", "a new transaction"), ("< >", "shifts long lines"), ("PgUp PgDn", "ten lines"),
        ("q Ctrl+C", "quits"), ("Ctrl+Z", "suspends"),
    ]

    private func drawHelp(_ canvas: inout Canvas) {
        for row in 1..<canvas.rows {
            canvas.write(String(repeating: " ", count: canvas.columns), row: row, column: 0)
        }
        canvas.write(" Keys", row: 1, column: 0, style: .strong)
        for (index, entry) in TillProgram.keyHelp.enumerated() {
            canvas.write(entry.key, row: 2 + index, column: 2, style: .strong)
            canvas.write(entry.words, row: 2 + index, column: 13)
        }
        let back = "any key: back  q quit "
        canvas.write(back, row: canvas.rows - 1, column: canvas.columns - back.count, style: .strong)
    }
}
