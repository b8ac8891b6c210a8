internal import VirtualCard

/// The full-screen terminal without a terminal: keys and news in, orders and screens out.
package struct TillProgram: Sendable {
    /// What it reacts to.
    package enum Event: Sendable {
        case key(Key)
        /// A transaction has come so far.
        case stage(TillStage)
        case finished(TillReceipt)
        /// The order cannot be carried out; the words say why.
        case refused(String)
        /// Time passes while the issuer is asked: since the order was given.
        case waited(Duration)
    }

    /// What is to be done.
    package enum Action: Hashable, Sendable {
        case pay(TillOrder)
        case payAgain
        case reverse
        case suspend
        case quit
    }

    /// What can be chosen, and the words beside it.
    package struct Choice: Hashable, Sendable {
        /// As the till knows it.
        package let name: String
        /// For people.
        package let words: String

        package init(name: String, words: String) {
            self.name = name
            self.words = words
        }
    }

    /// One line of the history.
    struct Past: Hashable, Sendable {
        let title: String
        let approved: Bool
        let words: String
        let milliseconds: String
    }

    enum Field: Int, CaseIterable, Sendable {
        case kind, card, amount, pin, deed, link, entry
    }

    enum View: Hashable, Sendable {
        case form, busy, receipt
    }

    enum Page: Int, CaseIterable, Sendable {
        case messages, card, stages, why, bytes
    }

    /// The till keeps them in memory: more than anybody scrolls through.
    static let historyMax = 200
    private static let amountDigitsMax = 12

    let cards: [Choice]
    let links: [Choice]
    private(set) var view = View.form
    private(set) var field = Field.amount
    private(set) var cardIndex = 0
    private(set) var linkIndex = 0
    private(set) var kindIndex = 0
    private(set) var deedIndex = 0
    private(set) var entryIndex = 0
    private(set) var amount: UInt64 = 0
    /// Only ever counted on the screen.
    private var pinDigits = ""
    private(set) var message = ""
    private(set) var stages: [TillStage] = []
    private(set) var waited = Duration.zero
    private(set) var receipt: TillReceipt?
    private(set) var page = Page.messages
    /// First visible line and chosen line of the page.
    private(set) var line = 0
    /// Columns that long lines are shifted by.
    private(set) var shift = 0
    /// The keys are shown instead of anything else.
    private(set) var showsHelp = false
    private static let shiftStep = 20
    private static let shiftMax = 2_000
    private(set) var history: [Past] = []

    /// - Parameters:
    ///   - cards: at least one.
    ///   - links: at least one.
    package init(cards: [Choice], links: [Choice]) {
        self.cards = cards
        self.links = links
    }

    var pinDigitCount: Int { pinDigits.count }
    var kind: PurchaseKind { PurchaseKind.allCases[kindIndex] }
    var deed: Deed { Deed.allCases[deedIndex] }
    var presentation: CardPresentation { CardPresentation.allCases[entryIndex] }

    /// One event.
    /// - Returns: what is to be done now; nil for nothing but a new screen.
    package mutating func received(_ event: Event) -> Action? {
        switch event {
        case .key(.control("c")): return .quit
        case .key(.control("z")): return .suspend
        case .key(let key): return pressed(key)
        case .stage(let stage): stages.append(stage)
        case .waited(let duration): waited = duration
        case .finished(let receipt): finished(receipt)
        case .refused(let words):
            message = words
            view = receipt == nil ? .form : .receipt
        }
        return nil
    }

    private mutating func pressed(_ key: Key) -> Action? {
        if showsHelp {
            showsHelp = false
            return key == .character("q") ? .quit : nil
        }
        if key == .character("?"), view != .busy {
            showsHelp = true
            return nil
        }
        switch view {
        // A request under way is answered or times out: nothing can take it back.
        case .busy: return nil
        case .form: return pressedInForm(key)
        case .receipt: return pressedInReceipt(key)
        }
    }

    private mutating func finished(_ receipt: TillReceipt) {
        self.receipt = receipt
        view = .receipt
        page = .messages
        line = 0
        shift = 0
        if receipt.rows.isEmpty { page = .card }
        let words = receipt.response + (receipt.verdict.isEmpty ? "" : ", \(receipt.verdict)")
        history.insert(
            Past(
                title: receipt.title, approved: receipt.approved, words: words,
                milliseconds: receipt.milliseconds), at: 0)
        if history.count > TillProgram.historyMax { history.removeLast() }
    }

    // MARK: - Form

    private mutating func pressedInForm(_ key: Key) -> Action? {
        message = ""
        switch key {
        case .up, .backTab: move(-1)
        case .down, .tab: move(1)
        case .left: choose(-1)
        case .right: choose(1)
        case .character(let character): return typed(character)
        case .backspace: erase()
        case .enter: return entered()
        case .escape: clear()
        default: break
        }
        return nil
    }

    private mutating func move(_ step: Int) {
        let count = Field.allCases.count
        field = Field.allCases[(field.rawValue + step + count) % count]
    }

    private mutating func choose(_ step: Int) {
        func next(_ index: Int, _ count: Int) -> Int { (index + step + count) % count }
        switch field {
        case .kind: kindIndex = next(kindIndex, PurchaseKind.allCases.count)
        case .card: cardIndex = next(cardIndex, cards.count)
        case .deed: deedIndex = next(deedIndex, Deed.allCases.count)
        case .link: linkIndex = next(linkIndex, links.count)
        case .entry: entryIndex = next(entryIndex, CardPresentation.allCases.count)
        case .amount, .pin: break
        }
    }

    private mutating func typed(_ character: Character) -> Action? {
        if let digit = character.wholeNumberValue, character.isASCII {
            switch field {
            case .amount where "\(amount)".count < TillProgram.amountDigitsMax:
                amount = amount * 10 + UInt64(digit)
            case .pin where pinDigits.count < 12: pinDigits.append(character)
            default: break
            }
            return nil
        }
        switch character {
        case "q": return .quit
        case "r": return order(.payAgain)
        case "v": return order(.reverse)
        case "m" where receipt != nil: view = .receipt
        default: jump(to: character)
        }
        return nil
    }

    /// In a list, a letter goes to the next name that begins with it.
    private mutating func jump(to character: Character) {
        guard field == .card else { return }
        let order = (1...cards.count).map { (cardIndex + $0) % cards.count }
        if let found = order.first(where: { cards[$0].name.first == character }) { cardIndex = found }
    }

    private mutating func erase() {
        if field == .amount { amount /= 10 }
        if field == .pin, !pinDigits.isEmpty { pinDigits.removeLast() }
    }

    private mutating func clear() {
        amount = 0
        pinDigits = ""
        field = .amount
    }

    /// Enter goes from card to amount to PIN, and from there to the issuer.
    private mutating func entered() -> Action? {
        switch field {
        case .kind: field = .card
        case .card, .deed, .link, .entry: field = .amount
        case .amount:
            if amount > 0 { field = .pin } else { message = "Type an amount first" }
        case .pin: return pay()
        }
        return nil
    }

    private mutating func pay() -> Action? {
        guard amount > 0 else {
            field = .amount
            message = "Type an amount first"
            return nil
        }
        let pin = PIN(pinDigits)
        guard pinDigits.isEmpty || pin != nil else {
            message = "A PIN has 4 to 12 digits; without any digit nobody is asked for one"
            return nil
        }
        pinDigits = ""
        var given = TillOrder(
            card: cards[cardIndex].name, link: links[linkIndex].name, amount: amount, kind: kind, pin: pin,
            deed: deed)
        given.presentation = presentation
        return order(.pay(given))
    }

    private mutating func order(_ action: Action) -> Action {
        view = .busy
        stages = []
        waited = .zero
        message = ""
        return action
    }

    // MARK: - Receipt

    private mutating func pressedInReceipt(_ key: Key) -> Action? {
        message = ""
        switch key {
        case .up: line -= 1
        case .down: line += 1
        case .pageUp: line -= 10
        case .pageDown, .character(" "): line += 10
        case .home: line = 0
        case .end: line = .max
        case .tab, .right: turn(1)
        case .backTab, .left: turn(-1)
        case .character("<"): shift = max(0, shift - TillProgram.shiftStep)
        case .character(">"): shift = min(TillProgram.shiftMax, shift + TillProgram.shiftStep)
        case .character("r"): return order(.payAgain)
        case .character("v"): return order(.reverse)
        case .character("q"): return .quit
        case .enter, .escape, .character("n"):
            view = .form
            clear()
        default: break
        }
        line = min(max(line, 0), max(lineCount - 1, 0))
        return nil
    }

    private mutating func turn(_ step: Int) {
        let count = Page.allCases.count
        page = Page.allCases[(page.rawValue + step + count) % count]
        line = 0
        shift = 0
    }

    private var lineCount: Int {
        switch page {
        case .messages: receipt?.rows.count ?? 0
        case .card: receipt.map { $0.scripts.count + $0.trace.count } ?? 0
        case .stages: stages.count
        case .why: receipt?.why.count ?? 0
        case .bytes: byteLines.count
        }
    }

    /// Test data in clear: only this page, which somebody has to choose, shows it.
    var byteLines: [String] {
        guard let receipt, !receipt.requestHex.isEmpty else { return [] }
        return [("Request", receipt.requestHex), ("Answer", receipt.responseHex)].flatMap { title, hex in
            // 24 bytes fit into 60 columns.
            let parts = stride(from: 0, to: hex.count, by: 48).map {
                " " + String(hex.dropFirst($0).prefix(48))
            }
            return ["\(title), \(hex.count / 2) bytes"] + (parts.isEmpty ? [" none came"] : parts)
        }
    }
}
