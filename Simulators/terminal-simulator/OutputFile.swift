internal import Foundation
internal import Glibc
internal import TerminalSimulator

/// A file that a command writes at its end: what cannot be written is said before anything is sent.
enum OutputFile {
    /// - Throws: `ConfigurationError.unwritable`, with the reason.
    static func require(_ path: String) throws(ConfigurationError) {
        var status = stat()
        let isThere = stat(path, &status) == 0
        guard !isThere || status.st_mode & S_IFMT != S_IFDIR else {
            throw .unwritable(path: path, reason: "it is a folder")
        }
        let folder = URL(filePath: path).deletingLastPathComponent().path
        guard !path.isEmpty, access(isThere ? path : folder, W_OK) == 0 else {
            let reason = String(cString: strerror(path.isEmpty ? ENOENT : errno))
            throw .unwritable(path: path, reason: isThere ? reason : "folder \(folder): \(reason)")
        }
    }

    /// Writes it.
    static func write(_ text: String, to path: String) throws(ConfigurationError) {
        do { try Data(text.utf8).write(to: URL(filePath: path)) } catch {
            throw .unwritable(path: path, reason: error.localizedDescription)
        }
    }
}
