extension ConfigurationSchema {
    static let issuer: [ConfigurationKey] = [
        .init(
            "issuers.*.prefix", .text, standard: .required,
            sentence: "Leading digits of the range's PANs, 1 to 12."),
        .init(
            "issuers.*.issuerMasterKey", .text, standard: .absent("`keyVersions` name it"),
            sentence: "Label of the key that cards' cryptogram keys are derived from (IMK-AC)."),
        .init(
            "issuers.*.secureMessagingIntegrityKey", .text, standard: .absent("no issuer scripts"),
            sentence: "Label of the key of issuer scripts' MACs (IMK-SMI)."),
        .init(
            "issuers.*.secureMessagingConfidentialityKey", .text,
            standard: .absent("no enciphered script data"),
            sentence: "Label of the key of issuer scripts' enciphered data (IMK-SMC)."),
        .init(
            "issuers.*.keyVersions.*.derivationKeyIndices", .list, standard: .absent("any"),
            sentence:
                "Derivation key indices, two hexadecimal digits each, of the cards that have this version."),
        .init(
            "issuers.*.keyVersions.*.cardExpiryFrom", .text, standard: .absent("any"),
            sentence: "First expiry date (YYMM) of the cards that have it."),
        .init(
            "issuers.*.keyVersions.*.cardExpiryUntil", .text, standard: .absent("any"),
            sentence: "The last one."),
        .init(
            "issuers.*.keyVersions.*.issuerMasterKey", .text, standard: .required,
            sentence: "As `issuerMasterKey`, of one version."),
        .init(
            "issuers.*.keyVersions.*.secureMessagingIntegrityKey", .text,
            standard: .absent("no issuer scripts"),
            sentence: "As `secureMessagingIntegrityKey`, of one version."),
        .init(
            "issuers.*.keyVersions.*.secureMessagingConfidentialityKey", .text,
            standard: .absent("no enciphered script data"),
            sentence: "As `secureMessagingConfidentialityKey`, of one version."),
        .init(
            "issuers.*.masterKeyOption", .choice(["A", "B", "C"]), standard: .value("A"),
            sentence:
                "Derivation of ICC master keys (EMV Book 2 A1.4); `C` is for AES cards, and for them alone."),
        .init(
            "issuers.*.scriptPINForm", .choice(["iso2", "vis"]),
            standard: .absent("that of the card's profile"),
            sentence: "Clear form of a new PIN in issuer scripts."),
        .init(
            "issuers.*.declineOnTVR", .list, standard: .absent("the usual bits"),
            sentence: "Names of bits of the terminal's results that decline."),
        .init(
            "issuers.*.declineOnCVR", .list, standard: .absent("the usual bits"),
            sentence: "Names of bits of the card's results that decline."),
        .init(
            "issuers.*.declineOnCVM", .list, standard: .absent("`pin-not-seen-by-card`"),
            sentence: "Results of cardholder verification that decline: `failed`, `pin-not-seen-by-card`."),
        .init(
            "issuers.*.profiles", .list, standard: .required,
            sentence: "Names of the cryptogram profiles that its cards may have."),
        .init(
            "issuers.*.nonChip.cardVerificationKey", .text, standard: .required,
            sentence: "Label of the key of card verification values (CVK)."),
        .init(
            "issuers.*.nonChip.stripeValueOffset", .number(0...13), standard: .value("5"), unit: "digits",
            sentence: "Digits of track 2 between service code and card verification value."),
        .init(
            "issuers.*.nonChip.magneticStripe", .flag, standard: .value("true"),
            sentence: "Whether the stripe of a card without a chip may pass."),
        .init(
            "issuers.*.nonChip.fallback", .flag, standard: .value("false"),
            sentence: "Whether the stripe of a card with a chip may pass."),
        .init(
            "issuers.*.nonChip.cardNotPresent", .flag, standard: .value("true"),
            sentence: "Whether a request without a card, with CVV2, may pass."),
        .init(
            "issuers.*.nonChip.contactlessStripe", .choice(["none", "dcvv", "cvc3"]),
            standard: .value("none"),
            sentence: "What stands for the card in a contactless magnetic stripe (DE22 91)."),
        .init(
            "issuers.*.nonChip.contactlessStripeKey", .text,
            standard: .absent("for `dcvv` the range's `issuerMasterKey`"),
            sentence:
                "Label of the key that cards' keys of dCVV or CVC3 are derived from; `cvc3` needs one of its own."
        ),
        .init(
            "issuers.*.nonChip.contactlessStripePlaces", .text, standard: .absent("for `dcvv` `5:8`"),
            sentence:
                "Of `dcvv` the digits of track 2 before value and ATC, behind the service code; of `cvc3` "
                + "`PCVC3:PUNATC:NATC`, as the cards have them, such as `0E00:01FE:4`."),
        .init(
            "issuers.*.nonChip.withoutCVV2", .list, standard: .absent("nothing"),
            sentence:
                "What may pass without a card and without CVV2, as `KIND:MOST`, the most in minor units of the account: "
                + "`mailOrder`, `recurring`, `storedCredential`, `refund`, and `accountVerification` by itself."
        ),
        .init(
            "issuers.*.nonChip.firstPayment", .choice(["required", "ignored"]), standard: .value("required"),
            sentence:
                "Whether recurring payments and those by a stored credential have to name a first one that this issuer approved."
        ),
        .init(
            "issuers.*.nonChip.printedValueDate", .choice(["YYMM", "MMYY"]), standard: .value("YYMM"),
            sentence: "The expiry date as CVV2 is made over it."),
        .init(
            "issuers.*.abroad.rates", .file, standard: .absent("what has no DE6 and DE51 is declined"),
            sentence:
                "File of the issuer's own rates, `FROM TO RATE` a line, for messages in another currency without DE6 and DE51."
        ),
        .init(
            "issuers.*.abroad.rateDifference", .choice(["decline", "flag"]), standard: .value("decline"),
            sentence:
                "What becomes of a DE6 that is not what DE10 makes of DE4: declined, or booked as it came and flagged."
        ),
        .init(
            "issuers.*.sessionKeyTree", .text, standard: .absent("none"),
            sentence: "An EMV2000 session key tree: known in order to be refused by name."),
        .init(
            "issuers.*.pin.verification", .text, standard: .value("reference"),
            sentence: "How online PINs are verified: `reference` or `pvv`."),
        .init(
            "issuers.*.pin.keyIndex", .number(0...9), standard: .value("1"),
            sentence: "Key index of PIN verification values."),
        .init(
            "issuers.*.pin.countsMalformed", .flag, standard: .value("false"),
            sentence: "Whether a malformed PIN block counts as a wrong PIN."),
        .init(
            "issuers.*.completionExcessPercent", .number(0...1_000), standard: .value("15"), unit: "per cent",
            sentence: "By how much the completions of an approval may exceed it, where no hold rule fits."),
        .init(
            "issuers.*.holdDays", .number(1...400), standard: .value("7"), unit: "days",
            sentence: "How long a pre-authorisation holds its amount, where no hold rule fits."),
        .init(
            "issuers.*.holdRules", .list,
            standard: .absent("the usual ones: fuel, restaurants, hotels, car rental"),
            sentence: "Both by merchant category, before the usual ones: `5812:20:3` or `3501-3999:20:31`, "
                + "categories, per cent, days."),
    ]

    /// The most that twelve digits of DE4 and a year of them can make.
    private static let amount = ConfigurationKey.Kind.number(0...999_999_999_999_999)
    private static let count = ConfigurationKey.Kind.number(0...1_000_000)
    private static let noBound = ConfigurationKey.Default.absent("no bound")

    static let issuerLimits: [ConfigurationKey] = [
        .init(
            "issuers.*.limits.currency", .text, standard: .required,
            sentence: "Numeric code (ISO 4217) of the currency of all limits of the range."),
        .init(
            "issuers.*.limits.transactionMax", amount, standard: noBound, unit: "minor units",
            sentence: "Of one transaction."),
        .init(
            "issuers.*.limits.contactlessMax", amount, standard: noBound, unit: "minor units",
            sentence: "Of one contactless transaction."),
        .init(
            "issuers.*.limits.unverifiedMax", amount, standard: noBound, unit: "minor units",
            sentence: "Of one transaction without cardholder verification."),
        .init(
            "issuers.*.limits.dailyAmount", amount, standard: noBound, unit: "minor units",
            sentence: "Of one day."),
        .init(
            "issuers.*.limits.dailyCount", count, standard: noBound, unit: "transactions",
            sentence: "Of one day."),
        .init(
            "issuers.*.limits.rollingAmount", amount, standard: noBound, unit: "minor units",
            sentence: "Of the last `rollingDays`."),
        .init(
            "issuers.*.limits.rollingCount", count, standard: noBound, unit: "transactions",
            sentence: "Of the last `rollingDays`."),
        .init(
            "issuers.*.limits.rollingDays", .number(1...31), standard: .value("30"), unit: "days",
            sentence: "How many days `rolling…` means."),
        .init(
            "issuers.*.limits.cashAmount", amount, standard: noBound, unit: "minor units",
            sentence: "Cash of one day."),
        .init(
            "issuers.*.limits.cashCount", count, standard: noBound, unit: "transactions",
            sentence: "Cash withdrawals of one day."
        ),
        .init(
            "issuers.*.limits.blockedMerchantCategories", .list, standard: .absent("none"),
            sentence: "Merchant category codes that are declined, four digits each."),
        .init(
            "issuers.*.limits.blockedCountries", .list, standard: .absent("none"),
            sentence: "Numeric country codes (ISO 3166) that are declined, three digits each."),
    ]
}
