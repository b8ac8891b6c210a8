package import EMV
internal import Foundation

/// The issuer's certificates as files of one folder: `NAME.tlv`, and `NAME.serial` for those that its key signs.
package struct CertificateStore: Sendable {
    /// One certificate that was kept.
    package struct Entry: Sendable {
        /// Of the issuer's key, without the label's prefix.
        package let name: String
        /// As it came.
        package let file: IssuerCertificateFile
        /// What stands in it; nil where it does not verify any more.
        package let certificate: KeyCertificate?
        /// Why it does not; nil where it does.
        package let fault: String?
        /// The CA key is one that anybody may sign with.
        package let isTest: Bool
    }

    private let folder: String

    /// - Parameter folder: made when first needed.
    package init(folder: String) { self.folder = folder }

    private func path(_ name: String, _ ending: String) -> String { "\(folder)/\(name).\(ending)" }

    /// Names are parts of labels and of file names.
    static func isName(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.count <= 48
            && text.utf8.allSatisfy {
                (0x30...0x39).contains($0) || (0x61...0x7A).contains($0) || $0 == 0x2D || $0 == 0x2E
            } && !text.hasPrefix(".")
    }

    /// Throws for a text that cannot be a name.
    package static func requireName(_ text: String) throws {
        guard isName(text) else {
            throw IssuanceError(text, "a name has 1 to 48 of a to z, 0 to 9, hyphen and full stop")
        }
    }

    /// Keeps a certificate, whole or not at all.
    package func keep(_ file: IssuerCertificateFile, as name: String) throws {
        try CertificateStore.requireName(name)
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try Data(file.encoded).write(to: URL(filePath: path(name, "tlv")), options: .atomic)
    }

    /// One certificate, nil where none has this name.
    package func file(named name: String) throws -> IssuerCertificateFile? {
        try CertificateStore.requireName(name)
        guard let data = FileManager.default.contents(atPath: path(name, "tlv")) else { return nil }
        return try IssuerCertificateFile(file: Array(data))
    }

    /// The counter of the serial numbers that a key gives to cards.
    package func serialNumbers(of name: String) -> SerialNumbers { SerialNumbers(path: path(name, "serial")) }

    /// All of them, each checked anew.
    package func list(_ keys: CAKeys, month: CertificateMonth?) throws -> [Entry] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return try names.filter { $0.hasSuffix(".tlv") }.map { String($0.dropLast(4)) }
            .filter(CertificateStore.isName).sorted().compactMap { name in
                guard let file = try file(named: name) else { return nil }
                let isTest = keys.key(rid: file.rid, index: file.caIndex)?.isTest ?? false
                do {
                    // One that has expired is shown with all that it says.
                    let found = try file.verify(keys, month: nil).certificate
                    var fault: String?
                    do { _ = try file.verify(keys, month: month) } catch { fault = "\(error)" }
                    return Entry(name: name, file: file, certificate: found, fault: fault, isTest: isTest)
                } catch {
                    return Entry(name: name, file: file, certificate: nil, fault: "\(error)", isTest: isTest)
                }
            }
    }
}

extension CAKeys {
    /// Reads a file.
    package init(contentsOf path: String) throws {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw IssuanceError(path, "cannot be read")
        }
        guard let file = try? JSONDecoder().decode(CAKeyFile.self, from: data) else {
            throw IssuanceError(path, "is no file of CA keys")
        }
        do throws(CAKeyFault) { self = try CAKeys(file, .portable) } catch {
            throw IssuanceError(path, "\(error)")
        }
    }
}
