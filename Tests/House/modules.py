#!/usr/bin/env python3
"""The module diagram of ARCHITECTURE.md, made from Package.swift.

    Tests/House/modules.py            prints the diagram
    Tests/House/modules.py --write    puts it into ARCHITECTURE.md
    Tests/House/modules.py --check    exits 1 where the page says something else, or where a target names a module that
                                      none of its files imports

An arrow that follows from others is left out: what a module may import is all that it reaches. Tests are no part of it.
"""

import json
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "ARCHITECTURE.md"
BEGIN, END = "<!-- modules: Tests/House/modules.py --write -->\n", "<!-- end of modules -->\n"
# C modules by the library that is behind them.
LIBRARIES = {"CPKCS11": "p11-kit", "CHiredis": "hiredis", "CLibcrypto": "libcrypto"}


def manifest():
    dump = subprocess.run(["swift", "package", "--package-path", ROOT, "dump-package"], check=True, capture_output=True)
    return json.loads(dump.stdout)


def names(target):
    """Of the modules that a target depends on: those of this package, then those of others."""
    ours = [next(iter(entry.values()))[0] for entry in target["dependencies"] if "byName" in entry or "target" in entry]
    others = [entry["product"][0] for entry in target["dependencies"] if "product" in entry]
    return ours, others


def folder(target):
    default = "Tests" if target["type"] == "test" else "Sources"
    return ROOT / (target.get("path") or f"{default}/{target['name']}")


def diagram(targets):
    kinds = ("regular", "executable", "system")
    shown = {t["name"]: t for t in targets if t["type"] in kinds and not str(folder(t)).startswith(str(ROOT / "Tests"))}
    direct = {name: {other for other in names(target)[0] if other in shown} for name, target in shown.items()}

    def reached(name):
        return set().union(*({other} | reached(other) for other in direct[name])) if direct[name] else set()

    far = {name: reached(name) for name in shown}
    lines = ["```mermaid", "graph TD"]
    for name in sorted(shown):
        if shown[name]["type"] == "executable":
            lines.append(f"  {name}([{name}])")
        elif shown[name]["type"] == "system":
            lines.append(f"  {name}[({LIBRARIES[name]})]")
    for name in sorted(shown):
        kept = [o for o in direct[name] if not any(o in far[middle] for middle in direct[name])]
        if kept:
            lines.append(f"  {name} --> {' & '.join(sorted(kept))}")
    return "\n".join(lines + ["```"]) + "\n"


def unused(targets):
    """Dependencies that no file of the target imports. Programs are built for tests that start them, and imported by none."""
    programs = {t["name"] for t in targets if t["type"] in ("executable", "plugin")} | {"FaultyToken", "SkewedClock"}
    for target in targets:
        ours, others = names(target)
        if target["type"] in ("system", "plugin") or not any(folder(target).rglob("*.swift")):
            continue
        text = "\n".join(path.read_text() for path in folder(target).rglob("*.swift"))
        imported = set(re.findall(r"^[ \t]*(?:@\w+(?:\([^)]*\))?[ \t]+)*(?:\w+[ \t]+)?import[ \t]+(?:(?:struct|class|enum|func|protocol|var|let|typealias)[ \t]+)?(\w+)", text, re.M))
        for name in ours + others:
            if name.replace("-", "_") not in imported and name not in programs:
                yield f"{target['name']} does not import {name}"


def main():
    targets = manifest()["targets"]
    made = diagram(targets)
    if "--check" not in sys.argv and "--write" not in sys.argv:
        print(made, end="")
        return 0
    page = PAGE.read_text()
    begin, end = page.index(BEGIN) + len(BEGIN), page.index(END)
    if "--write" in sys.argv:
        PAGE.write_text(page[:begin] + made + page[end:])
        return 0
    faults = list(unused(targets))
    if page[begin:end] != made:
        faults.append("the diagram of ARCHITECTURE.md is not that of Package.swift; Tests/House/modules.py --write")
    for fault in faults:
        print(f"modules: {fault}", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
