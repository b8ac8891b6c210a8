#!/usr/bin/env python3
"""Drives the web page of the terminal in a real headless browser, by keyboard, and takes the screenshots.

    browser-check.py URL FOLDER

Needs the Debian packages chromium and chromium-driver, nothing else. Exit code 0 only if every check holds.
"""
import base64
import json
import subprocess
import sys
import time
import urllib.error
import urllib.request

DRIVER_PORT = 39515
KEYS = {"Enter": "\ue007", "Escape": "\ue00c", "Backspace": "\ue003"}


def call(method, path, body=None):
    request = urllib.request.Request(
        f"http://127.0.0.1:{DRIVER_PORT}{path}", method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as reply:
        return json.load(reply)["value"]


class Browser:
    """One browser, light or dark."""

    def __init__(self, dark):
        arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                     "--window-size=1280,860", "--hide-scrollbars"]
        if dark:
            arguments += ["--force-dark-mode", "--blink-settings=preferredColorScheme=0"]
        options = {"capabilities": {"alwaysMatch": {"browserName": "chrome",
                                                    "goog:chromeOptions": {"args": arguments}}}}
        self.session = "/session/" + call("POST", "/session", options)["sessionId"]

    def run(self, script):
        return call("POST", self.session + "/execute/sync", {"script": script, "args": []})

    def until(self, condition, what):
        for _ in range(200):
            if self.run("return " + condition):
                return
            time.sleep(0.05)
        raise SystemExit(f"not reached: {what}")

    def open(self, url):
        call("POST", self.session + "/url", {"url": url})
        self.until("document.body.dataset.ready === 'yes'", "the page is ready")

    def press(self, keys):
        actions = []
        for key in keys:
            value = KEYS.get(key, key)
            actions += [{"type": "keyDown", "value": value}, {"type": "keyUp", "value": value}]
        call("POST", self.session + "/actions",
             {"actions": [{"type": "key", "id": "keyboard", "actions": actions}]})

    def screenshot(self, path):
        with open(path, "wb") as file:
            file.write(base64.b64decode(call("GET", self.session + "/screenshot")))

    def close(self):
        call("DELETE", self.session)

    def choose(self, name, value):
        self.run(f"document.getElementById('{name}').value = '{value}'")

    def pay(self, amount, pin):
        before = self.run("return document.getElementById('history').rows.length")
        self.press(["Escape", *amount, "Enter"])
        self.press(list(pin))
        shown = self.run("return document.getElementById('line2').textContent")
        check(shown == "•" * len(pin), "the PIN is masked on the screen")
        self.press(["Enter"])
        self.until(f"document.getElementById('history').rows.length === {before + 1}", "an answer")
        return self.run("return document.getElementById('outcome').dataset.state"), \
            self.run("return document.getElementById('outcome').textContent")


def check(holds, what):
    print(("ok      " if holds else "WRONG   ") + what)
    if not holds:
        raise SystemExit(1)


def main(url, folder):
    browser = Browser(dark=False)
    try:
        browser.open(url)
        browser.choose("card", "visa-cvn18")
        state, words = browser.pay("4250", "4321")
        check(state == "approved" and "00 approved" in words, "a purchase with the right PIN is approved")
        pan = browser.run("return document.body.innerText.includes('4761739001010028')")
        check(not pan, "the account number is masked")
        browser.screenshot(folder + "/approved.png")
        browser.run("document.getElementById('again').click()")
        browser.until("document.getElementById('history').rows.length === 2", "the repeat's answer")
        state, words = browser.pay("4250", "1111")
        check(state == "declined" and "55 wrong PIN" in words, "a wrong PIN is declined with its reason")
        browser.screenshot(folder + "/declined.png")
        browser.choose("deed", "cryptogramBitFlipped")
        state, words = browser.pay("999", "")
        check(state == "declined" and "88" in words, "a tampered cryptogram is declined")
    finally:
        browser.close()
    browser = Browser(dark=True)
    try:
        browser.open(url)
        dark = browser.run("return matchMedia('(prefers-color-scheme: dark)').matches")
        check(dark, "the browser asks for dark colours")
        browser.choose("card", "visa-cvn18")
        state, _ = browser.pay("1999", "4321")
        check(state == "approved", "a purchase in the dark is approved")
        browser.screenshot(folder + "/dark.png")
    finally:
        browser.close()


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    driver = subprocess.Popen(
        ["chromedriver", f"--port={DRIVER_PORT}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(100):
            try:
                if call("GET", "/status")["ready"]:
                    break
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.1)
        main(sys.argv[1], sys.argv[2])
    finally:
        driver.terminate()
        driver.wait()
