package import CardReaders
internal import Foundation
internal import Glibc
internal import Synchronization
package import VirtualCard

/// A rack of readers, each with a card in it: one connection is one reader. Cards outlive their connections, so that one
/// that was pulled out can be put in again.
package final class CardRack: Sendable {
    private struct Slot {
        var card: SmartCard
        var isTaken = false
    }

    private let slots: Mutex<[Slot]>
    private let faults: FaultPlan?
    private let connections = Mutex<UInt64>(0)

    /// - Parameter faults: nil serves every command.
    package init(_ cards: [SmartCard], faults: FaultPlan? = nil) {
        slots = Mutex(cards.map { Slot(card: $0) })
        self.faults = faults
    }

    /// Cards as they are now.
    package var cards: [SmartCard] { slots.withLock { $0.map(\.card) } }

    /// The first card that no reader holds; one that is not personalised before all others.
    private func take() -> Int? {
        slots.withLock { slots in
            let free = slots.indices.filter { !slots[$0].isTaken }
            guard let index = free.first(where: { !slots[$0].card.isPersonalised }) ?? free.first else {
                return nil
            }
            slots[index].isTaken = true
            slots[index].card.reset()
            return index
        }
    }

    private func giveBack(_ index: Int) {
        slots.withLock { slots in
            slots[index].card.reset()
            slots[index].isTaken = false
        }
    }

    /// Answers what comes over a connection until it ends. Without a free card it ends at once.
    package func serve(_ socket: CardSocket) {
        guard let index = take() else { return }
        defer { giveBack(index) }
        let number = connections.withLock { count -> UInt64 in
            count += 1
            return count
        }
        var plan = faults?.forConnection(number)
        while let command = socket.receive() {
            if command.count == 1 {
                guard control(command[0], index, socket: socket) else { return }
                continue
            }
            let fault = plan?.next()
            if fault == .pulledBefore { return }
            if case .delayed(let milliseconds) = fault { usleep(UInt32(milliseconds) * 1_000) }
            // The card works on a copy's place of its own: no other reader has it.
            let answer = slots.withLock { $0[index].card.answer(command) }
            if fault == .pulledAfter { return }
            if case .noise(let bytes) = fault {
                _ = socket.sendRaw(bytes)
                return
            }
            var sent = answer
            if case .rubbish(let bytes) = fault { sent = bytes }
            guard socket.send(sent) else { return }
        }
    }

    /// Power off, power on, reset, and the answer to reset (vsmartcard's vpcd has the same).
    private func control(_ code: UInt8, _ index: Int, socket: CardSocket) -> Bool {
        switch code {
        case 0, 1, 2:
            slots.withLock { $0[index].card.reset() }
            return true
        case 4: return socket.send(SmartCard.answerToReset)
        default: return socket.send([0x67, 0x00])
        }
    }
}

/// What goes wrong at readers, the same for the same seed and the same connections.
package struct FaultPlan: Sendable {
    /// One fault.
    package enum Fault: Hashable, Sendable {
        /// The card is pulled out before it has seen the command.
        case pulledBefore
        /// After it has carried it out, and before its answer is read.
        case pulledAfter
        case delayed(milliseconds: Int)
        /// Something else in place of its answer.
        case rubbish([UInt8])
        /// Bytes that are no frame; nothing can come after them.
        case noise([UInt8])
    }

    private var state: UInt64
    private let oneIn: UInt64

    /// - Parameter oneIn: commands for one fault, on average.
    package init(seed: UInt64, oneIn: UInt64 = 40) {
        state = seed
        self.oneIn = max(1, oneIn)
    }

    /// Mixed, not counted up: or neighbours would have the same faults, a command later each.
    func forConnection(_ number: UInt64) -> FaultPlan {
        FaultPlan(seed: FaultPlan.mixed(state ^ FaultPlan.mixed(number)), oneIn: oneIn)
    }

    private mutating func bytes(_ count: UInt64) -> [UInt8] {
        (0..<count).map { _ in UInt8(truncatingIfNeeded: random()) }
    }

    /// SplitMix64.
    private mutating func random() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        return FaultPlan.mixed(state)
    }

    private static func mixed(_ state: UInt64) -> UInt64 {
        var value = state
        value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
        return value ^ value >> 31
    }

    /// Of the next command; nil for most.
    package mutating func next() -> Fault? {
        guard random() % oneIn == 0 else { return nil }
        switch random() % 5 {
        case 0: return .pulledBefore
        case 1: return .pulledAfter
        case 2: return .delayed(milliseconds: Int(random() % 50))
        case 3: return .rubbish(bytes(random() % 24))
        default: return .noise(bytes(random() % 24))
        }
    }
}
