#!/usr/bin/env bash
# What asking sentinels and watching them costs the host, in one run.
#
#   watching.sh BIN [PASSES] [SECONDS]     BIN: folder of the executables; 3 passes, 30 seconds of idling each
#
# In turn, PASSES times: a host on one Redis server that it knows by its address, and one on the same that three sentinels
# name to it. Each idles for SECONDS and then serves 8 connections with 16 requests under way. What it does for the sentinels
# does not depend on the load: the CPU time that it takes more while it idles, over the CPU time of the same seconds at
# saturation, is the cost. CPU times are those of /proc/PID/stat. Needs redis-server; ports from PORT (18583) on.
set -euo pipefail
this=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/$(basename "${BASH_SOURCE[0]}")
root=$(dirname "$(dirname "$this")")

# User and system time of a process, in milliseconds.
cpu() { awk -v tick="$(getconf CLK_TCK)" '{ sub(/.*\) /, ""); print ($12 + $13) * 1000 / tick }' "/proc/$1/stat"; }

# Within an environment whose host serves. Lines: side, figure, value.
inside() {
  local side=$1 folder=$2 seconds=$3 before after path
  sleep 2
  before=$(cpu "$DEMO_HOST_PID")
  sleep "$seconds"
  after=$(cpu "$DEMO_HOST_PID")
  echo "$side idle $(echo "$before $after $seconds" | awk '{ print ($2 - $1) / $3 }')"
  cat >"$folder/profile.yaml" <<YAML
name: watching
cards: 10000
links: [acquirer-a]
connections: 8
precompute: true
mix: { purchase: 97, purchaseWithoutPIN: 1, wrongPIN: 1, wrongCryptogram: 1 }
stages:
  - { name: warm-up, role: warmUp, seconds: 2, outstanding: 16 }
  - { name: measured, seconds: 8, role: saturation, outstanding: 16 }
YAML
  "$DEMO_BIN/load-generator" cards --profile "$folder/profile.yaml" --config "$DEMO_CONFIG" --out "$folder/cards.json" 2>/dev/null
  "$DEMO_BIN/issuer-host" cards import --forget-atcs "$folder/cards.json" --config "$DEMO_CONFIG" >/dev/null
  path=$("$DEMO_BIN/load-generator" run --profile "$folder/profile.yaml" --config "$DEMO_CONFIG" --results "$folder/results" \
    2>/dev/null | tail -1)
  awk -v side="$side" '
    { key = $1; gsub(/"/, "", key); value = $3; sub(/,$/, "", value) }
    /^  "/ { top[key] = value }
    END {
      # Milliseconds of CPU in each second at saturation.
      print side, "saturated", top["hostCPUSecondsPer10000"] / 10 * top["throughputPerSecond"]
      print side, "each", top["hostCPUSecondsPer10000"]
      print side, "wrong", top["answersMismatched"] + top["answersLost"]
    }' "$path"
}

if [ "${1:-}" = --inside ]; then
  shift
  inside "$@"
  exit
fi

export DEMO_BIN=$1
passes=${2:-3} seconds=${3:-30} port=${PORT:-18583}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for ((pass = 1; pass <= passes; pass++)); do
  for side in known sentinels; do
    place=$(mktemp -d "$folder/XXXX")
    more=()
    [ "$side" = known ] || more=(DEMO_SENTINELS=3)
    env DEMO_DIR="$place" DEMO_PORT_A=$port DEMO_PORT_B=$((port + 1)) DEMO_ADMIN_PORT=$((port + 2)) \
      DEMO_REDIS_LISTEN=$((port + 3)) DEMO_REDIS_PORT=$((port + 3)) DEMO_REDIS_FSYNC=everysec "${more[@]}" \
      "$root/Config/demo/environment.sh" with "$this" --inside "$side" "$place" "$seconds" \
      2>"$folder/errors" >>"$folder/figures" || { tail -20 "$folder/errors" >&2; exit 1; }
    rm -rf "$place"
  done
  echo "pass $pass of $passes" >&2
done
awk '
  { all[$1, $2, ++count[$1, $2]] = $3 + 0; if ($2 == "wrong") wrong += $3 }
  function median(side, what,   n, i, j, list, hold) {
    n = count[side, what]
    for (i = 1; i <= n; i++) list[i] = all[side, what, i]
    for (i = 2; i <= n; i++) {
      hold = list[i]
      for (j = i - 1; j >= 1 && list[j] > hold; j--) list[j + 1] = list[j]
      list[j + 1] = hold
    }
    return n % 2 ? list[(n + 1) / 2] : (list[n / 2] + list[n / 2 + 1]) / 2
  }
  END {
    more = median("sentinels", "idle") - median("known", "idle")
    printf "idle, ms of CPU a second: %.2f, with sentinels %.2f\n", median("known", "idle"), median("sentinels", "idle")
    printf "saturated, ms of CPU a second: %.0f, with sentinels %.0f\n", median("known", "saturated"), median("sentinels", "saturated")
    printf "CPU s/10,000: %.4f, with sentinels %.4f, ratio %.3f\n", median("known", "each"), median("sentinels", "each"), \
      median("sentinels", "each") / median("known", "each")
    printf "cost of watching: %.2f %% of the CPU at saturation\n", 100 * more / median("known", "saturated")
    printf "wrong or lost answers: %d\n", wrong
    exit wrong > 0
  }' "$folder/figures"
