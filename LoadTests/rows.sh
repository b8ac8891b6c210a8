#!/usr/bin/env bash
# Measures the rows of LoadTests/FIGURES.md, each several times, and prints them as a Markdown table.
#
#   rows.sh [ROW ...]     all of them without arguments; RUNS=n overrides how often each is measured
#
# Every run has an environment of its own, as `make load` has, and begins with an empty store.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
bin=${DEMO_BIN:-$(swift build -c release --show-bin-path)}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export DEMO_BIN=$bin DEMO_PORT_A=18583 DEMO_PORT_B=18584 DEMO_ADMIN_PORT=19583

# profile OUTSTANDING CONNECTIONS CARDS MIX: the short form of the standard profile
profile() {
  cat >"$folder/profile.yaml" <<YAML
name: row
cards: $3
links: [acquirer-a]
connections: $2
precompute: true
mix: ${4:-{ purchase: 97, purchaseWithoutPIN: 1, wrongPIN: 1, wrongCryptogram: 1 \}}
stages:
  - { name: warm-up, role: warmUp, seconds: 4, outstanding: $1 }
  - { name: saturation, role: saturation, seconds: 10, outstanding: $1 }
  - { name: half of saturation, role: half, seconds: 10, ofSaturation: 0.5, arrivals: poisson }
YAML
  echo "$folder/profile.yaml"
}

head=--head
# row NAME RUNS PROFILE [VARIABLE=VALUE ...]
row() {
  local name=$1 runs=${RUNS:-$2} profile=$3 run path results=()
  shift 3
  for run in $(seq "$runs"); do
    path=$(env DEMO_DIR="$folder/environment-$(echo "$*" | cksum | cut -d' ' -f1)" \
      DEMO_REDIS_FSYNC=everysec "$@" Config/demo/environment.sh load "$profile" 2>"$folder/log" | tail -1) ||
      { tail -5 "$folder/log" >&2; exit 1; }
    results+=("$path")
  done
  "$bin/load-generator" medians --name "$name" $head "${results[@]}"
  head=
}

measure() {
  local workers kept
  case $1 in
    standard) row "standard: 8 connections, 10,000 cards, everysec" 5 LoadTests/profiles/standard.yaml ;;
    peer) row "as the peer: 8 connections × 4 outstanding" 3 "$(profile 4 8 10000)" ;;
    always) row "appendfsync always" 3 "$(profile 16 8 10000)" DEMO_REDIS_FSYNC=always ;;
    tls) row "TLS 1.3, certificates on both sides" 3 "$(profile 16 8 10000)" DEMO_TLS=1 ;;
    loops) row "2 event loops" 3 "$(profile 16 8 10000)" DEMO_EVENT_LOOPS=2 ;;
    softhsm2) row "SoftHSM2, no PINs" 3 "$(profile 16 8 10000 '{ purchase: 99, wrongCryptogram: 1 }')" DEMO_TOKEN=softhsm2 ;;
    connections)
      row "1 connection × 128" 3 "$(profile 128 1 10000)"
      row "64 connections × 2" 3 "$(profile 2 64 10000)"
      row "1,000 connections × 1" 3 "$(profile 1 1000 10000)"
      ;;
    cards)
      row "1,000 cards" 3 "$(profile 16 8 1000)"
      row "1,000,000 cards" 1 "$(profile 16 8 1000000)"
      ;;
    keys)
      for kept in 0 4096 16384; do
        row "workers, 10,000 cards, $kept ICC master keys kept" 3 "$(profile 16 8 10000)" \
          DEMO_TOKEN_PLACEMENT=workers DEMO_MASTER_KEYS=$kept
      done
      ;;
    wire)
      for workers in 1 4 16 32; do
        row "token of 1 ms a call, 16 at once, $workers workers" 1 "$(profile 8 8 1000)" \
          DEMO_TOKEN_DELAY=1000 DEMO_TOKEN_LINES=16 DEMO_TOKEN_WORKERS=$workers
      done
      ;;
    *) echo "no row $1" >&2; exit 64 ;;
  esac
}

[ $# -gt 0 ] || set -- standard peer always tls loops softhsm2 connections cards keys wire
for name in "$@"; do measure "$name"; done
