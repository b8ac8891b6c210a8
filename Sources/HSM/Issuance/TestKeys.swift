/// Keys that everybody knows, by their check values. A production profile refuses them whatever they are for.
package enum TestKeys {
    /// Whether a key with this check value is a public one. A good key is taken for one once in 400,000 times, and
    /// made again.
    /// - Parameter checkValue: in hex; its first six digits count.
    package static func contains(checkValue: String) -> Bool {
        all.contains(String(checkValue.prefix(6)).uppercased())
    }

    private static let all = demoIssuer.union(patterns).union(published)

    /// The demo issuer, 0123456789ABCDEFFEDCBA9876543210 among them.
    private static let demoIssuer: Set = [
        "08D7B4", "132DAC", "1744AF", "2C4522", "47D38C", "4A2B76", "76E0CA", "78062F",
        "7BF74B", "7C2B9C", "7F4B05", "7F86C7", "AECDFC", "B59F81", "B5A441", "EAEE33", "416865", "D1B80D",
        "9F236E", "B84F04", "8DF5AB", "10C20A", "0C8BB4", "0D5B32", "88843E",
    ]

    /// Triple DES keys that somebody types in: 00…, 11…, 22…, 33…, FF…, and runs of digits.
    private static let patterns: Set = [
        "8CA64D", "82E136", "00962B", "ADC67D", "CAAAAF", "D5D44F", "A68CDC", "8BAF47", "DDADA1",
        "CAEC3F", "A50201", "D2B91C",
    ]

    /// Keys of examples in standards and specifications, AES ones by CMAC (zeros, counting bytes, SP 800-38B).
    private static let published: Set = [
        "F7D5A0", "2DAF03", "850571", "763CBC", "BE7ED6", "921105", "377822", "7AD386",
    ]
}
