internal import Authorisation
internal import EMV
internal import Foundation

/// The PANs whose old records are to be taken over: JSON with a list `cards`, of which `pan` and `merge` are read, so that
/// a file of `cards import` will do; or a line for each PAN, its parts divided by commas: PAN, sequence numbers, how to
/// merge.
struct MigrationFile {
    struct Account {
        let pan: PAN
        /// Those that the file names.
        var sequenceNumbers: Set<UInt8> = []
        var merging: MergedBalance?
    }

    private(set) var accounts: [Account] = []
    private var places: [PAN: Int] = [:]

    private struct JSONFile: Decodable {
        struct Card: Decodable {
            let pan: String
            let panSequenceNumber: String?
            let panSequenceNumbers: [String]?
            let merge: Merge?
        }
        let cards: [Card]
    }

    /// A word, or minor units.
    private enum Merge: Decodable {
        case word(String)

        init(from decoder: any Decoder) throws {
            let value = try decoder.singleValueContainer()
            if let number = try? value.decode(Int64.self) {
                self = .word("\(number)")
            } else {
                self = .word(try value.decode(String.self))
            }
        }
    }

    init(path: String) throws {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw WiringError("\(path) cannot be read")
        }
        do {
            if data.first(where: { $0 > 0x20 }) == UInt8(ascii: "{") {
                try read(json: data)
            } else {
                try read(lines: String(decoding: data, as: UTF8.self))
            }
        } catch let error as WiringError {
            throw WiringError("\(path): \(error)")
        }
    }

    private mutating func read(json: Data) throws {
        let file: JSONFile
        do { file = try JSONDecoder().decode(JSONFile.self, from: json) } catch {
            throw WiringError("not JSON with a list `cards`, each with `pan`")
        }
        for (index, card) in file.cards.enumerated() {
            var merge: String?
            if case .word(let word)? = card.merge { merge = word }
            try add(
                card.pan, (card.panSequenceNumbers ?? []) + [card.panSequenceNumber].compactMap(\.self),
                merge: merge, place: "cards[\(index)]")
        }
    }

    private mutating func read(lines text: String) throws {
        for (index, line) in text.split(whereSeparator: \.isNewline).enumerated() {
            let parts = line.split(separator: ",", omittingEmptySubsequences: false).map {
                $0.trimmingCharacters(in: .whitespaces)
            }
            if parts[0].isEmpty || parts[0].hasPrefix("#") { continue }
            guard parts.count <= 3 else {
                throw WiringError("line \(index + 1): PAN, sequence numbers, how to merge; no more")
            }
            try add(
                parts[0], parts.count > 1 ? parts[1].split(separator: " ").map(String.init) : [],
                merge: parts.count > 2 && !parts[2].isEmpty ? parts[2] : nil, place: "line \(index + 1)")
        }
    }

    private mutating func add(
        _ pan: String, _ numbers: [String], merge: String?, place: String
    ) throws {
        let account: PAN
        do { account = try PAN(pan) } catch { throw WiringError("\(place): pan: \(error)") }
        let index = places[account] ?? accounts.count
        if index == accounts.count {
            accounts.append(Account(pan: account))
            places[account] = index
        }
        for text in numbers {
            guard text.utf8.count <= 2, let number = UInt8(text), number <= 99 else {
                throw WiringError("\(place): panSequenceNumber has to be 00 to 99")
            }
            accounts[index].sequenceNumbers.insert(number)
        }
        guard let merge else { return }
        switch merge {
        case "sum": accounts[index].merging = .sum
        case "lowest": accounts[index].merging = .lowest
        default:
            guard let number = Int64(merge), abs(number) <= Amount.minorUnitsMax else {
                throw WiringError("\(place): merge: sum, lowest, or minor units")
            }
            accounts[index].merging = .minorUnits(number)
        }
    }
}
