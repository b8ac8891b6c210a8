/// One bit of what terminal or card found before the issuer was asked.
package struct ResultBit: Hashable, Sendable {
    /// The name in configuration: `dda-failed`. In words with spaces for hyphens.
    package let name: String
    /// The bit's place in the value, read as one big-endian number.
    package let mask: UInt64

    fileprivate init(_ name: String, byte: Int, bit: Int, of count: Int) {
        self.name = name
        mask = 1 << UInt64(8 * (count - byte) + bit - 1)
    }

    /// For people.
    package var words: String {
        String(name.map { $0 == "-" ? " " : $0 })
    }
}

/// The bits by name. Bytes and bits count as in the books: byte 1 first, bit 8 highest.
package enum ResultBits {
    /// Terminal Verification Results, tag 95 (EMV Book 3 C5).
    package static let terminal = table(
        count: 5,
        [
            [
                "offline-data-authentication-not-performed", "sda-failed", "icc-data-missing",
                "card-on-exception-file", "dda-failed", "cda-failed", "sda-selected",
            ],
            [
                "application-versions-differ", "application-expired", "application-not-yet-effective",
                "service-not-allowed", "new-card",
            ],
            [
                "cardholder-verification-failed", "cvm-unrecognised", "pin-try-limit-exceeded",
                "pin-pad-missing", "pin-not-entered", "online-pin-entered",
            ],
            [
                "floor-limit-exceeded", "lower-consecutive-limit-exceeded",
                "upper-consecutive-limit-exceeded",
                "selected-randomly", "merchant-forced-online",
            ],
            [
                "default-tdol-used", "issuer-authentication-failed", "script-failed-before-final",
                "script-failed-after-final",
            ],
        ])

    /// Card Verification Results of a format, without the bits that hold numbers; empty where the scheme does not
    /// publish them (Visa format 2, Interac).
    package static func card(_ format: IssuerApplicationDataFormat) -> [ResultBit] {
        switch format {
        case .visa: visa
        case .commonCore: commonCore
        case .mChip: mChip
        case .visaFormat2, .interac: []
        }
    }

    /// VIS 1.5 A, bytes 2 to 4 behind the length byte. Counts of scripts are no bits.
    private static let visa = table(
        count: 3,
        [
            [
                "", "", "", "", "issuer-authentication-failed", "offline-pin-performed", "offline-pin-failed",
                "unable-to-go-online",
            ],
            [
                "last-online-not-completed", "pin-try-limit-exceeded", "velocity-exceeded", "new-card",
                "last-issuer-authentication-failed", "last-issuer-authentication-not-performed",
                "application-blocked", "last-sda-failed",
            ],
            [
                "", "", "", "", "script-failed", "last-dda-failed", "dda-performed", "pin-command-missing",
            ],
        ])
    /// EMV Book 3 C7.3.
    private static let commonCore = table(
        count: 5,
        [
            [
                "", "", "", "", "cda-performed", "dda-performed", "issuer-authentication-not-performed",
                "issuer-authentication-failed",
            ],
            [
                "", "", "", "", "offline-pin-performed", "offline-pin-failed", "pin-try-limit-exceeded",
                "last-online-not-completed",
            ],
            [
                "lower-count-exceeded", "upper-count-exceeded", "lower-amount-exceeded",
                "upper-amount-exceeded",
            ],
            [
                "", "", "", "", "script-failed", "last-offline-authentication-failed", "go-online-next",
                "unable-to-go-online",
            ],
        ])
    /// M/Chip 4 CVR.
    private static let mChip = table(
        count: 6,
        [
            [], [], [],
            [
                "unable-to-go-online", "offline-pin-not-performed", "offline-pin-failed",
                "pin-try-limit-exceeded", "international", "domestic", "terminal-wrongly-believes-pin-right",
            ],
            [
                "lower-count-exceeded", "upper-count-exceeded", "lower-amount-exceeded",
                "upper-amount-exceeded", "go-online-next", "last-issuer-authentication-failed",
                "script-received", "script-failed",
            ],
        ])

    /// Bits of each byte from bit 8 down; an empty name is no flag.
    private static func table(count: Int, _ bytes: [[String]]) -> [ResultBit] {
        bytes.enumerated().flatMap { index, names in
            names.enumerated().filter { !$0.element.isEmpty }.map { position, name in
                ResultBit(name, byte: index + 1, bit: 8 - position, of: count)
            }
        }
    }

    /// The names of the bits that are set.
    package static func set(_ bits: [ResultBit], in value: UInt64) -> [ResultBit] {
        bits.filter { value & $0.mask != 0 }
    }
}

extension CVMResults {
    /// Method and result in words.
    package var words: String {
        let methods: [UInt8: String] = [
            0x00: "fail", 0x01: "plaintext PIN by the card", 0x02: "enciphered PIN online",
            0x03: "plaintext PIN by the card and signature", 0x04: "enciphered PIN by the card",
            0x05: "enciphered PIN by the card and signature", 0x1E: "signature", 0x1F: "none required",
            0x3F: "none performed",
        ]
        let results: [UInt8: String] = [0: "unknown", 1: "failed", 2: "successful"]
        return "\(methods[method] ?? "method \(method)"), \(results[result] ?? "result \(result)")"
    }

    /// 0 unknown, 1 failed, 2 successful.
    package var result: UInt8 { UInt8(truncatingIfNeeded: rawValue) }

    /// A method that verifies somebody (not `no CVM required`, not `no CVM performed`) that has not failed. A
    /// signature has the result unknown: the terminal does not see it.
    package var isCardholderVerified: Bool {
        method != 0x1F && method != 0x3F && method != 0 && result != 1
    }
}
