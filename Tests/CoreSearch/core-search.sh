#!/usr/bin/env bash
# Core dumps of issuer-keys and issuer-host, searched for keys in clear.
#
#   core-search.sh            on an environment of its own, after 10,000 authorisations and a load of the test keys
#
# Needs gdb, gcc and python3 beside what the demo needs. ISSUER_BIN is the folder of the executables. The report goes to
# standard output; exit code 1 if issuer-host holds a key outside the token library's own memory.
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
export ISSUER_DEMO_DIR=$work/demo ISSUER_PORT_A=${ISSUER_PORT_A:-17583} ISSUER_PORT_B=${ISSUER_PORT_B:-17584} \
  ISSUER_ADMIN_PORT=${ISSUER_ADMIN_PORT:-17585} ISSUER_REDIS_FSYNC=everysec ISSUER_BIN=${ISSUER_BIN:-$root/.build/release}
cat >"$work/profile.yaml" <<'YAML'
name: core-search
cards: 500
links: [acquirer-a]
connections: 4
precompute: true
mix: { purchase: 95, wrongPIN: 3, wrongCryptogram: 2 }
stages:
  - { name: ten thousand and more, role: saturation, seconds: 40, rate: 300 }
YAML
# Every key of the demo issuer but 0123456789ABCDEFFEDCBA9876543210: the host's own known-answer tests have that one in
# their code, and half of it is the digits that any program has.
python3 - "$root/Config/demo/demo-issuer.json" >"$work/secrets.json" <<'PY'
import json, sys
keys = json.load(open(sys.argv[1]))["keys"]
print(json.dumps({name: key["value"] for name, key in keys.items() if not key["value"].startswith("0123456789ABCDEF")}))
PY

cat >"$work/inside.sh" <<'SH'
set -euo pipefail
bin=$ISSUER_BIN
"$bin/load-generator" cards --profile "$1/profile.yaml" --config "$ISSUER_CONFIG" --out "$1/cards.json" >&2
"$bin/issuer-host" cards import --forget-atcs "$1/cards.json" --config "$ISSUER_CONFIG" >&2
"$bin/load-generator" run --profile "$1/profile.yaml" --config "$ISSUER_CONFIG" --results "$1/results" >&2
curl -s "http://127.0.0.1:$ISSUER_ADMIN_PORT/metrics" 2>/dev/null | grep '^issuer_hsm_jobs_total' || true
gcore -a -o "$1/issuer-host" "$ISSUER_HOST_PID" >"$1/gcore.log" 2>&1
SH
ISSUER_HOST_PRELOAD=$work/alloc-origin.so "$root/Config/demo/environment.sh" with bash "$work/inside.sh" "$work"

# issuer-keys with a token of its own, so that every key is loaded anew; dumped at its very end.
keys_demo=$work/keys
ISSUER_DEMO_DIR=$keys_demo "$root/Config/demo/environment.sh" prepare
rm -f "$keys_demo/token/"*.db
certutil -N -d "sql:$keys_demo/token" -f "$keys_demo/token.pin"
gdb -q -batch -ex "set exec-wrapper env LD_PRELOAD=$work/alloc-origin.so" -ex 'catch syscall exit_group' -ex run \
  -ex "generate-core-file $work/issuer-keys.core" --args "$ISSUER_BIN/issuer-keys" load-test-keys \
  "$root/Config/demo/demo-issuer.json" --config "$keys_demo/issuer-host.yaml" >"$work/gdb.log" 2>&1
[ -s "$work/issuer-keys.core" ] || { cat "$work/gdb.log" >&2; exit 1; }

status=0
python3 "$here/search.py" "$work"/issuer-host.[0-9]* "$work/secrets.json" || status=1
echo
echo "For comparison, issuer-keys load-test-keys, which is given the test keys in clear and has to hold them:"
python3 "$here/search.py" "$work/issuer-keys.core" "$work/secrets.json" || true
exit $status
