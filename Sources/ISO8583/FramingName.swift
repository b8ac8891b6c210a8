extension Framing {
    /// The names that configurations use, in the order in which they are shown to people.
    package static let names = LengthForm.allCases.flatMap { [$0.rawValue, $0.rawValue + inclusive] }

    private static let inclusive = "-incl"

    /// The framing with a name; nil for a name that there is not.
    /// - Parameters:
    ///   - name: one of `names`; `-incl`: the length counts its own bytes.
    ///   - tpduLength: bytes of a TPDU that is no part of the dialect.
    ///   - frameBytesMax: the most behind the length.
    package init?(name: String, tpduLength: Int = 0, frameBytesMax: Int = 8_192) {
        let includesItself = name.hasSuffix(Self.inclusive)
        let form = includesItself ? String(name.dropLast(Self.inclusive.count)) : name
        guard let form = LengthForm(rawValue: form) else { return nil }
        self.init(
            form, includesItself: includesItself, tpduLength: tpduLength, frameBytesMax: frameBytesMax)
    }
}
