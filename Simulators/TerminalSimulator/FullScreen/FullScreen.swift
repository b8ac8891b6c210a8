internal import Glibc
internal import NIOPosix
internal import Synchronization

/// Runs the full-screen program on the process's terminal until the user leaves it.
package enum FullScreen {
    /// - Throws: `NoTTY` where there is none to run on.
    package static func run(_ till: Till) throws {
        let program = TillProgram(
            cards: till.cardNames.map { .init(name: $0, words: till.words(ofCard: $0)) },
            links: till.bench.configuration.links.map { .init(name: $0.name, words: "\($0.endpoint)") })
        let mailbox = try Mailbox()
        let device = try TTYDevice(wake: mailbox.writing)
        var loop = Loop(program: program, till: Worker(till, mailbox), mailbox: mailbox)
        loop.run(device)
    }
}

/// News from other threads and from signal handlers, with a pipe that a poll can wait for.
private final class Mailbox: Sendable {
    let reading: Int32
    let writing: Int32
    private let events = Mutex<[TillProgram.Event]>([])

    init() throws(NoTTY) {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { throw NoTTY("pipe: \(String(cString: strerror(errno)))") }
        for end in ends {
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
        }
        (reading, writing) = (ends[0], ends[1])
    }

    deinit {
        close(reading)
        close(writing)
    }

    func post(_ event: TillProgram.Event) {
        events.withLock { $0.append(event) }
        var byte: UInt8 = 1
        _ = write(writing, &byte, 1)
    }

    func take() -> [TillProgram.Event] {
        var bytes = [UInt8](repeating: 0, count: 64)
        while read(reading, &bytes, bytes.count) > 0 {}
        return events.withLock { events in
            defer { events = [] }
            return events
        }
    }
}

/// The till on a thread that may block.
private final class Worker: Sendable {
    private let till: Till
    private let mailbox: Mailbox

    init(_ till: Till, _ mailbox: Mailbox) {
        self.till = till
        self.mailbox = mailbox
    }

    func start(_ action: TillProgram.Action) {
        let pool = NIOThreadPool.singleton
        pool.submit { [self] _ in
            do {
                if let receipt = try perform(action) { mailbox.post(.finished(receipt)) }
            } catch {
                mailbox.post(.refused("\(error)"))
            }
        }
    }

    private func perform(_ action: TillProgram.Action) throws -> TillReceipt? {
        let progress: Till.Progress = { stage in self.mailbox.post(.stage(stage)) }
        return switch action {
        case .pay(let order): try till.pay(order, progress: progress)
        case .payAgain: try till.payAgain(progress: progress)
        case .reverse: try till.reverse(progress: progress)
        case .suspend, .quit: nil
        }
    }
}

private struct Loop {
    /// How long an escape may be the start of a sequence, and how often a waiting time is shown.
    private static let escapeMilliseconds: Int32 = 30
    private static let waitingMilliseconds: Int32 = 100

    var program: TillProgram
    let till: Worker
    let mailbox: Mailbox
    private var decoder = KeyDecoder()
    private var shown: Canvas?
    private var orderedAt: ContinuousClock.Instant?

    init(program: TillProgram, till: Worker, mailbox: Mailbox) {
        self.program = program
        self.till = till
        self.mailbox = mailbox
    }

    mutating func run(_ device: borrowing TTYDevice) {
        while true {
            draw(device)
            var entries = [
                pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0),
                pollfd(fd: mailbox.reading, events: Int16(POLLIN), revents: 0),
            ]
            let count = poll(&entries, 2, patience)
            guard count >= 0 || errno == EINTR else { return }
            var events: [TillProgram.Event] = []
            if count > 0, entries[1].revents != 0 { events += mailbox.take() }
            if count > 0, entries[0].revents != 0 {
                let bytes = device.read()
                // The terminal is gone.
                if bytes.isEmpty { return }
                events += decoder.keys(bytes).map { .key($0) }
            } else if count == 0 {
                events += decoder.flush().map { .key($0) }
            }
            if let orderedAt { events.append(.waited(orderedAt.duration(to: .now))) }
            for event in events {
                guard handle(event, device) else { return }
            }
        }
    }

    private var patience: Int32 {
        if decoder.isUndecided { return Loop.escapeMilliseconds }
        return orderedAt == nil ? -1 : Loop.waitingMilliseconds
    }

    /// - Returns: false to end the program.
    private mutating func handle(
        _ event: TillProgram.Event, _ device: borrowing TTYDevice
    ) -> Bool {
        switch event {
        case .finished, .refused: orderedAt = nil
        default: break
        }
        guard let action = program.received(event) else { return true }
        switch action {
        case .quit: return false
        case .suspend:
            device.suspend()
            shown = nil
        case .pay, .payAgain, .reverse:
            orderedAt = .now
            till.start(action)
        }
        return true
    }

    private mutating func draw(_ device: borrowing TTYDevice) {
        let (columns, rows) = device.size
        let canvas = program.screen(columns: columns, rows: rows)
        if let shown, shown.columns != canvas.columns || shown.rows != canvas.rows {
            device.show("\u{1B}[2J")
        }
        device.show(canvas.sequence(after: shown, colours: device.colours, ascii: device.ascii))
        shown = canvas
    }
}
