import Testing

/// Words and exit codes of all programs: 0, 1 (refused or failed), 64 (usage).
@Suite struct CommandLineTests {
    @Test(
        "An unknown subcommand is 64 and names those there are",
        arguments: [
            (["issuer-host", "srve"], ["has no subcommand 'srve'", "cards", "check", "serve"]),
            (
                ["issuer-host", "cards", "shwo"],
                ["issuer-host cards has no subcommand 'shwo'", "import", "show"]
            ),
            (["issuer-keys", "generat"], ["has no subcommand", "ceremony", "generate"]),
            (["terminal-simulator", "pay"], ["has no subcommand", "purchase", "run"]),
            (["load-generator", "rnu"], ["has no subcommand", "capacity", "run"]),
            (["issuer-host", "help", "srve"], ["has no subcommand 'srve'", "serve"]),
            (
                ["issuer-host", "help", "cards", "shwo"],
                ["issuer-host cards has no subcommand 'shwo'", "show"]
            ),
        ])
    func unknown(command: [String], words: [String]) throws {
        let result = try DemoEnvironment.run(command[0], Array(command.dropFirst()))
        #expect(result.status == 64)
        for word in words { #expect(result.output.contains(word), "\(result.output)") }
    }

    @Test("Help is no error", arguments: [["cards", "script", "--help"], ["help", "cards"], ["--help"]])
    func help(arguments: [String]) throws {
        let result = try DemoEnvironment.run("issuer-host", arguments)
        #expect(result.status == 0 && result.output.hasPrefix("OVERVIEW: "), "\(result.output)")
    }

    @Test(
        "An error names what is wrong, without the root's usage behind it",
        arguments: [
            (["issuer-host", "serve", "--config", "nowhere.yaml"], 1, "nowhere.yaml: cannot be read"),
            (
                [
                    "issuer-host", "cards", "status", "4761739001010119", "gone", "--reason", "x", "--config",
                    "x.yaml",
                ],
                64, "one of active, lost, stolen, restricted"
            ),
            (["issuer-host", "decode", "--dialect", "nope", "00"], 1, "dialect nope cannot be read"),
            (["issuer-keys", "list", "--config", "nowhere.yaml"], 1, "nowhere.yaml: cannot be read"),
            (["terminal-simulator", "cards", "--config", "nowhere.yaml"], 1, "nowhere.yaml"),
            (["load-generator", "compare", "one.json", "two.json"], 1, "one.json"),
            (["issuer-host", "cards", "show", "123", "--config", "x.yaml"], 64, "PAN of 3 digits"),
            (["fault-proxy", "--target", "127.0.0.1:99999"], 64, "--target: host:port"),
            (["fault-proxy", "--target", "127.0.0.1:1", "--port", "99999"], 64, "--port: 0 to 65535"),
        ])
    func words(command: [String], status: Int, text: String) throws {
        let result = try DemoEnvironment.run(command[0], Array(command.dropFirst()))
        #expect(result.status == Int32(status))
        #expect(result.output.contains(text), "\(result.output)")
        #expect(!result.output.contains("<subcommand>"), "\(result.output)")
    }

    @Test(
        "What was typed comes back without what would colour the screen or move its cursor",
        arguments: [
            ["issuer-keys", "generate", "imk-ac-\u{1B}[31mred\u{7}", "--config", "nowhere.yaml"],
            ["issuer-keys", "gener\u{1B}[2Jate"], ["issuer-keys", "list", "--conf\u{1B}[2Jig", "x"],
            ["issuer-host", "serve", "--config", "no\u{1B}[31m\u{202E}where.yaml"],
            [
                "terminal-simulator", "purchase", "--reader", "rack\u{1B}[31m", "--config",
                "nowhere\u{9B}31m.yaml",
            ],
            ["card-rack", "--listen", "here\u{1B}[31m"], ["card-rack", "--parameter", "\u{1B}[31m"],
        ])
    func controlCharacters(command: [String]) throws {
        let result = try DemoEnvironment.run(command[0], Array(command.dropFirst()))
        #expect(result.status != 0)
        let isClean = result.output.unicodeScalars.allSatisfy {
            $0 == "\n" || ![.control, .format].contains($0.properties.generalCategory)
        }
        #expect(isClean, "\(result.output.debugDescription)")
    }
}
