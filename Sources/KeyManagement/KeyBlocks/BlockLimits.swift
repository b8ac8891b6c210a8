/// What a key block allows of the key in it, kept with the key so that it never leaves with more (ANSI X9.143, 6.3).
struct BlockLimits {
    private let came: KeyBlockHeader

    init(_ header: KeyBlockHeader) { came = header }

    /// The header as it stands in `CKA_ID` and in the audit trail, with a length of no body.
    var text: String {
        get throws(KeyBlockError) { try came.encode(bodyCharacters: 0) }
    }

    /// - Parameter text: what `text` gave.
    /// - Throws: `KeyManagementError` naming the key.
    init(text: String, of label: String) throws(KeyManagementError) {
        guard let header = try? KeyBlock.header(parsing: text) else {
            throw KeyManagementError(label, "the token's record of what its key block allowed is damaged")
        }
        came = header
    }

    /// A header that allows no more than the one that came.
    ///
    /// - Parameters:
    ///   - adding: blocks of identifiers that did not come.
    ///   - protectionCheckValue: of the new protection key: a block KP that tells of another one is left out.
    func header(
        version: KeyBlockVersion, mode: Character?, exportability: Character?, adding: [OptionalBlock],
        protectionCheckValue: String?
    ) throws(KeyBlockError) -> KeyBlockHeader {
        let mode = mode ?? came.mode
        guard BlockLimits.modes(within: came.mode).contains(mode) else {
            throw KeyBlockError("mode of use", "\(mode) is more than \(came.mode), which the key came with")
        }
        let exportability = exportability ?? came.exportability
        // S may leave in any form, E in a key block under a trusted key, N not at all.
        let order = "NES"
        guard let asked = order.firstIndex(of: exportability),
            let had = order.firstIndex(of: came.exportability),
            asked <= had
        else {
            throw KeyBlockError(
                "exportability",
                "\(exportability) is more than \(came.exportability), which the key came with")
        }
        for block in adding where came.optionalBlocks.contains(where: { $0.identifier == block.identifier }) {
            throw KeyBlockError("optional block \(block.identifier)", "the key came with one; it stays")
        }
        let kept = came.optionalBlocks.filter { block in
            guard block.identifier == "KP", let protectionCheckValue else { return true }
            return block.data.dropFirst(2).uppercased().hasPrefix(protectionCheckValue)
        }
        return KeyBlockHeader(
            version: version, usage: came.usage, algorithm: came.algorithm, mode: mode,
            keyVersion: came.keyVersion, exportability: exportability, optionalBlocks: kept + adding)
    }

    /// Both directions hold each single one; N has no restriction of its own (6.3.3, table 7).
    private static func modes(within mode: Character) -> Set<Character> {
        switch mode {
        case "B": ["B", "D", "E"]
        case "C": ["C", "G", "V"]
        default: [mode]
        }
    }
}
