package import Authorisation
internal import ByteCoding
internal import PKCS11

/// How a message is authenticated.
package enum MACAlgorithm: String, CaseIterable, Sendable {
    /// ISO/IEC 9797-1 algorithm 1: CBC-MAC with triple DES, eight bytes.
    case iso9797Algorithm1 = "iso9797-1"
    /// ISO/IEC 9797-1 algorithm 3: retail MAC, a double-length key, eight bytes.
    case iso9797Algorithm3 = "iso9797-3"
    /// CMAC with triple DES (NIST SP 800-38B), eight bytes.
    case tripleDESCMAC = "tdes-cmac"
    /// CMAC with AES (NIST SP 800-38B), sixteen bytes.
    case aesCMAC = "aes-cmac"
}

/// A message to be authenticated with a key of the token that may sign.
package struct MACQuestion: Sendable {
    /// The zone authentication key.
    package var key: KeyName
    /// How.
    package var algorithm: MACAlgorithm
    /// For the two of ISO/IEC 9797-1; CMAC has its own.
    package var padding: MACPadding
    /// The message.
    package var data: [UInt8]

    package init(key: KeyName, algorithm: MACAlgorithm, padding: MACPadding, data: [UInt8]) {
        self.key = key
        self.algorithm = algorithm
        self.padding = padding
        self.data = data
    }
}

extension HSMPort {
    /// The whole MAC, eight or sixteen bytes; who sends it may cut it. One trip to a worker.
    package func mac(
        _ question: MACQuestion, deadline: Deadline
    ) async throws(CryptographyUnavailable) -> [UInt8] {
        try await perform(deadline: deadline) { session throws(JobError) in try session.mac(question) }
    }
}

/// Message authentication.
extension CryptographySession {
    mutating func mac(_ question: MACQuestion) throws(JobError) -> [UInt8] {
        let key = try keys.handle(question.key)
        let chaining = chaining
        let word: UInt64
        switch question.algorithm {
        case .aesCMAC:
            return try withToken { () throws(PKCS11Error) in try session.aesCMAC(question.data, key: key) }
        case .iso9797Algorithm1:
            word = try withToken { () throws(PKCS11Error) in
                try session.cbcMAC(question.padding.pad(question.data), key: key, chaining: chaining)
            }
        case .iso9797Algorithm3:
            let left = try doubledLeftHalf(of: question.key)
            word = try withToken { () throws(PKCS11Error) in
                try session.retailMAC(
                    question.padding.pad(question.data), key: key, leftHalf: left, chaining: chaining)
            }
        case .tripleDESCMAC:
            word = try withToken { () throws(PKCS11Error) in
                try session.tripleDESCMAC(question.data, key: key, chaining: chaining)
            }
        }
        return withUnsafeBytes(of: word.bigEndian) { Array($0) }
    }
}
