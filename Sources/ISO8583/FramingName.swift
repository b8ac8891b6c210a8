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

/// Framings as they are configured.
extension Framing {
    /// Two bytes that count what follows them.
    package static let twoByteBigEndian = Framing(.twoByteBigEndian)
    /// Four digits that count what follows them.
    package static let fourASCII = Framing(.fourASCII)

    /// Framing as given; `frameBytesMax` is cut to what the length can express.
    package init(
        _ lengthForm: LengthForm, includesItself: Bool = false, tpduLength: Int = 0, frameBytesMax: Int = 8192
    ) {
        let most = lengthForm.valueMax - (includesItself ? lengthForm.byteCount : 0)
        self.init(
            lengthForm: lengthForm, includesItself: includesItself, tpduLength: tpduLength,
            frameBytesMax: min(frameBytesMax, most))
    }
}

extension Framing.LengthForm {
    /// The greatest length that it can say.
    var valueMax: Int { (0..<placeCount).reduce(1) { value, _ in value * digits.radix } - 1 }
}
