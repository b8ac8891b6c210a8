internal import ByteCoding
internal import Foundation

/// The blocks of a PEM file (RFC 7468). What stands between them is nobody's matter, as other programs have it.
///
/// swift-asn1 has a reader of its own. It is not used here: its errors name no line, it takes a file without any marker
/// for one without blocks, and it refuses lines of other lengths than 64, which RFC 7468 lets a reader take.
struct PEMBlock {
    /// `X509 CRL`, `CERTIFICATE`.
    let label: String
    let bytes: [UInt8]

    /// What is wrong with a file.
    struct Unreadable: Error, CustomStringConvertible {
        let description: String
    }

    /// - Returns: all blocks of a file, in their order.
    /// - Throws: `Unreadable`.
    static func all(inFile path: String, bytesMax: Int = 64 << 20) throws(Unreadable) -> [PEMBlock] {
        let data: Data
        do { data = try Data(contentsOf: URL(filePath: path)) } catch {
            throw Unreadable(description: "cannot be read")
        }
        guard data.count <= bytesMax else { throw Unreadable(description: "has more than \(bytesMax) bytes") }
        return try all(in: String(decoding: data, as: UTF8.self))
    }

    /// Whether a file of another use has a list of revoked certificates in it.
    static func hasRevocationList(inFile path: String) -> Bool {
        (try? Data(contentsOf: URL(filePath: path))).map(PEM.hasRevocationList) ?? false
    }

    private static func all(in text: String) throws(Unreadable) -> [PEMBlock] {
        var blocks: [PEMBlock] = []
        var open: (label: String, base64: String)?
        for (index, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
            .enumerated()
        {
            let line = line.trimmingCharacters(in: .whitespaces)
            if let label = label(of: line, "-----BEGIN ") {
                guard open == nil else {
                    throw Unreadable(description: "line \(index + 1): a block in a block")
                }
                open = (label, "")
            } else if let label = label(of: line, "-----END ") {
                guard let block = open, block.label == label else {
                    throw Unreadable(description: "line \(index + 1): the end of what was not begun")
                }
                guard let bytes = Data(base64Encoded: block.base64) else {
                    throw Unreadable(description: "line \(index + 1): the block before it is no base64")
                }
                blocks.append(PEMBlock(label: label, bytes: Array(bytes)))
                open = nil
            } else {
                open?.base64 += line
            }
        }
        guard open == nil else { throw Unreadable(description: "ends in the middle of a block") }
        return blocks
    }

    private static func label(of line: String, _ start: String) -> String? {
        guard line.hasPrefix(start), line.hasSuffix("-----") else { return nil }
        return String(line.dropFirst(start.count).dropLast(5))
    }
}
