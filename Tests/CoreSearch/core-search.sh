#!/usr/bin/env bash
# Core dumps of issuer-keys and issuer-host, searched for keys and components in clear.
#
#   core-search.sh
#
# On an environment of its own: IMK-AC of one range comes in as three components that custodians type (`ceremony enter`),
# that of another under a ZMK (`import`), 200 cards get certified key pairs (`personalise`), and the host answers more than
# 10,000 requests with both keys. Each process is dumped: issuer-keys at its very end, the host while it serves.
#
# Needs gdb, gcc and python3 beside what the demo needs. DEMO_BIN is the folder of the executables. The report goes to
# standard output; exit code 1 if one of the four holds a value outside the token library's own memory.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/core-search-XXXXXX")
trap 'rm -rf "$work"' EXIT
chmod 700 "$work"
for tool in gdb gcc python3 openssl; do
  command -v "$tool" >/dev/null || { echo "error: $tool is not installed" >&2; exit 1; }
done
gcc -shared -fPIC -O2 -fno-builtin-malloc -o "$work/alloc-origin.so" "$here/alloc-origin.c"
gcc -O2 -o "$work/find" "$here/find.c"
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
export DEMO_DIR=$work/demo DEMO_PORT_A=$(free_port) DEMO_PORT_B=$(free_port) DEMO_ADMIN_PORT=$(free_port) \
  CORE_SEARCH_APPLICATION=$root/Config/demo/application.json SEARCH_PORT_A=$(free_port) SEARCH_PORT_B=$(free_port) SEARCH_ADMIN_PORT=$(free_port) \
  DEMO_REDIS_FSYNC=everysec DEMO_CERTIFICATES=1 DEMO_BIN=${DEMO_BIN:-$root/.build/release}
demo=$root/Config/demo/demo-issuer.json

cat >"$work/profile.yaml" <<'YAML'
name: core-search
cards: 500
links: [acquirer-a]
connections: 4
precompute: true
mix: { purchase: 95, wrongPIN: 3, wrongCryptogram: 2 }
stages:
  - { name: ten thousand and more, role: saturation, seconds: 120, rate: 100 }
YAML

# What to search for: every key of the demo issuer but 0123456789ABCDEFFEDCBA9876543210 (the host's own known-answer tests
# have that one in their code, and half of it is the digits that any program has), and three components of imk-ac-541333.
python3 - "$demo" "$work" <<'PY'
import json, os, secrets, subprocess, sys
keys = json.load(open(sys.argv[1]))["keys"]
def encipher(key, data):
    key = (key + key[:16]) if len(key) == 32 else key
    return subprocess.run(["openssl", "enc", "-des-ede3", "-nopad", "-K", key], input=bytes.fromhex(data),
                          stdout=subprocess.PIPE, check=True).stdout.hex().upper()
def kcv(key): return encipher(key, "00" * 8)[:6]
whole = bytes.fromhex(keys["imk-ac-541333"]["value"])
parts = [secrets.token_bytes(16), secrets.token_bytes(16)]
parts.append(bytes(a ^ b ^ c for a, b, c in zip(whole, *parts)))
components = [{"value": part.hex().upper(), "kcv": kcv(part.hex())} for part in parts]
json.dump({"kcv": keys["imk-ac-541333"]["kcv"], "components": components}, open(f"{sys.argv[2]}/ceremony.json", "w"))
with open(f"{sys.argv[2]}/cryptogram", "w") as file:
    file.write(encipher(keys["zmk-acquirer-a"]["value"], keys["imk-ac-639999"]["value"]))
values = {name: key["value"] for name, key in keys.items() if not key["value"].startswith("0123456789ABCDEF")}
json.dump(values, open(f"{sys.argv[2]}/keys.json", "w"))
values |= {f"component {number}": part.hex() for number, part in enumerate(parts, 1)}
json.dump(values, open(f"{sys.argv[2]}/secrets.json", "w"))
PY


cat >"$work/inside.sh" <<'SH'
set -euo pipefail
work=$1 here=$2 bin=$DEMO_BIN
admin_port=$DEMO_ADMIN_PORT
# A second host, whose master keys of two ranges are the versions that come in now.
export configuration=$DEMO_DIR/core-search.yaml
sed -e 's/imk-ac-541333/imk-ac-541333.v2/; s/imk-ac-639999/imk-ac-639999.v2/' -e "s/port: $DEMO_PORT_A\$/port: $SEARCH_PORT_A/" \
  -e "s/port: $DEMO_PORT_B\$/port: $SEARCH_PORT_B/" -e "s/port: $admin_port\$/port: $SEARCH_ADMIN_PORT/" \
  "$DEMO_CONFIG" >"$configuration"

# dump NAME ARGUMENTS...: runs issuer-keys and dumps it at its very end
cat >"$work/dump.sh" <<'DUMP'
name=$1
shift
exec gdb -q -batch -ex "set exec-wrapper env LD_PRELOAD=$work/alloc-origin.so" -ex 'catch syscall exit_group' -ex run \
  -ex "generate-core-file $work/$name.core" --args "$DEMO_BIN/issuer-keys" "$@" --config "$configuration"
DUMP
export work
python3 "$here/ceremony.py" "$work/ceremony.json" bash "$work/dump.sh" ceremony ceremony enter imk-ac-541333.v2 \
  --components 3 --folder "$work/minutes" >"$work/ceremony.log"
bash "$work/dump.sh" import import imk-ac-639999.v2 --under zmk-acquirer-a --cryptogram "$(cat "$work/cryptogram")" \
  --kcv 47D38C >"$work/import.log" 2>&1
python3 "$here/card-keys.py" list 200 >"$work/list.json"
bash "$work/dump.sh" personalise personalise "$work/list.json" --under kbpk-bureau --dek dek-bureau \
  --application "$CORE_SEARCH_APPLICATION" --out "$work/bureau.json" >"$work/personalise.log" 2>&1
for key in imk-ac-541333.v2 imk-ac-639999.v2; do
  "$bin/issuer-keys" list --config "$configuration" | grep "^$key "
done

"$bin/load-generator" cards --profile "$work/profile.yaml" --config "$configuration" --out "$work/cards.json" >&2
"$bin/issuer-host" cards import --forget-atcs "$work/cards.json" --config "$configuration" >&2
LD_PRELOAD=$work/alloc-origin.so "$bin/issuer-host" serve --config "$configuration" >"$work/host.out" 2>"$work/host.log" &
host=$!
trap 'kill -TERM "$host"; wait "$host" || true' EXIT
until grep -q '^ready' "$work/host.out"; do kill -0 "$host" || { cat "$work/host.log" >&2; exit 1; }; sleep 0.1; done
"$bin/load-generator" run --profile "$work/profile.yaml" --config "$configuration" --results "$work/results" >&2
curl -s "http://127.0.0.1:$SEARCH_ADMIN_PORT/metrics" | grep '^issuer_hsm_jobs_total' || true
gcore -a -o "$work/issuer-host" "$host" >"$work/gcore.log" 2>&1
SH
"$root/Config/demo/environment.sh" with bash "$work/inside.sh" "$work" "$here" ||
  { tail -n 50 "$work"/*.log >&2; exit 1; }
python3 "$here/card-keys.py" open "$work/bureau.json" \
  "$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["keys"]["dek-bureau"]["value"])' "$demo")" >"$work/card-keys.json"


status=0
for core in "$work"/issuer-host.[0-9]* "$work/ceremony.core" "$work/import.core"; do
  python3 "$here/search.py" "$core" "$work/secrets.json" "$work/find" || status=1
done
# Of the cards every prime, exponent and coefficient of each private key.
python3 "$here/search.py" "$work/personalise.core" "$work/card-keys.json" "$work/find" || status=1
exit $status
