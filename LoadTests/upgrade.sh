#!/usr/bin/env bash
# A cold upgrade of one of two hosts under load: what is left unanswered, and how long answers take meanwhile.
#
#   upgrade.sh [BIN [NEWBIN]]     folders of the executables of now and of the release that comes; the same without
#
# Two hosts on one store and copies of one token; the generator sends 2,000 requests a second over both, as an acquirer with
# two connections does: what was sent to a connection that ends is sent again over the other one, as a repeat. Two seconds
# into the stage `upgrade` the first host gets SIGTERM, as `systemctl stop` does; when it has ended, the new one starts with
# nothing in memory. RATE overrides the rate. Prints a table. The status is 1 if a request had no answer, or if the 99th
# percentile of the stage is more than five times that of the one before.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
this=$PWD/LoadTests/upgrade.sh

if [ "${1:-}" != --inside ]; then
  command -v jq >/dev/null || { echo "error: the table needs the package jq" >&2; exit 1; }
  folder=$(mktemp -d)
  trap 'rm -rf "$folder"' EXIT
  export DEMO_BIN=${1:-${DEMO_BIN:-$(swift build -c release --show-bin-path)}}
  export NEW_BIN=${2:-$DEMO_BIN} DEMO_REDIS_FSYNC=${DEMO_REDIS_FSYNC:-everysec}
  export DEMO_PORT_A=${DEMO_PORT_A:-18583} DEMO_PORT_B=${DEMO_PORT_B:-18584} DEMO_ADMIN_PORT=${DEMO_ADMIN_PORT:-19583}
  DEMO_DIR=$folder/environment Config/demo/environment.sh with "$this" --inside "$folder"
  exit
fi

folder=$2
pids=()
stop() {
  [ ${#pids[@]} -gt 0 ] || return 0
  kill "${pids[@]}" 2>/dev/null || true
  wait "${pids[@]}" 2>/dev/null || true
}
trap stop EXIT
ready() { local try; for try in $(seq 600); do curl -sf "http://127.0.0.1:$1/ready" >/dev/null && return; sleep 0.05; done; return 1; }
milliseconds() { date +%s%3N; }

# The second host: the same links on other ports, a place file of its own.
port=$((DEMO_ADMIN_PORT + 10))
second=("ISSUER_ADMIN_PORT=$((port + 2))" "ISSUER_LINKS_ACQUIRER_A_PORT=$port" "ISSUER_LINKS_ACQUIRER_B_PORT=$((port + 1))"
  "ISSUER_REDIS_PLACE_FILE=$folder/second.place" "ISSUER_AUDIT_LOG=$folder/second.audit")
env "${second[@]}" "$DEMO_BIN/issuer-host" serve --config "$DEMO_CONFIG" >"$folder/second.out" 2>"$folder/second.log" &
pids+=($!)
ready $((port + 2)) || { cat "$folder/second.log" >&2; exit 1; }

# Both as the generator sees them: one link, twice.
dialect=$("$DEMO_BIN/issuer-host" config show --config "$DEMO_CONFIG" | awk -F'\t' '$1 == "links.acquirer-a.dialect" {print $2}')
printf 'links:\n  acquirer-a: ~\n  acquirer-b: ~\n' >"$folder/overlay.yaml"
for row in "first $DEMO_PORT_A" "second $port"; do
  printf '  %s: {port: %s, dialect: %s, zonePINKey: zpk-acquirer-a}\n' $row "$dialect" >>"$folder/overlay.yaml"
done
"$DEMO_BIN/issuer-host" config merge "$DEMO_CONFIG" "$folder/overlay.yaml" >"${DEMO_CONFIG%/*}/generator.yaml"
generator_config=${DEMO_CONFIG%/*}/generator.yaml
profile=$folder/upgrade.yaml
sed "s/rate: 2000/rate: ${RATE:-2000}/" LoadTests/profiles/upgrade.yaml >"$profile"
"$DEMO_BIN/load-generator" cards --profile "$profile" --config "$generator_config" --out "$folder/cards.json" >&2
"$DEMO_BIN/issuer-host" cards import --forget-atcs "$folder/cards.json" --config "$DEMO_CONFIG" >&2
"$DEMO_BIN/load-generator" run --profile "$profile" --config "$generator_config" --results "$folder/results" \
  >"$folder/out" 2>"$folder/log" &
generator=$!
pids+=("$generator")
begun() { grep -q '^upgrade [0-9]' "$folder/log"; }
until begun || ! kill -0 "$generator" 2>/dev/null; do sleep 0.05; done
sleep 1
from=$(milliseconds)
kill -TERM "$DEMO_HOST_PID"
while kill -0 "$DEMO_HOST_PID" 2>/dev/null; do sleep 0.01; done
stopped=$(milliseconds)
"$NEW_BIN/issuer-host" serve --config "$DEMO_CONFIG" >"$folder/new.out" 2>"$folder/new.log" &
pids+=($!)
ready "$DEMO_ADMIN_PORT" || { cat "$folder/new.log" >&2; exit 1; }
back=$(milliseconds)
status=0
wait "$generator" || status=$?
path=$(tail -1 "$folder/out")
[ -s "$path" ] || { tail -5 "$folder/log" >&2; exit 1; }
echo "The host ended $((stopped - from)) ms after SIGTERM, and the new one was ready $((back - stopped)) ms later."
echo
echo "| stage | sent | of them again, as repeats | no answer | wrong | p50 ms | p99 ms | longest ms |"
echo "|---|---|---|---|---|---|---|---|"
jq -r '
  def cell: if . == null then "–" else (. * 100 | round / 100 | tostring) end;
  .stages[] | select(.role != "warmUp") |
  "| \(.name) | \(.sent) | \(.repeated) | \(.lost + .unsent) | \(.answersMismatched) | \(.latencyMilliseconds.p50 | cell) | \(.latencyMilliseconds.p99 | cell) | \(.latencyMilliseconds.max | cell) |"
  ' "$path"
jq -e '[.stages[] | select(.name == "before" or .name == "upgrade") | .latencyMilliseconds.p99] | .[1] <= 5 * .[0]' "$path" >/dev/null || {
  echo "the 99th percentile of the upgrade is more than five times that of before" >&2
  status=1
}
exit $status
