#!/usr/bin/env bash
# Makes anew what the compiler and the linker know of the host under load: LoadTests/host.profdata, how often each branch is taken,
# and LoadTests/hot-functions.txt, the functions that run, the most frequent ones first (Package.swift).
#
#   profile.sh
#
# A host that counts, built in .build-profile, serves 3,000 requests a second, then as many as it can. The release build is made
# anew with those counts and serves 4,000 a second, then as many as it can, while `perf` notes where it is 15,000 times a second. The
# mix is that of the soak test without its broken frames, on links of two dialects. TLS, MACs, 1993 messages, advices and desk
# commands count as what never comes; a link with TLS gained as much as one without (FIGURES.md).
#
# Both files are hints. A function that changed since is compiled as if nothing were known of it, and one that is new lies where the
# linker puts it: make them anew when the way of a request has changed a lot. Left out of the list are functions that the linker
# cannot move by themselves: those of packages. Needs perf (linux-perf) and objdump (binutils).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Within an environment whose host serves; $1: folder, $2: requests a second, $3: perf, or nothing.
inside() {
  cat >"$1/profile.yaml" <<YAML
name: profile
cards: 10000
links: [acquirer-a, acquirer-b]
connections: 8
mix: { purchase: 91, purchaseWithoutPIN: 3, wrongPIN: 2, wrongCryptogram: 1, replay: 1, unknownCard: 1, repeat: 1, reversal: 1 }
stages:
  - { name: warm-up, role: warmUp, seconds: 2, rate: $2 }
  - { name: rate, role: warmUp, seconds: 8, rate: $2, arrivals: poisson }
  - { name: saturation, role: saturation, seconds: 8, outstanding: 16 }
YAML
  "$DEMO_BIN/load-generator" cards --profile "$1/profile.yaml" --config "$DEMO_CONFIG" --out "$1/cards.json" 2>/dev/null
  "$DEMO_BIN/issuer-host" cards import --forget-atcs "$1/cards.json" --config "$DEMO_CONFIG" >/dev/null
  local perf=
  if [ -n "$3" ]; then
    perf record --freq 15000 --event cpu-clock --pid "$DEMO_HOST_PID" --output "$1/perf.data" >"$1/perf.log" 2>&1 &
    perf=$!
  fi
  echo "$DEMO_HOST_PID" >"$1/host"
  "$DEMO_BIN/load-generator" run --profile "$1/profile.yaml" --config "$DEMO_CONFIG" --results "$1/results" >&2
  [ -n "$perf" ] || return 0
  kill -INT "$perf"
  wait "$perf" || [ -s "$1/perf.data" ] || { cat "$1/perf.log" >&2; return 1; }
}
if [ "${1:-}" = --inside ]; then inside "$2" "$3" "${4:-}"; exit; fi

for tool in perf objdump; do
  command -v "$tool" >/dev/null || { echo "error: $tool is missing: apt-get install linux-perf binutils" >&2; exit 1; }
done
# Of the same toolchain: another one's may not know the form of the counts.
toolchain=$(dirname "$(dirname "$(readlink -f "$(command -v swiftc)")")")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# serve BINARIES RATE [perf]
serve() {
  rm -rf "$folder/environment"
  DEMO_BIN=$1 DEMO_DIR=$folder/environment DEMO_REDIS_FSYNC=everysec DEMO_PORT_A=18583 DEMO_PORT_B=18584 \
    DEMO_ADMIN_PORT=19583 Config/demo/environment.sh with "$PWD/LoadTests/profile.sh" --inside "$folder" "$2" "${3:-}"
}

# Without the counts of before, which another compiler may not be able to read.
ISSUER_HOST_COUNTS=0 swift build -c release >&2
build=$(swift build -c release --show-bin-path)
ISSUER_HOST_COUNTS=1 swift build -c release --scratch-path .build-profile --product issuer-host >&2
mkdir "$folder/counting"
cp "$build"/{issuer-keys,load-generator} .build-profile/release/issuer-host "$folder/counting/"
LLVM_PROFILE_FILE=$folder/%p.profraw serve "$folder/counting" 3000
# Of the host that served alone: what brought the cards into the store would count as well.
"$toolchain/bin/llvm-profdata" merge --sparse "$folder/$(cat "$folder/host").profraw" --output LoadTests/host.profdata

# Neither file is an input that the build system knows, and the compiler leaves an object as it is whose source is the same.
for folders in Sources Simulators LoadTests; do
  for module in "$folders"/*/; do module=$(basename "$module"); rm -rf "$build/${module//-/_}.build"/*.o; done
done
swift build -c release >&2
serve "$build" 4000 perf
libraries=$toolchain/lib/swift_static/linux
{ find "$build" -name '*.o' ! -path '*Tests.build*' -exec objdump -t {} + && objdump -t "$libraries"/libswift{Core,_Concurrency,Synchronization}.a; } |
  awk '/ F \.text\./ { print $NF }' | sort -u >"$folder/movable"
perf script --input "$folder/perf.data" --no-demangle --fields ip,sym,dso 2>/dev/null | grep -F '/issuer-host)' |
  awk '{ sub(/\+0x.*/, "", $2); print $2 }' | sort | uniq -c | sort -k1,1nr -k2 >"$folder/frequent"
awk 'NR == FNR { movable[$1]; next } $2 in movable { print $2 }' "$folder/movable" "$folder/frequent" >LoadTests/hot-functions.txt
rm -f "$build/issuer-host"
echo "$(wc -l <LoadTests/hot-functions.txt) of $(wc -l <"$folder/frequent") functions can be moved" >&2
