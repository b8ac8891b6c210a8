/// 3-D Secure: how a range verifies, and where a link has it.
extension ConfigurationSchema {
    static let issuerAuthentication: [ConfigurationKey] = [
        .init(
            "issuers.*.authenticationValue.form", .choice(["cvv-atn", "spa-hmac", "spa2-hmac"]),
            standard: .required,
            sentence: "How its 3-D Secure authentication values are made."),
        .init(
            "issuers.*.authenticationValue.key", .text, standard: .absent("`keys` name them"),
            sentence: "Label of the key of its values: `av-cvk-…` for `cvv-atn`, `av-hmac-…` for the others."),
        .init(
            "issuers.*.authenticationValue.keys", .list, standard: .absent("`key` is for all"),
            sentence: "Labels by the key selector that a value names, in hexadecimal: `01:av-cvk-476173`."),
        .init(
            "issuers.*.authenticationValue.required", .flag, standard: .value("false"),
            sentence: "Whether electronic commerce without a value is declined."),
        .init(
            "issuers.*.authenticationValue.attempts", .flag, standard: .value("false"),
            sentence: "Whether a value may pass that says that an authentication was attempted only."),
        .init(
            "issuers.*.authenticationValue.numberIsTime", .flag, standard: .value("false"),
            sentence:
                "Whether the ACS numbers its values by the time: minutes since 1970 (`cvv-atn`) or seconds."),
        .init(
            "issuers.*.authenticationValue.ageMaxMinutes", .number(1...527_040), standard: .value("129600"),
            unit: "minutes",
            sentence:
                "How old a value may be, where its number is the time; also how long a used one is kept."),
        .init(
            "issuers.*.authenticationValue.amountTolerancePercent", .number(0...100), standard: .value("0"),
            unit: "per cent",
            sentence:
                "How far an amount may be above or below the one that was authenticated, where the form has it."
        ),
        .init(
            "issuers.*.authenticationValue.seriesMax", .number(0...65_534), standard: .value("0"),
            unit: "payments",
            sentence:
                "Further payments of a series, marked as such, that may pass on one value at one merchant."),
        .init(
            "issuers.*.authenticationValue.eciAuthenticated", .list, standard: .value("05,02"),
            sentence: "Electronic commerce indicators that claim that the cardholder was authenticated."),
        .init(
            "issuers.*.authenticationValue.eciAttempted", .list, standard: .value("06,01"),
            sentence: "Indicators that claim that an authentication was attempted."),
        .init(
            "issuers.*.authenticationValue.answers", .list, standard: .absent("the usual DE39, no DE44"),
            sentence:
                "By outcome, DE39 and perhaps DE44: `wrong:82:1`, of an outcome that is no decline `right::2`."
        ),
    ]

    static let linkAuthentication: [ConfigurationKey] = [
        .init(
            "links.*.authenticationValue.element", .number(2...128), standard: .required,
            sentence: "Number of the data element with the 3-D Secure authentication value."),
        .init(
            "links.*.authenticationValue.offset", .number(0...998), standard: .value("0"), unit: "characters",
            sentence: "Characters or bytes of that element before the value."),
        .init(
            "links.*.authenticationValue.encoding", .choice(["raw", "base64", "hex"]),
            standard: .value("base64"),
            sentence: "How the twenty bytes stand there."),
        .init(
            "links.*.authenticationValue.eciElement", .number(2...128), standard: .absent("none"),
            sentence: "Number of the data element with the electronic commerce indicator (ECI)."),
        .init(
            "links.*.authenticationValue.eciOffset", .number(0...998), standard: .value("0"),
            unit: "characters",
            sentence: "Characters of that element before the indicator."),
        .init(
            "links.*.authenticationValue.eciLength", .number(1...2), standard: .value("2"), unit: "digits",
            sentence: "Digits of the indicator."),
        .init(
            "links.*.authenticationValue.recurring", .list, standard: .absent("none"),
            sentence: "Marks of payments of a series: `ELEMENT:OFFSET:TEXT`, each."),
        .init(
            "links.*.authenticationValue.merchantNameLength", .number(1...40), standard: .value("25"),
            unit: "characters", sentence: "Characters of DE43 that are the merchant's name."),
    ]
}
