internal import ArgumentParser
internal import Foundation
internal import ProgramEntry
internal import Synchronization

/// Commands that take one JSON object a line and answer one a line, in the same order.
struct JSONLines {
    private var output = Data()
    /// Lines that were served.
    private(set) var good = 0
    private var bad = 0
    /// Fewer are not worth a session of their own.
    private static let linesOfThreadMin = 64

    /// Answers standard input to its end; nothing is said before `finish`.
    /// - Parameter body: the answer to a line; what it throws becomes `{"error": …}`.
    init<Answer: Encodable>(_ body: (Data) throws -> Answer) throws {
        for line in try JSONLines.lines() { add(try JSONLines.answer(line, body)) }
    }

    /// The same with several threads.
    /// - Parameters:
    ///   - threads: at most.
    ///   - makeBody: makes what one thread answers its lines with.
    init<Answer: Encodable & Sendable>(
        threads: Int, makeBody: @Sendable () throws -> (Data) throws -> Answer
    ) throws {
        let lines = try JSONLines.lines()
        let count = max(1, min(threads, lines.count / JSONLines.linesOfThreadMin))
        let answers = Mutex<[Answered?]>(Array(repeating: nil, count: lines.count))
        let failure = Mutex<(any Error)?>(nil)
        DispatchQueue.concurrentPerform(iterations: count) { thread in
            do {
                let body = try makeBody()
                for place in stride(from: thread, to: lines.count, by: count) {
                    let answer = try JSONLines.answer(lines[place], body)
                    answers.withLock { $0[place] = answer }
                }
            } catch {
                failure.withLock { $0 = error }
            }
        }
        if let failure = failure.withLock({ $0 }) { throw failure }
        for answer in answers.withLock({ $0 }) { if let answer { add(answer) } }
    }

    private static func lines() throws -> [Data] {
        let input = try FileHandle.standardInput.readToEnd() ?? Data()
        // An object may stand over several lines if it is the only one.
        let isOne = (try? JSONSerialization.jsonObject(with: input)) is [String: Any]
        let lines = isOne ? [input] : input.split(separator: 0x0A).map { Data($0) }
        return lines.filter { line in line.contains { $0 > 0x20 } }
    }

    /// What stands in the place of a line.
    private struct Answered: Sendable {
        let line: Data
        let isGood: Bool
    }

    private static func answer<Answer: Encodable>(
        _ line: Data, _ body: (Data) throws -> Answer
    ) throws -> Answered {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do { return Answered(line: try encoder.encode(try body(line)), isGood: true) } catch {
            return Answered(line: try encoder.encode(["error": "\(error)"]), isGood: false)
        }
    }

    private mutating func add(_ answered: Answered) {
        output += answered.line + [0x0A]
        if answered.isGood { good += 1 } else { bad += 1 }
    }

    /// Says what was made; the command fails if a line was not served.
    func finish() throws {
        FileHandle.standardOutput.write(output)
        guard bad == 0 else {
            throw Refusal(
                "\(bad) of \(good + bad) lines were not served; their errors stand in their places")
        }
        guard good > 0 else {
            throw Refusal("standard input is empty: one JSON object a line is needed")
        }
    }

    /// Decodes an object; the error names the field.
    static func decode<Value: Decodable>(_ type: Value.Type, _ line: Data) throws -> Value {
        do { return try JSONDecoder().decode(type, from: line) } catch let error as DecodingError {
            throw Refusal(words(error))
        }
    }

    private static func words(_ error: DecodingError) -> String {
        func place(_ context: DecodingError.Context) -> String {
            context.codingPath.isEmpty
                ? "the line" : context.codingPath.map(\.stringValue).joined(separator: ".")
        }
        switch error {
        case .keyNotFound(let key, _): return "\(key.stringValue) is missing"
        case .typeMismatch(_, let context), .valueNotFound(_, let context):
            return "\(place(context)) has another type"
        case .dataCorrupted(let context): return "\(place(context)) cannot be read"
        @unknown default: return "cannot be read"
        }
    }
}
