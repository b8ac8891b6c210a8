/// The auditor. It judges from outside what a host promises: from the messages sent, the answers told, the journal and
/// the balances. It knows nothing of how records are kept, and no line of the code that it judges.
package struct Books: Sendable {
    /// What became of a transaction.
    struct Transaction {
        var account = 0
        /// How often its money has moved.
        var times = 0
        /// What was approved or booked at first.
        var booked: Int64 = 0
        /// What was approved in the shop's currency, where that is another than the account's.
        var shopApproved: Int64?
        /// What it holds of the account's money; of a refund, what it has given.
        var net: Int64 = 0
        var gives = false
        var codes: Set<UInt64> = []
        var isToldApproved = false
        var partial: Int64?
        /// What completions have come to.
        var completed: Int64 = 0
        var completions: [Int] = []
        /// Its first write; Int.max before it.
        var writtenAt = Int.max
        var decidedAt: Int64 = 0
        /// How many transactions the account had kept before it.
        var place = 0
        /// Its reversals that were told done.
        var reversals: [Int] = []
        /// What its first message speaks of.
        var original: Int?
        /// What limits count of it.
        var counted: Int64?
        var cash: Int64 = 0
        var day: Int64 = 0
        var stan: UInt32 = 0
        var numbers: UInt64 = 0
        var reference: UInt64 = 0
        /// Nil: no hold.
        var holdEnds: Int64?
        var isOver = false
        /// What named it unclearly has moved the money of another under its names.
        var isServedElsewhere = false
        /// An import for test environments has forgotten it: nothing is promised any more.
        var isForgotten = false
        /// The latest such import, as a count of writes.
        var forgottenAt = -1
        /// To the account of a new PAN.
        var hasMoved = false
    }

    struct Account {
        var balance: Int64 = 0
        var name: StateName?
        var isActive = true
        /// The account of its new PAN.
        var movedTo: Int?
        var wasReset = false
        var kept = 0
        var newestDay: Int64 = 0
        /// Transactions that limits count, by day.
        var days: [Int64: Set<Int>] = [:]
        var holds: Set<Int> = []
        var terms: AccountTerms
        /// By sequence number: the PIN of now. Cards with one PIN share its tries.
        var pins: [Int: Int] = [:]
        var triesUsed: [Int: Int] = [:]
    }

    struct ATC: Hashable {
        let account: Int
        let plastic: Int
        let atc: Int
    }

    struct Script: Hashable {
        let account: Int
        let plastic: Int
        let identifier: UInt32
    }

    struct Numbers: Hashable {
        let account: Int
        let numbers: UInt64
    }

    /// Wrong PINs in a row that block a PIN.
    static let triesMax = 3
    /// So much stays known of an account, whichever is more than a sender may expect.
    static let keptTransactions = 256
    static let keptSeconds: Int64 = 35 * 86_400

    /// A message, how many writes there were before it was sent, and which one decided it; nil where none did.
    struct Sent {
        var message: SentMessage
        let writes: Int
        var decidedBy: Int?
    }

    var messages: [Sent] = []
    var transactions: [Transaction] = []
    var accounts: [Account] = []
    /// Which transactions a genuine chip's ATC was used for.
    var claimed: [ATC: Set<Int>] = [:]
    /// The write with which an operator gave a used ATC free.
    var freed: [ATC: Int] = [:]
    var approved: [ATC: Int] = [:]
    /// Which transaction each authentication of an account's cardholder was approved for.
    var authenticated: [Int: [Int: Int]] = [:]
    /// Which genuine transactions were sent under the same numbers.
    var senders: [Numbers: Set<Int>] = [:]
    /// Which transactions a script went out with, and how often an operator has ordered it to go again.
    var scripts: [Script: Set<Int>] = [:]
    var scriptsResent: [Script: Int] = [:]
    var scriptEffects: [Script: ScriptEffect] = [:]
    private(set) var writes = 0

    /// No accounts yet.
    package init() {}

    /// An account, before anything is written about it.
    package mutating func open(_ terms: AccountTerms) {
        var account = Account(terms: terms)
        account.pins = terms.pins
        accounts.append(account)
    }

    /// A message is on its way.
    /// - Returns: the number by which journal and answer call it.
    package mutating func send(_ message: SentMessage) -> Int {
        while transactions.count <= message.transaction { transactions.append(Transaction()) }
        if transactions[message.transaction].numbers == 0 {
            transactions[message.transaction].numbers = message.numbers
            transactions[message.transaction].reference = message.reference
        }
        transactions[message.transaction].account = home(message.account)
        if transactions[message.transaction].original == nil {
            transactions[message.transaction].original = message.original
        }
        if message.isProven || message.isCompletion || message.purpose != .request {
            senders[Numbers(account: home(message.account), numbers: message.numbers), default: []]
                .insert(message.transaction)
        }
        messages.append(Sent(message: message, writes: writes))
        return messages.count - 1
    }

    /// What a message says of its original fits another one too by now.
    package mutating func blur(_ index: Int) { messages[index].message.isClear = false }

    // MARK: - The journal

    /// A write, in the order of writing.
    package mutating func write(_ write: JournalWrite) throws(BrokenPromise) {
        writes += 1
        guard accounts.indices.contains(write.account) else {
            throw BrokenPromise("a write about no account")
        }
        let known = accounts[write.account].name
        guard write.before == known else {
            throw BrokenPromise("account \(write.account): the journal has a gap before this write")
        }
        if let after = write.after { accounts[write.account].name = after }
        guard !write.lines.isEmpty else {
            throw BrokenPromise("a record changed without a line in the journal")
        }
        for line in write.lines { try add(line, write) }
    }

    private mutating func add(_ line: JournalFact, _ write: JournalWrite) throws(BrokenPromise) {
        let account = write.account
        switch line {
        case .decision(let decision): try add(decision, write)
        case .holdExpired(let minorUnits, let stan): try expire(minorUnits, stan, write)
        case .imported(let available, let plastic, let isForgetting):
            accounts[account].balance = available
            // The newest day is begun anew with them: what was received before the import counts on its own day.
            (accounts[account].days, accounts[account].newestDay) = ([:], 0)
            accounts[account].isActive = true
            accounts[account].pins[plastic] = accounts[account].terms.pins[plastic]
            setTries(account, plastic, 0)
            for number in transactions.indices where transactions[number].account == account {
                transactions[number].counted = nil
                if isForgetting { forget(number) }
            }
            if isForgetting { forgetATCs(account, plastic) }
        case .tookOver(let old): try takeOver(account, from: old)
        case .status(let isActive): accounts[account].isActive = isActive
        case .pinUnblocked(let plastic): setTries(account, plastic, 0)
        case .atcReset(let plastic):
            accounts[account].wasReset = true
            for script in scripts.keys where script.account == account && script.plastic == plastic {
                scripts[script] = nil
                scriptsResent[script] = nil
            }
            forgetATCs(account, plastic)
        case .scriptQueued(let plastic, let identifier, let effect):
            scriptEffects[Script(account: account, plastic: plastic, identifier: identifier)] = effect
        case .scriptResent(let plastic, let identifier):
            scriptsResent[
                Script(account: account, plastic: plastic, identifier: identifier), default: 0] += 1
        case .other: break
        }
    }

    /// Where the money of an account's PAN is.
    func home(_ account: Int) -> Int { accounts[account].movedTo.map(home) ?? account }

    private mutating func takeOver(_ new: Int, from old: Int) throws(BrokenPromise) {
        guard accounts.indices.contains(old), accounts[old].movedTo == nil, accounts[new].kept == 0 else {
            throw BrokenPromise("account \(new) took over what it could not")
        }
        accounts[old].movedTo = new
        for (key, its) in senders where key.account == old {
            senders[key] = nil
            senders[Numbers(account: new, numbers: key.numbers), default: []].formUnion(its)
        }
        accounts[new].balance = accounts[old].balance
        accounts[new].isActive = true
        accounts[new].wasReset = accounts[old].wasReset
        accounts[new].kept = accounts[old].kept
        accounts[new].days = accounts[old].days
        accounts[new].newestDay = accounts[old].newestDay
        accounts[new].holds = accounts[old].holds
        for number in transactions.indices where transactions[number].account == old {
            transactions[number].account = new
            transactions[number].hasMoved = true
            // Where nothing was bounded nothing was counted.
            if !accounts[old].terms.isCounted { transactions[number].counted = nil }
        }
        if !accounts[old].terms.isCounted { accounts[new].days = [:] }
    }

    /// Of the card and of all that have its PIN.
    mutating func setTries(_ account: Int, _ plastic: Int, _ used: Int) {
        let pin = accounts[account].pins[plastic]
        for (other, its) in accounts[account].pins where other == plastic || its == pin {
            accounts[account].triesUsed[other] = used
        }
    }

    private mutating func forgetATCs(_ account: Int, _ plastic: Int) {
        for atc in claimed.keys where atc.account == account && atc.plastic == plastic {
            claimed[atc] = nil
            freed[atc] = writes
        }
        approved = approved.filter { $0.key.account != account || $0.key.plastic != plastic }
    }

    private mutating func forget(_ number: Int) {
        let account = transactions[number].account
        accounts[account].holds.remove(number)
        transactions[number].net = 0
        transactions[number].times = 0
        transactions[number].reversals = []
        transactions[number].isOver = true
        transactions[number].isForgotten = true
        transactions[number].forgottenAt = writes
    }

    private mutating func expire(_ minorUnits: Int64, _ stan: UInt32, _ write: JournalWrite)
        throws(BrokenPromise)
    {
        let ended = accounts[write.account].holds.filter {
            transactions[$0].stan == stan && transactions[$0].net == minorUnits
                && (transactions[$0].holdEnds ?? .max) <= write.now
        }.min()
        guard let number = ended else {
            throw BrokenPromise("account \(write.account): \(minorUnits) released that no ended hold had")
        }
        accounts[write.account].balance += minorUnits
        accounts[write.account].holds.remove(number)
        transactions[number].net = 0
        transactions[number].isOver = true
        uncount(number, minorUnits, isWhole: true)
    }

    // MARK: - What is so

    /// The state of an account as the store has it.
    /// - Parameter triesUsed: by sequence number.
    package func compare(
        account: Int, balance: Int64, name: StateName, triesUsed: [(plastic: Int, used: Int)]
    ) throws(BrokenPromise) {
        let known = accounts[account]
        guard known.name == name else {
            throw BrokenPromise("account \(account): its state is not the journal's")
        }
        guard known.balance == balance else {
            throw BrokenPromise("account \(account): \(balance) there, \(known.balance) by the journal")
        }
        for (plastic, used) in triesUsed {
            guard known.triesUsed[plastic, default: 0] == used else {
                throw BrokenPromise(
                    "account \(account), card \(plastic): \(used) PIN tries used, "
                        + "\(known.triesUsed[plastic, default: 0]) by the journal")
            }
        }
    }

    /// The least that a reversal that was told, and could mean no other transaction, has left to one.
    private func reversedTo(_ number: Int) -> Int64? {
        transactions[number].reversals.compactMap { index -> Int64? in
            let message = messages[index].message
            guard message.isClear, case .reversal(let remaining) = message.purpose else { return nil }
            return remaining
        }.min()
    }

    /// Once nothing is under way any more.
    package func checkEnd() throws(BrokenPromise) {
        for (number, transaction) in transactions.enumerated() {
            guard let reversedTo = reversedTo(number), transaction.completions.isEmpty,
                !transaction.isServedElsewhere
            else { continue }
            let remaining = left(number, reversedTo)
            guard transaction.net > remaining
            else { continue }
            throw BrokenPromise(
                "transaction \(number): reversed but for \(remaining), and \(transaction.net) is still held")
        }
    }
}
