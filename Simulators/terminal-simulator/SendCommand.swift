internal import ArgumentParser
internal import Foundation
internal import ISO8583
internal import TerminalSimulator

/// Any message, byte by byte or field by field.
struct SendCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "send",
        abstract: "Send one message given as hex, or as fields in YAML, and show what comes back.",
        discussion: """
            The message is what `purchase --hex` and `run --trace=hex` print, and what a capture shows behind the \
            length. --edit opens it as fields in $VISUAL or $EDITOR before it is sent; --show-yaml prints those \
            fields and sends nothing; --yaml takes such a file.

              terminal-simulator purchase --card visa-cvn18 --amount 1.00 --hex | sed -n 's/^sent //p' >request.hex
              terminal-simulator send --hex request.hex --edit

            A message that is changed keeps its cryptogram: the host is to notice. Exit code: 0 an answer came, \
            1 none came, or the message cannot be sent.
            """)

    @Option(
        help: ArgumentHelp(
            "File of hex digits, - for standard input; white space, and a length before it, are left out.",
            valueName: "file"))
    var hex: String?

    @Option(help: ArgumentHelp("File of fields, as --show-yaml prints them.", valueName: "file"))
    var yaml: String?

    @Flag(help: "Edit the fields before they are sent.")
    var edit = false

    @Flag(name: .customLong("show-yaml"), help: "Print the fields and send nothing.")
    var showYAML = false

    @Flag(help: "Send the bytes as they are, though they may be no message of the dialect.")
    var raw = false

    @Option(help: ArgumentHelp("Write every byte to a capture file for Wireshark.", valueName: "file"))
    var pcap: String?

    @OptionGroup(title: "Link options")
    var linkOptions: LinkOptions

    @OptionGroup(title: "Environment options")
    var environment: Environment

    func validate() throws {
        guard (hex == nil) != (yaml == nil) else { throw ValidationError("exactly one of --hex and --yaml") }
        guard !raw || hex != nil && !edit && !showYAML else {
            throw ValidationError(
                "--raw sends the bytes of --hex unread: it goes with neither --edit nor --show-yaml")
        }
    }

    func run() throws {
        try reportingFailures {
            var link = try linkOptions.link(of: environment.bench(for: linkOptions))
            let dialect = link.form.codec.dialect
            var bytes: [UInt8]
            if let hex {
                let text = try read(hex)
                do { bytes = try MessageText.bytes(hex: text, dialect: raw ? nil : dialect) } catch {
                    throw StepError("\(hex): \(error)")
                }
            } else {
                bytes = try MessageText.bytes(yaml: read(yaml ?? "-"), file: yaml ?? "-", dialect: dialect)
            }
            if showYAML || edit {
                var text = try MessageText.yaml(bytes, dialect: dialect)
                if showYAML {
                    print(text, terminator: "")
                    return
                }
                text = try edited(text)
                bytes = try MessageText.bytes(yaml: text, file: "the edited message", dialect: dialect)
            }
            let tap = WireTap(capture: try pcap.map { try CaptureFile(path: $0) })
            link.tap = tap
            var exchange = try Exchange(to: link, timeout: environment.wait)
            print(MessageText.listing(bytes, title: "Sent to \(link)", dialect: dialect))
            try exchange.send(bytes: bytes, framed: true, timeout: environment.wait)
            do {
                let answer = try exchange.nextMessage(timeout: environment.wait)
                print("\n" + Printing.message(answer, title: "Response", dialect: dialect))
            } catch {
                print("\nNo answer that can be read: \(error)")
                show(tap)
                throw ExitCode(1)
            }
            show(tap)
        }
    }

    private func show(_ tap: WireTap) {
        print("")
        for message in tap.take() { print("\(message.direction.rawValue) \(message.hex)") }
    }

    private func read(_ path: String) throws -> String {
        if path == "-" {
            return String(decoding: FileHandle.standardInput.readDataToEndOfFile(), as: UTF8.self)
        }
        // A pipe of the shell is a file too.
        guard let file = FileHandle(forReadingAtPath: path), let data = try? file.readToEnd() ?? Data() else {
            throw StepError("cannot read \(path)")
        }
        return String(decoding: data, as: UTF8.self)
    }

    /// A file that only its owner can read, and that is gone afterwards.
    private func edited(_ text: String) throws -> String {
        let path = FileManager.default.temporaryDirectory
            .appendingPathComponent("message-\(UInt32.random(in: .min ... .max)).yaml").path
        guard
            FileManager.default.createFile(
                atPath: path, contents: Data(text.utf8), attributes: [.posixPermissions: 0o600])
        else { throw StepError("\(path) cannot be written") }
        defer { try? FileManager.default.removeItem(atPath: path) }
        let variables = ProcessInfo.processInfo.environment
        let editor = Process()
        editor.executableURL = URL(filePath: "/bin/sh")
        // The editor's own arguments are split by the shell, the file's name is not.
        editor.arguments = ["-c", "\(variables["VISUAL"] ?? variables["EDITOR"] ?? "vi") \"$0\"", path]
        try editor.run()
        editor.waitUntilExit()
        guard editor.terminationStatus == 0 else {
            throw StepError("the editor ended with \(editor.terminationStatus): nothing was sent")
        }
        return try read(path)
    }
}
