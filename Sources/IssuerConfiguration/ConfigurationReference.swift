/// The schema as a page for people: `docs/configuration.md`.
package enum ConfigurationReference {
    /// The whole page, Markdown.
    package static var markdown: String {
        var text = preface
        var section = ""
        for key in ConfigurationSchema.keys {
            let here = heading(key)
            if here != section {
                section = here
                text += "\n## \(here)\n\n| key | value | default | reload | |\n|---|---|---|---|---|\n"
            }
            text += row(key)
        }
        return text
    }

    /// A section's keys stand together; one level of them is enough.
    private static func heading(_ key: ConfigurationKey) -> String {
        let parts = key.parts.dropLast()
        return parts.isEmpty ? "The file" : parts.prefix(4).joined(separator: ".")
    }

    private static func row(_ key: ConfigurationKey) -> String {
        let unit = key.unit.map { ", \($0)" } ?? ""
        let standard: String
        switch key.standard {
        case .required: standard = "**required**"
        case .absent(let words): standard = words
        case .value(let value): standard = "`\(value)`"
        case .computed(let words): standard = words
        }
        let reload = key.isReloadable ? "yes" : "restart"
        return "| `\(key.path)` | \(key.kind.words)\(unit) | \(standard) | \(reload) | \(key.sentence) |\n"
    }

    private static let preface = """
        # Configuration

        Written by `issuer-host config reference`; the rows are the program's own. `issuer-host check --config FILE` says
        what is wrong with a file, `issuer-host config show --effective --config FILE` what holds and where it comes from.
        `Config/issuer-host.schema.json` is the same for editors, `Config/issuer-host.example.yaml` a production host,
        `Config/issuer-host.minimal.yaml` the least that serves. `issuer-host config merge FILE OVERLAY...` makes one file of
        several and of the environment; `~` in an overlay takes a key away.

        `*` stands for a name that you choose: letters, digits, `-`, `_` and `.`. Relative paths start from the folder of
        the file. What is not in these tables is refused. "Required" means: where the section is there. A reload (SIGHUP)
        takes new values of keys with "yes"; it refuses a file with another value of a key with "restart".

        ## Overrides

        A variable of the environment comes before the file. Its name is `ISSUER_`, then the parts of the key with `_`
        between them, in capitals, with `_` between words; what is neither letter nor digit is `_`:

        | key | variable |
        |---|---|
        | `admin.port` | `ISSUER_ADMIN_PORT` |
        | `links.acquirer-a.zonePINKey` | `ISSUER_LINKS_ACQUIRER_A_ZONE_PIN_KEY` |
        | `issuers.visa.declineOnTVR` | `ISSUER_ISSUERS_VISA_DECLINE_ON_TVR` |

        Lists have commas between their items. Names of links, ranges and key versions come from the file alone. Every
        variable that begins with `ISSUER_` has to name a key of the file at hand and to hold a value of its kind, or
        nothing starts. Two names that would share a variable are refused. The first lines of the log name the keys that
        come from the environment. `ISSUER_TOKEN_PIN` holds the token's user PIN where `token.pinFile` is absent; it is
        no key. (Kubernetes gives pods variables named after services: a service named `issuer…` needs
        `enableServiceLinks: false`.)

        """
}
