#!/usr/bin/env bash
# A gateway between two switches keeps one specification for each side: ASCII for one, packed BCD for the other. In py8583
# both share one table of elements, so that the second one made changes the first.
# Needs python3 with venv, and PyPI. Exit code 1 if the behaviour is another one.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" -q install py8583==1.3 2>/dev/null
"$folder/venv/bin/python" - <<'PYTHON'
import sys

from py8583.py8583 import Iso8583
from py8583.py8583spec import IsoSpec1987ASCII, IsoSpec1987BCD


def echo_request(specification):
    message = Iso8583(IsoMsg=None, IsoSpec=specification)
    message.MTI("0800")
    message.FieldData(11, 123456)
    message.FieldData(70, 301)
    for element in (11, 70):
        message.Field(element, 1)
    return message.BuildIso()


print("py8583 1.3, an echo request (0800 with elements 11 and 70) by the ASCII specification of 1987")
print("expected: the same bytes, whatever other specification the process has made meanwhile")
specification = IsoSpec1987ASCII()
before = echo_request(specification)
print(f"seen:     {len(before)} bytes: {before.hex()}")
IsoSpec1987BCD()
after = echo_request(specification)
print(f"seen:     {len(after)} bytes once IsoSpec1987BCD() was called: {after.hex()}")
sys.exit(0 if before != after else 1)
PYTHON
