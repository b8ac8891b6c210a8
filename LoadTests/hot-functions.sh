#!/usr/bin/env bash
# Makes LoadTests/hot-functions.txt anew: the functions that the host runs under load, the most frequent ones first. The linker
# lays them side by side (Package.swift).
#
#   hot-functions.sh
#
# A host of the release build serves 4,000 requests a second, then as many as it can, while `perf` notes where it is 15,000 times a second. Left out are
# functions that the linker cannot move by themselves: those of packages, which are compiled without a section for each.
# Names change with the code. One that is no more costs nothing, and a new function lies where the linker puts it: make the list
# anew when the way of a request has changed a lot. Needs perf (linux-perf) and objdump (binutils).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Within an environment whose host serves; $1: folder.
inside() {
  cat >"$1/profile.yaml" <<YAML
name: hot-functions
cards: 10000
links: [acquirer-a]
connections: 8
precompute: true
mix: { purchase: 97, purchaseWithoutPIN: 1, wrongPIN: 1, wrongCryptogram: 1 }
stages:
  - { name: warm-up, role: warmUp, seconds: 2, rate: 4000 }
  - { name: rate, role: warmUp, seconds: 8, rate: 4000, arrivals: poisson }
  - { name: saturation, role: saturation, seconds: 8, outstanding: 16 }
YAML
  "$DEMO_BIN/load-generator" cards --profile "$1/profile.yaml" --config "$DEMO_CONFIG" --out "$1/cards.json" 2>/dev/null
  "$DEMO_BIN/issuer-host" cards import --forget-atcs "$1/cards.json" --config "$DEMO_CONFIG" >/dev/null
  perf record --freq 15000 --event cpu-clock --pid "$DEMO_HOST_PID" --output "$1/perf.data" >"$1/perf.log" 2>&1 &
  local perf=$!
  "$DEMO_BIN/load-generator" run --profile "$1/profile.yaml" --config "$DEMO_CONFIG" --results "$1/results" >&2
  kill -INT "$perf"
  wait "$perf" || [ -s "$1/perf.data" ] || { cat "$1/perf.log" >&2; return 1; }
}
if [ "${1:-}" = --inside ]; then inside "$2"; exit; fi

for tool in perf objdump; do
  command -v "$tool" >/dev/null || { echo "error: $tool is missing: apt-get install linux-perf binutils" >&2; exit 1; }
done
swift build -c release >&2
build=$(swift build -c release --show-bin-path)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
DEMO_BIN=$build DEMO_DIR=$folder/environment DEMO_REDIS_FSYNC=everysec DEMO_PORT_A=18583 DEMO_PORT_B=18584 \
  DEMO_ADMIN_PORT=19583 Config/demo/environment.sh with "$PWD/LoadTests/hot-functions.sh" --inside "$folder"
libraries=$(dirname "$(dirname "$(readlink -f "$(command -v swiftc)")")")/lib/swift_static/linux
{ find "$build" -name '*.o' ! -path '*Tests.build*' -exec objdump -t {} + && objdump -t "$libraries"/libswift{Core,_Concurrency,Synchronization}.a; } |
  awk '/ F \.text\./ { print $NF }' | sort -u >"$folder/movable"
perf script --input "$folder/perf.data" --no-demangle --fields ip,sym,dso 2>/dev/null | grep -F '/issuer-host)' |
  awk '{ sub(/\+0x.*/, "", $2); print $2 }' | sort | uniq -c | sort -k1,1nr -k2 >"$folder/frequent"
awk 'NR == FNR { movable[$1]; next } $2 in movable { print $2 }' "$folder/movable" "$folder/frequent" >LoadTests/hot-functions.txt
# The list is no input that the build system knows.
rm -f "$build/issuer-host"
echo "$(wc -l <LoadTests/hot-functions.txt) of $(wc -l <"$folder/frequent") functions can be moved" >&2
