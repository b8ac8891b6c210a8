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
                    environment.configuration,
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
        #expect(try browser.text("request").contains("0100") && browser.text("response").contains("0110"))
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

        for (button, title) in [
            ("again", "the same request again"), ("reverse", "reversal of the last request"),
        ] {
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
        #expect(try contrast(browser, "#outcome") > 4.5)
        #expect(try contrast(browser, "#request") > 7)

        // A narrow window: nothing runs out of it sideways.
        try browser.open(stand.address, width: 400, height: 800, dark: false)
        let fits = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
        #expect(try browser.value(fits) as? Bool == true)
    }

    private func rows(_ browser: Browser) throws -> Int {
        try browser.value("document.getElementById('history').rows.length") as? Int ?? -1
    }

    /// Types amount and PIN on the terminal's keys.
    /// - Returns: the outcome's state.
    private func pay(_ browser: Browser, _ amount: String, pin: String) throws -> String {
        let before = try rows(browser)
        try browser.value("document.activeElement.blur()")
        try browser.press("Escape")
        for digit in amount { try browser.press(String(digit)) }
        try browser.press("Enter")
        for digit in pin { try browser.press(String(digit)) }
        let shown = try browser.text("line2")
        #expect(shown == String(repeating: "•", count: pin.count), "the PIN is masked")
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

    /// Contrast of text and its background (WCAG 2.2, 1.4.3).
    private func contrast(_ browser: Browser, _ selector: String) throws -> Double {
        let script = """
            (() => {
              const light = colour => {
                const parts = colour.match(/[\\d.]+/g).slice(0, 3).map(n => n / 255)
                  .map(c => c <= .03928 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4);
                return .2126 * parts[0] + .7152 * parts[1] + .0722 * parts[2];
              };
              const element = document.querySelector('\(selector)');
              let behind = element;
              while (getComputedStyle(behind).backgroundColor === 'rgba(0, 0, 0, 0)') behind = behind.parentElement;
              const pair = [getComputedStyle(element).color, getComputedStyle(behind).backgroundColor].map(light);
              return (Math.max(...pair) + .05) / (Math.min(...pair) + .05);
            })()
            """
        return try browser.value(script) as? Double ?? 0
    }

    private func keep(_ browser: Browser, _ name: String) throws {
        let picture = try browser.screenshot()
        #expect(picture.starts(with: [0x89, 0x50, 0x4E, 0x47]) && picture.count > 10_000)
        guard let folder = ProcessInfo.processInfo.environment["SCREENSHOTS"] else { return }
        try picture.write(to: URL(fileURLWithPath: folder).appendingPathComponent("\(name).png"))
    }
}
