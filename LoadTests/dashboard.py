#!/usr/bin/env python3
"""The dashboard's queries, answered by a real Prometheus over a load run.

    dashboard.py [BIN]        folder of the executables; DEMO_BIN, or the release build, without

Starts an environment of its own with TLS and issuer certificates, a Prometheus that reads the host once a second, and a
load of every kind of request. Then each query of Config/observability/dashboard.json and each alert rule's expression is
put to Prometheus. Prints a table in Markdown: panel, query, series, a value. The status is 1 if a query of the dashboard
is refused or has no data. SECONDS_OF_LOAD (40) is how long the load lasts. Needs the Debian package prometheus.
"""
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
SECONDS = int(os.environ.get("SECONDS_OF_LOAD", "40"))
PROFILE = f"""
name: dashboard
cards: 2000
links: [acquirer-a, acquirer-b]
connections: 4
reconnectSeconds: 3
mix: {{ purchase: 80, purchaseWithoutPIN: 5, wrongPIN: 3, wrongCryptogram: 3, replay: 3, unknownCard: 2, repeat: 2, reversal: 2 }}
stages:
  - {{ name: load, seconds: {SECONDS}, rate: 100, arrivals: poisson }}
"""


def fail(text):
    print(f"error: {text}", file=sys.stderr)
    sys.exit(1)


def outside():
    if not shutil.which("prometheus"):
        fail("prometheus is missing: apt-get install prometheus")
    folder = tempfile.mkdtemp(prefix="issuer-dashboard-")
    binaries = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("DEMO_BIN")
    environment = dict(os.environ, DEMO_DIR=folder + "/environment", DEMO_TLS="1", DEMO_CERTIFICATES="1")
    for name, port in [("DEMO_PORT_A", "18583"), ("DEMO_PORT_B", "18584"), ("DEMO_ADMIN_PORT", "19583")]:
        environment.setdefault(name, port)
    if not binaries:
        binaries = subprocess.check_output(["swift", "build", "-c", "release", "--show-bin-path"], cwd=ROOT, text=True).strip()
    environment["DEMO_BIN"] = os.path.abspath(binaries)
    try:
        command = [str(ROOT / "Config/demo/environment.sh"), "with", str(pathlib.Path(__file__).resolve()), "--inside", folder]
        return subprocess.run(command, env=environment).returncode
    finally:
        shutil.rmtree(folder)


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def inside(folder):
    host = f"127.0.0.1:{os.environ['DEMO_ADMIN_PORT']}"
    port = free_port()
    settings = pathlib.Path(folder, "prometheus.yaml")
    settings.write_text(
        "global: {scrape_interval: 1s, evaluation_interval: 1s}\n"
        f"rule_files: [{ROOT}/Config/observability/alerts.yaml]\n"
        f"scrape_configs: [{{job_name: issuer-host, static_configs: [{{targets: ['{host}']}}]}}]\n"
    )
    prometheus = subprocess.Popen(
        ["prometheus", f"--config.file={settings}", f"--storage.tsdb.path={folder}/data", f"--web.listen-address=127.0.0.1:{port}"],
        stdout=subprocess.DEVNULL, stderr=open(f"{folder}/prometheus.log", "w"),
    )
    try:
        run_load(folder)
        return report(port)
    finally:
        prometheus.send_signal(signal.SIGTERM)
        prometheus.wait()


def run_load(folder):
    profile = pathlib.Path(folder, "profile.yaml")
    profile.write_text(PROFILE)
    binary = os.environ["DEMO_BIN"] + "/load-generator"
    command = [binary, "run", "--profile", str(profile), "--config", os.environ["DEMO_CONFIG"], "--import-cards", "--results", folder + "/results"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        fail("the load failed:\n" + done.stdout + done.stderr[-2000:])


def ask(port, path, **parameters):
    url = f"http://127.0.0.1:{port}/api/v1/{path}?" + urllib.parse.urlencode(parameters)
    try:
        with urllib.request.urlopen(url) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        return json.load(error)


def report(port):
    dashboard = json.loads((ROOT / "Config/observability/dashboard.json").read_text())
    faults = []
    print("| panel | query | series | one of them | value |")
    print("|---|---|---|---|---|")
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            query = target["expr"].replace("$instance", ".*")
            answer = ask(port, "query", query=query)
            result = answer.get("data", {}).get("result", [])
            # Not a number: a quotient of nothing.
            values = [entry for entry in result if entry["value"][1] != "NaN"]
            if answer.get("status") != "success" or not values:
                faults.append(f"{panel['title']}: {query}: {answer.get('error', 'no data')}")
            shown = max(values, key=lambda entry: float(entry["value"][1]), default=None)
            labels, value = "–", "–"
            if shown:
                wanted = {key: text for key, text in shown["metric"].items() if key not in ("__name__", "instance", "job")}
                labels = ", ".join(f"{key}={text}" for key, text in sorted(wanted.items()))[:60] or "–"
                value = f"{float(shown['value'][1]):.6g}"
            short = target["expr"].replace('{instance=~"$instance"}', "").replace(',instance=~"$instance"', "")
            short = short.replace("|", "\\|")
            print(f"| {panel['title']} | `{short}` | {len(values)} | {labels} | {value} |")
    rules = ask(port, "rules")["data"]["groups"]
    states = [(rule["name"], rule["health"], rule["state"]) for group in rules for rule in group["rules"]]
    for name, health, _ in states:
        if health != "ok":
            faults.append(f"alert {name}: {health}")
    firing = sorted(name for name, _, state in states if state == "firing")
    print(f"\n{len(states)} alert rules evaluated, firing: {', '.join(firing) or 'none'}.")
    for fault in faults:
        print(f"error: {fault}", file=sys.stderr)
    return 1 if faults or not states else 0


if __name__ == "__main__":
    sys.exit(inside(sys.argv[2]) if sys.argv[1:2] == ["--inside"] else outside())
