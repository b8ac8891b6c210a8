internal import ArgumentParser
internal import Foundation

/// Commands that take one JSON object a line and answer one a line, in the same order.
struct JSONLines {
    private var output = Data()
    private var good = 0
    private var bad = 0

    /// Answers standard input to its end; nothing is said before `finish`.
    /// - Parameter body: the answer to a line; what it throws becomes `{"error": …}`.
    init<Answer: Encodable>(_ body: (Data) throws -> Answer) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let input = try FileHandle.standardInput.readToEnd() ?? Data()
        // An object may stand over several lines if it is the only one.
        let isOne = (try? JSONSerialization.jsonObject(with: input)) is [String: Any]
        for line in isOne ? [input] : input.split(separator: 0x0A).map({ Data($0) })
        where line.contains(where: { $0 > 0x20 }) {
            do {
                output += try encoder.encode(try body(line)) + [0x0A]
                good += 1
            } catch {
                output += try encoder.encode(["error": "\(error)"]) + [0x0A]
                bad += 1
            }
        }
    }

    /// Says what was made; the command fails if a line was not served.
    func finish() throws {
        FileHandle.standardOutput.write(output)
        guard bad == 0 else {
            throw ValidationError(
                "\(bad) of \(good + bad) lines were not served; their errors stand in their places")
        }
        guard good > 0 else {
            throw ValidationError("standard input is empty: one JSON object a line is needed")
        }
    }

    /// Decodes an object; the error names the field.
    static func decode<Value: Decodable>(_ type: Value.Type, _ line: Data) throws -> Value {
        do { return try JSONDecoder().decode(type, from: line) } catch let error as DecodingError {
            throw ValidationError(words(error))
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
