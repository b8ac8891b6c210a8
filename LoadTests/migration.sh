#!/usr/bin/env bash
# A store of the release before becomes one of this: the real old host imports cards; two hosts of now serve load while
# `store migrate` runs and is killed again and again; then every account and every old record is counted.
#
#   migration.sh OLD NEW [CARDS] [KILLS]   folders of executables: of commit f2448e4, and of now; 100000 cards, 10 kills
#
# Needs redis-server, libnss3-tools and python3. In a network namespace of its own, for its fixed ports.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
old=$1 new=$2 cards=${3:-100000} kills=${4:-10}
work=$(mktemp -d)
pids=()
say() { printf '%s\n' "$*" >&2; }
finish() {
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  wait
  rm -rf "$work"
}
trap finish EXIT

DEMO_DIR=$work DEMO_BIN=$new "$root/Config/demo/environment.sh" prepare >&2
rm -rf "$work/appendonlydir" "$work"/*.place
redis-server "$work/redis.conf" --port 0 --unixsocket "$work/redis.sock" --dir "$work" --appendfsync everysec >"$work/redis.log" &
pids+=($!)
until redis-cli -s "$work/redis.sock" ping >/dev/null 2>&1; do sleep 0.1; done

# The old release's form of the same configuration.
cat >"$work/old.yaml" <<YAML
profile: demo
dialects: $root/Config/iso8583
token:
  module: $(find /usr/lib* -name libsoftokn3.so | head -1)
  initArguments: "configdir='sql:$work/token' certPrefix='' keyPrefix='' secmod='' flags="
  uri: "pkcs11:token=NSS%20Certificate%20DB"
  pinFile: token.pin
keys: { panHash: pan-hash, pinVerification: pvk }
redis: { unixSocket: $work/redis.sock }
issuers:
  visa-476173: { prefix: "476173", issuerMasterKey: imk-ac-476173, masterKeyOption: A, profiles: [visa-cvn10, visa-cvn18, visa-cvn22] }
  mastercard-541333: { prefix: "541333", issuerMasterKey: imk-ac-541333, masterKeyOption: A, profiles: [mc-cvn10h, mc-cvn11h, mc-cvn14h, mc-cvn15h] }
  ccd-639999: { prefix: "639999", issuerMasterKey: imk-ac-639999, masterKeyOption: A, profiles: [ccd] }
links:
  acquirer-a: { host: 127.0.0.1, port: 18001, dialect: ascii87-binbitmap, framing: 2be, zonePINKey: zpk-acquirer-a }
demo: { issuer: $root/Config/demo/demo-issuer.json }
YAML
printf 'name: migration\ncards: %s\nconnections: 4\nmix: { purchase: 100 }\nstages:\n  - { name: load, role: saturation, seconds: 3, rate: 100 }\n' "$cards" >"$work/profile.yaml"
"$new/load-generator" cards --profile "$work/profile.yaml" --config "$work/issuer-host.yaml" --out "$work/cards.json" >&2
say "the old release imports $cards cards"
"$old/issuer-host" cards import "$work/cards.json" --config "$work/old.yaml" >&2
[ "$(redis-cli -s "$work/redis.sock" fcall_ro cardstate_version 0)" = 7 ]

sed 's/^redis:$/redis:\n  migration: true/' "$work/issuer-host.yaml" >"$work/first.yaml"
"$new/issuer-host" store initialise --config "$work/first.yaml" >&2
port_a=$(awk '/acquirer-a:/{f=1} f&&/port:/{print $2; exit}' "$work/first.yaml")
port_b=$(awk '/acquirer-b:/{f=1} f&&/port:/{print $2; exit}' "$work/first.yaml")
sed "s/port: $port_a\$/port: 18003/; s/port: $port_b\$/port: 18004/; /^admin:/,\$s/port: .*/port: 18005/" "$work/first.yaml" >"$work/second.yaml"
# Link a of the first host, link b of the second.
sed "s/port: $port_b\$/port: 18004/" "$work/first.yaml" >"$work/both.yaml"
for host in first second; do
  "$new/issuer-host" serve --config "$work/$host.yaml" >"$work/$host.out" 2>"$work/$host.log" &
  pids+=($!)
  until grep -q '^ready' "$work/$host.out"; do sleep 0.1; kill -0 "${pids[-1]}"; done
done
say "an old host does not start any more:"
"$old/issuer-host" serve --config "$work/old.yaml" 2>&1 | tail -n 1 >&2 || true
sed -i 's/seconds: 3/seconds: 90/' "$work/profile.yaml"
"$new/load-generator" run --profile "$work/profile.yaml" --config "$work/both.yaml" --results "$work" >"$work/load.out" 2>&1 &
load=$!

for ((kill = 1; kill <= kills; kill++)); do
  "$new/issuer-host" store migrate --cards "$work/cards.json" --config "$work/first.yaml" >/dev/null 2>&1 &
  migrate=$!
  sleep "$((1 + RANDOM % 3)).$((RANDOM % 10))"
  kill -KILL $migrate 2>/dev/null && say "killed, $kill of $kills: $(redis-cli -s "$work/redis.sock" dbsize) keys" || say "ended before kill $kill"
  wait $migrate 2>/dev/null || true
done
begun=$(date +%s)
"$new/issuer-host" store migrate --cards "$work/cards.json" --config "$work/first.yaml" >&2
say "the last run took $(($(date +%s) - begun)) s"
wait $load && status=0 || status=$?
tail -n 20 "$work/load.out" >&2
[ $status -eq 0 ] || { say "the load was not answered as it had to be"; exit 1; }
"$new/issuer-host" store migrate --config "$work/first.yaml" >&2
"$new/issuer-host" cards keys --config "$work/first.yaml" >&2
"$new/issuer-host" journal export --since 2020-01-01T00:00:00Z --out "$work/journal.jsonl" --config "$work/first.yaml" >&2
python3 - "$work" "$cards" <<'PYTHON'
import collections, json, sys
work, count = sys.argv[1], int(sys.argv[2])
opening = {}
for card in json.load(open(work + "/cards.json"))["cards"]: opening[card["pan"]] = card["availableMinorUnits"]
made, removed, total, codes = collections.Counter(), collections.Counter(), 0, collections.Counter()
for line in open(work + "/journal.jsonl"):
    entry = json.loads(line)
    if entry["kind"] == "decision": codes[entry["de39"]] += 1
    change = entry.get("change") or {}
    if change.get("operation") == "migrate":
        made[entry["card"]] += 1
        total += int(change["value"].split(",")[0].split()[1])
    if change.get("operation") == "migrated": removed[change["before"]] += 1
print(f"{len(made)} accounts made, {sum(made.values())} times; {sum(removed.values())} old records removed; "
      f"{total} minor units of {sum(opening.values())}; decisions {dict(codes)}")
ok = len(made) == len(opening) == sum(made.values()) and sum(removed.values()) == count and total == sum(opening.values())
sys.exit(0 if ok else 1)
PYTHON
