internal import ByteCoding
internal import Foundation
internal import HSM

/// Something wrong with a log, and where.
package struct AuditFault: Hashable, Sendable, CustomStringConvertible {
    /// What is wrong.
    package enum Kind: String, Sendable {
        /// The bytes are no line of a log, or the seal does not fit them.
        case changed
        /// Numbers that no line has.
        case dropped
        /// A line stands after one with a higher number.
        case reordered
        /// A number stands twice.
        case repeated
        /// The log ends before the token's count does.
        case truncated
        /// The line is sealed but not the one that its neighbour or the token's count knows.
        case replaced
        /// The line was written before the one in front of it, by the clock.
        case clockSetBack = "clock set back"
        /// The token has the key of a log whose first line is nowhere.
        case beginningMissing = "beginning missing"
        /// The log does not reach a checkpoint, or has another line there.
        case rolledBack = "rolled back"
        /// A checkpoint that this token's key did not seal, or that was changed.
        case checkpointForeign = "checkpoint foreign"
        /// The token has no key for this log.
        case keyMissing = "key missing"
        /// The token's key for this log cannot be used, or is not one.
        case keyUnusable = "key unusable"
        /// The token's count of lines cannot be read, or is not one.
        case countUnusable = "count unusable"
    }

    /// What is wrong.
    package let kind: Kind
    /// The line of the file, from 1; nil where it is about the whole.
    package let line: Int?
    /// The numbers concerned, nil where they cannot be known.
    package let sequences: ClosedRange<UInt64>?
    /// Why, of what is unusable.
    var words: String?

    /// One line for people.
    package var description: String {
        let place = line.map { "line \($0)" } ?? "the end"
        let numbers = sequences.map { range in
            range.count == 1
                ? "number \(range.lowerBound)" : "numbers \(range.lowerBound) to \(range.upperBound)"
        }
        switch kind {
        case .changed: return "\(place): changed\(numbers.map { ", claims to be \($0)" } ?? "")"
        case .dropped: return "\(place): \(numbers ?? "lines") dropped before it"
        case .reordered: return "\(place): \(numbers ?? "") stands after a higher number"
        case .repeated: return "\(place): \(numbers ?? "") stands here a second time"
        case .truncated: return "\(place): \(numbers ?? "lines") cut off"
        case .replaced: return "\(place): \(numbers ?? "") is not the line that was written there"
        case .clockSetBack:
            return "\(place): \(numbers ?? "") is earlier than the line before it: the clock was set back"
        case .beginningMissing:
            return "the log does not begin with the line of its key: it was begun anew, or set back"
        case .rolledBack:
            return "\(numbers ?? "") of the checkpoint is not in this log: log and token were rolled back"
        case .checkpointForeign: return "the checkpoint was changed, or is of another token's trail"
        case .keyMissing: return "the token has no key for this log"
        case .keyUnusable, .countUnusable: return words ?? kind.rawValue
        }
    }
}

/// What a look at a whole log found.
package struct AuditVerification: Sendable {
    /// Every line that could be read, as it stands in the file.
    package let lines: [AuditLine]
    /// Those of them whose seal is right: only these are evidence.
    package let sealed: [AuditLine]
    /// What is wrong, in the order of the file.
    package let faults: [AuditFault]
    /// The token's count.
    package let counted: UInt64
}

/// The bytes of a log and the token's count of one moment, not looked at yet.
package struct AuditReading: Equatable, Sendable {
    let bytes: [UInt8]
    /// Nil where the token has none, for the reason that `fault` says.
    let head: AuditSeal.Head?
    let fault: AuditFault?
}

extension AuditTrail {
    /// Holds every line against its seal, its neighbours and the token's count. Needs no right to write.
    package func verify() throws -> AuditVerification { try verify(reading()) }

    /// Reads the log and the token's count, for `verify` at leisure.
    package func reading() throws -> AuditReading {
        // The count first: a line that is appended meanwhile is newer than it, not missing.
        let (head, fault) = try tokensSide()
        let data = FileManager.default.contents(atPath: path)
        guard data != nil || !FileManager.default.fileExists(atPath: path) else {
            throw AuditTrailError("\(path): cannot be read")
        }
        return AuditReading(bytes: [UInt8](data ?? Data()), head: head, fault: fault)
    }

    /// The count, or what is wrong with the key of the seals or with the count: no report ends on what somebody spoiled.
    private func tokensSide() throws -> (head: AuditSeal.Head?, fault: AuditFault?) {
        func fault(_ kind: AuditFault.Kind, _ error: AuditTrailError? = nil) -> AuditFault {
            AuditFault(kind: kind, line: nil, sequences: nil, words: error?.description)
        }
        do {
            guard var seal = try AuditSeal.openToRead(keyLabel: keyLabel, at: location) else {
                return (nil, fault(.keyMissing))
            }
            do { return (try seal.head(), nil) } catch let error as AuditTrailError {
                return (nil, fault(.countUnusable, error))
            }
        } catch let error as AuditTrailError {
            return (nil, fault(.keyUnusable, error))
        }
    }

    /// The same of what was read before.
    package func verify(_ reading: AuditReading) throws -> AuditVerification {
        if let fault = reading.fault, fault.kind != .countUnusable {
            return AuditVerification(lines: [], sealed: [], faults: [fault], counted: 0)
        }
        guard var seal = try AuditSeal.openToRead(keyLabel: keyLabel, at: location) else {
            let fault = AuditFault(kind: .keyMissing, line: nil, sequences: nil)
            return AuditVerification(lines: [], sealed: [], faults: [fault], counted: 0)
        }
        var walk = Walk()
        // A line without anything in it is nothing that this product writes, either.
        let bytes = reading.bytes.last == 0x0A ? reading.bytes.dropLast() : reading.bytes[...]
        let texts = bytes.isEmpty ? [] : bytes.split(separator: 0x0A, omittingEmptySubsequences: false)
        for (index, text) in texts.enumerated() {
            try walk.add(text, number: index + 1, seal: &seal)
        }
        walk.findFaults(reading.head)
        return AuditVerification(
            lines: walk.lines.map(\.line), sealed: walk.lines.filter(\.isSealed).map(\.line),
            faults: walk.faults + (reading.fault.map { [$0] } ?? []), counted: reading.head?.sequence ?? 0)
    }
}

/// Goes through a log: first every line by itself, then all of them together.
private struct Walk {
    struct Placed {
        let number: Int
        var line: AuditLine
        let hash: [UInt8]
        let isSealed: Bool
    }

    private(set) var lines: [Placed] = []
    private(set) var faults: [AuditFault] = []
    private var unreadable: Set<Int> = []

    mutating func add(_ text: ArraySlice<UInt8>, number: Int, seal: inout AuditSeal) throws {
        guard let line = AuditLine(text) else {
            unreadable.insert(number)
            return faults.append(AuditFault(kind: .changed, line: number, sequences: nil))
        }
        let isSealed = constantTimeEqual(try seal.seal(line.sealed), line.seal)
        var placed = Placed(number: number, line: line, hash: try seal.hash(Array(text)), isSealed: isSealed)
        placed.line.hash = placed.hash
        lines.append(placed)
        if !isSealed {
            faults.append(
                AuditFault(kind: .changed, line: number, sequences: line.sequence...line.sequence))
        }
    }

    /// - Parameter head: nil where the token does not say how far the log goes.
    mutating func findFaults(_ head: AuditSeal.Head?) {
        let present = Set(lines.filter(\.isSealed).map(\.line.sequence))
        var highest: UInt64 = 0
        var before: Placed?
        for placed in lines where placed.isSealed {
            let sequence = placed.line.sequence
            if sequence <= highest {
                let seen = lines.contains {
                    $0.number < placed.number && $0.isSealed && $0.line.sequence == sequence
                }
                report(seen ? .repeated : .reordered, placed.number, sequences: sequence...sequence)
            } else {
                reportGap(highest + 1, sequence, present: present, number: placed.number)
                if let before, before.line.sequence + 1 == sequence, placed.line.previous != before.hash {
                    report(.replaced, before.number, sequences: before.line.sequence...before.line.sequence)
                }
                highest = sequence
                before = placed
            }
        }
        if let head, highest < head.sequence {
            reportGap(highest + 1, head.sequence + 1, present: present, number: nil)
        } else if let head, highest == head.sequence, let before, before.hash != head.hash {
            report(.replaced, before.number, sequences: highest...highest)
        }
        findSetBacks()
        if head?.sequence == 0
            || lines.first(where: { $0.isSealed && $0.line.sequence == 1 })
                .map({ $0.line.event.kind != .trailBegun }) == true
        {
            faults.append(AuditFault(kind: .beginningMissing, line: nil, sequences: nil))
        }
        faults.sort { ($0.line ?? .max) < ($1.line ?? .max) }
    }

    /// Steps of the clock that a time server makes are no fault.
    private static let stepSecondsMax: TimeInterval = 5

    private mutating func findSetBacks() {
        var before: (sequence: UInt64, time: Date)?
        for placed in lines where placed.isSealed {
            guard let time = try? Date(placed.line.time, strategy: .iso8601) else { continue }
            if let before, placed.line.sequence == before.sequence + 1,
                before.time.timeIntervalSince(time) > Self.stepSecondsMax
            {
                report(.clockSetBack, placed.number, sequences: placed.line.sequence...placed.line.sequence)
            }
            before = (placed.line.sequence, time)
        }
    }

    /// Numbers that should stand before a line, stand nowhere, and are not claimed by a line that was changed.
    private mutating func reportGap(
        _ from: UInt64, _ until: UInt64, present: Set<UInt64>, number: Int?
    ) {
        let changed = Set(lines.filter { !$0.isSealed }.map(\.line.sequence))
        // Lines that cannot be read any more have numbers, too: as many as stand in between are theirs.
        var illegible = unreadable.count { line in
            line < (number ?? .max) && line > (lines.last { $0.line.sequence == from - 1 }?.number ?? 0)
        }
        var run: ClosedRange<UInt64>?
        for sequence in from..<until where !present.contains(sequence) && !changed.contains(sequence) {
            if illegible > 0 {
                illegible -= 1
                continue
            }
            if let known = run, known.upperBound + 1 == sequence {
                run = known.lowerBound...sequence
            } else {
                if let run { report(number == nil ? .truncated : .dropped, number, sequences: run) }
                run = sequence...sequence
            }
        }
        if let run { report(number == nil ? .truncated : .dropped, number, sequences: run) }
    }

    private mutating func report(
        _ kind: AuditFault.Kind, _ line: Int?, sequences: ClosedRange<UInt64>
    ) {
        faults.append(AuditFault(kind: kind, line: line, sequences: sequences))
    }
}
