internal import Foundation
internal import Redis

/// What one host knows of the store across its own restarts, as a file of text: which store it is, and the last entry
/// of each bucket's journal that was acknowledged to this host.
struct StorePlace: Equatable, Sendable {
    /// Random, made when the store was initialised; nil: this host has seen no store yet.
    var generation: String?
    /// Rises when an operator accepts a store as it is.
    var accepted = 0
    /// By bucket.
    var entries: [Int: AcknowledgedPlaces.Place] = [:]

    init() {}

    private static let title = "issuer-host store place 1"

    /// Reads a file; one that is not there is a host that has seen no store.
    /// - Throws: `StorePlaceError` where it cannot be read or is none.
    init(path: String) throws(StorePlaceError) {
        guard FileManager.default.fileExists(atPath: path) else { return }
        guard let data = FileManager.default.contents(atPath: path) else {
            throw StorePlaceError("\(path): cannot be read")
        }
        let lines = String(decoding: data, as: UTF8.self).split(separator: "\n")
        guard lines.first.map(String.init) == Self.title, lines.last == "end" else {
            throw StorePlaceError(
                "\(path): is no whole file of this kind; `issuer-host store accept` writes a new one")
        }
        for (number, line) in lines.enumerated().dropFirst().dropLast() {
            let words = line.split(separator: " ").map(String.init)
            switch (words.first, words.count) {
            case ("generation", 2): generation = words[1]
            case ("accepted", 2): accepted = Int(words[1]) ?? 0
            default:
                guard words.count == 3, let bucket = Int(words[0]), let position = JournalPosition(words[1]),
                    let server = RedisAddress(text: words[2])
                else { throw StorePlaceError("\(path): line \(number + 1) is not `bucket entry server`") }
                entries[bucket] = AcknowledgedPlaces.Place(position: position, server: server)
            }
        }
    }

    /// Replaces the file in one step, so that a host that is killed leaves a whole one.
    func write(to path: String) throws(StorePlaceError) {
        var text = Self.title + "\n"
        if let generation { text += "generation \(generation)\n" }
        text += "accepted \(accepted)\n"
        for (bucket, place) in entries.sorted(by: { $0.key < $1.key }) {
            text += "\(bucket) \(place.position) \(place.server)\n"
        }
        text += "end\n"
        do { try Data(text.utf8).write(to: URL(fileURLWithPath: path), options: .atomic) } catch {
            throw StorePlaceError("\(path): cannot be written: \(error.localizedDescription)")
        }
    }
}

/// A file of a host's place in the store that is of no use.
package struct StorePlaceError: Error, Sendable, CustomStringConvertible {
    /// Names the file and what is wrong.
    package let description: String
    init(_ description: String) { self.description = description }
}

extension RedisAddress {
    /// What `description` wrote.
    init?(text: String) {
        if text.hasPrefix("/") {
            self = .unix(path: text)
            return
        }
        guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]) else {
            return nil
        }
        self = .tcp(host: String(text[..<colon]), port: port)
    }
}
