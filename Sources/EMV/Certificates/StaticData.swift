/// One entry of the Application File Locator (94, EMV Book 3 10.2).
package struct FileLocatorEntry: Hashable, Sendable {
    /// Short file identifier, 1…30.
    package let file: UInt8
    /// First record.
    package let first: UInt8
    /// Last record.
    package let last: UInt8
    /// How many of them, from the first on, are authenticated.
    package let authenticatedCount: UInt8

    /// Takes the parts; nil for what no AFL may say.
    package init?(file: UInt8, first: UInt8, last: UInt8, authenticatedCount: UInt8) {
        guard (1...30).contains(file), first >= 1, last >= first, authenticatedCount <= last - first + 1
        else {
            return nil
        }
        self.file = file
        self.first = first
        self.last = last
        self.authenticatedCount = authenticatedCount
    }

    /// Four bytes.
    package var bytes: [UInt8] { [file << 3, first, last, authenticatedCount] }

    /// Reads tag 94; nil where it is none.
    package static func entries(_ locator: [UInt8]) -> [FileLocatorEntry]? {
        guard !locator.isEmpty, locator.count.isMultiple(of: 4) else { return nil }
        var entries: [FileLocatorEntry] = []
        for index in stride(from: 0, to: locator.count, by: 4) {
            guard locator[index] & 0x07 == 0,
                let entry = FileLocatorEntry(
                    file: locator[index] >> 3, first: locator[index + 1], last: locator[index + 2],
                    authenticatedCount: locator[index + 3])
            else { return nil }
            entries.append(entry)
        }
        return entries
    }
}

/// Static data to be authenticated (EMV Book 3 10.3, Book 2 5.1): what the records that the AFL marks contain, then the
/// AIP where 9F4A lists it.
package enum StaticData {
    /// - Parameters:
    ///   - records: whole records (template 70) by file and number, as READ RECORD gives them.
    ///   - tagList: 9F4A; nil where the card has none.
    package static func assemble(
        _ locator: [FileLocatorEntry], tagList: [UInt8]?, interchangeProfile: UInt16,
        record: (_ file: UInt8, _ number: UInt8) -> [UInt8]?
    ) throws(CertificateFault) -> [UInt8] {
        var data: [UInt8] = []
        for entry in locator where entry.authenticatedCount > 0 {
            for number in entry.first..<entry.first + entry.authenticatedCount {
                guard let whole = record(entry.file, number) else {
                    throw .record(file: entry.file, number: number)
                }
                // Of files 1 to 10 without tag and length; those of the others are theirs (10.3).
                guard let content = content(whole) else {
                    throw .record(file: entry.file, number: number)
                }
                data += entry.file <= 10 ? content : whole
            }
        }
        guard let tagList else { return data }
        guard tagList == [0x82] else { throw .staticTagList }
        return data + [UInt8(interchangeProfile >> 8), UInt8(interchangeProfile & 0xFF)]
    }

    private static func content(_ record: [UInt8]) -> [UInt8]? {
        guard let objects = try? TLVReader.objects(in: record[...]), objects.count == 1,
            let template = objects.first, template.0.rawValue == 0x70
        else { return nil }
        return Array(template.1)
    }
}

/// A PIN on its way to the card, enciphered under the card's key (EMV Book 2 7.2).
package enum EncipheredPIN {
    private static let header: UInt8 = 0x7F

    /// - Parameters:
    ///   - block: eight bytes of format 2.
    ///   - challenge: eight bytes of GET CHALLENGE.
    ///   - random: fills the rest, `key.byteCount - 17` bytes.
    package static func data(block: [UInt8], challenge: [UInt8], random: [UInt8]) -> [UInt8] {
        [header] + block + challenge + random
    }

    /// The PIN block; nil where the data were not made for this challenge.
    package static func block(in data: [UInt8], challenge: [UInt8]) -> [UInt8]? {
        guard data.count >= 17, data[0] == header, Array(data[9..<17]) == challenge else { return nil }
        return Array(data[1..<9])
    }
}

extension Tag {
    /// 8F: Certification Authority Public Key Index.
    package static let caKeyIndex = Tag(rawValue: 0x8F)
    /// 90: Issuer Public Key Certificate.
    package static let issuerCertificate = Tag(rawValue: 0x90)
    /// 92: Issuer Public Key Remainder.
    package static let issuerRemainder = Tag(rawValue: 0x92)
    /// 9F32: Issuer Public Key Exponent.
    package static let issuerExponent = Tag(rawValue: 0x9F32)
    /// 93: Signed Static Application Data.
    package static let signedStaticData = Tag(rawValue: 0x93)
    /// 9F46: ICC Public Key Certificate.
    package static let iccCertificate = Tag(rawValue: 0x9F46)
    /// 9F48: ICC Public Key Remainder.
    package static let iccRemainder = Tag(rawValue: 0x9F48)
    /// 9F47: ICC Public Key Exponent.
    package static let iccExponent = Tag(rawValue: 0x9F47)
    /// 9F2D: ICC PIN Encipherment Public Key Certificate.
    package static let pinCertificate = Tag(rawValue: 0x9F2D)
    /// 9F2E: ICC PIN Encipherment Public Key Exponent.
    package static let pinExponent = Tag(rawValue: 0x9F2E)
    /// 9F2F: ICC PIN Encipherment Public Key Remainder.
    package static let pinRemainder = Tag(rawValue: 0x9F2F)
    /// 9F49: Dynamic Data Authentication Data Object List (DDOL).
    package static let dynamicDataObjects = Tag(rawValue: 0x9F49)
    /// 9F4A: Static Data Authentication Tag List.
    package static let staticDataTagList = Tag(rawValue: 0x9F4A)
    /// 9F4B: Signed Dynamic Application Data.
    package static let signedDynamicData = Tag(rawValue: 0x9F4B)
}
