#!/usr/bin/env bash
# Cards a second into a rack, over SCP03 and with DDA certificates, beside what the token alone could.
#
#   personalisation.sh BIN      BIN: the folder of a release build
#
# The token alone: its jobs for one card, one after another, with nothing else at work (one reader, the card waits for the
# token). COUNT cards side by side then (100 without it), three times; the ratio is cards a second times the token's time
# for one. The key pairs are made before the first card in both.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
[ $# -eq 1 ] || { sed -n '2,9s/^# \{0,1\}//p' "$0" >&2; exit 64; }
bin=$(cd "$1" && pwd)
folder=$(mktemp -d "${TMPDIR:-/tmp}/personalisation.XXXXXX")
trap 'rm -rf "$folder"' EXIT
export FOLDER=$folder BIN=$bin ROOT=$root COUNT=${COUNT:-100}

# list FIRST COUNT: cards nobody has yet
list() {
  awk -v first="$1" -v count="$2" 'BEGIN {
    printf "{\"cards\": ["
    for (card = first; card < first + count; card++) {
      body = sprintf("476173900%06d", 200000 + card); sum = 0
      for (place = 0; place < 15; place++) {
        digit = substr(body, 15 - place, 1) * (place % 2 == 0 ? 2 : 1)
        sum += digit > 9 ? digit - 9 : digit
      }
      printf "%s{\"pan\": \"%s%d\", \"panSequenceNumber\": \"01\", \"expiry\": \"2912\", \"issuerApplicationData\": \"06011203A0B800\"}",
        (card > first ? "," : ""), body, (10 - sum % 10) % 10
    }
    print "]}" }'
}

# batch NAME FIRST COUNT READERS: the command's last line
batch() {
  local rack port
  : >"$FOLDER/rack"
  "$BIN/card-rack" --cards "$3" --listen 127.0.0.1:0 --issuer "$ROOT/Config/demo/demo-issuer.json" >"$FOLDER/rack" &
  rack=$!
  until port=$(sed -n 's/^ready on //p' "$FOLDER/rack") && [ -n "$port" ]; do sleep 0.02; done
  list "$2" "$3" >"$FOLDER/$1.json"
  "$BIN/issuer-keys" personalise "$FOLDER/$1.json" --to "tcp:$port" --kmc kmc-bureau --new-master imk-dek-demo --readers "$4" --keys-ahead "$3" \
    --application "$ROOT/Config/demo/application.json" --out "$FOLDER/$1.report" --config "$DEMO_CONFIG" 2>/dev/null | tail -1
  kill "$rack"
  wait "$rack" || true
}

inside() {
  local alone line try
  line=$(batch alone 0 40 1)
  echo "token alone: $line"
  alone=$(sed -n 's/.* \([0-9.]*\) ms a card.*/\1/p' <<<"$line")
  for try in 1 2 3; do
    line=$(batch "side$try" $((try * 1000)) "$COUNT" "$COUNT")
    echo "side by side: $line"
    sed -n 's/.* now, \([0-9.]*\) a second.*/\1/p' <<<"$line" |
      awk -v alone="$alone" '{ printf "ratio %.2f of the %.1f cards a second that the token alone could\n", $1 * alone / 1000, 1000 / alone }'
  done
}
export -f inside batch list
DEMO_DIR=$folder/demo DEMO_BIN=$bin DEMO_CERTIFICATES=1 DEMO_PORT_A=28583 DEMO_PORT_B=28584 DEMO_ADMIN_PORT=29583 \
  "$root/Config/demo/environment.sh" with bash -euo pipefail -c inside
