#!/usr/bin/env bash
# Two builds of the host under load at the same time, each with a store of its own: CPU and latency of each, and the ratio. What
# the machine does meanwhile happens to both, so that two equal builds differ by some 2 per cent where two runs in turn differ by 10.
#
#   beside.sh [--rounds N] OLD NEW       folders with issuer-host, issuer-keys and load-generator; both are set up by this checkout
#
# A round is 8 × 16 requests outstanding on each, then 2,000 a second on each, 16 s long; SECONDS_MEASURED for another time. The two
# share processors and caches, so the ratios of CPU count, and no throughput of a host alone. 10,000 cards, everysec.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Within an environment whose host serves; $1: folder, $2: side, $3: the load of the stage.
inside() {
  local folder=$1 side=$2 result
  cat >"$folder/profile-$side.yaml" <<YAML
name: beside
cards: 10000
links: [acquirer-a]
connections: 8
precompute: true
mix: { purchase: 97, purchaseWithoutPIN: 1, wrongPIN: 1, wrongCryptogram: 1 }
stages:
  - { name: warm-up, role: warmUp, seconds: 3, rate: 2000 }
  - { name: measured, role: saturation, seconds: ${SECONDS_MEASURED:-16}, $3 }
YAML
  "$DEMO_BIN/load-generator" cards --profile "$folder/profile-$side.yaml" --config "$DEMO_CONFIG" --out "$folder/cards-$side.json" 2>/dev/null
  "$DEMO_BIN/issuer-host" cards import --forget-atcs "$folder/cards-$side.json" --config "$DEMO_CONFIG" >/dev/null
  await "$folder" ready "$side"
  result=$("$DEMO_BIN/load-generator" run --profile "$folder/profile-$side.yaml" --config "$DEMO_CONFIG" --results "$folder/results-$side" \
    2>"$folder/log-$side" | tail -1) || { tail -5 "$folder/log-$side" >&2; return 1; }
  # Keys of the result itself stand two blanks in, those of its percentiles four.
  awk '
    { key = $1; gsub(/"/, "", key); value = $3; sub(/,$/, "", value) }
    /^  "/ { inner = key; top[key] = value }
    /^    "p(50|99)"/ { top[inner "." key] = value }
    END {
      print top["hostCPUSecondsPer10000"], top["redisCPUSecondsPer10000"], top["throughputPerSecond"],
        top["saturationLatencyMilliseconds.p50"], top["saturationLatencyMilliseconds.p99"]
    }' "$result" >"$folder/figures-$side"
  await "$folder" done "$side"
}
# await FOLDER WHAT SIDE: until both sides have come to it
await() {
  touch "$1/$2-$3"
  for ((tenth = 0; tenth < 600; tenth++)); do
    [ -e "$1/$2-old" ] && [ -e "$1/$2-new" ] && return
    sleep 0.1
  done
  echo "error: the other host did not come to '$2' within a minute" >&2
  return 1
}
if [ "${1:-}" = --inside ]; then inside "$2" "$3" "$4"; exit; fi

rounds=2
if [ "${1:-}" = --rounds ]; then rounds=$2; shift 2; fi
[ $# -eq 2 ] || { sed -n '5p' "${BASH_SOURCE[0]}" >&2; exit 64; }
old=$(cd "$1" && pwd) new=$(cd "$2" && pwd)
folder=$(mktemp -d)
# Each side is a process group of its own, with its host and its store: nothing of it is left behind.
set -m
sides=()
end() {
  for side in "${sides[@]}"; do kill -TERM -- "-$side" 2>/dev/null || true; done
  wait
  rm -rf "$folder"
}
trap end EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# side NAME BINARIES PORT LOAD
side() {
  DEMO_BIN=$2 DEMO_DIR=$folder/environment-$1 DEMO_REDIS_FSYNC=everysec DEMO_PORT_A=$3 DEMO_PORT_B=$(($3 + 1)) DEMO_ADMIN_PORT=$(($3 + 2)) \
    Config/demo/environment.sh with "$PWD/LoadTests/beside.sh" --inside "$folder" "$1" "$4" >"$folder/output-$1" 2>&1 ||
    { tail -5 "$folder/output-$1" >&2; return 1; }
}

echo "| load | figure | old | new | new / old |"
echo "|---|---|---|---|---|"
for ((round = 1; round <= rounds; round++)); do
  for load in "outstanding: 16" "rate: 2000"; do
    rm -rf "$folder"/*
    # Neither side is always the first.
    if ((round % 2)); then
      side old "$old" 21000 "$load" & sides=("$!")
      side new "$new" 22000 "$load" & sides+=("$!")
    else
      side new "$new" 21000 "$load" & sides=("$!")
      side old "$old" 22000 "$load" & sides+=("$!")
    fi
    wait "${sides[0]}"
    wait "${sides[1]}"
    sides=()
    paste -d ' ' "$folder/figures-old" "$folder/figures-new" | awk -v load="$load" '
      BEGIN { split("host CPU s/10,000|Redis CPU s/10,000|authorisations/s|p50 ms|p99 ms", name, "|") }
      function text(number) { return number >= 1000 ? sprintf("%.0f", number) : sprintf("%.3g", number) }
      {
        for (i = 1; i <= 5; i++)
          printf "| %s | %s | %s | %s | %.2f |\n", load, name[i], text($i), text($(i + 5)), $(i + 5) / $i
      }'
  done
done
