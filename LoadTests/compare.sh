#!/usr/bin/env bash
# Two checkouts beside each other in one run: figures of both, and their ratios.
#
#   compare.sh [--passes N] [--rows "ROW ..."] [--generator CHECKOUT] [--old-env NAME=VALUE]
#              [--new-env NAME=VALUE] OLD NEW
#
# Builds what is missing. Then N times (4 without --passes) the old one and the new one in turn, each time from an empty
# store with 10,000 cards, and the generator of CHECKOUT drives both (OLD's without it). Redis writes its file with `appendfsync everysec`. OLD and NEW may
# be one checkout, with a variable of Config/demo/environment.sh that differs. Rows, all but the last three where none is named:
#
#   8x16  8 connections with 16 requests under way on each      8x4   with 4          1x1  one connection, one request
#   rate  4,000 a second over 8 connections, Poisson             many  1,000 connections with one request
#   manyrate  4,000 a second over 1,000 connections
#   wire  8 connections with 8 requests under way, 1,000 cards: for a token behind a wire (DEMO_TOKEN_DELAY, DEMO_TOKEN_LINES)
#
# CPU times are those of /proc/PID/stat. Bytes are those by which the append-only file grew, over all answers of the row.
# OLD_BIN, NEW_BIN and GENERATOR_BIN name folders of executables that are built already; PORT is the first of the ports used (18583).
#
# The state of the machine is printed before and after: a figure of a machine that others use is worth its ratio, not more.
# The status is 1 if an answer was wrong or missing.
set -euo pipefail

# MIX of the standard profile; a row's stages: a warm-up, then what is measured.
profile() {
  local connections load warm cards=10000 warming=2
  case $1 in
    8x16) connections=8 warm='outstanding: 16' load='role: saturation, outstanding: 16' ;;
    8x4) connections=8 warm='outstanding: 4' load='role: saturation, outstanding: 4' ;;
    1x1) connections=1 warm='outstanding: 1' load='role: saturation, outstanding: 1' ;;
    rate) connections=8 warm='rate: 4000' load='role: saturation, rate: 4000, arrivals: poisson' ;;
    many) connections=1000 warm='outstanding: 1' load='role: saturation, outstanding: 1' ;;
    # Sixteen workers open their sessions one call after the other.
    wire) connections=8 cards=1000 warming=5 warm='outstanding: 8' load='role: saturation, outstanding: 8' ;;
    manyrate) connections=1000 warm='rate: 4000' load='role: saturation, rate: 4000, arrivals: poisson' ;;
    *) echo "no row $1" >&2; exit 64 ;;
  esac
  cat <<YAML
name: compare-$1
cards: $cards
links: [acquirer-a]
connections: $connections
precompute: true
mix: { purchase: 97, purchaseWithoutPIN: 1, wrongPIN: 1, wrongCryptogram: 1 }
stages:
  - { name: warm-up, role: warmUp, seconds: $warming, $warm }
  - { name: measured, seconds: ${SECONDS_MEASURED:-8}, $load }
YAML
}

# Context switches of all threads of a process.
switches() { awk '/ctxt_switches/ { sum += $2 } END { print sum + 0 }' /proc/"$1"/task/*/status; }
appended() { du -sb "$1/appendonlydir" | cut -f1; }

# Within an environment whose host serves; its variables begin with $3. Lines: row, side, figure, value.
inside() {
  local side=$1 folder=$2 prefix=$3 row path host redis bytes name
  shift 3
  for name in BIN CONFIG HOST_PID REDIS_PID; do
    row=${prefix}_$name
    local "$name=${!row}"
  done
  # By the names that the generator knows; others that begin with ISSUER_ are wrong settings to it.
  export "${generator_prefix}_HOST_PID=$HOST_PID" "${generator_prefix}_REDIS_PID=$REDIS_PID"
  for row in "$@"; do
    profile "$row" >"$folder/profile.yaml"
    "$generator" cards --profile "$folder/profile.yaml" --config "$generator_config" --out "$folder/cards.json" 2>/dev/null
    env -u ISSUER_HOST_PID -u ISSUER_REDIS_PID \
      "$BIN/issuer-host" cards import --forget-atcs "$folder/cards.json" --config "$CONFIG" >/dev/null
    host=$(switches "$HOST_PID") redis=$(switches "$REDIS_PID") bytes=$(appended "$folder")
    path=$("$generator" run --profile "$folder/profile.yaml" --config "$generator_config" --results "$folder/results" \
      2>"$folder/log" | tail -1) || { tail -5 "$folder/log" >&2; echo "$row $side faults 1"; }
    [ -s "$path" ] || { echo "error: $row of $side has no result" >&2; exit 1; }
    host=$(($(switches "$HOST_PID") - host)) redis=$(($(switches "$REDIS_PID") - redis))
    bytes=$(($(appended "$folder") - bytes))
    # Keys of the result itself stand two blanks in, those of its percentiles four.
    awk -v row="$row" -v side="$side" -v host="$host" -v redis="$redis" -v bytes="$bytes" '
      { key = $1; gsub(/"/, "", key); value = $3; sub(/,$/, "", value) }
      /^  "/ { inner = key; top[key] = value }
      /^    "p(50|99)"/ { top[inner "." key] = value }
      END {
        print row, side, "throughput/s", top["throughputPerSecond"]
        print row, side, "p50_ms", top["saturationLatencyMilliseconds.p50"]
        print row, side, "p99_ms", top["saturationLatencyMilliseconds.p99"]
        print row, side, "host_CPU_s/10,000", top["hostCPUSecondsPer10000"]
        print row, side, "Redis_CPU_s/10,000", top["redisCPUSecondsPer10000"]
        print row, side, "host+Redis_CPU_s/10,000", top["hostCPUSecondsPer10000"] + top["redisCPUSecondsPer10000"]
        print row, side, "host_resident_MB", top["hostResidentMegabytes"]
        print row, side, "host_context_switches", host / top["answersChecked"]
        print row, side, "Redis_context_switches", redis / top["answersChecked"]
        print row, side, "append-only_bytes", bytes / top["answersChecked"]
        print row, side, "answers", top["answersChecked"]
        print row, side, "faults", top["answersMismatched"] + top["answersLost"]
      }' "$path"
  done
}

if [ "${1:-}" = --inside ]; then
  shift
  inside "$@"
  exit
fi

passes=4 rows="8x16 8x4 1x1 rate" driver= old_environment=() new_environment=()
while [ $# -gt 2 ]; do
  case $1 in
    --passes) passes=$2 ;;
    --rows) rows=$2 ;;
    --generator) driver=$(cd "$2" && pwd) ;;
    --old-env) old_environment+=("$2") ;;
    --new-env) new_environment+=("$2") ;;
    *) echo "unknown option $1" >&2; exit 64 ;;
  esac
  shift 2
done
[ $# -eq 2 ] || { sed -n '4,5p' "${BASH_SOURCE[0]}" >&2; exit 64; }
for row in $rows; do profile "$row" >/dev/null; done
old=$(cd "$1" && pwd) new=$(cd "$2" && pwd)
this=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/$(basename "${BASH_SOURCE[0]}")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

binaries() { (cd "$1" && swift build -c release >&2 && swift build -c release --show-bin-path); }
old_binaries=${OLD_BIN:-$(binaries "$old")}
new_binaries=${NEW_BIN:-$(binaries "$new")}
if [ -n "$driver" ]; then
  generator_binaries=${GENERATOR_BIN:-$(binaries "$driver")}
else
  driver=$old generator_binaries=$old_binaries
fi
export generator=$generator_binaries/load-generator
port=${PORT:-18583}

# The machine, and who else was at work on it for two seconds.
machine() {
  echo "$1: $(date -u +%H:%M:%S) UTC, load $(cut -d' ' -f1-3 /proc/loadavg), idle $(idle) of the last two seconds"
}
idle() {
  local first second
  first=$(awk '/^cpu / { print $5 + $6, $2 + $3 + $4 + $5 + $6 + $7 + $8 + $9 }' /proc/stat)
  sleep 2
  second=$(awk '/^cpu / { print $5 + $6, $2 + $3 + $4 + $5 + $6 + $7 + $8 + $9 }' /proc/stat)
  echo "$first $second" | awk '{ printf "%.0f %%", 100 * ($3 - $1) / ($4 - $2) }'
}

# How a checkout's environment names its variables; a host refuses names that it does not know.
prefix() { if grep -q DEMO_BIN "$1/Config/demo/environment.sh"; then echo DEMO; else echo ISSUER; fi; }

# environment CHECKOUT BINARIES FOLDER [VARIABLE=VALUE ...] COMMAND [ARGUMENT ...]
environment() {
  local checkout=$1 binaries=$2 place=$3 prefix variables folder_variable=DEMO_DIR
  shift 3
  prefix=$(prefix "$checkout")
  [ "$prefix" = DEMO ] || folder_variable=ISSUER_DEMO_DIR
  variables=("${prefix}_BIN=$binaries" "$folder_variable=$place" "${prefix}_PORT_A=$port" "${prefix}_PORT_B=$((port + 1))"
    "${prefix}_ADMIN_PORT=$((port + 2))" "${prefix}_REDIS_FSYNC=everysec")
  while [[ ${1:-} = *=* ]]; do variables+=("$1"); shift; done
  env "${variables[@]}" "$checkout/Config/demo/environment.sh" "$@"
}

# side NAME CHECKOUT BINARIES [VARIABLE=VALUE ...]
side() {
  local name=$1 checkout=$2 binaries=$3 place
  shift 3
  place=$(mktemp -d "$folder/XXXX")
  # shellcheck disable=SC2086 # one argument for each row
  environment "$checkout" "$binaries" "$place" "$@" \
    with "$this" --inside "$name" "$place" "$(prefix "$checkout")" $rows \
    2>"$folder/errors" >>"$folder/figures" || { tail -20 "$folder/errors" >&2; exit 1; }
  rm -rf "$place"
}

commit() { git -C "$1" log -1 --format='%h %s' 2>/dev/null || echo unknown; }
echo "old: $(commit "$old") ${old_environment[*]-}"
echo "new: $(commit "$new") ${new_environment[*]-}"
echo "$(nproc) cores, $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1), Linux $(uname -r), $(redis-server --version | cut -d' ' -f3)"
# An old generator does not know every key of a new configuration: it reads that of an environment of its own, which has the
# same test keys, ports and dialects.
mkdir "$folder/generator"
environment "$driver" "$generator_binaries" "$folder/generator" prepare >"$folder/errors" 2>&1 || { cat "$folder/errors" >&2; exit 1; }
export generator_config=$folder/generator/issuer-host.yaml generator_prefix
generator_prefix=$(prefix "$driver")
machine before
for ((pass = 1; pass <= passes; pass++)); do
  side old "$old" "$old_binaries" "${old_environment[@]}"
  side new "$new" "$new_binaries" "${new_environment[@]}"
  echo "pass $pass of $passes" >&2
done
machine after

echo
echo "Medians of $passes passes in turn; in brackets the smallest and the largest."
echo
echo "| row | figure | old | new | new / old |"
echo "|---|---|---|---|---|"
awk '
  function median(key,   n, i, j, list, hold) {
    n = count[key]
    for (i = 1; i <= n; i++) list[i] = value[key, i]
    for (i = 2; i <= n; i++) {
      hold = list[i]
      for (j = i - 1; j >= 1 && list[j] > hold; j--) list[j + 1] = list[j]
      list[j + 1] = hold
    }
    least = list[1]; most = list[n]
    return n % 2 ? list[(n + 1) / 2] : (list[n / 2] + list[n / 2 + 1]) / 2
  }
  function text(number) { return number >= 1000 ? sprintf("%.0f", number) : sprintf("%.3g", number) }
  {
    key = $1 SUBSEP $2 SUBSEP $3
    value[key, ++count[key]] = $4 + 0
    if (!(($1, $3) in seen)) { seen[$1, $3] = 1; order[++lines] = $1 SUBSEP $3 }
  }
  END {
    for (line = 1; line <= lines; line++) {
      split(order[line], part, SUBSEP)
      name = part[2]; gsub(/_/, " ", name)
      a = median(part[1] SUBSEP "old" SUBSEP part[2]); from = least; to = most
      b = median(part[1] SUBSEP "new" SUBSEP part[2])
      if (part[2] == "faults" || part[2] == "answers") {
        printf "| %s | %s | %.0f | %.0f | |\n", part[1], name, a, b
        if (part[2] == "faults") wrong += to + most
      } else {
        printf "| %s | %s | %s (%s–%s) | %s (%s–%s) | %s |\n", part[1], name, text(a), text(from), text(to), text(b),
          text(least), text(most), (a > 0) ? sprintf("%.2f", b / a) : "–"
      }
    }
    exit wrong > 0
  }' "$folder/figures"
