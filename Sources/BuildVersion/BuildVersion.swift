/// What this program was built of.
public enum BuildVersion {
    /// The commit, `+changes` behind it where the sources were not those of the commit; `unknown` outside of git.
    public static let commit = BuildStamp.commit

    /// When that commit was made (ISO 8601).
    public static let commitTime = BuildStamp.time

    /// How it was compiled: `debug` or `release`.
    public static var build: String {
        #if DEBUG
            "debug"
        #else
            "release"
        #endif
    }

    /// One line: what `--version` prints.
    public static let text = "commit \(commit) of \(commitTime), \(build) build"
}
