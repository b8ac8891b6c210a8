/// How text stands out.
package enum TextStyle: UInt8, Hashable, Sendable {
    case plain, strong, faint, chosen, good, bad, goodBanner, badBanner, waitBanner

    /// Select graphic rendition (ECMA-48 8.3.117).
    func sequence(colours: Bool) -> String {
        switch self {
        case .plain: "\u{1B}[0m"
        case .strong: "\u{1B}[0;1m"
        case .faint: "\u{1B}[0;2m"
        case .chosen: "\u{1B}[0;7m"
        case .good: colours ? "\u{1B}[0;32m" : "\u{1B}[0;1m"
        case .bad: colours ? "\u{1B}[0;31m" : "\u{1B}[0;1m"
        case .goodBanner: colours ? "\u{1B}[0;1;30;42m" : "\u{1B}[0;1;7m"
        case .badBanner: colours ? "\u{1B}[0;1;97;41m" : "\u{1B}[0;1;7m"
        case .waitBanner: colours ? "\u{1B}[0;1;30;43m" : "\u{1B}[0;1;7m"
        }
    }
}

/// A screenful of characters, each one column wide. Everything outside of it is cut off.
package struct Canvas: Hashable, Sendable {
    struct Cell: Hashable, Sendable {
        var character: Character = " "
        var style = TextStyle.plain
    }

    /// Width, at least 1.
    package let columns: Int
    /// Height, at least 1.
    package let rows: Int
    private var cells: [Cell]

    /// All blank.
    package init(columns: Int, rows: Int) {
        self.columns = max(columns, 1)
        self.rows = max(rows, 1)
        cells = Array(repeating: Cell(), count: self.columns * self.rows)
    }

    /// Writes from left to right.
    /// - Parameter width: cut off, with an ellipsis, after so many columns.
    package mutating func write(
        _ text: String, row: Int, column: Int, width: Int = .max, style: TextStyle = .plain
    ) {
        guard (0..<rows).contains(row), width > 0, column < columns else { return }
        let room = min(width, columns - column)
        var place = column
        for character in Canvas.cut(text, to: room) {
            if place >= 0 { cells[row * columns + place] = Cell(character: character, style: style) }
            place += 1
        }
    }

    /// Gives a stretch of a row another style, and blanks where nothing stands.
    package mutating func paint(row: Int, columns range: Range<Int>, style: TextStyle) {
        guard (0..<rows).contains(row) else { return }
        for place in range.clamped(to: 0..<columns) { cells[row * columns + place].style = style }
    }

    /// A frame with room inside.
    package mutating func frame(row: Int, column: Int, width: Int, height: Int, style: TextStyle = .faint) {
        guard width >= 2, height >= 2 else { return }
        let line = String(repeating: "─", count: width - 2)
        write("┌\(line)┐", row: row, column: column, style: style)
        for inner in row + 1..<row + height - 1 {
            write("│", row: inner, column: column, style: style)
            write("│", row: inner, column: column + width - 1, style: style)
        }
        write("└\(line)┘", row: row + height - 1, column: column, style: style)
    }

    /// Control characters would move the cursor: they become question marks.
    private static func cut(_ text: String, to width: Int) -> [Character] {
        let clean = text.map { character in
            character.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F } ? character : "?"
        }
        guard clean.count > width else { return clean }
        return clean.prefix(max(width - 1, 0)) + ["…"]
    }

    /// The characters of a row, without blanks at its end.
    package func text(row: Int) -> String {
        guard (0..<rows).contains(row) else { return "" }
        var line = String(cells[row * columns..<(row + 1) * columns].map(\.character))
        while line.last == " " { line.removeLast() }
        return line
    }

    /// All rows.
    package var text: String { (0..<rows).map(text(row:)).joined(separator: "\n") }

    /// What a terminal needs in order to show this, where it shows `before`.
    /// - Parameters:
    ///   - colours: false leaves bold and reversed.
    ///   - ascii: true for a terminal that does not take UTF-8.
    package func sequence(after before: Canvas?, colours: Bool, ascii: Bool) -> String {
        var result = ""
        let isSameSize = before.map { $0.columns == columns && $0.rows == rows } ?? false
        for row in 0..<rows {
            let range = row * columns..<(row + 1) * columns
            if isSameSize, let before, before.cells[range] == cells[range] { continue }
            result += "\u{1B}[\(row + 1);1H"
            var style: TextStyle?
            for cell in cells[range] {
                if cell.style != style { result += cell.style.sequence(colours: colours) }
                style = cell.style
                result.append(ascii ? Canvas.plain[cell.character] ?? cell.character : cell.character)
            }
        }
        return result.isEmpty ? "" : result + TextStyle.plain.sequence(colours: colours)
    }

    /// What stands in for the characters that are not ASCII.
    private static let plain: [Character: Character] = [
        "─": "-", "│": "|", "┌": "+", "┐": "+", "└": "+", "┘": "+", "┬": "+", "┴": "+", "•": "*", "…": "~",
        "‹": "<", "›": ">", "✓": "+", "✗": "x", "↑": "^", "↓": "v", "←": "<", "→": ">", "▸": ">", "·": ".",
    ]
}
