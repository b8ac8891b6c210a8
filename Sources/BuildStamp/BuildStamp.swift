import Foundation
import PackagePlugin

/// Writes down which commit a build is made of, anew whenever a commit or a source changes. (The manifest's own
/// `Context.gitInformation` is kept from build to build and names old commits.)
@main
struct BuildStamp: BuildToolPlugin {
    private static let script = """
        commit=$(git -C "$1" rev-parse HEAD 2>/dev/null) || commit=unknown
        time=$(git -C "$1" show -s --format=%cI HEAD 2>/dev/null) || time=unknown
        [ -z "$(git -C "$1" status --porcelain 2>/dev/null)" ] || commit=$commit+changes
        printf 'enum BuildStamp {\\n    static let commit = "%s"\\n    static let time = "%s"\\n}\\n' \
        "$commit" "$time" >"$2"
        """

    func createBuildCommands(context: PluginContext, target: any Target) throws -> [Command] {
        let root = context.package.directoryURL
        let stamp = context.pluginWorkDirectoryURL.appending(path: "BuildStamp.swift")
        let git = gitFolder(root)
        let inputs = ["HEAD", "index", "logs/HEAD"].map { git.appending(path: $0) } + sources(root)
        return [
            .buildCommand(
                displayName: "Commit of this build", executable: URL(filePath: "/bin/sh"),
                arguments: ["-c", Self.script, "sh", root.path, stamp.path],
                inputFiles: inputs.filter { FileManager.default.fileExists(atPath: $0.path) },
                outputFiles: [stamp])
        ]
    }

    private func sources(_ root: URL) -> [URL] {
        ["Sources", "Simulators", "LoadTests"].flatMap { folder -> [URL] in
            let files = FileManager.default.enumerator(
                at: root.appending(path: folder), includingPropertiesForKeys: nil)
            return (files?.compactMap { $0 as? URL } ?? []).filter {
                ["swift", "c", "h", "lua"].contains($0.pathExtension)
            }
        }
    }

    /// A worktree has a file in its place.
    private func gitFolder(_ root: URL) -> URL {
        let entry = root.appending(path: ".git")
        guard let text = try? String(contentsOf: entry, encoding: .utf8), text.hasPrefix("gitdir: ") else {
            return entry
        }
        let path = text.dropFirst("gitdir: ".count).trimmingCharacters(in: .whitespacesAndNewlines)
        return URL(filePath: path, relativeTo: root)
    }
}
