public import ByteCoding
internal import Foundation

extension IssuerConfiguration.Token {
    /// The user PIN from `token.pinFile`, or from the environment variable `ISSUER_TOKEN_PIN`; nil without either.
    /// Read when a session opens and kept nowhere.
    public func pin() throws(ConfigurationError) -> SecretBytes? {
        guard let pinFile else {
            return ProcessInfo.processInfo.environment["ISSUER_TOKEN_PIN"].map {
                SecretBytes(copying: Array($0.utf8))
            }
        }
        guard let data = FileManager.default.contents(atPath: pinFile) else {
            throw ConfigurationError("token.pinFile \(pinFile) cannot be read")
        }
        return SecretBytes(copying: data.prefix { $0 != 0x0A && $0 != 0x0D })
    }
}
