import Foundation
import Testing

/// The payment terminal's page in a real browser, by keyboard, against a real host. `SCREENSHOTS=FOLDER` keeps the
/// pictures.
@Suite(.serialized)
struct BrowserTests {
    /// A host, the page's server before it, and the page's address.
    private final class Stand {
        let environment: DemoEnvironment
        let server: ChildProcess
        let address: String

        init() throws {
            environment = try DemoEnvironment(command: ["run"])
            try environment.waitUntilReady()
            let output = Pipe()
            server = try ChildProcess(
                [
                    DemoEnvironment.executable("terminal-simulator"), "web", "--port", "0", "--config",
                    environment.configuration, "--scenarios",
                    DemoEnvironment.root.appendingPathComponent("Config/scenarios/10-purchases.yaml").path,
                ],
                descriptors: [
                    FileHandle.nullDevice.fileDescriptor, output.fileHandleForWriting.fileDescriptor,
                    output.fileHandleForWriting.fileDescriptor,
                ])
            try output.fileHandleForWriting.close()
            let line = String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
            guard line.hasPrefix("ready: "), let found = line.split(separator: " ").last else {
                throw DemoEnvironment.Failure(description: "the page is not served: \(line)")
            }
            address = found.trimmingCharacters(in: .whitespacesAndNewlines)
        }

        deinit {
            server.stop()
            environment.stop()
        }
    }

    @Test(
        "A purchase, a decline with its reason, repeat, reversal, history, light and dark, by keyboard only")
    func page() throws {
        let stand = try Stand()
        let browser = try Browser()
        try browser.open(stand.address, width: 1_280, height: 900, dark: false)

        try choose(browser, "card", "visa-cvn18")
        #expect(try pay(browser, "4250", pin: "4321") == "approved")
        #expect(try browser.text("outcome").contains("00 approved"))
        #expect(try browser.text("rows").contains("0100") && browser.text("rows").contains("0110"))
        let trace = try browser.value("document.getElementById('trace').textContent") as? String ?? ""
        #expect(trace.contains("GENERATE AC (second, TC)") && trace.contains("9F02 Amount, Authorised"))
        try expectMasked(browser)
        try keep(browser, "approved")

        #expect(try pay(browser, "4250", pin: "1111") == "declined")
        #expect(try browser.text("outcome").contains("55 wrong PIN"))
        #expect(try browser.text("why").contains("PIN: wrong"))
        let checks = try browser.text("explanation")
        #expect(checks.contains("issuer range") && checks.contains("DE39 55 wrong PIN"), "\(checks)")
        try keep(browser, "declined")

        for (button, title) in [("again", "the same request again"), ("reverse", "reversal of no. ")] {
            let before = try rows(browser)
            try browser.value("document.getElementById('\(button)').focus()")
            try browser.press("Enter")
            try browser.wait("document.getElementById('history').rows.length === \(before + 1)")
            #expect(try browser.text("history").contains(title))
        }

        try choose(browser, "deed", "cryptogramBitFlipped")
        #expect(try pay(browser, "999", pin: "") == "declined")
        #expect(try browser.text("outcome").contains("88"))
        #expect(try browser.text("why").contains("differs from the right one (visa-cvn18) in bit"))

        // The same card by its stripe: the chip takes no part.
        try choose(browser, "deed", "nothing")
        try choose(browser, "entry", "stripe")
        #expect(try pay(browser, "999", pin: "") == "approved")
        try choose(browser, "entry", "fallback")
        #expect(try pay(browser, "999", pin: "") == "declined")
        #expect(try browser.text("why").contains("stripe of a card with a chip"))
        #expect(try browser.value("document.getElementById('checks').hidden") as? Bool == false)
        // A web shop with 3-D Secure: the value that was sent, and what the issuer makes of it.
        try choose(browser, "entry", "e-commerce 3-D Secure")
        #expect(try pay(browser, "999", pin: "") == "approved")
        #expect(try browser.text("outcome").contains("Issuer: took the authentication value, DE44 2"))
        let authenticated = try browser.value("document.getElementById('trace').textContent") as? String ?? ""
        #expect(authenticated.contains(/3-D Secure: value [0-9A-Za-z+\/=]{28}, ECI 05/))
        try keep(browser, "3-d-secure")
        try choose(browser, "entry", "chip")

        // An earlier line of the history shows its messages again.
        try browser.value("document.querySelector('#history tr:last-child button').focus()")
        try browser.press("Enter")
        #expect(try browser.text("outcome").contains("00 approved"))

        let light = try background(browser)
        try browser.open(stand.address, width: 1_280, height: 900, dark: true)
        #expect(try background(browser) != light)
        try choose(browser, "card", "mchip-10h")
        #expect(try pay(browser, "1999", pin: "") == "approved")
        try keep(browser, "dark")
    }

    @Test("A key that was clicked is not typed again by Enter, and digits behind Tab are the PIN's")
    func keysAndTab() throws {
        let stand = try Stand()
        let browser = try Browser()
        try browser.open(stand.address, width: 1_280, height: 900, dark: false)
        #expect(try browser.value("document.querySelector('[data-key=Enter]').disabled") as? Bool == true)
        try browser.click("[data-key=\"1\"]")
        try browser.press("Enter")
        #expect(try field(browser, "amount") == "0.01")
        try browser.press("Escape")

        for digit in "4250" { try browser.press(String(digit)) }
        try browser.press("Tab")
        for digit in "43" { try browser.press(String(digit)) }
        #expect(try field(browser, "amount") == "42.50")
        #expect(try field(browser, "pin") == "43")
        // Two digits are no PIN: nothing is sent, and it says so.
        try browser.press("Enter")
        #expect(try browser.text("message").contains("4 to 12 digits, not 2"))
        #expect(try rows(browser) == 0)
        #expect(try browser.text("pinhint") == "test PIN 1234")
        // Clicked keys go on where typed ones were.
        try browser.press("Backspace", "Backspace")
        for digit in "1234" { try browser.click("[data-key=\"\(digit)\"]") }
        try browser.press("Enter")
        try browser.wait("document.getElementById('history').rows.length === 1")
        #expect(try browser.text("outcome").contains("00 approved"))
    }

    @Test("What is asked for takes the place of the last outcome at once")
    func nothingStaleStays() throws {
        let stand = try Stand()
        let browser = try Browser()
        try browser.open(stand.address, width: 1_280, height: 900, dark: false)
        #expect(try pay(browser, "100", pin: "") == "approved")
        // Answers are held back until the page was looked at.
        try browser.value(
            """
            window.open = fetch; window.go = null;
            window.fetch = async (...all) => { await new Promise(done => { window.go = done; }); return open(...all); }; 0
            """)
        try browser.press("2", "0", "0", "Enter", "Enter")
        try browser.wait("window.go !== null")
        #expect(try browser.value("document.getElementById('outcome').dataset.state") as? String == "busy")
        #expect(try browser.text("outcome").contains("Asking the issuer"))
        #expect(try browser.text("outcome").contains("of 2.00"))
        #expect(try browser.text("rows") == "" && browser.text("why") == "")
        let disabled = "['again', 'reverse'].every(id => document.getElementById(id).disabled)"
        #expect(try browser.value(disabled) as? Bool == true)
        try browser.value("window.fetch = open; window.go(); 0")
        try browser.wait("document.getElementById('history').rows.length === 2")
    }

    @Test("A reload keeps the history; another page has its own and can reverse nothing of this one")
    func sessions() throws {
        let stand = try Stand()
        let browser = try Browser()
        try browser.open(stand.address, width: 1_280, height: 900, dark: false)
        #expect(try pay(browser, "100", pin: "") == "approved")
        #expect(try pay(browser, "200", pin: "") == "approved")
        try browser.open(stand.address, width: 1_280, height: 900, dark: false)
        #expect(try rows(browser) == 2)
        #expect(try browser.text("target").contains("no. 2: 2.00"))

        // Another page: storage of its own.
        try browser.value("sessionStorage.clear(); 0")
        try browser.open(stand.address, width: 1_280, height: 900, dark: false)
        #expect(try rows(browser) == 0)
        #expect(try browser.value("document.getElementById('reverse').disabled") as? Bool == true)
        let refused = """
            fetch('/reverse', { method: 'POST', headers: { 'X-Terminal': '1' },
              body: JSON.stringify({ session: 'another', id: 2 }) }).then(reply => reply.text())
            """
        #expect((try browser.value(refused) as? String)?.contains("this page has no transaction 2") == true)

        #expect(try pay(browser, "300", pin: "") == "approved")
        for (kind, words) in [
            ("json", "\"title\" : \"3.00"), ("csv", "\"3.00"), ("xml", "<testcase"), ("yaml", "- purchase:"),
        ] {
            let read =
                "fetch('/history.\(kind)?session=' + sessionStorage.session).then(reply => reply.text())"
            let text = try browser.value(read) as? String ?? ""
            #expect(text.contains(words) && !text.contains("2.00"), "\(kind)")
            let pans = text.matches(of: /(4761|5413|6399)\d{9,15}/)
            #expect(pans.isEmpty, "something that looks like a PAN is exported")
        }
    }

    @Test(
        "Elements and tags are changed before sending, bytes shown where asked for, scenarios run on the page"
    )
    func editorBytesScenarios() throws {
        let stand = try Stand()
        let browser = try Browser()
        try browser.open(stand.address, width: 1_280, height: 900, dark: false)
        try browser.value("document.getElementById('editor').open = true; 0")
        try browser.click("#addtag")
        for key in "9F02" { try browser.press(String(key)) }
        try browser.press("Tab")
        for key in "000000009999" { try browser.press(String(key)) }
        try browser.value("document.getElementById('expected').value = '13'; 0")
        #expect(try pay(browser, "100", pin: "") == "declined")
        #expect(try browser.text("history").contains("edited"))
        #expect(try browser.text("rows").contains("000000009999"))

        let hidden = "document.getElementById('requesthex').checkVisibility()"
        #expect(try browser.value(hidden) as? Bool == false)
        try browser.click("#tab-bytes")
        let hex = try browser.text("requesthex")
        #expect(hex.hasPrefix("30313030") && hex.count > 400, "the request as hex")
        let decoded = try DemoEnvironment.run(
            "issuer-host",
            [
                "decode", "--dialect", "auto", "--dialects",
                DemoEnvironment.root.appendingPathComponent("Config/iso8583").path, hex,
            ])
        #expect(decoded.status == 0 && decoded.output.hasPrefix("fits: ascii87-binbitmap"))

        try browser.click("#tab-run")
        try browser.click("#only")
        for key in "visa-cvn10" { try browser.press(String(key)) }
        #expect(try browser.text("runs").hasPrefix("Run "))
        try browser.click("#runs")
        try browser.wait(
            "/\\d+ of \\d+: \\d+ passed, 0 failed$/.test(document.getElementById('score').textContent)")
        let junit = try browser.value("fetch('/run.xml').then(reply => reply.text())") as? String ?? ""
        #expect(junit.contains("only &quot;visa-cvn10&quot;") && junit.contains("failures=\"0\""))
        try keep(browser, "scenarios")
    }

    @Test(
        "At three sizes nothing is cut off, and axe finds nothing serious, light and dark",
        arguments: [(1_280, 900, false), (820, 1_180, true), (390, 844, false)])
    func sizes(width: Int, height: Int, dark: Bool) throws {
        let stand = try Stand()
        let browser = try Browser()
        try browser.open(stand.address, width: width, height: height, dark: dark)
        try choose(browser, "card", "visa-cvn18")
        #expect(try pay(browser, "4250", pin: "1111") == "declined")
        try browser.value("for (const box of document.querySelectorAll('details')) box.open = true; 0")
        try browser.value(try axe() + "; 0")
        for tab in ["checks", "exchange", "chip", "bytes", "run", "pay"] {
            try browser.click("#tab-\(tab)")
            try expectWhole(browser, tab)
        }
        try browser.value("for (const box of document.querySelectorAll('details')) box.open = false; 0")
        try browser.value("scrollTo(0, 0); document.activeElement.blur(); 0")
        if width < 400 { try keep(browser, "phone") }
    }

    /// Nothing of what is shown is cut off, and axe, which is there already, finds nothing serious.
    private func expectWhole(_ browser: Browser, _ tab: String) throws {
        let cut = """
            [...document.querySelectorAll('main *, header *')].filter(one => one.scrollWidth > one.clientWidth + 1
              && one.clientWidth > 1 && getComputedStyle(one).display !== 'inline'
              && !['SELECT', 'INPUT', 'OPTION'].includes(one.tagName)).map(one => one.tagName + '#' + one.id).join(' ')
            """
        #expect(try browser.value(cut) as? String == "", "\(tab)")
        let fits = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
        #expect(try browser.value(fits) as? Bool == true, "\(tab)")
        let serious = """
            axe.run().then(result => result.violations.filter(one => ['serious', 'critical'].includes(one.impact))
              .map(one => one.id + ': ' + one.nodes.map(node => node.target).join(' ')).join('; '))
            """
        #expect(try browser.value(serious) as? String == "", "\(tab)")
    }

    /// Deque's axe, out of the wheel that Tests/Interoperability/requirements.txt names.
    private func axe() throws -> String {
        let process = Process()
        let output = Pipe()
        process.executableURL = URL(fileURLWithPath: "/bin/bash")
        process.arguments = [
            "-c",
            """
            exec "$("$0")" -c 'import importlib.resources as r; print(r.files("axe_core_python").joinpath("axe.min.js"))'
            """, DemoEnvironment.root.appendingPathComponent("Tests/Interoperability/python.sh").path,
        ]
        process.standardOutput = output
        try DemoEnvironment.start(process)
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        let path = String(decoding: data, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
        return try String(contentsOfFile: path, encoding: .utf8)
    }

    private func field(_ browser: Browser, _ id: String) throws -> String {
        try browser.value("document.getElementById('\(id)').value") as? String ?? ""
    }

    private func rows(_ browser: Browser) throws -> Int {
        try browser.value("document.getElementById('history').rows.length") as? Int ?? -1
    }

    /// Types amount and PIN on the terminal's keys.
    /// - Returns: the outcome's state.
    private func pay(_ browser: Browser, _ amount: String, pin: String) throws -> String {
        let before = try rows(browser)
        try browser.value("document.getElementById('amount').focus()")
        try browser.press("Escape")
        for digit in amount { try browser.press(String(digit)) }
        try browser.press("Enter")
        for digit in pin { try browser.press(String(digit)) }
        #expect(try browser.value("document.getElementById('pin').type") as? String == "password")
        #expect(try field(browser, "pin").count == pin.count)
        try browser.press("Enter")
        try browser.wait("document.getElementById('history').rows.length === \(before + 1)")
        return try browser.value("document.getElementById('outcome').dataset.state") as? String ?? ""
    }

    /// Goes down a list by keyboard until the choice is there, then up.
    private func choose(_ browser: Browser, _ id: String, _ value: String) throws {
        try browser.value("document.getElementById('\(id)').focus()")
        for key in ["ArrowDown", "ArrowUp"] {
            for _ in 0..<40 {
                let found = try browser.value("document.getElementById('\(id)').value") as? String
                if found == value { return }
                try browser.press(key)
            }
        }
        throw DemoEnvironment.Failure(description: "\(value) cannot be chosen by keyboard")
    }

    private func expectMasked(_ browser: Browser) throws {
        let text = try browser.value("document.documentElement.innerText") as? String ?? ""
        #expect(text.contains("476173******0028"))
        let pans = text.matches(of: /(4761|5413|6399)\d{9,15}/)
        #expect(pans.isEmpty, "something that looks like a PAN is shown")
    }

    private func background(_ browser: Browser) throws -> String {
        try browser.value("getComputedStyle(document.body).backgroundColor") as? String ?? ""
    }

    private func keep(_ browser: Browser, _ name: String) throws {
        let picture = try browser.screenshot()
        #expect(picture.starts(with: [0x89, 0x50, 0x4E, 0x47]) && picture.count > 10_000)
        guard let folder = ProcessInfo.processInfo.environment["SCREENSHOTS"] else { return }
        try picture.write(to: URL(fileURLWithPath: folder).appendingPathComponent("\(name).png"))
    }
}
