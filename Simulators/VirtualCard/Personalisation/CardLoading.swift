internal import ByteCoding
internal import EMV
internal import LibCrypto

/// What a card has been given so far, data grouping by data grouping (EMV CPS 1.1).
struct CardLoading: Sendable {
    /// P2 of the next STORE DATA.
    private(set) var blockNumber: UInt8 = 0
    /// A grouping that is not whole yet: it may be longer than a command.
    private var stream: [UInt8] = []
    private var wasEnciphered = false
    private var groupings: [UInt16: [UInt8]] = [:]

    /// One command's data.
    /// - Returns: SW1 SW2.
    mutating func take(
        _ data: [UInt8], areEnciphered: Bool, isLast: Bool, channel: CardChannel
    ) throws(LibCryptoError) -> UInt16 {
        guard stream.isEmpty || areEnciphered == wasEnciphered else { return SmartCard.Status.wrongData }
        wasEnciphered = areEnciphered
        stream += data
        for grouping in DataGrouping.take(from: &stream) {
            guard CardLoading.isKnown(grouping.identifier) else { return SmartCard.Status.dataNotFound }
            // A key in clear is no key.
            guard GroupingIdentifier.isEnciphered(grouping.identifier) == areEnciphered else {
                return SmartCard.Status.wrongData
            }
            var content = grouping.data
            if areEnciphered {
                guard !content.isEmpty, content.count.isMultiple(of: channel.blockCount) else {
                    return SmartCard.Status.wrongData
                }
                content = try channel.decipher(content)
            }
            groupings[grouping.identifier] = content
        }
        guard !isLast || stream.isEmpty else { return SmartCard.Status.wrongData }
        blockNumber &+= 1
        return SmartCard.Status.success
    }

    private static func isKnown(_ identifier: UInt16) -> Bool {
        let file = UInt8(identifier >> 8)
        if file == ApplicationLayout.staticFile || file == ApplicationLayout.certificateFile {
            return identifier & 0xFF != 0
        }
        return GroupingIdentifier.isEnciphered(identifier)
            || [
                GroupingIdentifier.selectAnswer, GroupingIdentifier.processingOptions,
                GroupingIdentifier.issuerData, GroupingIdentifier.checkValues,
            ].contains(identifier)
    }

    // MARK: - The card

    /// Nil where something is missing or does not fit.
    func card(identifier: [UInt8]) throws -> PaymentCard? {
        guard let options = groupings[GroupingIdentifier.processingOptions],
            let objects = try? TLVReader.objects(in: options[...]),
            let profile = objects.first(where: { $0.0 == .applicationInterchangeProfile })?.1,
            profile.count == 2, let locator = objects.first(where: { $0.0 == .fileLocator })?.1,
            let iad = groupings[GroupingIdentifier.issuerData], let records = records(Array(locator)),
            let keys = try cardKeys()
        else { return nil }
        let interchangeProfile = profile.reduce(0) { $0 << 8 | UInt16($1) }
        var authentication = CardAuthentication(
            certificateRecords: records.certificates, locator: Array(locator))
        authentication.staticRecords = records.statics
        authentication.key = try privateKey(GroupingIdentifier.privateKey)
        authentication.pinKey = try privateKey(GroupingIdentifier.pinPrivateKey)
        let needsKey =
            interchangeProfile & OfflineAuthenticationMethod.mask & ~OfflineAuthenticationMethod.static
            .rawValue
        guard needsKey == 0 || authentication.key != nil else { return nil }
        return try PaymentCard(
            records.statics + records.certificates, identifier: identifier,
            interchangeProfile: interchangeProfile, issuerData: iad, keys: keys,
            proprietary: groupings[GroupingIdentifier.selectAnswer] ?? [], authentication: authentication)
    }

    /// Every record that 94 names, and no others.
    private func records(_ locator: [UInt8]) -> (statics: [[UInt8]], certificates: [[UInt8]])? {
        guard let entries = FileLocatorEntry.entries(locator) else { return nil }
        var found: [UInt8: [[UInt8]]] = [:]
        for entry in entries {
            guard found[entry.file] == nil, entry.first == 1 else { return nil }
            for number in entry.first...entry.last {
                guard let record = groupings[GroupingIdentifier.record(file: entry.file, number)] else {
                    return nil
                }
                found[entry.file, default: []].append(record)
            }
        }
        return (
            found[ApplicationLayout.staticFile] ?? [], found[ApplicationLayout.certificateFile] ?? []
        )
    }

    /// Of the cryptogram, of MACs and of encipherment, each with its check value: that of triple DES, or of AES.
    private func cardKeys() throws(LibCryptoError) -> [ChipKey]? {
        guard let text = groupings[GroupingIdentifier.keys],
            let values = groupings[GroupingIdentifier.checkValues], [3, 9].contains(values.count)
        else { return nil }
        let count = values.count / 3
        let length = text.count / count
        guard text.count == length * count, length == 16 || length == 32 else { return nil }
        var keys: [ChipKey] = []
        for index in 0..<count {
            let value = Array(text[length * index..<length * (index + 1)])
            let given = Array(values[3 * index..<3 * index + 3])
            guard let key = try CardLoading.key(value, checkValue: given) else { return nil }
            keys.append(key)
        }
        return keys
    }

    private static func key(_ value: [UInt8], checkValue: [UInt8]) throws(LibCryptoError) -> ChipKey? {
        if let key = DoubleLengthKey(bytes: value),
            constantTimeEqual(Array(try KeyCheckValue.tdes(value).prefix(3)), checkValue)
        {
            return .tripleDES(key)
        }
        return constantTimeEqual(Array(try KeyCheckValue.aes(value).prefix(3)), checkValue)
            ? .aes(value) : nil
    }

    /// Nil where its first component is missing. Components end with 80 and zeros.
    private func privateKey(_ identifiers: ClosedRange<UInt16>) throws -> RSAPrivateKey? {
        let components = identifiers.compactMap { groupings[$0] }.compactMap { component in
            CardSCP03.endOfPadded(component).map { Array(component[..<$0]) }
        }
        guard components.count == 5 else { return nil }
        return try RSAPrivateKey(
            .init(
                prime1: components[4], prime2: components[3], exponent1: components[2],
                exponent2: components[1], coefficient: components[0]))
    }
}
