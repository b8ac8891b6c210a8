extension IssuerConfiguration {
    /// The issuer's certificates, for offline data authentication.
    package struct Certificates: Sendable {
        /// Where imported certificates and their counters of serial numbers are kept; nil: there are none.
        package var folder: String?
        /// CA keys that they are checked by.
        package var caKeys: String?
        /// Days before a certificate's end from which checks warn.
        package var warningDays: Int

        init(_ section: Section) throws(ConfigurationError) {
            folder = section.fileIfThere("folder")
            caKeys = section.fileIfThere("caKeys")
            warningDays = try section.number("warningDays")
        }
    }
}
