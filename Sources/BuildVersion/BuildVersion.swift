/// What this program was built of.
package enum BuildVersion {
    /// The commit, `+changes` behind it where the sources were not those of the commit; `unknown` outside of git.
    package static let commit = BuildStamp.commit

    /// When that commit was made (ISO 8601).
    package static let commitTime = BuildStamp.time

    /// How it was compiled: `debug` or `release`.
    package static var build: String {
        #if DEBUG
            "debug"
        #else
            "release"
        #endif
    }

    /// One line: what `--version` prints.
    package static let text = "commit \(commit) of \(commitTime), \(build) build"
}
