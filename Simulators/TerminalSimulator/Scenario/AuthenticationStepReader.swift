internal import EMV

/// The keys of `3ds`: what 3-D Secure comes to in a purchase of entry `e-commerce 3-D Secure`.
enum AuthenticationStepReader {
    static func settings(_ node: ScenarioNode) throws(ScenarioError) -> AuthenticationSettings {
        var settings = AuthenticationSettings()
        for entry in try node.entries(["value", "status", "amount", "merchant", "age", "eci", "recurring"]) {
            let value = entry.value
            switch entry.key {
            case "value":
                settings.value = try value.choice([
                    "right": .right, "wrong": .wrong, "again": .again, "none": .none,
                ])
            case "status":
                settings.status = try value.choice([
                    "authenticated": .authenticated, "attempted": .attempted, "failed": .notAuthenticated,
                ])
            case "amount": settings.minorUnits = try ScenarioStepReader.amount(value).lowerBound
            case "merchant": settings.merchant = try value.text()
            case "age": settings.ageMinutes = Int64(try value.integer(0...1_000_000))
            case "eci": settings.indicator = try indicator(value)
            default: settings.isRecurring = try value.flag()
            }
        }
        return settings
    }

    private static func indicator(_ node: ScenarioNode) throws(ScenarioError) -> String {
        let text = try node.text()
        guard (1...2).contains(text.utf8.count), text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            throw node.fault("one or two digits of an electronic commerce indicator are expected here")
        }
        return text
    }
}
