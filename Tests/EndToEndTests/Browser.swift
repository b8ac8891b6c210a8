import Foundation
import Glibc

/// A headless Chromium, driven over its DevTools pipe: messages of JSON with a zero byte behind each.
final class Browser {
    private let process: ChildProcess
    private let profile: URL
    private let writing: FileHandle
    private let reading: FileHandle
    private var received: [UInt8] = []
    private var number = 0
    private var session: String?

    /// How long any answer may take.
    private static let patienceMilliseconds: Int32 = 20_000

    init() throws {
        profile = FileManager.default.temporaryDirectory
            .appendingPathComponent("issuer-browser-\(UInt32.random(in: .min ... .max))")
        try FileManager.default.createDirectory(at: profile, withIntermediateDirectories: true)
        let (commands, answers, nothing) = (Pipe(), Pipe(), FileHandle.nullDevice.fileDescriptor)
        process = try ChildProcess(
            [
                "chromium", "--headless=new", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu",
                "--disable-dev-shm-usage", "--no-first-run", "--hide-scrollbars",
                "--user-data-dir=\(profile.path)",
            ],
            // Children read commands from 3 and answer on 4.
            descriptors: [
                nothing, nothing, nothing, commands.fileHandleForReading.fileDescriptor,
                answers.fileHandleForWriting.fileDescriptor,
            ])
        (writing, reading) = (commands.fileHandleForWriting, answers.fileHandleForReading)
        try? answers.fileHandleForWriting.close()
        let target = try send("Target.createTarget", ["url": "about:blank"])["targetId"] as? String ?? ""
        let attached = try send("Target.attachToTarget", ["targetId": target, "flatten": true])
        session = attached["sessionId"] as? String
        try send("Page.enable")
    }

    deinit {
        process.stop()
        try? FileManager.default.removeItem(at: profile)
    }

    /// Opens a page and waits for its script to say that it is ready.
    func open(_ url: String, width: Int, height: Int, dark: Bool) throws {
        try send(
            "Emulation.setDeviceMetricsOverride",
            ["width": width, "height": height, "deviceScaleFactor": 1, "mobile": false])
        let scheme = ["name": "prefers-color-scheme", "value": dark ? "dark" : "light"]
        try send("Emulation.setEmulatedMedia", ["features": [scheme]])
        try send("Page.navigate", ["url": url])
        try wait("document.body && document.body.dataset.ready === 'yes'")
    }

    /// The value of an expression.
    @discardableResult
    func value(_ expression: String) throws -> Any? {
        let answer = try send(
            "Runtime.evaluate",
            ["expression": expression, "awaitPromise": true, "returnByValue": true])
        if let fault = answer["exceptionDetails"] {
            throw DemoEnvironment.Failure(description: "\(expression): \(fault)")
        }
        return (answer["result"] as? [String: Any])?["value"]
    }

    func text(_ id: String) throws -> String {
        try value("document.getElementById('\(id)').innerText") as? String ?? ""
    }

    /// Waits, in the page, until the expression holds.
    func wait(_ condition: String) throws {
        let holds =
            try value(
                """
                new Promise(done => { const end = Date.now() + 10000; const look = () => {
                  if (\(condition)) done(true); else if (Date.now() > end) done(false); else setTimeout(look, 10);
                }; look(); })
                """) as? Bool ?? false
        guard holds else { throw DemoEnvironment.Failure(description: "never came true: \(condition)") }
    }

    private static let codes = [
        "Enter": 13, "Escape": 27, "Backspace": 8, "Tab": 9, "ArrowDown": 40, "ArrowUp": 38, " ": 32,
    ]

    /// Presses keys one after the other, by the names that scripts see.
    func press(_ keys: String...) throws {
        for key in keys {
            var event: [String: Any] = ["key": key]
            if let code = Browser.codes[key] {
                event["windowsVirtualKeyCode"] = code
                if key == "Enter" { event["text"] = "\r" }
            } else {
                event["text"] = key
            }
            try send("Input.dispatchKeyEvent", event.merging(["type": "keyDown"]) { $1 })
            event["text"] = nil
            try send("Input.dispatchKeyEvent", event.merging(["type": "keyUp"]) { $1 })
        }
    }

    /// Presses and releases the mouse in the middle of an element.
    func click(_ selector: String) throws {
        let script = """
            (() => { const one = document.querySelector('\(selector)'); one.scrollIntoView({ block: 'center' });
              const box = one.getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2]; })()
            """
        let place = try value(script) as? [Double] ?? []
        guard place.count == 2 else { throw DemoEnvironment.Failure(description: "there is no \(selector)") }
        for kind in ["mousePressed", "mouseReleased"] {
            try send(
                "Input.dispatchMouseEvent",
                ["type": kind, "x": place[0], "y": place[1], "button": "left", "clickCount": 1])
        }
    }

    /// A picture of the page as PNG.
    func screenshot() throws -> Data {
        let answer = try send("Page.captureScreenshot", ["format": "png"])
        return Data(base64Encoded: answer["data"] as? String ?? "") ?? Data()
    }

    @discardableResult
    private func send(_ method: String, _ parameters: [String: Any] = [:]) throws -> [String: Any] {
        number += 1
        var message: [String: Any] = ["id": number, "method": method, "params": parameters]
        message["sessionId"] = session
        try writing.write(contentsOf: try JSONSerialization.data(withJSONObject: message) + Data([0]))
        while true {
            let answer = try next(method)
            guard answer["id"] as? Int == number else { continue }
            if let error = answer["error"] {
                throw DemoEnvironment.Failure(description: "\(method): \(error)")
            }
            return answer["result"] as? [String: Any] ?? [:]
        }
    }

    /// The next message, an event perhaps.
    private func next(_ method: String) throws -> [String: Any] {
        while true {
            if let end = received.firstIndex(of: 0) {
                let object = try JSONSerialization.jsonObject(with: Data(received[..<end]))
                received.removeFirst(end + 1)
                return object as? [String: Any] ?? [:]
            }
            var entry = pollfd(fd: reading.fileDescriptor, events: Int16(POLLIN), revents: 0)
            guard poll(&entry, 1, Browser.patienceMilliseconds) > 0 else {
                throw DemoEnvironment.Failure(description: "the browser does not answer \(method)")
            }
            let data = reading.availableData
            guard !data.isEmpty else {
                throw DemoEnvironment.Failure(description: "the browser has ended before \(method)")
            }
            received += data
        }
    }
}
