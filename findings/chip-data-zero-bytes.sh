#!/usr/bin/env bash
# EMV Book 3, Annex B1, allows bytes 00 before, between and after BER-TLV objects, and terminals send them in DE55. Four
# public parsers do three different things with one such byte; one of them loses what stands behind it and goes on.
# Needs python3 with venv, and PyPI. Exit code 1 if the behaviour is another one.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" -q install cardutil==0.7.3 ber-tlv==0.0.6 pyemv==1.5.0 pytlv==0.71 2>/dev/null
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import pyemv.tlv
from ber_tlv.tlv import Tlv
from cardutil import iso8583
from pytlv.TLV import TLV

# Application transaction counter 9F36, one byte 00, transaction date 9A.
CHIP = bytes.fromhex("9F3602000F" + "00" + "9A03261129")


def by_cardutil():
    message = iso8583.loads(iso8583.dumps({"MTI": "1144", "DE55": CHIP}))
    return sorted(key[3:] for key in message if key.startswith("TAG"))


def by_ber_tlv():
    return sorted(f"{tag:X}" for tag, _ in Tlv.parse(CHIP))


def by_pyemv():
    return sorted(pyemv.tlv.decode(CHIP))


def by_pytlv():
    return sorted(TLV(["9F36", "9A"]).parse(CHIP.hex().upper()))


def outcome(parse):
    try:
        return " ".join(parse())
    except Exception as error:
        return f"raises {type(error).__name__}"


print(f"two objects with a byte 00 between them: {CHIP.hex()}")
print("expected: 9A 9F36, from each")
seen = {
    "ber-tlv 0.0.6": outcome(by_ber_tlv),
    "pyemv 1.5.0": outcome(by_pyemv),
    "pytlv 0.71": outcome(by_pytlv),
    "cardutil 0.7.3": outcome(by_cardutil),
}
for name, what in seen.items():
    print(f"seen:     {name}: {what}")
sys.exit(0 if list(seen.values()) == ["9A 9F36", "raises DecodeError", "raises ValueError", "9F36"] else 1)
PYTHON
