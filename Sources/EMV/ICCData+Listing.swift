/// What tools and rarer checks read of chip data.
extension ICCData {
    /// The same for a whole array.
    package init(parsing bytes: [UInt8]) throws(TLVError) { try self.init(parsing: bytes[...]) }

    static func isSame(_ known: Entry, _ value: Range<Int>, raw: UnsafeRawBufferPointer) -> Bool {
        let start = Int(known.offset)
        return raw[start..<start + Int(known.count)].elementsEqual(raw[value])
    }

    /// The value of a tag whose length the format fixes.
    /// - Throws: `.missing` or `.wrongCount`, with the tag.
    package func value(of tag: Tag, expectedCount count: Int) throws(TLVError) -> ArraySlice<UInt8> {
        guard let value = self[tag] else { throw .missing(tag) }
        guard value.count == count else {
            throw .wrongCount(tag, expected: count, found: value.count)
        }
        return value
    }

    /// The tags in the order in which they came.
    package var tags: [Tag] { entries.map { Tag(rawValue: $0.tag) } }

    /// How many objects there are: one of them may be the card's number or its track.
    package var description: String { "chip data of \(entries.count) objects" }
    /// Empty, so that a dump or a failed expectation shows nothing.
    package var customMirror: Mirror { Mirror(self, children: []) }

    /// The tag is not there, or has no value.
    package func isLeftOut(_ tag: Tag) -> Bool { entry(tag).map { $0.count == 0 } ?? true }

    /// True if the tag is there.
    package func has(_ tag: Tag) -> Bool { entry(tag) != nil }
}

extension ICCData {
    /// Tag 9F03 in minor units, nil where it is absent or not decimal.
    package var amountOther: UInt64? { number(.amountOther, count: 6).flatMap(decimal) }

    /// Tag 91, nil where it is absent or not of 8…16 bytes.
    package var issuerAuthenticationData: IssuerAuthenticationData? {
        self[.issuerAuthenticationData].flatMap { IssuerAuthenticationData(bytes: $0) }
    }

    /// Tag 8A, nil where it is absent or not of two bytes.
    package var authorisationResponseCode: AuthorisationResponseCode? {
        number(.authorisationResponseCode).map(AuthorisationResponseCode.init(rawValue:))
    }
}
