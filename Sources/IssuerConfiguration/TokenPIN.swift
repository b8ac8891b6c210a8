package import ByteCoding
internal import Foundation
internal import Glibc

extension IssuerConfiguration.Token {
    /// The user PIN from `token.pinFile`, or from the environment variable `ISSUER_TOKEN_PIN`; nil without either.
    /// Read when a session opens and kept nowhere.
    package func pin() throws(ConfigurationError) -> SecretBytes? {
        guard let pinFile else {
            return ProcessInfo.processInfo.environment[EnvironmentOverrides.tokenPIN].map {
                SecretBytes(copying: Array($0.utf8))
            }
        }
        var status = stat()
        if stat(pinFile, &status) == 0, status.st_mode & 0o077 != 0 {
            throw ConfigurationError(
                "token.pinFile \(pinFile): others may read or write it (mode \(String(status.st_mode & 0o777, radix: 8))); make it 600"
            )
        }
        guard let data = FileManager.default.contents(atPath: pinFile) else {
            throw ConfigurationError("token.pinFile \(pinFile) cannot be read")
        }
        return SecretBytes(copying: data.prefix { $0 != 0x0A && $0 != 0x0D })
    }
}
