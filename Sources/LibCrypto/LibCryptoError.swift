internal import CLibcrypto

/// Why a computation of libcrypto gave no result. Never holds a key or data.
package enum LibCryptoError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The function of OpenSSL that failed, with the first code of its error queue (0: it left none).
    case failed(function: String, code: UInt)
    /// A key, block or parameter of an impossible length, in bytes.
    case wrongCount(what: String, found: Int)
    /// The tag of an authenticated encryption does not belong to the data.
    case notAuthentic

    /// One line for people.
    package var description: String {
        switch self {
        case .failed(let function, let code):
            "\(function) failed: \(LibCryptoError.reason(code)) (\(String(code, radix: 16)))"
        case .wrongCount(let what, let found): "\(what) of \(found) bytes is impossible"
        case .notAuthentic: "data and authentication tag do not belong together"
        }
    }

    /// Takes the oldest entry of the thread's error queue and empties the queue, so that the next failure
    /// does not report this one.
    static func last(_ function: String) -> LibCryptoError {
        let code = ERR_get_error()
        ERR_clear_error()
        return .failed(function: function, code: UInt(code))
    }

    private static func reason(_ code: UInt) -> String {
        guard code != 0, let text = ERR_reason_error_string(code) else { return "no reason given" }
        return String(cString: text)
    }
}

/// Throws with the function's name unless it returned 1, OpenSSL's only word for success.
@inline(__always)
func check(_ result: Int32, _ function: StaticString) throws(LibCryptoError) {
    guard result == 1 else { throw LibCryptoError.last("\(function)") }
}
