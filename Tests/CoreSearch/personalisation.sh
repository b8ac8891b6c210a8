#!/usr/bin/env bash
# A core dump of issuer-keys after it has personalised cards, searched for keys in clear.
#
#   personalisation.sh [CARDS]      1,000 without a number
#
# On an environment of its own, cards of a rack are made over SCP03. The program is dumped at its very end. Searched for: the
# demo issuer's keys, and of six cards (the first, two of the middle, the last three that were made) what the channel's keys
# were before and after PUT KEY, and the three keys that the card got.
#
# Needs gdb, gcc and python3 beside what the tests need. DEMO_BIN is the folder of the executables. Exit code 1 if the core
# holds a value outside the token library's own memory.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/core-search-XXXXXX")
trap 'rm -rf "$work"' EXIT
chmod 700 "$work"
for tool in gdb gcc python3; do
  command -v "$tool" >/dev/null || { echo "error: $tool is not installed" >&2; exit 1; }
done
gcc -shared -fPIC -O2 -fno-builtin-malloc -o "$work/alloc-origin.so" "$here/alloc-origin.c"
gcc -O2 -o "$work/find" "$here/find.c"
python=$("$root/Tests/Interoperability/python.sh")
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
export DEMO_DIR=$work/demo DEMO_PORT_A=$(free_port) DEMO_PORT_B=$(free_port) DEMO_ADMIN_PORT=$(free_port) DEMO_CERTIFICATES=1 \
  DEMO_REDIS_FSYNC=everysec DEMO_BIN=${DEMO_BIN:-$root/.build/release} CARDS=${1:-1000}
export demo=$root/Config/demo/demo-issuer.json work root

python3 - "$CARDS" >"$work/list.json" <<'PY'
import json, sys
def pan(number):
    body = "476173900%06d" % (200_000 + number)
    total = sum(sum(divmod(int(digit) * (2 if place % 2 == 0 else 1), 10)) for place, digit in enumerate(reversed(body)))
    return body + str(-total % 10)
print(json.dumps({"cards": [{"pan": pan(number), "panSequenceNumber": "01", "expiry": "2912",
                             "issuerApplicationData": "06011203A0B800"} for number in range(int(sys.argv[1]))]}))
PY

cat >"$work/inside.sh" <<'SH'
set -euo pipefail
: >"$work/rack"
"$DEMO_BIN/card-rack" --cards "$CARDS" --listen 127.0.0.1:0 --issuer "$demo" >"$work/rack" &
rack=$!
trap 'kill "$rack"; wait "$rack" || true' EXIT
until place=$(sed -n 's/^ready on //p' "$work/rack") && [ -n "$place" ]; do sleep 0.05; done
gdb -q -batch -ex "set exec-wrapper env LD_PRELOAD=$work/alloc-origin.so" -ex 'catch syscall exit_group' -ex run \
  -ex "generate-core-file $work/personalise.core" --args "$DEMO_BIN/issuer-keys" personalise "$work/list.json" \
  --to "tcp:$place" --kmc kmc-bureau --new-master imk-dek-demo --application "$root/Config/demo/application.json" \
  --out "$work/report.json" --config "$DEMO_CONFIG" >"$work/gdb.log" 2>&1
grep 'cards are personalised' "$work/gdb.log"
SH
"$root/Config/demo/environment.sh" with bash "$work/inside.sh" || { tail -20 "$work/gdb.log" >&2; exit 1; }

"$python" - "$demo" "$work" <<'PY'
import json, sys
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.cmac import CMAC
try:
    from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
except ImportError:
    from cryptography.hazmat.primitives.ciphers.algorithms import TripleDES
issuer, work = json.load(open(sys.argv[1])), sys.argv[2]
cards, report = json.load(open(f"{work}/list.json"))["cards"], json.load(open(f"{work}/report.json"))["cards"]
keys = {name: key["value"] for part in ("keys", "aesKeys") for name, key in issuer[part].items()}
def channel(master, serial, number):
    cmac = CMAC(AES(master))
    cmac.update(bytes([1, 0, 0, 0, number, 0]) + serial)
    return cmac.finalize()
def odd(key): return bytes(byte & 0xFE | (bin(byte & 0xFE).count("1") + 1) % 2 for byte in key)
def card_key(master, pan, sequence):
    left = bytes.fromhex((pan + sequence)[-16:])
    cipher = Cipher(TripleDES(master + master[:8]), modes.ECB()).encryptor()
    return odd(cipher.update(left + bytes(byte ^ 0xFF for byte in left)))
values = {name: value for name, value in keys.items() if not value.startswith("0123456789ABCDEF")}
count = len(report)
for place in sorted({0, count // 3, count // 2, count - 3, count - 2, count - 1}):
    row = report[place]
    serial, card = bytes.fromhex(row["chip"]), cards[row["card"] - 1]
    for master in ("kmc-bureau", "imk-dek-demo"):
        for number in (1, 2, 3):
            values[f"card {place} {master} {number}"] = channel(bytes.fromhex(keys[master]), serial, number).hex()
    for kind in ("ac", "smi", "smc"):
        master = bytes.fromhex(keys[f"imk-{kind}-476173"])
        values[f"card {place} {kind}"] = card_key(master, card["pan"], card["panSequenceNumber"]).hex()
# The report says the check values of what was searched for: a search for something else would find nothing either.
for place in (0, count - 1):
    for kind, checkValue in zip(("ac", "smi", "smc"), report[place]["checkValues"]):
        key = bytes.fromhex(values[f"card {place} {kind}"])
        block = Cipher(TripleDES(key + key[:8]), modes.ECB()).encryptor().update(bytes(8))
        assert block[:3].hex().upper() == checkValue, "not this card's key"
    for number, checkValue in enumerate(report[place]["channelCheckValues"], 1):
        key = bytes.fromhex(values[f"card {place} imk-dek-demo {number}"])
        block = Cipher(AES(key), modes.ECB()).encryptor().update(bytes([1] * 16))
        assert block[:3].hex().upper() == checkValue, "not this card's channel key"
json.dump(values, open(f"{work}/secrets.json", "w"))
PY
python3 "$here/search.py" "$work/personalise.core" "$work/secrets.json" "$work/find"
