internal import Synchronization

/// One connection to one server, from when it was made until it broke. What a server has acknowledged is known to be
/// there for as long as the session that it was acknowledged in.
package final class RedisSession: Sendable {
    /// Of the server.
    package let address: RedisAddress
    let over = Atomic<Bool>(false)
    private let replication = Mutex("")

    init(_ address: RedisAddress) { self.address = address }

    /// True once the connection broke or was left.
    package var isOver: Bool { over.load(ordering: .acquiring) }

    /// The server's `master_replid` when the connection was prepared; empty until that was noted. A server that stops
    /// being the master never comes back under the same one.
    package var replicationID: String {
        get { replication.withLock { $0 } }
        set { replication.withLock { $0 = newValue } }
    }

    func end() { over.store(true, ordering: .releasing) }
}

/// Replies of several commands that are told together. Only the loop of their connection touches it.
final class ReplyBatch {
    private var results: [Result<RedisReply, RedisError>] = []
    private let count: Int
    private let done: ([Result<RedisReply, RedisError>]) -> Void

    init(count: Int, done: @escaping ([Result<RedisReply, RedisError>]) -> Void) {
        (self.count, self.done) = (count, done)
    }

    func add(_ result: Result<RedisReply, RedisError>) {
        results.append(result)
        if results.count == count { done(results) }
    }
}
