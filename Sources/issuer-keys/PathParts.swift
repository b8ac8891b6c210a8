/// A file's folder and its name in it. Foundation's own way ends the program on a path of one character.
struct PathParts {
    /// `.` where the path names none.
    let folder: String
    let name: String

    init(_ path: String) {
        guard let slash = path.lastIndex(of: "/") else {
            (folder, name) = (".", path)
            return
        }
        name = String(path[path.index(after: slash)...])
        folder = slash == path.startIndex ? "/" : String(path[..<slash])
    }
}
