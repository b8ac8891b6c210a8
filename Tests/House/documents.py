#!/usr/bin/env python3
"""Holds the documents against what they speak of.

    documents.py [--bin DIR]

Links lead to files and headings that are there. Targets of make, suites of tests, scripts, metrics and keys of the
configuration that a document names exist; the acquirers' page has every response code. With DIR, the folder of the executables, so does every option behind a command.
Prints each fault with file and line, and exits 1 where there is one.
"""
import argparse
import functools
import json
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAMS = ["issuer-host", "issuer-keys", "terminal-simulator", "load-generator", "card-rack", "fault-proxy", "fault-campaign"]
# What changed is told of in words that are gone.
HISTORY = {"CHANGELOG.md"}


def documents():
    found = [path for path in sorted(ROOT.glob("*.md"))] + sorted((ROOT / "docs").glob("*.md"))
    return found + [ROOT / "Config/scenarios/README.md", ROOT / "LoadTests/FIGURES.md", ROOT / "findings/README.md"]


@functools.lru_cache(None)
def anchors(path):
    """As GitHub makes them of headings."""
    text = re.sub(r"^```.*?^```", "", path.read_text(), flags=re.M | re.S)
    names = re.findall(r"^#+ (.*)$", text, re.M)
    return {re.sub(r"[^\w\- ]", "", name.lower()).strip().replace(" ", "-") for name in names}


def links(path, line):
    for target in re.findall(r"\]\(([^)\s]+)\)", line):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (path.parent / name).resolve() if name else path
        if not file.exists():
            yield f"{target}: there is no such file"
        elif anchor and file.suffix == ".md" and anchor not in anchors(file):
            yield f"{target}: {file.name} has no such heading"


def once(function):
    return functools.lru_cache(None)(function)


@once
def targets():
    return set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.M))


@once
def suites():
    texts = [path.read_text() for path in (ROOT / "Tests").rglob("*.swift")]
    names = set(re.findall(r"\b(?:struct|class) (\w+Tests)\b", "\n".join(texts)))
    return names | {path.name for path in (ROOT / "Tests").iterdir()}


@once
def sources():
    folders = ("Sources", "Simulators", "LoadTests")
    return "\n".join(path.read_text() for folder in folders for path in sorted((ROOT / folder).rglob("*.swift")))


@once
def keys():
    """Every path of the configuration's schema; `*` stands for a name of the user's."""
    found = set()

    def walk(node, path):
        found.add(path)
        for name, inner in node.get("properties", {}).items():
            walk(inner, (*path, name))
        inner = node.get("additionalProperties")
        if isinstance(inner, dict):
            walk(inner, (*path, "*"))
        for inner in node.get("anyOf", []) + node.get("oneOf", []) + node.get("allOf", []):
            walk(inner, path)

    schema = json.loads((ROOT / "Config/issuer-host.schema.json").read_text())
    walk(schema, ())
    return found


def is_key(words):
    return any(len(path) == len(words) and all(a == b or a == "*" or b == "*" for a, b in zip(path, words)) for path in keys())


def names(line):
    for target in re.findall(r"`make ([a-z][a-z-]*)", line):
        if target not in targets():
            yield f"make {target}: the Makefile has no such target"
    for code in re.findall(r"`([^`]+)`", line):
        if re.fullmatch(r"\w+Tests", code) and code not in suites():
            yield f"{code}: there is no such suite of tests"
        if re.fullmatch(r"(Tests|Config|LoadTests|Simulators|Sources|docs)/[\w./+-]+", code) and not (ROOT / code).exists() \
                and not list(ROOT.glob(code + "*")) and not code.startswith("LoadTests/results"):
            yield f"{code}: there is no such file"
        metric = re.match(r"(issuer_[a-z_0-9]+|process_[a-z_]+)(?:\{|$)", code)
        if metric and metric[1] not in sources():
            yield f"{metric[1]}: the host has no such metric"
        key = re.fullmatch(r"(?:links|issuers|redis|token|server|admin|audit|policy|certificates|demo|log)(?:\.[A-Za-z*]+)+", code)
        if key and code != "redis.call" and not is_key(tuple(code.split("."))):
            yield f"{code}: the configuration has no such key"


@once
def help_of(folder, command):
    done = subprocess.run([f"{folder}/{command[0]}", *command[1:], "--help"], capture_output=True, text=True)
    return done.stdout + done.stderr


def subcommands(folder, command):
    """Name and whether it is the default one."""
    _, _, part = help_of(folder, command).partition("SUBCOMMANDS:")
    return re.findall(r"^  ([a-z][a-z0-9-]*)( \(default\))?", part, re.M)


def options(folder, line):
    for name, rest in re.findall(rf"(?:^|[\s`($/])({'|'.join(PROGRAMS)}|ts)((?: [^`|;]*)?)", line):
        command = ("terminal-simulator" if name == "ts" else name,)
        words = rest.split()
        while words and words[0].strip("`.,;:)") in [name for name, _ in subcommands(folder, command)]:
            command = (*command, words.pop(0).strip("`.,;:)"))
        text = help_of(folder, command)
        for name, is_default in subcommands(folder, command):
            if is_default:
                text += help_of(folder, (*command, name))
        for option in re.findall(r"(?<![\w-])--([a-z][a-z0-9-]*)", rest):
            if not re.search(rf"--{re.escape(option)}\b(?!-)", text):
                yield f"{' '.join(command)} has no option --{option}"


def response_codes():
    """The table of the acquirers' page has the codes of the source, each once."""
    source = (ROOT / "Sources/IssuerMessages/ResponseCode.swift").read_text()
    wanted = sorted(re.findall(r'^    case \w+ = "(\w\w)"$', source, re.M))
    page = (ROOT / "docs/acquirer-interface.md").read_text()
    table = page.partition("### Response codes\n")[2].partition("\n## ")[0]
    shown = sorted(code for row in re.findall(r"^\| ([0-9A-Z]{2}(?:, [0-9A-Z]{2})*) \|", table, re.M) for code in row.split(", "))
    if not wanted or shown != wanted:
        yield f"docs/acquirer-interface.md: Response codes: {set(shown) ^ set(wanted) or 'one stands there twice'}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin")
    folder = parser.parse_args().bin
    faults = list(response_codes())
    for path in documents():
        number = 0
        for line in re.sub(r"\\\n", lambda found: " \0", path.read_text()).split("\n"):
            number += 1 + line.count("\0")
            line = line.replace("\0", "")
            found = list(links(path, line))
            if path.name not in HISTORY:
                found += names(line)
                if folder:
                    found += options(folder, line)
            faults += [f"{path.relative_to(ROOT)}:{number}: {fault}" for fault in found]
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
