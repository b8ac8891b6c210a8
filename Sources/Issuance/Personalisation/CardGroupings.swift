internal import ByteCoding
package import EMV

/// The data groupings of one card, in the order in which they go to it (EMV CPS 1.1).
package enum CardGroupings {
    /// What goes in clear, and what goes under the DEK.
    package struct Made: Sendable {
        package let clear: [DataGrouping]
        package let enciphered: [DataGrouping]
    }

    /// - Parameters:
    ///   - application: records, AIP, AFL, private keys under the card's DEK.
    ///   - keys: under the DEK, with check values.
    ///   - issuerData: 9F10.
    ///   - label: 50, up to 16 characters.
    static func make(
        _ application: PersonalisedApplication, keys: [UInt8], checkValues: [[UInt8]], issuerData: [UInt8],
        label: String
    ) throws -> Made {
        var selection = TLVWriter()
        selection.append(Tag(rawValue: 0x50), Array(label.utf8))
        selection.append(Tag(rawValue: 0x87), [1])
        var options = TLVWriter()
        options.append(.applicationInterchangeProfile, try Hex.decode(application.interchangeProfile))
        options.append(Tag(rawValue: 0x94), try Hex.decode(application.locator))
        let records = try application.records.map { record in
            DataGrouping(
                GroupingIdentifier.record(file: record.file, record.number), try Hex.decode(record.data))
        }
        var enciphered = [DataGrouping(GroupingIdentifier.keys, keys)]
        for (key, shift) in [(application.privateKey, 0), (application.pinPrivateKey, 0x0100)] {
            for (identifier, text) in (key?.components ?? [:]).sorted(by: { $0.key < $1.key }) {
                guard let number = Int(identifier, radix: 16) else { continue }
                enciphered.append(DataGrouping(UInt16(number + shift), try Hex.decode(text)))
            }
        }
        return Made(
            clear: [
                DataGrouping(GroupingIdentifier.selectAnswer, selection.bytes),
                DataGrouping(GroupingIdentifier.processingOptions, options.bytes),
                DataGrouping(GroupingIdentifier.issuerData, issuerData),
                DataGrouping(GroupingIdentifier.checkValues, checkValues.flatMap(\.self)),
            ] + records, enciphered: enciphered)
    }

    /// Data of STORE DATA commands: groupings one after another, cut where a command is full.
    static func commands(_ groupings: [DataGrouping], dataMax: Int) -> [[UInt8]] {
        let stream = groupings.flatMap(\.bytes)
        return stride(from: 0, to: stream.count, by: dataMax).map {
            Array(stream[$0..<min($0 + dataMax, stream.count)])
        }
    }
}
