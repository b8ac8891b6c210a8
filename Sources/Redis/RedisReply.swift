internal import CHiredis

/// An error reply of the server: its code word and its words. Keys and arguments are not part of either in
/// the replies that this product can cause.
package struct RedisServerError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The whole line, `READONLY You can't write against a read only replica.`
    package let description: String

    /// - Parameter line: the reply without its type byte.
    package init(_ line: String) { description = line }

    /// The first word: `ERR`, `LOADING`, `READONLY`, `OOM`, `MOVED`, `MISCONF`, `NOSCRIPT` …
    package var code: String { String(description.prefix { $0 != " " }) }

    /// It was the master once: the next connection asks who is now. Or somebody has removed the functions:
    /// the next
    /// connection is prepared anew.
    var needsNewConnection: Bool { code == "READONLY" || description == "ERR Function not found" }
}

/// A reply (RESP2).
package enum RedisReply: Sendable, Equatable {
    case null
    case status(String)
    case integer(Int64)
    case string([UInt8])
    case array([RedisReply])
    case error(RedisServerError)

    /// The bytes of a string reply.
    package var bytes: [UInt8]? { if case .string(let bytes) = self { bytes } else { nil } }

    /// A string or status reply as text.
    package var text: String? {
        switch self {
        case .string(let bytes): String(decoding: bytes, as: UTF8.self)
        case .status(let text): text
        default: nil
        }
    }

    /// The elements of an array reply.
    package var elements: [RedisReply]? { if case .array(let elements) = self { elements } else { nil } }

    /// Copies what hiredis parsed.
    init(_ reply: UnsafePointer<redisReply>) {
        switch reply.pointee.type {
        case REDIS_REPLY_STRING: self = .string(RedisReply.bytes(reply))
        case REDIS_REPLY_STATUS: self = .status(RedisReply.string(reply))
        case REDIS_REPLY_INTEGER: self = .integer(Int64(reply.pointee.integer))
        case REDIS_REPLY_ERROR: self = .error(RedisServerError(RedisReply.string(reply)))
        case REDIS_REPLY_ARRAY:
            var elements: [RedisReply] = []
            elements.reserveCapacity(Int(reply.pointee.elements))
            for index in 0..<Int(reply.pointee.elements) {
                if let element = reply.pointee.element[index] { elements.append(RedisReply(element)) }
            }
            self = .array(elements)
        default: self = .null
        }
    }

    private static func bytes(_ reply: UnsafePointer<redisReply>) -> [UInt8] {
        guard let text = reply.pointee.str else { return [] }
        return Array(UnsafeRawBufferPointer(start: text, count: Int(reply.pointee.len)))
    }

    private static func string(_ reply: UnsafePointer<redisReply>) -> String {
        String(decoding: bytes(reply), as: UTF8.self)
    }
}

/// hiredis' parser: bytes in, replies out.
final class ReplyReader {
    private let reader: UnsafeMutablePointer<redisReader>

    init?() {
        guard let reader = redisReaderCreate() else { return nil }
        self.reader = reader
    }

    deinit { redisReaderFree(reader) }

    /// - Returns: false if the reader is out of memory or has seen bytes that are no reply.
    func feed(_ bytes: UnsafeRawBufferPointer) -> Bool {
        redisReaderFeed(reader, bytes.assumingMemoryBound(to: CChar.self).baseAddress, bytes.count)
            == REDIS_OK
    }

    /// The next whole reply, nil if there is none yet.
    func next() throws(RedisError) -> RedisReply? {
        var raw: UnsafeMutableRawPointer?
        guard redisReaderGetReply(reader, &raw) == REDIS_OK else { throw .protocolViolation }
        guard let raw else { return nil }
        defer { freeReplyObject(raw) }
        return RedisReply(raw.assumingMemoryBound(to: redisReply.self))
    }
}
