/// The currencies of ISO 4217: numeric code (DE49, tag 5F2A), alphabetic code, and how many decimal places the minor
/// unit has, in which DE4 and tag 9F02 count.
package enum ISO4217 {
    /// One currency.
    package struct Currency: Hashable, Sendable {
        /// Three digits as a number.
        package let numericCode: UInt16
        /// Three letters.
        package let alphabeticCode: String
        /// Decimal places of the minor unit, 0…4: 2 for SEK, 0 for JPY, 3 for KWD.
        package let exponent: Int
    }

    /// The currency of a numeric code, nil for a number that is none.
    package static func currency(_ numericCode: UInt16) -> Currency? { byCode[numericCode] }

    /// The currency of three letters.
    package static func currency(_ alphabeticCode: String) -> Currency? {
        byCode.values.first { $0.alphabeticCode == alphabeticCode }
    }

    /// An amount as people write it: `42.50 SEK`, `4250 JPY`, `4.250 KWD`; minor units where the code is no currency.
    /// - Parameter numericCode: three digits as a number.
    package static func text(minorUnits: Int64, numericCode: UInt16) -> String {
        guard let currency = currency(numericCode) else {
            return "\(minorUnits) minor units of currency \(padded(UInt64(numericCode), count: 3))"
        }
        return "\(decimal(minorUnits, exponent: currency.exponent)) \(currency.alphabeticCode)"
    }

    private static func decimal(_ minorUnits: Int64, exponent: Int) -> String {
        guard exponent > 0 else { return String(minorUnits) }
        var unit: UInt64 = 1
        for _ in 0..<exponent { unit *= 10 }
        let (whole, rest) = minorUnits.magnitude.quotientAndRemainder(dividingBy: unit)
        return (minorUnits < 0 ? "-" : "") + "\(whole).\(padded(rest, count: exponent))"
    }

    private static func padded(_ number: UInt64, count: Int) -> String {
        let text = String(number)
        return String(repeating: "0", count: max(0, count - text.count)) + text
    }

    private static let byCode: [UInt16: Currency] = {
        var table: [UInt16: Currency] = [:]
        for (exponent, codes) in tables {
            for entry in codes.split(whereSeparator: \.isWhitespace) {
                guard let number = UInt16(entry.suffix(3)) else { continue }
                table[number] = Currency(
                    numericCode: number, alphabeticCode: String(entry.prefix(3)), exponent: exponent)
            }
        }
        return table
    }()

    /// List one of ISO 4217 by exponent; without precious metals, the testing code and units without a minor unit.
    private static let tables: [(exponent: Int, codes: String)] = [
        (
            0,
            """
            BIF108 CLP152 DJF262 GNF324 ISK352 JPY392 KMF174 KRW410 PYG600 RWF646 UGX800 UYI940 VND704 VUV548 XAF950
            XOF952 XPF953
            """
        ),
        (3, "BHD048 IQD368 JOD400 KWD414 LYD434 OMR512 TND788"),
        (4, "CLF990 UYW927"),
        (
            2,
            """
            AED784 AFN971 ALL008 AMD051 ANG532 AOA973 ARS032 AUD036 AWG533 AZN944 BAM977 BBD052 BDT050 BGN975 BMD060
            BND096 BOB068 BOV984 BRL986 BSD044 BTN064 BWP072 BYN933 BZD084 CAD124 CDF976 CHE947 CHF756 CHW948 CNY156
            COP170 COU970 CRC188 CUP192 CVE132 CZK203 DKK208 DOP214 DZD012 EGP818 ERN232 ETB230 EUR978 FJD242 FKP238
            GBP826 GEL981 GHS936 GIP292 GMD270 GTQ320 GYD328 HKD344 HNL340 HTG332 HUF348 IDR360 ILS376 INR356 IRR364
            JMD388 KES404 KGS417 KHR116 KPW408 KYD136 KZT398 LAK418 LBP422 LKR144 LRD430 LSL426 MAD504 MDL498 MGA969
            MKD807 MMK104 MNT496 MOP446 MRU929 MUR480 MVR462 MWK454 MXN484 MXV979 MYR458 MZN943 NAD516 NGN566 NIO558
            NOK578 NPR524 NZD554 PAB590 PEN604 PGK598 PHP608 PKR586 PLN985 QAR634 RON946 RSD941 RUB643 SAR682 SBD090
            SCR690 SDG938 SEK752 SGD702 SHP654 SLE925 SOS706 SRD968 SSP728 STN930 SVC222 SYP760 SZL748 THB764 TJS972
            TMT934 TOP776 TRY949 TTD780 TWD901 TZS834 UAH980 USD840 USN997 UYU858 UZS860 VED926 VES928 WST882 XCD951
            YER886 ZAR710 ZMW967 ZWG924
            """
        ),
    ]
}
