#!/usr/bin/env bash
# What an access control server gets of the token a second: by the bare token, one session, and by the commands.
#
#   three-d-secure.sh BIN      BIN: the folder of a release build
#
# COUNT lines for each command (10,000 without it).
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
[ $# -eq 1 ] || { sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; exit 64; }
bin=$(cd "$1" && pwd)
folder=$(mktemp -d "${TMPDIR:-/tmp}/three-d-secure.XXXXXX")
trap 'rm -rf "$folder"' EXIT

echo "bare, microseconds for one:"
"$bin/benchmarks" "access control: " --batches 9

export FOLDER=$folder BIN=$bin COUNT=${COUNT:-10000} ISSUER=$root/Config/demo/demo-issuer.json
inside() {
  local keys="$BIN/issuer-keys" card key
  pan() { grep -B3 -A3 "\"name\": \"$1\"" "$ISSUER" | sed -n 's/.*"pan": "\([0-9]*\)".*/\1/p' | head -1; }
  for card in visa-cvn18 mchip-14h; do
    awk -v pan="$(pan $card)" -v count="$COUNT" 'BEGIN { for (n = 1; n <= count; n++)
      printf "{\"pan\":\"%s\",\"number\":%d,\"merchant\":\"Test Shop 1\",\"amount\":%d,\"currency\":\"752\"}\n", pan, 1795000000 + n, n }' \
      >"$FOLDER/$card"
  done
  awk -v count="$COUNT" 'BEGIN { for (n = 1; n <= count; n++)
    printf "{\"acsURL\":\"https://acs.bank.example/%d\",\"acsEphemPubKey\":{\"kty\":\"EC\"},\"sdkEphemPubKey\":{\"kty\":\"EC\"}}\n", n }' \
    >"$FOLDER/contents"
  openssl req -x509 -newkey rsa:2048 -nodes -subj "/CN=Test root" -days 2 -keyout "$FOLDER/ca.key" -out "$FOLDER/ca.pem" 2>/dev/null
  echo "by command, a second, start and trail with it:"
  for card in visa-cvn18 mchip-14h; do
    measure "authentication-value, $card" "$card" "$keys" authentication-value --config "$DEMO_CONFIG"
  done
  for key in es256 ps256; do
    "$keys" acs-sign generate "$key" --algorithm "${key^^}" --config "$DEMO_CONFIG" >/dev/null
    "$keys" acs-sign request "$key" --subject CN=acs --out "$FOLDER/$key.csr" --config "$DEMO_CONFIG" >/dev/null
    openssl x509 -req -in "$FOLDER/$key.csr" -CA "$FOLDER/ca.pem" -CAkey "$FOLDER/ca.key" -days 2 -out "$FOLDER/$key.pem" 2>/dev/null
    cat "$FOLDER/$key.pem" "$FOLDER/ca.pem" >"$FOLDER/$key.chain"
    for sessions in 1 2; do
      measure "acs-sign $key, sessions: $sessions" contents "$keys" acs-sign --key "$key" --chain "$FOLDER/$key.chain" \
        --sessions "$sessions" --config "$DEMO_CONFIG"
    done
  done
}
# measure NAME INPUT COMMAND...
measure() {
  local name=$1 input=$FOLDER/$2 begun ended lines
  shift 2
  begun=$(date +%s%N)
  lines=$("$@" <"$input" | grep -vc '"error"')
  ended=$(date +%s%N)
  [ "$lines" = "$COUNT" ] || { echo "$name: $lines of $COUNT lines were served" >&2; exit 1; }
  awk -v name="$name" -v count="$COUNT" -v nanoseconds=$((ended - begun)) \
    'BEGIN { printf "%-34s %8.0f\n", name, count * 1e9 / nanoseconds }'
}
export -f inside measure
DEMO_DIR=$folder/demo DEMO_BIN=$bin DEMO_PORT_A=28583 DEMO_PORT_B=28584 DEMO_ADMIN_PORT=29583 \
  "$root/Config/demo/environment.sh" with bash -euo pipefail -c inside
