#!/usr/bin/env python3
"""Plays docs/getting-started.md on a machine that has the packages: its blocks as they are written, as the user
issuer-host, and people at the ceremony. Then what docs/operating.md says of an alarm, and of backup and restore.

Started by walk.sh, as root, on a machine that is thrown away. Every step is a line `ok: ...` or the end.
"""
import json
import os
import pathlib
import pty
import re
import select
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

DOCS = pathlib.Path("/usr/share/doc/issuer-host")
HOME = "/var/lib/issuer-host"
CONFIG = "/etc/issuer-host/issuer-host.yaml"
PAN = "4123450000000001"
AS_HOST = ["setpriv", "--reuid=issuer-host", "--regid=issuer-host", "--init-groups", "--"]


def masked(text):
    """Commands and answers name the card's number."""
    return re.sub(r"\b(412345)\d{6}(\d{4})\b", r"\1******\2", text)


def fail(text):
    print(f"FAILED: {masked(text)}", flush=True)
    for log in sorted(pathlib.Path(HOME).glob("*.log")):
        print(f"--- {log}\n" + masked(log.read_text()[-1500:]))
    sys.exit(1)


def ok(text):
    print(f"ok: {text}", flush=True)


def must(truth, text):
    ok(text) if truth else fail(text)


def sections():
    """Number of each section, and its blocks in their order: (kind, text); kind is `commands`, `yaml` or `json`."""
    found, number, block, kind = {}, 0, [], None
    for line in (DOCS / "getting-started.md").read_text().splitlines() + [""]:
        heading = re.match(r"## (\d+)\.", line)
        if heading and block:
            found.setdefault(number, []).append(("commands", "\n".join(block).strip() + "\n"))
            block = []
        if heading:
            number = int(heading[1])
        if kind in ("yaml", "json"):
            if line.startswith("```"):
                found.setdefault(number, []).append((kind, "\n".join(block) + "\n"))
                block, kind = [], None
            else:
                block.append(line)
        elif line.startswith("```"):
            kind = line[3:]
        elif line.startswith("    ") or (block and not line.strip()):
            block.append(line[4:])
        elif block:
            found.setdefault(number, []).append(("commands", "\n".join(block).strip() + "\n"))
            block = []
    return found


def as_host(command, check=True):
    done = subprocess.run(
        [*AS_HOST, "bash", "-c", f"cd {HOME} && set -e\n{command}"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, stdin=subprocess.DEVNULL,
    ) if not re.search(r"&\s*(done)?\s*$", command, re.M) else background(command)
    if check and done.returncode != 0:
        fail(f"{command}\n{done.stdout}")
    return done


def background(command):
    """A block that leaves something running: its output must not hold the pipe open."""
    log = pathlib.Path("/walk/block.log")
    with log.open("w") as out:
        done = subprocess.run(
            [*AS_HOST, "bash", "-c", f"cd {HOME} && set -e\n{command}"],
            stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
        )
    done.stdout = log.read_text()
    return done


def within(seconds, what, test):
    end = time.time() + seconds
    while time.time() < end:
        try:
            if test():
                return ok(what)
        except (OSError, ValueError):
            pass
        time.sleep(0.1)
    fail(what)


def get(port, path):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def is_ready(port):
    return get(port, "/ready")[0] == 200


class Screen:
    """Somebody at a terminal."""

    def __init__(self, command):
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.execvp(AS_HOST[0], [*AS_HOST, "bash", "-c", f"cd {HOME} && exec {command}"])
        self.text, self.seen = "", 0

    def expect(self, words, seconds=60):
        end = time.time() + seconds
        while words not in self.text[self.seen:]:
            left = end - time.time()
            if left <= 0 or not select.select([self.terminal], [], [], left)[0]:
                fail(f"no {words!r} on the screen: {self.text[-500:]}")
            try:
                self.text += os.read(self.terminal, 4096).decode(errors="replace")
            except OSError:
                fail(f"the program ended before {words!r}: {self.text[-500:]}")
        self.seen = self.text.index(words, self.seen) + len(words)

    def answer(self, prompt, line):
        self.expect(prompt)
        os.write(self.terminal, (line + "\n").encode())

    def finish(self):
        while True:
            try:
                if not os.read(self.terminal, 4096):
                    break
            except OSError:
                break
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def ceremony(command):
    screen = Screen(command.strip().splitlines()[-1])
    screen.answer("Name of the witness:", "Wanda")
    for number in range(1, 6):
        screen.answer("Your name:", f"Custodian {number}")
        screen.answer("Your file", "")
        screen.answer("Your passphrase", f"passphrase of number {number}")
        screen.answer("The same again:", f"passphrase of number {number}")
    screen.answer("type GENERATE", "GENERATE")
    screen.expect("Key check value: ")
    screen.expect("to confirm it:")
    value = re.findall(r"Key check value: ([0-9A-F]{6})", screen.text)[-1]
    os.write(screen.terminal, (value + "\n").encode())
    must(screen.finish() == 0, "the ceremony makes the issuer master key")


def one_host(blocks):
    for number, what in [(2, "a token"), (3, "a store")]:
        for kind, text in blocks[number]:
            as_host(text)
        ok(f"section {number}: {what}")
    within(20, "the store answers", lambda: "PONG" in as_host("redis-cli -s /run/issuer-host/redis.sock ping", check=False).stdout)

    configuration = next(text for kind, text in blocks[4] if kind == "yaml")
    pathlib.Path(CONFIG).write_text(configuration)
    unfinished = as_host(f"issuer-host check --config {CONFIG}", check=False)
    must(unfinished.returncode == 1 and "imk-ac-debit" in unfinished.stdout, "check says which key is missing")

    for kind, text in blocks[5]:
        if "ceremony" in text:
            as_host("\n".join(text.strip().splitlines()[:-1]))
            ceremony(text)
        else:
            as_host(text)
    ok("section 5: keys")

    cards = next(text for kind, text in blocks[6] if kind == "json")
    pathlib.Path(HOME, "cards.json").write_text(cards.replace(PAN, PAN[:-1] + "2"))
    refused = as_host(f"issuer-host cards import cards.json --config {CONFIG}", check=False)
    must(refused.returncode == 1 and "cards.json:1: " in refused.stdout, "a wrong check digit is named with its line")
    pathlib.Path(HOME, "cards.json").write_text(cards)
    for kind, text in blocks[6]:
        if kind == "commands":
            must("1 cards imported" in as_host(text).stdout, "section 6: cards")

    commands = blocks[7][0][1].splitlines()
    print(masked(as_host(commands[0]).stdout.rstrip()))
    # systemd does not run here: what the line says beside it.
    must("issuer-host serve --config" in commands[1], "section 7 says how to start without systemd")
    host = subprocess.Popen([*AS_HOST, "bash", "-c", f"cd {HOME} && exec issuer-host serve --config {CONFIG} >host.log 2>&1"])
    within(20, "section 7: the host is ready", lambda: is_ready(9583))
    must("ready" in as_host(commands[2]).stdout, "and says so")
    host.terminate()
    must(host.wait() == 0, "it stops in order")


def prometheus():
    """As docs/operating.md has it, with the two hosts of this machine."""
    text = (DOCS / "operating.md").read_text()
    block = text[text.index("    scrape_configs:"):]
    lines = [line[4:] for line in block.splitlines() if line.startswith("    ")][:6]
    settings = "\n".join(lines[: next(n for n, line in enumerate(lines) if line.startswith("rule_files")) + 1])
    settings = settings.replace("host-a:9583", "127.0.0.1:9583").replace("host-b:9583", "127.0.0.1:9584")
    settings = "global: {evaluation_interval: 1s}\n" + settings.replace("scrape_interval: 5s", "scrape_interval: 1s") + "\n"
    pathlib.Path("/walk/prometheus.yaml").write_text(settings)
    os.makedirs("/walk/data", exist_ok=True)
    server = subprocess.Popen(
        ["prometheus", "--config.file=/walk/prometheus.yaml", "--storage.tsdb.path=/walk/data", "--web.listen-address=127.0.0.1:9090"],
        stdout=subprocess.DEVNULL, stderr=open("/walk/prometheus.log", "w"),
    )

    def up():
        answer = json.loads(get(9090, "/api/v1/query?" + urllib.parse.urlencode({"query": "sum(up)"}))[1])
        return [entry["value"][1] for entry in answer["data"]["result"]] == ["2"]

    within(30, "Prometheus reads both hosts", up)
    return server


def is_firing(name):
    alerts = json.loads(get(9090, "/api/v1/alerts")[1])["data"]["alerts"]
    return any(alert["labels"]["alertname"] == name and alert["state"] == "firing" for alert in alerts)


def two_hosts(blocks):
    texts = [text for kind, text in blocks[8] if kind == "commands"]
    overlay = next(text for kind, text in blocks[8] if kind == "yaml")
    pathlib.Path(HOME, "two.yaml").write_text(overlay)
    as_host(texts[0])
    within(20, "the replica follows", lambda: "state=online" in as_host("redis-cli -p 6379 info replication", check=False).stdout)
    as_host(texts[1])
    within(20, "the sentinels know the primary",
           lambda: "6379" in as_host("redis-cli -p 26381 sentinel get-master-addr-by-name issuer", check=False).stdout)
    as_host(texts[2])
    for port in (9583, 9584):
        within(30, f"host on {port} is ready", lambda: is_ready(port))
    server = prometheus()
    shutil_copy("redis-6379/appendonlydir", "/walk/backup")

    # The primary is stopped.
    as_host(texts[3], check=False)
    within(60, "IssuerStorePrimaryChanged fires", lambda: is_firing("IssuerStorePrimaryChanged"))
    within(60, "IssuerStoreReplicasMissing fires: the new primary has no replica", lambda: is_firing("IssuerStoreReplicasMissing"))
    must(not is_ready(9583), "and the hosts say that they decide nothing")
    as_host(texts[4])
    for port in (9583, 9584):
        within(60, f"host on {port} decides again", lambda: is_ready(port))
    return server


def shutil_copy(source, target):
    subprocess.run(["cp", "-a", f"{HOME}/{source}", target], check=True)


def lost_and_restored():
    # What each host knows of the store (redis.placeFile): the restore is seen by it.
    places = {host: pathlib.Path(HOME, name) for host, name in [("a", "store.place"), ("b", "store-b.place")]}
    before = {host: place.read_text() for host, place in places.items()}
    lost = as_host(f"issuer-host cards status {PAN} lost --reason 'called at night' --config host-a.yaml")
    must("status lost, before: active" in lost.stdout, "a card is reported lost")
    for host, place in places.items():
        within(20, f"host {host} has taken note of it", lambda: place.read_text() != before[host])
    as_host("for p in 26379 26380 26381; do redis-cli -p $p shutdown; done; for p in 6379 6380; do redis-cli -p $p shutdown; done", check=False)
    within(20, "the hosts are not ready without a store", lambda: not is_ready(9583))
    within(60, "IssuerStoreAway fires", lambda: is_firing("IssuerStoreAway"))
    # docs/operating.md, Backup and restore.
    as_host("rm -rf redis-6379/appendonlydir redis-6380/*aof* redis-6380/appendonlydir redis-6380/dump.rdb")
    subprocess.run(["cp", "-a", "/walk/backup", f"{HOME}/redis-6379/appendonlydir"], check=True)
    as_host(
        "for p in 6379 6380; do cp /usr/share/issuer-host/redis.conf redis-$p/; done\n"
        f"redis-server redis-6379/redis.conf --port 6379 --dir {HOME}/redis-6379 &\n"
        f"redis-server redis-6380/redis.conf --port 6380 --dir {HOME}/redis-6380 --replicaof 127.0.0.1 6379 &"
    )
    within(30, "the replica follows the restored primary",
           lambda: "state=online" in as_host("redis-cli -p 6379 info replication", check=False).stdout)
    as_host(
        "for port in 26379 26380 26381; do printf '%s\\n' \"port $port\" 'bind 127.0.0.1' \"dir $PWD/sentinel-$port\" "
        "'sentinel monitor issuer 127.0.0.1 6379 2' 'sentinel down-after-milliseconds issuer 1000' >sentinel-$port/sentinel.conf\n"
        "redis-server sentinel-$port/sentinel.conf --sentinel & done"
    )
    for host, port in [("a", 9583), ("b", 9584)]:
        within(60, f"host {host} refuses the older store",
               lambda: as_host(f"issuer-host store status --config host-{host}.yaml", check=False).returncode == 1
               and "refused" in as_host(f"issuer-host store status --config host-{host}.yaml", check=False).stdout)
        must(not is_ready(port), f"host {host} is not ready")
        within(30, "IssuerStoreRefused fires", lambda: is_firing("IssuerStoreRefused"))
        as_host(f"issuer-host store accept --reason 'backup of before' --config host-{host}.yaml")
        within(60, f"host {host} serves the restored store", lambda: is_ready(port))
    shown = as_host(f"issuer-host cards show {PAN} --config host-a.yaml").stdout
    must(re.search(r"status +active", shown), "what came after the backup is gone, as the runbook says")


def process_of(configuration):
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if words[0].endswith(b"issuer-host") and configuration.encode() in words:
            return int(folder.name)
    fail(f"no host with {configuration}")


def other_alarms():
    host = process_of("host-b.yaml")
    good = pathlib.Path(HOME, "host-b.yaml").read_text()
    pathlib.Path(HOME, "host-b.yaml").write_text(good + "nonsense: 1\n")
    os.kill(host, signal.SIGHUP)
    within(30, "IssuerReloadRefused fires", lambda: is_firing("IssuerReloadRefused"))
    pathlib.Path(HOME, "host-b.yaml").write_text(good)
    os.kill(host, signal.SIGHUP)
    within(30, "and is silent after a good reload", lambda: not is_firing("IssuerReloadRefused"))
    os.kill(host, signal.SIGTERM)
    within(90, "IssuerHostDown fires", lambda: is_firing("IssuerHostDown"))
    must(is_ready(9583), "the other host goes on alone")


def main():
    blocks = sections()
    one_host(blocks)
    server = two_hosts(blocks)
    lost_and_restored()
    other_alarms()
    server.terminate()
    server.wait()
    print("the walk is done", flush=True)


if __name__ == "__main__":
    main()
