#!/usr/bin/env bash
# The demo environment: a token store, a Redis server, the demo cards, the host, the terminal.
#
#   environment.sh install            install the Debian packages that are missing
#   environment.sh install tests      and those that only the tests need
#   environment.sh prepare            make or refresh the environment, start nothing that stays
#   environment.sh run                serve in the foreground until SIGINT or SIGTERM
#   environment.sh demo               serve, run the terminal simulator's demo, stop
#   environment.sh load PROFILE       import the profile's cards, serve, run the load generator, stop
#   environment.sh with COMMAND ...   serve, run COMMAND with ISSUER_CONFIG set, stop
#
# ISSUER_DEMO_DIR, ISSUER_PORT_A, ISSUER_PORT_B and ISSUER_ADMIN_PORT override .demo, 8583, 8584 and 9583;
# several environments can run side by side. ISSUER_BIN is the folder of the executables. For measurements:
#   ISSUER_REDIS_FSYNC      always (the default) or everysec
#   ISSUER_TOKEN            nss (the default) or softhsm2, which serves no PINs
#   ISSUER_TOKEN_WORKERS    threads before the token
#   ISSUER_MASTER_KEYS      ICC master keys that each of them keeps
#   ISSUER_TOKEN_DELAY      microseconds that every call of the token takes longer (Simulators/FaultyToken)
#   ISSUER_TOKEN_LINES      calls that may be under way at once with ISSUER_TOKEN_DELAY
#   ISSUER_EVENT_LOOPS      threads for connections
#   ISSUER_HOST_PRELOAD     a library that the host is started with (Tests/CoreSearch)
#   ISSUER_LIMITS           1 bounds what cards may spend, for Config/scenarios/limits
#   ISSUER_RULES            1 sets the ranges' other rules, for Config/scenarios/rules
#   ISSUER_SECURE           1 adds a link with TLS, MACs and AES PIN blocks, for Config/scenarios/secure, on
#                           ISSUER_PORT_S (8585)
#   ISSUER_TLS              1 gives acquirer-a TLS with certificates on both sides
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
directory=${ISSUER_DEMO_DIR:-$root/.demo}
port_a=${ISSUER_PORT_A:-8583}
port_b=${ISSUER_PORT_B:-8584}
port_s=${ISSUER_PORT_S:-8585}
admin_port=${ISSUER_ADMIN_PORT:-9583}
redis_pid= host_pid=

say() { printf '%s\n' "$*" >&2; }
fail() { say "error: $*"; exit 1; }

packages=(libssl-dev libp11-kit-dev libhiredis-dev libnss3 libnss3-tools softhsm2 redis-server pkg-config)

# A terminal emulator and a browser, which the simulator's screens and pages are tested in, and a Python for a switch
# made of other people's libraries.
test_packages=(openssl tmux chromium python3-venv)

install_packages() {
  [ "${1:-}" != tests ] || packages+=("${test_packages[@]}")
  local missing=() package
  for package in "${packages[@]}"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  local apt=(apt-get)
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || fail "Debian packages are missing: ${missing[*]}. Install them as root, or install sudo."
    apt=(sudo apt-get)
  fi
  say "installing ${missing[*]}"
  # policy-rc.d would keep Debian's own redis-server from starting; a private one is used here.
  export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1
  "${apt[@]}" update -qq || say "apt-get update failed, trying with the lists that are there"
  "${apt[@]}" install -y -qq "${missing[@]}" >&2 || fail "apt-get could not install ${missing[*]}"
}

token=${ISSUER_TOKEN:-nss}

# find_library PACKAGE NAME...: the first of these below the library folders
find_library() {
  local package=$1 path name
  shift
  for path in "/usr/lib/$(uname -m)-linux-gnu" /usr/lib64 /usr/lib; do
    for name in "$@"; do [ -e "$path/$name" ] && { echo "$path/$name"; return; }; done
  done
  fail "$1 not found; package $package has it"
}

find_token() {
  case $token in
    nss) find_library libnss3 libsoftokn3.so nss/libsoftokn3.so ;;
    softhsm2) find_library softhsm2 softhsm/libsofthsm2.so ;;
    *) fail "ISSUER_TOKEN: nss or softhsm2, not $token" ;;
  esac
}

token_configuration() {
  if [ -n "${ISSUER_TOKEN_DELAY:-}" ]; then echo "  module: $bin/libFaultyToken.so"; else echo "  module: $(find_token)"; fi
  case $token in
    nss)
      echo "  initArguments: \"configdir='sql:$directory/token' certPrefix='' keyPrefix='' secmod='' flags=\""
      echo '  uri: "pkcs11:token=NSS%20Certificate%20DB"'
      ;;
    softhsm2) echo '  uri: "pkcs11:token=issuer-demo"' ;;
  esac
}

# One key store for each token.
make_token() {
  export FAULTY_TOKEN_MODULE FAULTY_TOKEN_LINES=${ISSUER_TOKEN_LINES:-0}
  FAULTY_TOKEN_MODULE=$(find_token)
  if [ "$token" = softhsm2 ]; then
    export SOFTHSM2_CONF=$directory/softhsm2.conf
    printf 'directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n' "$directory/token" >"$SOFTHSM2_CONF"
  fi
  [ ! -s "$directory/token.pin" ] || return 0
  (umask 077 && od -An -N16 -tx1 /dev/urandom | tr -d ' \n' >"$directory/token.pin")
  case $token in
    nss) certutil -N -d "sql:$directory/token" -f "$directory/token.pin" ;;
    softhsm2)
      softhsm2-util --init-token --free --label issuer-demo --so-pin "$(cat "$directory/token.pin")" \
        --pin "$(cat "$directory/token.pin")" >&2
      ;;
  esac
}

import_cards() {
  local pins=()
  [ "$token" != softhsm2 ] || pins=(--without-pins)
  "$bin/issuer-host" cards import --forget-atcs "${pins[@]}" "$1" --config "$directory/issuer-host.yaml" >&2
}

# Lines of the configuration that only a token which serves PINs can have.
with_pins() { [ "$token" = softhsm2 ] || echo "$1"; }

# What issuer-keys audit finds on each token and nobody can change.
token_findings() {
  case $token in
    nss) echo probe-copy-with-wider-usage, probe-copy-readable, probe-derive ;;
    softhsm2) ;;
  esac
}

# The limits of a range, where the environment has any.
with_limits() {
  [ -n "${ISSUER_LIMITS:-}" ] || return 0
  local IFS=,
  echo "    limits: {currency: \"752\", $*}"
}

# Lines of a range where the environment has rules of its own.
with_rules() { [ -z "${ISSUER_RULES:-}" ] || printf '    %s\n' "$@"; }

# Master keys of a range: as they are, or as the version that cards of one derivation key index have.
with_keys() {
  local keys=("issuerMasterKey: imk-ac-$1")
  # SoftHSM2 has no exclusive or for Visa's script keys, and nothing that puts a new PIN into a script.
  [ "$token" = softhsm2 ] ||
    keys+=("secureMessagingIntegrityKey: imk-smi-$1" "secureMessagingConfidentialityKey: imk-smc-$1")
  if [ -z "${ISSUER_RULES:-}" ] || [ -z "${2:-}" ]; then
    printf '    %s\n' "${keys[@]}"
    return
  fi
  printf '    keyVersions:\n      "2024":\n        derivationKeyIndices: ["%s"]\n' "$2"
  printf '        %s\n' "${keys[@]}"
}

# What a range lets pass without a chip.
with_non_chip() {
  with_pins "    nonChip: {cardVerificationKey: cvk-$1${ISSUER_RULES:+, $2}}"
}

# A link as banks have it, and what terminals show there.
with_secure_link() {
  [ -n "${ISSUER_SECURE:-}" ] || return 0
  cat <<YAML
  acquirer-s:
    host: 127.0.0.1
    port: $port_s
    dialect: ascii87-binbitmap
    framing: 2be
    pin: {format: 4, aesKey: zpk-aes}
    mac: {key: zak-acquirer-b, algorithm: iso9797-3, padding: 1}
$(tls_of_link)
YAML
}

tls_of_link() {
  echo "    tls: {certificateFile: tls/host.pem, privateKeyFile: tls/host.key, trustedFile: tls/ca.pem, peerNames: [terminal.example]}"
}
with_tls() { [ -z "${ISSUER_TLS:-}" ] || tls_of_link; }

with_terminal_identity() {
  [ -n "${ISSUER_SECURE:-}${ISSUER_TLS:-}" ] || return 0
  echo "  tls: {trustedFile: tls/ca.pem, certificateFile: tls/terminal.pem, privateKeyFile: tls/terminal.key}"
}

# certificate NAME NAMES AUTHORITY: one key, one certificate for some days
certificate() {
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" -addext "subjectAltName=$2" \
    -keyout "$1.key" -out "$1.csr" 2>/dev/null
  openssl x509 -req -in "$1.csr" -CA "$3.pem" -CAkey "$3.key" -days "${4:-30}" -copy_extensions copy -out "$1.pem" 2>/dev/null
}

# Two authorities, of which the host trusts one, and everybody's certificates.
make_certificates() {
  [ -n "${ISSUER_SECURE:-}${ISSUER_TLS:-}" ] || return 0
  command -v openssl >/dev/null || fail "TLS needs the package openssl"
  mkdir -p "$directory/tls"
  (
    cd "$directory/tls"
    umask 077
    for authority in ca other-ca; do
      openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj "/CN=$authority" \
        -keyout $authority.key -out $authority.pem 2>/dev/null
    done
    certificate host "DNS:host.example,IP:127.0.0.1" ca
    certificate terminal DNS:terminal.example ca
    certificate neighbour DNS:neighbour.example ca
    certificate stranger DNS:terminal.example other-ca
    certificate expired DNS:terminal.example ca -1
  )
}

# Unix socket paths end at 107 bytes.
redis_socket() {
  if [ "${#directory}" -lt 90 ]; then echo "$directory/redis.sock"; return; fi
  echo "${TMPDIR:-/tmp}/issuer-redis-$(printf '%s' "$directory" | cksum | cut -d' ' -f1).sock"
}

write_configuration() {
  cat >"$directory/issuer-host.yaml" <<YAML
# Written by Config/demo/environment.sh. Test keys and cards only.
profile: demo
dialects: $root/Config/iso8583
token:
$(token_configuration)
  pinFile: token.pin
${ISSUER_TOKEN_WORKERS:+  workers: $ISSUER_TOKEN_WORKERS
}${ISSUER_MASTER_KEYS:+  masterKeysKept: $ISSUER_MASTER_KEYS
}keys:
  panHash: pan-hash
$(with_pins "  pinVerification: pvk
  pinVerificationValue: pvk-visa")
redis:
  unixSocket: $(redis_socket)
  buckets: 64
policy:
  atcJumpMax: 1000
  pinTriesMax: 3
# A range whose cards have keys of several ages has, in place of its keys:
#   keyVersions:
#     "2021": {derivationKeyIndices: ["01"], issuerMasterKey: imk-ac-1, secureMessagingIntegrityKey: imk-smi-1}
#     "2026": {cardExpiryFrom: "2901", cardExpiryUntil: "3112", issuerMasterKey: imk-ac-2}
issuers:
  visa-476173:
    prefix: "476173"
$(with_keys 476173 01)
$(with_non_chip 476173 "fallback: true")
    masterKeyOption: A
    profiles: [visa-cvn10, visa-cvn18, visa-cvn22]
$(with_rules "declineOnTVR: [dda-failed, merchant-forced-online]" "declineOnCVR: [pin-try-limit-exceeded]")
$(with_limits "transactionMax: 500000, contactlessMax: 10000, unverifiedMax: 20000, dailyAmount: 600000, dailyCount: 6" \
  'blockedMerchantCategories: ["7995"], blockedCountries: ["408"]')
  mastercard-541333:
    prefix: "541333"
$(with_keys 541333)
$(with_non_chip 541333 "magneticStripe: false, cardNotPresent: false")
    masterKeyOption: A
    profiles: [mc-cvn10h, mc-cvn11h, mc-cvn14h, mc-cvn15h]
$(with_rules "declineOnCVM: [failed]")
$(with_limits "rollingAmount: 600000, rollingCount: 6, rollingDays: 7, cashAmount: 100000, cashCount: 2")
  ccd-639999:
    prefix: "639999"
$(with_keys 639999)
    masterKeyOption: A
    profiles: [ccd]
$(with_rules "declineOnCVR: [script-failed]")
links:
  acquirer-a:
    host: 127.0.0.1
    port: $port_a
    dialect: ascii87-binbitmap
    framing: 2be
$(with_pins "    zonePINKey: zpk-acquirer-a
    pin: {format: 0, aesKey: zpk-aes, formatCodes: [\"01:0\", \"02:1\", \"03:3\", \"04:4\"]}")
    cvv2Element: 126
$(with_tls)
  acquirer-b:
    host: 127.0.0.1
    port: $port_b
    dialect: bcd87-rightF
    framing: 2be
$(with_pins "    zonePINKey: zpk-acquirer-b
    pin: {format: 0, aesKey: zpk-aes, formatCodes: [\"01:0\", \"02:1\", \"03:3\", \"04:4\"]}")
$(with_secure_link)
audit:
  log: audit.log
  # Everybody knows the demo's keys: they were loaded in clear. The rest are limits of the token.
  acceptedFindings: [test-key, not-always-sensitive, not-never-extractable, $(token_findings)]
admin:
  host: 127.0.0.1
  port: $admin_port
server:
  eventLoops: ${ISSUER_EVENT_LOOPS:-1}
log:
  level: ${ISSUER_LOG:-notice}
demo:
  issuer: $root/Config/demo/demo-issuer.json
  cardState: card-state
$(with_terminal_identity)
YAML
}

binaries() { (cd "$root" && swift build -c release --show-bin-path); }

start_redis() {
  # A session of its own: an interrupt at the keyboard must reach the host first.
  setsid redis-server "$root/Config/redis.conf" --port 0 --unixsocket "$(redis_socket)" --dir "$directory" \
    --logfile "$directory/redis.log" --pidfile "$directory/redis.pid" \
    --appendfsync "${ISSUER_REDIS_FSYNC:-always}" >/dev/null 2>&1 &
  redis_pid=$!
  local try
  # A store that has grown takes its time to load.
  for try in $(seq 2400); do
    [ "$(redis-cli -s "$(redis_socket)" ping 2>/dev/null)" = PONG ] && return
    kill -0 "$redis_pid" 2>/dev/null || break
    sleep 0.05
  done
  fail "redis-server did not start; see $directory/redis.log"
}

stop_redis() {
  [ -n "$redis_pid" ] || return 0
  kill "$redis_pid" 2>/dev/null || true
  wait "$redis_pid" 2>/dev/null || true
  redis_pid=
}

stop_left_over_redis() {
  local pid
  [ -f "$directory/redis.pid" ] || return 0
  pid=$(cat "$directory/redis.pid")
  if [ -n "$pid" ] && grep -qz redis-server "/proc/$pid/cmdline" 2>/dev/null; then
    if [ -S "$(redis_socket)" ] && pgrep -f "issuer-host serve --config $directory/issuer-host.yaml" >/dev/null; then
      fail "an environment is already running in $directory"
    fi
    say "stopping the Redis server that an earlier run left behind"
    kill "$pid" && sleep 0.5
  fi
}

prepare() {
  mkdir -p "$directory/token" "$directory/card-state"
  chmod 700 "$directory"
  directory=$(cd "$directory" && pwd)
  stop_left_over_redis
  write_configuration
  make_certificates
  make_token
  "$bin/issuer-keys" load-test-keys "$root/Config/demo/demo-issuer.json" --config "$directory/issuer-host.yaml" \
    >"$directory/keys.log" || { cat "$directory/keys.log" >&2; fail "the test keys could not be loaded"; }
  # Figures can only be compared if every measurement begins with an empty store.
  [ "$command" != load ] || rm -rf "$directory/appendonlydir"
  start_redis
  # A terminal of any make may come next, with card counters of its own: each run begins with fresh ones.
  import_cards "$root/Config/demo/demo-issuer.json"
}

stop_host() {
  [ -n "$host_pid" ] || return 0
  kill -TERM "$host_pid" 2>/dev/null || true
  wait "$host_pid" 2>/dev/null || true
  host_pid=
}

cleanup() { stop_host; stop_redis; }

start_host() {
  LD_PRELOAD=${ISSUER_HOST_PRELOAD:-} FAULTY_TOKEN_MICROSECONDS=${ISSUER_TOKEN_DELAY:-0} "$bin/issuer-host" serve --config "$directory/issuer-host.yaml" >"$directory/host.out" 2>"$directory/host.log" &
  host_pid=$!
  local try
  for try in $(seq 400); do
    grep -q '^ready' "$directory/host.out" 2>/dev/null && return
    kill -0 "$host_pid" 2>/dev/null || break
    sleep 0.05
  done
  cat "$directory/host.log" >&2
  fail "issuer-host did not start"
}

command=${1:-demo}
shift || true
case $command in
  install) install_packages "$@"; exit ;;
  prepare | run | demo | load | with) ;;
  *) fail "unknown command $command" ;;
esac

bin=${ISSUER_BIN:-$(binaries)}
[ -x "$bin/issuer-host" ] || fail "not built; run make demo or make run"
trap cleanup EXIT
prepare
case $command in
  prepare) ;;
  run)
    "$bin/issuer-host" serve --config "$directory/issuer-host.yaml" &
    host_pid=$!
    trap 'kill -TERM "$host_pid" 2>/dev/null' INT TERM
    status=0
    # The first wait ends with the signal, the second with the host.
    wait "$host_pid" || status=$?
    if kill -0 "$host_pid" 2>/dev/null; then status=0; wait "$host_pid" || status=$?; fi
    host_pid=
    stop_redis
    exit "$status"
    ;;
  demo)
    start_host
    "$bin/terminal-simulator" demo --config "$directory/issuer-host.yaml"
    ;;
  load)
    "$bin/load-generator" cards --profile "$1" --config "$directory/issuer-host.yaml" \
      --out "$directory/load-cards.json" >&2
    import_cards "$directory/load-cards.json"
    start_host
    ISSUER_HOST_PID=$host_pid ISSUER_REDIS_PID=$redis_pid "$bin/load-generator" run --profile "$1" \
      --config "$directory/issuer-host.yaml" --results "$root/LoadTests/results"
    ;;
  with)
    start_host
    ISSUER_CONFIG="$directory/issuer-host.yaml" ISSUER_HOST_PID=$host_pid ISSUER_REDIS_PID=$redis_pid "$@"
    ;;
esac
