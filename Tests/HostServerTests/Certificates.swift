import Foundation
import SocketSupport

/// Authorities and certificates, made with OpenSSL's command in a folder of their own.
struct Certificates: Sendable {
    let folder: String

    init() throws {
        let path = FileManager.default.temporaryDirectory
            .appending(path: "issuer-certificates-\(UInt32.random(in: .min ... .max))")
        try FileManager.default.createDirectory(at: path, withIntermediateDirectories: true)
        folder = path.path
        try authority("ca")
        try authority("other-ca")
        try certificate("host", names: "DNS:host.example,IP:127.0.0.1", by: "ca")
        try certificate("acquirer", names: "DNS:acquirer.example", by: "ca")
        try certificate("neighbour", names: "DNS:neighbour.example", by: "ca")
        try certificate("unknown", names: "DNS:acquirer.example", by: "other-ca")
        try certificate("expired", names: "DNS:acquirer.example", by: "ca", days: -1)
    }

    func path(_ name: String) -> String { "\(folder)/\(name)" }

    func remove() { try? FileManager.default.removeItem(atPath: folder) }

    private func authority(_ name: String) throws {
        try openssl(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=\(name) "
                + "-keyout \(path(name)).key -out \(path(name)).pem")
    }

    func certificate(_ name: String, names: String, by authority: String, days: Int = 2) throws {
        try openssl(
            "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=\(name) "
                + "-addext subjectAltName=\(names) -keyout \(path(name)).key -out \(path(name)).csr")
        try openssl(
            "x509 -req -in \(path(name)).csr -CA \(path(authority)).pem -CAkey \(path(authority)).key "
                + "-days \(days) -copy_extensions copy -out \(path(name)).pem")
    }

    private func openssl(_ arguments: String) throws {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["openssl"] + arguments.split(separator: " ").map(String.init)
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw SocketFailure(description: "openssl \(arguments)") }
    }
}

/// `openssl s_client`: a TLS implementation that is not the host's.
final class TLSClient: @unchecked Sendable {
    // Sendable because one thread at most writes and one reads.
    private let process = Process()
    private let input = Pipe()
    private let output = Pipe()

    /// - Parameter arguments: beside the address, certificate and authority, `-tls1_2` for instance.
    init(port: UInt16, _ certificates: Certificates, certificate: String?, _ arguments: [String] = []) throws
    {
        process.executableURL = URL(filePath: "/usr/bin/env")
        var all = ["openssl", "s_client", "-quiet", "-verify_return_error", "-connect", "127.0.0.1:\(port)"]
        all += ["-CAfile", certificates.path("ca.pem")]
        if let certificate {
            all += [
                "-cert", certificates.path("\(certificate).pem"), "-key",
                certificates.path("\(certificate).key"),
            ]
        }
        process.arguments = all + arguments
        process.standardInput = input
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        signal(SIGPIPE, SIG_IGN)
        try process.run()
    }

    deinit { if process.isRunning { process.terminate() } }

    /// Sends bytes as they are; false once the other side is gone.
    func send(_ bytes: [UInt8]) -> Bool {
        (try? input.fileHandleForWriting.write(contentsOf: Data(bytes))) != nil
    }

    /// The payload of the next frame; nil at the end of the connection.
    func receiveFrame() -> [UInt8]? {
        guard let prefix = read(2) else { return nil }
        return read(Int(prefix[0]) << 8 | Int(prefix[1]))
    }

    /// Sends a frame and reads one; nil where the connection ends without.
    func exchange(_ payload: [UInt8]) -> [UInt8]? {
        let frame = [UInt8(payload.count >> 8), UInt8(payload.count & 0xFF)] + payload
        _ = send(frame)
        return receiveFrame()
    }

    /// True once the other side has ended the connection.
    func isEnded() -> Bool { read(1) == nil }

    private func read(_ count: Int) -> [UInt8]? {
        var bytes: [UInt8] = []
        while bytes.count < count {
            guard let more = try? output.fileHandleForReading.read(upToCount: count - bytes.count),
                !more.isEmpty
            else { return nil }
            bytes += more
        }
        return bytes
    }
}
