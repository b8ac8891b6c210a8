/// One form of a 3-D Secure authentication value, a row of the table: twenty bytes that an access control server (ACS)
/// makes when it has authenticated a cardholder, and that come back to the issuer in the authorisation.
package enum AuthenticationValueForm: String, CaseIterable, Sendable {
    /// Visa's CAVV by the CVV algorithm with the authentication tracking number (ATN).
    ///
    /// Twenty bytes: authentication results code (1), second factor code (1, BCD), key indicator (1), a zero and three
    /// digits of output (2, BCD), unpredictable number (2, BCD: the last four digits of the ATN), ATN (8, BCD), version
    /// and action (1), client address or zeros (4). The output is the CVV over the rightmost sixteen digits of the PAN,
    /// the unpredictable number in the expiry date's place, results code and second factor in the service code's.
    ///
    /// Source of the output: the tests of jPOS and of the Go package gocavv; of the twenty bytes: gocavv alone.
    /// Unconfirmed: PANs of other than sixteen digits (jPOS takes them as they are), and what a scheme's newer versions
    /// of the field hold.
    case cvvWithTrackingNumber = "cvv-atn"
    /// Mastercard's first account holder authentication value (AAV, SPA algorithm) with an HMAC-SHA-1.
    ///
    /// Twenty bytes: control byte (8C authenticated, 86 attempt), the first eight bytes of SHA-1 over the merchant's
    /// name, ACS identifier (1), authentication method and key identifier (4 bits each), transaction sequence number
    /// (4), the first five bytes of the HMAC over the PAN (BCD, filled with F to ten bytes) and the fifteen bytes before.
    ///
    /// Source: US patent application 2007/0143227, examples 1 and 2.
    case hmacSHA1 = "spa-hmac"
    /// Mastercard's issuer authentication value (IAV, SPA2 algorithm) with an HMAC-SHA-256.
    ///
    /// The HMAC is over PAN (BCD, filled with F to ten bytes), the first four bytes of SHA-256 over the merchant's name,
    /// amount code (2), currency (BCD, 2) and the directory server's transaction reference (4); four bytes of it count.
    ///
    /// Source: the Go package gocavv alone, so unconfirmed. No public source says how a SPA2 AAV holds the value. The
    /// twenty bytes here are this product's: C6 04, the four bytes, then the hash, the code, the currency and the
    /// reference as in the HMAC's input, then two zero bytes. The HMAC does not cover a status: a key of this form
    /// is for cardholders who were authenticated, and for nothing else.
    case hmacSHA256 = "spa2-hmac"

    /// Bytes of a value; 28 characters in base64.
    package static let byteCount = 20

    /// The name in configurations.
    package var name: String { rawValue }

    /// By a CVV, not by an HMAC.
    package var isCardVerificationValue: Bool { self == .cvvWithTrackingNumber }

    /// What the number in a value counts where the ACS puts the time in it, in seconds. Of an ATN the last four digits
    /// are proven, so minutes: an ATN that is moved is moved by ten thousand of them.
    package var secondsOfNumber: Int64 { self == .cvvWithTrackingNumber ? 60 : 1 }

    /// Bytes of the merchant's hash that the value binds; 0: none.
    package var merchantHashBytes: Int {
        switch self {
        case .cvvWithTrackingNumber: 0
        case .hmacSHA1: 8
        case .hmacSHA256: 4
        }
    }

    /// Whether the value binds amount and currency.
    package var bindsAmount: Bool { self == .hmacSHA256 }

    /// The hash of a merchant's name that a value of this form binds, left-aligned in a word; 0 where it binds none.
    ///
    /// - Parameter merchant: the name as the ACS was told it, without spaces at its end.
    package func merchantHash(_ merchant: [UInt8]) -> UInt64 {
        let digest =
            switch self {
            case .cvvWithTrackingNumber: [UInt8]()
            case .hmacSHA1: PublicDigest.sha1(merchant)
            case .hmacSHA256: PublicDigest.sha256(merchant)
            }
        return (0..<8).reduce(0) { word, place in
            word << 8 | (place < merchantHashBytes ? UInt64(digest[place]) : 0)
        }
    }
}

/// What a value says of the cardholder.
package enum AuthenticationStatus: UInt8, Sendable {
    /// Nobody was authenticated, or it failed.
    case notAuthenticated = 0
    /// An authentication was attempted: the issuer's side could not do it.
    case attempted = 1
    /// The cardholder was authenticated.
    case authenticated = 2

    /// For people and the trace.
    package var words: String {
        switch self {
        case .notAuthenticated: "not authenticated"
        case .attempted: "authentication attempted"
        case .authenticated: "cardholder authenticated"
        }
    }
}
