#!/usr/bin/env python3
"""The alert rules that Tests/Packaging/walk.py does not have fire, each made to fire by a real host, and all but
IssuerLinkWithoutConnection silent again.

    alarms.py [BIN]           folder of the executables; DEMO_BIN, or the release build, without

Starts an environment of its own whose token and clock can be spoilt, and a Prometheus that reads the host once a second.
For each rule it makes the trouble, waits until Prometheus says `firing`, takes the trouble away, and waits until it does
not. Prints a line for each; the status is 1 if one did not. So that this takes minutes, `for` and the windows of the rules
are seconds here; alerts.test.yaml holds them as they are. Needs the Debian packages prometheus, openssl and redis-tools.
"""
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
WITHIN = float(os.environ.get("ALARM_SECONDS", "60"))


def fail(text):
    print(f"error: {text}", file=sys.stderr)
    sys.exit(1)


def outside():
    for program in ("prometheus", "openssl", "redis-cli"):
        if not shutil.which(program):
            fail(f"{program} is missing: apt-get install prometheus openssl redis-tools")
    folder = tempfile.mkdtemp(prefix="issuer-alarms-")
    binaries = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("DEMO_BIN")
    if not binaries:
        binaries = subprocess.check_output(["swift", "build", "-c", "release", "--show-bin-path"], cwd=ROOT, text=True).strip()
    binaries = os.path.abspath(binaries)
    environment = dict(
        os.environ, DEMO_DIR=folder + "/environment", DEMO_TLS="1", DEMO_BIN=binaries, DEMO_EVENT_LOOPS="1",
        # Passed on to the host alone: a token that a file spoils, a clock that a file sets, an answer's time that a flood is over.
        DEMO_TOKEN_DELAY="0", FAULTY_TOKEN_CONTROL=folder + "/token", DEMO_HOST_PRELOAD=binaries + "/libSkewedClock.so",
        SKEWED_CLOCK_FILE=folder + "/clock", ISSUER_LINKS_ACQUIRER_B_ANSWER_TIMEOUT_MILLISECONDS="2000",
    )
    for name, port in [("DEMO_PORT_A", "18583"), ("DEMO_PORT_B", "18584"), ("DEMO_ADMIN_PORT", "19583")]:
        environment.setdefault(name, port)
    pathlib.Path(folder, "token").write_text(" ")
    pathlib.Path(folder, "clock").write_bytes(struct.pack("=q", 0))
    try:
        command = [str(ROOT / "Config/demo/environment.sh"), "with", str(pathlib.Path(__file__).resolve()), "--inside", folder]
        return subprocess.run(command, env=environment).returncode
    finally:
        shutil.rmtree(folder)


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Alarms:
    """A Prometheus with the rules, in seconds."""

    def __init__(self, folder):
        self.port = free_port()
        rules = (ROOT / "Config/observability/alerts.yaml").read_text()
        rules = re.sub(r"\bfor: \w+", "for: 1s", re.sub(r"\[\d+m\]", "[15s]", rules))
        pathlib.Path(folder, "alerts.yaml").write_text(rules)
        self.names = re.findall(r"alert: (\w+)", rules)
        settings = pathlib.Path(folder, "prometheus.yaml")
        settings.write_text(
            "global: {scrape_interval: 1s, evaluation_interval: 1s}\n"
            f"rule_files: [{folder}/alerts.yaml]\n"
            "scrape_configs: [{job_name: issuer-host, "
            f"static_configs: [{{targets: ['127.0.0.1:{os.environ['DEMO_ADMIN_PORT']}']}}]}}]\n"
        )
        self.process = subprocess.Popen(
            ["prometheus", f"--config.file={settings}", f"--storage.tsdb.path={folder}/data",
             f"--web.listen-address=127.0.0.1:{self.port}"],
            stdout=subprocess.DEVNULL, stderr=open(f"{folder}/prometheus.log", "w"),
        )
        self.seen = []

    def firing(self):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v1/alerts", timeout=5) as answer:
                alerts = json.load(answer)["data"]["alerts"]
        except OSError:
            return set()
        return {alert["labels"]["alertname"] for alert in alerts if alert["state"] == "firing"}

    def within(self, what, test, meanwhile=None):
        end = time.time() + WITHIN
        while not test():
            if time.time() > end:
                fail(f"{what}: not within {WITHIN:.0f} s; firing: {', '.join(sorted(self.firing())) or 'none'}")
            if meanwhile:
                meanwhile()
            time.sleep(0.2)

    def fires(self, name, meanwhile=None):
        began = time.time()
        self.within(f"{name} does not fire", lambda: name in self.firing(), meanwhile)
        self.seen.append(name)
        print(f"fires   {name}, {time.time() - began:.0f} s after the trouble began", flush=True)

    def ends(self, name):
        self.within(f"{name} does not end", lambda: name not in self.firing())
        print(f"silent  {name}", flush=True)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()


class Environment:
    def __init__(self, folder):
        self.folder, self.binaries, self.configuration = folder, os.environ["DEMO_BIN"], os.environ["DEMO_CONFIG"]
        self.directory = pathlib.Path(os.environ["DEMO_DIR"])
        self.quiet = {key: text for key, text in os.environ.items() if not key.startswith("ISSUER_")}

    def program(self, name, *arguments):
        return [f"{self.binaries}/{name}", *arguments, "--config", self.configuration]

    def pay(self, seconds=5):
        """One purchase; whoever has no answer by then hangs up."""
        subprocess.run(
            self.program("terminal-simulator", "purchase", "--link", "acquirer-b", "--card", "visa-cvn18", "--amount", "1.00",
                         "--pin", "4321", "--timeout", str(seconds)),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=self.quiet)

    def start(self, name, *arguments):
        return subprocess.Popen(self.program(name, *arguments), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=self.quiet)

    def token(self, state):
        """`r`: the module says that the token was removed; `s`: calls stand still; a space: all is well."""
        with open(os.environ["FAULTY_TOKEN_CONTROL"], "r+") as file:
            file.write(state)

    def clock(self, seconds):
        with open(os.environ["SKEWED_CLOCK_FILE"], "r+b") as file:
            file.write(struct.pack("=q", seconds * 1000))

    def redis(self, *words):
        place = re.search(r"unixSocket: (\S+)", pathlib.Path(self.configuration).read_text())[1]
        place = place if place.startswith("/") else str(self.directory / place)
        return subprocess.check_output(["redis-cli", "-s", place, *words], text=True)

    def reload(self):
        os.kill(int(os.environ["DEMO_HOST_PID"]), signal.SIGHUP)

    def openssl(self, *words):
        subprocess.run(["openssl", *words], cwd=self.directory / "tls", check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def certificate(self, days):
        """The host's certificate again, for so many days."""
        self.openssl("x509", "-req", "-in", "host.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-days", str(days),
                     "-copy_extensions", "copy", "-out", "host.pem")

    def revocation_list(self, seconds):
        (self.directory / "tls/ca.cnf").write_text("[ca]\ndefault_ca = this\n[this]\ndatabase = index\ndefault_md = sha256\n")
        (self.directory / "tls/index").write_text("")
        self.openssl("ca", "-config", "ca.cnf", "-cert", "ca.pem", "-keyfile", "ca.key", "-gencrl", "-crlsec", str(seconds),
                     "-out", "revoked.pem")

    def merge(self, overlay):
        file = pathlib.Path(self.folder, "overlay.yaml")
        file.write_text(overlay)
        text = subprocess.check_output(
            [f"{self.binaries}/issuer-host", "config", "merge", self.configuration, str(file)], text=True, env=self.quiet)
        pathlib.Path(self.configuration).write_text(text)


def play(alarms, host):
    # Nobody is connected from the beginning.
    alarms.fires("IssuerLinkWithoutConnection")

    host.token("r")
    alarms.fires("IssuerTokenAway")
    alarms.fires("IssuerUnavailableAnswers", host.pay)
    host.token(" ")
    alarms.ends("IssuerTokenAway")

    # One approved purchase and thousands of repeats, from a peer that reads nothing and breaks the connection: what its machine
    # had no room for was told to nobody.
    shown = subprocess.run(
        host.program("terminal-simulator", "purchase", "--link", "acquirer-b", "--card", "visa-cvn18", "--amount", "1.00",
                     "--pin", "4321", "--hex"),
        stdout=subprocess.PIPE, text=True, env=host.quiet).stdout
    request = bytes.fromhex(re.search(r"^sent (\w+)$", shown, re.MULTILINE)[1])

    def read_nothing():
        with socket.socket() as peer:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2_048)
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            peer.settimeout(2)
            peer.connect(("127.0.0.1", int(os.environ["DEMO_PORT_B"])))
            try:
                peer.sendall((len(request).to_bytes(2, "big") + request) * 5_000)
                time.sleep(1)
            except TimeoutError:
                pass

    alarms.fires("IssuerUntoldApprovals", read_nothing)

    # Each answer takes as long as the token stands still.
    def wait_for_the_token():
        host.token("s")
        paying = [host.start("terminal-simulator", "purchase", "--link", "acquirer-b", "--card", "visa-cvn18", "--amount", "1.00",
                             "--pin", "4321") for _ in range(2)]
        time.sleep(1.5)
        host.token(" ")
        for each in paying:
            each.wait()

    alarms.fires("IssuerSlowAnswers", wait_for_the_token)

    # More than any host here can answer.
    flood = subprocess.Popen(
        host.program("load-generator", "run", "--rate", "20000", "--connections", "16", "--cards", "5000", "--duration", "60s",
                     "--results", host.folder + "/results"),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=host.quiet)
    alarms.fires("IssuerLoadShed")
    flood.terminate()
    flood.wait()
    for name in ("IssuerLoadShed", "IssuerUnavailableAnswers", "IssuerUntoldApprovals", "IssuerSlowAnswers"):
        alarms.ends(name)

    used = int(re.search(r"used_memory:(\d+)", host.redis("info", "memory"))[1])
    host.redis("config", "set", "maxmemory", str(used * 11 // 10))
    alarms.fires("IssuerStoreNearlyFull")
    host.redis("config", "set", "maxmemory", "0")
    alarms.ends("IssuerStoreNearlyFull")

    host.clock(10)
    alarms.fires("IssuerClockDiffers")
    host.clock(0)
    alarms.ends("IssuerClockDiffers")

    host.certificate(days=20)
    host.reload()
    alarms.fires("IssuerCertificateEnds")
    host.certificate(days=90)
    host.reload()
    alarms.ends("IssuerCertificateEnds")

    host.revocation_list(seconds=20)
    host.merge("links: {acquirer-a: {tls: {revokedFile: tls/revoked.pem}}}\n")
    host.reload()
    alarms.fires("IssuerRevocationListEnds")
    alarms.fires("IssuerRevocationListOverdue")
    host.revocation_list(seconds=864000)
    host.reload()
    alarms.ends("IssuerRevocationListOverdue")
    alarms.ends("IssuerRevocationListEnds")


def inside(folder):
    alarms = Alarms(folder)
    try:
        play(alarms, Environment(folder))
    finally:
        alarms.stop()
    walked = re.findall(r'is_firing\("(\w+)"\)', (ROOT / "Tests/Packaging/walk.py").read_text())
    missing = [name for name in alarms.names if name not in alarms.seen and name not in walked]
    if missing:
        fail(f"nothing makes these fire: {', '.join(missing)}")
    print(f"{len(alarms.seen)} of {len(alarms.names)} alert rules fired here, the others fire in `make walk`")
    return 0


if __name__ == "__main__":
    sys.exit(inside(sys.argv[2]) if sys.argv[1:2] == ["--inside"] else outside())
