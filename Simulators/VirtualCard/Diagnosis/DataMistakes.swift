internal import EMV

extension CryptogramMistake {
    /// The terminal's and the card's objects, one by one.
    static let objects: [CryptogramMistake] = CryptogramDiagnosis.objects.flatMap { tag, count in
        let name = "\(tag) (\(tag.name ?? "?"))"
        return [
            CryptogramMistake(
                "tag-\(tag)-missing", "tag \(name) left out of the signed data", group: "tag-\(tag)"
            ) { recipe in recipe.objects.removeAll { $0.tag == tag } },
            CryptogramMistake(
                "tag-\(tag)-empty", "tag \(name) signed as zeros", group: "tag-\(tag)"
            ) { $0.set(tag, [UInt8](repeating: 0, count: count)) },
        ]
    }

    /// Other values that may have been signed.
    static func values(_ evidence: CryptogramEvidence) -> [CryptogramMistake] {
        var found: [CryptogramMistake] = [
            swap("amounts-swapped", "9F02 and 9F03 swapped", first: .amountAuthorised, second: .amountOther),
            swap(
                "codes-swapped", "5F2A (currency) and 9F1A (country) swapped",
                first: .transactionCurrencyCode,
                second: .terminalCountryCode),
            order("aip-after-atc", "82 (AIP) signed after 9F36 (ATC)"),
            .init("amount-other-twice", "9F03 signed as 9F02", group: "tag-9F03") { recipe in
                recipe.set(.amountOther, recipe.value(.amountAuthorised))
            },
            .init("iad-length-signed", "the length byte of the IAD signed before it", group: "iad") {
                let length = UInt8($0.iad.count)
                $0.objects.append(.init(tag: .issuerApplicationData, value: [length]))
            },
        ]
        for (name, words, step) in [("next", "one higher", UInt16(1)), ("before", "one lower", .max)] {
            found.append(
                .init("atc-\(name)", "9F36 (ATC) \(words) than sent", group: "tag-9F36") { recipe in
                    recipe.atc &+= step
                    recipe.set(
                        .applicationTransactionCounter, [UInt8(recipe.atc >> 8), UInt8(recipe.atc & 0xFF)])
                })
        }
        if let amount = evidence.amount { found += amounts(amount) }
        if let currency = evidence.currency {
            let value = [UInt8(bcd(UInt64(currency)) >> 8 & 0xFF), UInt8(bcd(UInt64(currency)) & 0xFF)]
            found.append(
                .init("currency-of-de49", "currency of DE49 signed instead of 5F2A", group: "tag-5F2A") {
                    $0.set(.transactionCurrencyCode, value)
                })
        }
        if let type = evidence.transactionType {
            found.append(
                .init("type-of-de3", "transaction type of DE3 signed instead of 9C", group: "tag-9C") {
                    $0.set(.transactionType, [type])
                })
        }
        return found
    }

    private static func amounts(_ amount: UInt64) -> [CryptogramMistake] {
        let forms = [
            ("amount-of-de4", "amount of DE4 signed instead of 9F02", bcd(amount)),
            ("amount-binary", "9F02 signed in binary instead of decimal digits", amount),
            ("amount-in-major-units", "9F02 signed in major units (a hundredth)", bcd(amount / 100)),
            ("amount-times-100", "9F02 signed times 100", bcd(amount * 100)),
        ]
        return forms.map { name, words, number in
            .init(name, words, group: "tag-9F02") { recipe in
                recipe.set(
                    .amountAuthorised,
                    (0..<6).map { UInt8(truncatingIfNeeded: number >> UInt64(40 - 8 * $0)) })
            }
        }
    }

    private static func swap(
        _ name: String, _ words: String, first: Tag, second: Tag
    ) -> CryptogramMistake {
        .init(name, words, group: "tag-\(first)") { recipe in
            let value = recipe.value(first)
            recipe.set(first, recipe.value(second))
            recipe.set(second, value)
        }
    }

    private static func order(_ name: String, _ words: String) -> CryptogramMistake {
        .init(name, words, group: "order") { recipe in
            guard
                let first = recipe.objects.firstIndex(where: { $0.tag == .applicationInterchangeProfile }),
                let second = recipe.objects.firstIndex(where: { $0.tag == .applicationTransactionCounter })
            else { return }
            recipe.objects.swapAt(first, second)
        }
    }

    /// Many that cost little alone and too much in pairs.
    static func bruteForce(_ evidence: CryptogramEvidence) -> [CryptogramMistake] {
        var found: [CryptogramMistake] = (1...99).map { number in
            .init(
                "psn-\(number < 10 ? "0" : "")\(number)", "PAN sequence number \(number) used", group: "psn",
                combines: false
            ) { $0.sequenceNumber = UInt8(number) }
        }
        for card in evidence.otherCards where card.pan != evidence.identity.pan {
            found.append(
                .init("pan-of-another-card", "signed by card \(card)", group: "pan", combines: false) {
                    $0.pan = card.pan
                    $0.sequenceNumber = card.panSequenceNumber?.rawValue ?? 0
                })
        }
        found += wrongDigits(evidence.identity.pan)
        found += CryptogramDiagnosis.objects.flatMap { tag, count in
            (0..<8 * count).map { bit in
                .init(
                    "bit-of-\(tag)",
                    "tag \(tag) signed with bit \(bit % 8 + 1) of byte \(count - bit / 8) "
                        + "the other way: it was changed after signing", group: "bit", combines: false
                ) { recipe in recipe.flip(tag, bit) }
            }
        }
        found += (0..<32 * 8).map { bit in
            .init(
                "bit-of-9F10",
                "tag 9F10 signed with bit \(8 - bit % 8) of byte \(bit / 8 + 1) the other "
                    + "way: it was changed after signing", group: "bit", combines: false
            ) { recipe in
                guard bit / 8 < recipe.iad.count else { return }
                recipe.iad[bit / 8] ^= 0x80 >> UInt8(bit % 8)
            }
        }
        return found
    }

    /// Says where, not what: account numbers are not for printing.
    private static func wrongDigits(_ pan: PAN) -> [CryptogramMistake] {
        let digits = (0..<pan.digitCount).map { pan.digit(at: $0) }
        var found: [CryptogramMistake] = []
        for index in digits.indices {
            for digit in UInt8(0)...9 where digit != digits[index] {
                var other = digits
                other[index] = digit
                guard let wrong = try? PAN(other.map(String.init).joined()) else { continue }
                found.append(
                    .init(
                        "pan-digit", "PAN with another digit \(index + 1)", group: "pan", combines: false
                    ) { $0.pan = wrong })
            }
        }
        for index in digits.indices.dropLast() where digits[index] != digits[index + 1] {
            var other = digits
            other.swapAt(index, index + 1)
            guard let wrong = try? PAN(other.map(String.init).joined()) else { continue }
            found.append(
                .init(
                    "pan-digits-swapped", "PAN with digits \(index + 1) and \(index + 2) swapped",
                    group: "pan",
                    combines: false
                ) { $0.pan = wrong })
        }
        return found
    }

    private static func bcd(_ number: UInt64) -> UInt64 {
        var rest = number
        var result: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 64, by: 4) where rest > 0 {
            result |= (rest % 10) << shift
            rest /= 10
        }
        return result
    }
}

extension CryptogramRecipe {
    func value(_ tag: Tag) -> [UInt8] { objects.first { $0.tag == tag }?.value ?? [] }

    mutating func set(_ tag: Tag, _ value: [UInt8]) {
        guard let index = objects.firstIndex(where: { $0.tag == tag }) else { return }
        objects[index].value = value
    }

    /// - Parameter bit: 0 the lowest of the last byte.
    mutating func flip(_ tag: Tag, _ bit: Int) {
        guard let index = objects.firstIndex(where: { $0.tag == tag }) else { return }
        let count = objects[index].value.count
        guard bit / 8 < count else { return }
        objects[index].value[count - 1 - bit / 8] ^= 1 << UInt8(bit % 8)
        // The counter and the number are part of keys as well; whoever changed the object changed both.
        if tag == .applicationTransactionCounter { atc ^= 1 << UInt16(bit) }
        if tag == .unpredictableNumber { unpredictableNumber ^= 1 << UInt32(bit) }
    }
}
