/// Limits as a card file gives them: the keys of `issuers.*.limits`, with the same meaning.
extension IssuerConfiguration.Limits: Decodable {
    private struct Key: CodingKey, Hashable {
        let stringValue: String
        var intValue: Int? { nil }
        init(_ name: String) { stringValue = name }
        init?(stringValue: String) { self.init(stringValue) }
        init?(intValue: Int) { nil }
    }

    /// Refuses unknown keys with the nearest valid name, and days outside of 1 to 31.
    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        func refused(_ key: String, _ words: String) -> DecodingError {
            .dataCorrupted(.init(codingPath: container.codingPath + [Key(key)], debugDescription: words))
        }
        for key in container.allKeys {
            let path = ["issuers", "*", "limits", key.stringValue]
            guard ConfigurationSchema.key(path) == nil else { continue }
            let nearest = ConfigurationSchema.nearest(to: path) ?? "currency"
            throw refused(key.stringValue, "is no such key; the nearest is \(nearest)")
        }
        func number(_ name: String) throws -> Int? {
            let value = try container.decodeIfPresent(Int.self, forKey: Key(name))
            if let value, value < 0 { throw refused(name, "must not be below zero") }
            return value
        }
        func list(_ name: String) throws -> [String] {
            try container.decodeIfPresent([String].self, forKey: Key(name)) ?? []
        }
        let days = try number("rollingDays") ?? 30
        guard (1...31).contains(days) else { throw refused("rollingDays", "has to be 1 to 31") }
        self.init(
            currency: try container.decode(String.self, forKey: Key("currency")),
            transactionMax: try number("transactionMax"), contactlessMax: try number("contactlessMax"),
            unverifiedMax: try number("unverifiedMax"), dailyAmount: try number("dailyAmount"),
            dailyCount: try number("dailyCount"), rollingAmount: try number("rollingAmount"),
            rollingCount: try number("rollingCount"), rollingDays: days, cashAmount: try number("cashAmount"),
            cashCount: try number("cashCount"),
            blockedMerchantCategories: try list("blockedMerchantCategories"),
            blockedCountries: try list("blockedCountries"))
    }
}
