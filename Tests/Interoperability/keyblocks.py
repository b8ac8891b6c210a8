"""TR-31 key blocks of psec go into a token and come out again with every field of their headers.

    keyblocks.py ISSUER_KEYS CONFIG DEMO_ISSUER

The token's KBPKs are keys that psec knows too: the demo's AES one, and one of triple DES that comes under it. Prints
a line for each block and, last, how many failed. The status is 1 if one did.
"""
import json
import os
import subprocess
import sys

from psec import tr31

issuer_keys, config, demo = sys.argv[1:4]
names = json.load(open(demo))
bureau = bytes.fromhex(next(key["value"] for name, key in names["aesKeys"].items() if name == "kbpk-bureau"))
failed = 0


def run(*arguments):
    done = subprocess.run(
        [issuer_keys, *arguments, "--config", config], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    return done.returncode, done.stdout.strip(), done.stderr.strip()


def random_key(count):
    """Odd parity, as a token may force it on DES keys."""
    return bytes(byte if bin(byte).count("1") % 2 else byte ^ 1 for byte in os.urandom(count))


def fields(header):
    return {
        "version_id": header.version_id, "key_usage": header.key_usage, "algorithm": header.algorithm,
        "mode_of_use": header.mode_of_use, "version_num": header.version_num,
        "exportability": header.exportability, "reserved": header.reserved,
        "blocks": {identifier: header.blocks[identifier] for identifier in header.blocks},
    }


def report(label, fault):
    global failed
    failed += bool(fault)
    print("FAILED" if fault else "ok", label, fault or "")


def round_trip(label, under, kbpk, header, key):
    block = tr31.wrap(kbpk, header, key)
    code, _, error = run("import", label, "--under", under, "--block", block, "--exportable")
    if code:
        return f"import: {error}"
    code, out, error = run("export", label, "--under", under, "--version", header.version_id)
    if code:
        return f"export: {error}"
    came, value = tr31.unwrap(kbpk, out)
    wanted, found = fields(header), fields(came)
    # Padding blocks belong to a block, not to a key.
    for side in (wanted, found):
        side["blocks"].pop("PB", None)
    different = {name: (wanted[name], found[name]) for name in wanted if wanted[name] != found[name]}
    if different:
        return f"fields: {different}"
    return None if value == key else "value"


triple = random_key(24)
fault = None
block = tr31.wrap(bureau, tr31.Header("D", "K0", "T", "B", "00", "N"), triple)
code, _, error = run("import", "kbpk-psec", "--under", "kbpk-bureau", "--block", block)
report("kbpk-psec", error if code else None)

purposes = [
    ("imk-ac", "E0", "X"), ("imk-smi", "E2", "X"), ("imk-smc", "E1", "X"), ("imk-dac", "E3", "X"), ("imk-idn", "E4", "X"),
    ("zpk", "P0", "B"), ("zpk", "P0", "D"), ("pvk", "V2", "V"), ("pvk", "V2", "G"), ("pvk", "V0", "C"),
    ("zak", "M1", "C"), ("zak", "M3", "G"), ("zak", "M3", "V"), ("zak", "M6", "C"), ("cvk", "C0", "C"), ("cvk", "C0", "G"),
    ("zmk", "K0", "B"), ("zmk", "K0", "D"), ("dek", "D0", "B"), ("dek", "D0", "E"),
]
optional = [
    {}, {"KS": "00604B120F9292800000"}, {"LB": "issuer key of the year"}, {"TS": "2026-11-28T12:00:00Z"},
    {"KS": "00604B120F9292800000", "TS": "2026-11-28T12:00:00Z", "LB": "both"}, {"IK": "0123456789ABCDEF"},
]
number = 0
for version, under, kbpk in [
    ("A", "kbpk-psec", triple), ("B", "kbpk-psec", triple), ("C", "kbpk-psec", triple), ("D", "kbpk-bureau", bureau),
]:
    for index, (prefix, usage, mode) in enumerate(purposes):
        if version in "AC" and index % 4:
            continue
        number += 1
        key_version = ["00", "01", "12", "A7"][number % 4]
        exportability = "ES"[number % 2]
        header = tr31.Header(version, usage, "T", mode, key_version, exportability)
        for identifier, data in optional[number % len(optional)].items():
            header.blocks[identifier] = data
        label = f"{prefix}-psec-{number}"
        try:
            fault = round_trip(label, under, kbpk, header, random_key(16))
        except Exception as error:
            fault = repr(error)
        report(f"{label} {version} {usage} {mode} {key_version} {exportability} {sorted(header.blocks)}", fault)

# An AES key, and one that may not leave again.
header = tr31.Header("D", "E0", "A", "X", "07", "E")
header.blocks["LB"] = "AES"
report("imk-ac-psec-aes", round_trip("imk-ac-psec-aes", "kbpk-bureau", bureau, header, os.urandom(16)))
block = tr31.wrap(bureau, tr31.Header("D", "E0", "T", "X", "00", "N"), random_key(16))
code, _, error = run("import", "imk-ac-psec-n", "--under", "kbpk-bureau", "--block", block, "--exportable")
report("not exportable", None if code and "exportability" in error else "was taken")
print(f"failed: {failed}")
sys.exit(1 if failed else 0)
