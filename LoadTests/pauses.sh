#!/usr/bin/env bash
# Pauses and a flood: what is refused, what is answered, and what it costs.
#
#   pauses.sh [WHAT ...]     store, link and token without arguments
#
#   store   the Redis server is stopped and continued: three times 0.5 s, then 1, 2 and 3 s
#   link    the same server behind fault-proxy, which holds its answers for 2 s every 8 s
#   token   every call of the token stands still as long, with `token.placement: workers`
#
# Each runs LoadTests/profiles/pauses.yaml in an environment of its own with an empty store: capacity, half of it with the
# pauses, three times of it, half again. The answer time is the five seconds of the demo's links. Host and store share all
# cores but one, the generator has that one: on the same ones, a host that has enough to do keeps it from sending a flood.
# Prints a table: answers by stage, how many were 91, and the host's memory at its largest and at the end. The status is 1
# if a pause cost one.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
profile=$PWD/LoadTests/profiles/pauses.yaml
lengths="0.5 0.5 0.5 1 2 3"

# Within an environment whose host serves.
inside() {
  local what=$1 folder=$2 path generator length status=0
  "$DEMO_BIN/load-generator" cards --profile "$profile" --out "$folder/cards.json" 2>/dev/null
  "$DEMO_BIN/issuer-host" cards import --forget-atcs "$folder/cards.json" --config "$DEMO_CONFIG" >/dev/null
  # 91 where something else was due is an answer that does not match: the generator's status says so, and the table.
  "$DEMO_BIN/load-generator" run --profile "$profile" --results "$folder/results" >"$folder/out" 2>"$folder/log" &
  generator=$!
  until grep -q '^pauses' "$folder/log" || ! kill -0 $generator 2>/dev/null; do sleep 0.1; done
  if [ "$what" != link ]; then
    for length in $lengths; do
      pause "$what" "$length"
      sleep 3
    done
  fi
  wait $generator || true
  path=$(tail -1 "$folder/out")
  [ -s "$path" ] || { tail -5 "$folder/log" >&2; exit 1; }
  jq -r --arg what "$what" '
    def cell: if . == null then "–" else (. * 100 | round / 100 | tostring) end;
    .stages[] | select(.role != "warmUp") |
    "| \($what) | \(.name) | \(.offeredPerSecond | cell) | \(.throughputPerSecond | round) | \(.sent) | \(.answersByCode["91"] // 0) | \(.lost + .unsent) | \(.latencyMilliseconds.p50 | cell) | \(.latencyMilliseconds.max | cell) | \([.series[].hostMegabytes // 0] | max | cell) | \(.hostResidentMegabytes | cell) |"
    ' "$path"
  jq -e '[.stages[] | select(.role == "half") | (.answersByCode["91"] // 0) + .lost + .unsent] | add == 0' "$path" >/dev/null ||
    status=1
  # What the host says of it: reasons, and how often.
  [ $status = 0 ] || grep -o 'request [a-z ]* \?\|reason=[^]]*' "${DEMO_CONFIG%/*}/host.log" | sort | uniq -c | sort -rn | head -8 >&2
  return $status
}

pause() {
  case $1 in
    store)
      kill -STOP "$DEMO_REDIS_PID"
      sleep "$2"
      kill -CONT "$DEMO_REDIS_PID"
      ;;
    token)
      # In place: the token has mapped this very file.
      printf s 1<>"$FAULTY_TOKEN_CONTROL"
      sleep "$2"
      printf o 1<>"$FAULTY_TOKEN_CONTROL"
      ;;
  esac
}

if [ "${1:-}" = --inside ]; then
  shift
  inside "$@"
  exit
fi

command -v jq >/dev/null || { echo "error: the table needs the package jq" >&2; exit 1; }
this=$PWD/LoadTests/pauses.sh
folder=$(mktemp -d)
proxy=
trap '[ -z "$proxy" ] || kill "$proxy"; rm -rf "$folder"' EXIT
export DEMO_BIN=${DEMO_BIN:-$(swift build -c release --show-bin-path)} DEMO_REDIS_FSYNC=everysec
export DEMO_PORT_A=${DEMO_PORT_A:-18583} DEMO_PORT_B=${DEMO_PORT_B:-18584} DEMO_ADMIN_PORT=${DEMO_ADMIN_PORT:-19583}

served=() sending=()
last=$(($(nproc) - 1))
[ "$last" = 0 ] || { served=(taskset -c "0-$((last - 1))") sending=(taskset -c "$last"); }

[ $# -gt 0 ] || set -- store link token
echo "| what pauses | stage | offered/s | answered/s | sent | of them 91 | no answer | p50 ms | longest ms | host MB at most | host MB at the end |"
echo "|---|---|---|---|---|---|---|---|---|---|---|"
status=0
for what in "$@"; do
  place=$folder/$what
  mkdir -p "$place"
  variables=()
  case $what in
    store) ;;
    link)
      port=$((DEMO_ADMIN_PORT + 1))
      "$DEMO_BIN/fault-proxy" --port "$port" --target "127.0.0.1:$((port + 1))" --hold 2000 --every 8 >"$place/proxy" &
      proxy=$!
      variables=("DEMO_REDIS_LISTEN=$((port + 1))" "DEMO_REDIS_PORT=$port")
      ;;
    token)
      printf o >"$place/control"
      variables=(DEMO_TOKEN_DELAY=0 "FAULTY_TOKEN_CONTROL=$place/control" DEMO_TOKEN_PLACEMENT=workers)
      ;;
    *) echo "store, link or token, not $what" >&2; exit 64 ;;
  esac
  env DEMO_DIR="$place/environment" "${variables[@]}" "${served[@]}" Config/demo/environment.sh with \
    "${sending[@]}" "$this" --inside "$what" "$place" 2>"$place/errors" || { status=1; tail -8 "$place/errors" >&2; }
  [ -z "$proxy" ] || { kill "$proxy"; proxy=; }
done
exit $status
