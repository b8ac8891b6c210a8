/// How the address of the server is found.
package enum RedisSource: Hashable, Sendable, CustomStringConvertible {
    /// It is known and never changes.
    case fixed(RedisAddress)
    /// The sentinels say where the master of this name is, and are asked again all the time.
    case sentinels(master: String, [RedisAddress])

    /// For people.
    package var description: String {
        switch self {
        case .fixed(let address): "\(address)"
        case .sentinels(let master, let sentinels):
            "master \(master) of sentinels \(sentinels.map(\.description).joined(separator: ", "))"
        }
    }
}
