#!/usr/bin/env bash
# The demo environment: a token store, a Redis server, the demo cards, the host, the terminal.
#
#   environment.sh install            install the Debian packages that are missing
#   environment.sh install tests      and those that only the tests need
#   environment.sh prepare            make or refresh the environment, start nothing that stays
#   environment.sh run                serve in the foreground until SIGINT or SIGTERM
#   environment.sh demo               serve, run the terminal simulator's demo, stop
#   environment.sh load PROFILE       import the profile's cards, serve, run the load generator, stop
#   environment.sh with COMMAND ...   serve, run COMMAND with DEMO_CONFIG set, stop
#
# DEMO_DIR, DEMO_PORT_A, DEMO_PORT_B and DEMO_ADMIN_PORT override .demo, 8583, 8584 and 9583;
# several environments can run side by side. DEMO_BIN is the folder of the executables. For measurements:
#   DEMO_REDIS_FSYNC      always (the default) or everysec
#   DEMO_REDIS_LISTEN     TCP port that the Redis server listens on beside its socket
#   DEMO_REDIS_PORT       TCP port that the host finds it on, in place of the socket
#   DEMO_SENTINELS        so many sentinels watch that server and name it to the host; with both ports, the same one
#   DEMO_TOKEN            nss (the default), nss-fips (the same in its strict mode) or softhsm2, which serves no PINs
#   DEMO_TOKEN_PLACEMENT  auto, loop or workers
#   DEMO_TOKEN_WORKERS    threads before the token
#   DEMO_MASTER_KEYS      ICC master keys that those threads keep in the token
#   DEMO_TOKEN_DELAY      microseconds that every call of the token takes longer (Simulators/FaultyToken)
#   DEMO_TOKEN_LINES      calls that may be under way at once with DEMO_TOKEN_DELAY
#   DEMO_EVENT_LOOPS      threads for connections
#   DEMO_HOST_PRELOAD     a library that the host is started with (Tests/CoreSearch)
#   DEMO_CERTIFICATES     1 certifies the issuers for other uses than the demo too
#   DEMO_LIMITS           1 bounds what cards may spend, for Config/scenarios/limits
#   DEMO_RULES            1 sets the ranges' other rules, for Config/scenarios/rules
#   DEMO_SECURE           1 adds a link with TLS, MACs and AES PIN blocks, for Config/scenarios/secure, on
#                           DEMO_PORT_S (8585)
#   DEMO_1993             1 adds two links of ISO 8583:1993, for Config/scenarios/iso1993: one plain, on DEMO_PORT_C
#                           (8586), and one with TLS and MACs, on DEMO_PORT_D (8587)
#   DEMO_TLS              1 gives acquirer-a TLS with certificates on both sides
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
directory=${DEMO_DIR:-$root/.demo}
port_a=${DEMO_PORT_A:-8583}
port_b=${DEMO_PORT_B:-8584}
port_s=${DEMO_PORT_S:-8585}
port_c=${DEMO_PORT_C:-8586}
port_d=${DEMO_PORT_D:-8587}
admin_port=${DEMO_ADMIN_PORT:-9583}
redis_pid= host_pid= rack_pid= sentinel_pids=()

say() { printf '%s\n' "$*" >&2; }
fail() { say "error: $*"; exit 1; }

packages=(libssl-dev libp11-kit-dev libhiredis-dev libjemalloc-dev libnss3 libnss3-tools softhsm2 redis-server pkg-config)

# A terminal emulator and a browser, which the simulator's screens and pages are tested in, a Python for switches
# made of other people's libraries, what takes captures of links apart, somebody else's tools to work on a token with,
# Prometheus, which reads metrics and alert rules, what makes Debian packages and container images, smart card
# readers that are none, and other people's tokens (Tests/Interoperability/tokens.sh).
test_packages=(openssl tmux chromium python3-venv tshark opensc prometheus patchelf dpkg-dev buildah iproute2 pcscd vsmartcard-vpcd
  sqlite3 opencryptoki libtpm2-pkcs11-1 libtpm2-pkcs11-tools swtpm tpm2-tools tpm2-abrmd libtss2-tcti-tabrmd0 dbus p11-kit p11-kit-modules)

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

token=${DEMO_TOKEN:-nss}
entry=C_GetFunctionList nss_label="NSS%20Certificate%20DB"
if [ "$token" = nss-fips ]; then entry=FC_GetFunctionList nss_label="NSS%20FIPS%20140-2%20Certificate%20DB"; fi

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
    nss | nss-fips) find_library libnss3 libsoftokn3.so nss/libsoftokn3.so ;;
    softhsm2) find_library softhsm2 softhsm/libsofthsm2.so ;;
    *) fail "DEMO_TOKEN: nss, nss-fips or softhsm2, not $token" ;;
  esac
}

# One key store for each token.
make_token() {
  export FAULTY_TOKEN_MODULE FAULTY_TOKEN_LINES=${DEMO_TOKEN_LINES:-0} FAULTY_TOKEN_ENTRY=$entry
  FAULTY_TOKEN_MODULE=$(find_token)
  if [ "$token" = softhsm2 ]; then
    export SOFTHSM2_CONF=$directory/softhsm2.conf
    printf 'directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n' "$directory/token" >"$SOFTHSM2_CONF"
  fi
  [ ! -s "$directory/token.pin" ] || return 0
  (umask 077 && od -An -N16 -tx1 /dev/urandom | tr -d ' \n' >"$directory/token.pin")
  case $token in
    nss | nss-fips) certutil -N -d "sql:$directory/token" -f "$directory/token.pin" ;;
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

# certificate NAME NAMES AUTHORITY: one key, one certificate for some days
certificate() {
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" -addext "subjectAltName=$2" \
    -keyout "$1.key" -out "$1.csr" 2>/dev/null
  openssl x509 -req -in "$1.csr" -CA "$3.pem" -CAkey "$3.key" -days "${4:-90}" -copy_extensions copy -out "$1.pem" 2>/dev/null
}

# Two authorities, of which the host trusts one, and everybody's certificates.
make_certificates() {
  [ -n "${DEMO_SECURE:-}${DEMO_1993:-}${DEMO_TLS:-}" ] || return 0
  command -v openssl >/dev/null || fail "TLS needs the package openssl"
  mkdir -p "$directory/tls"
  (
    cd "$directory/tls"
    umask 077
    for authority in ca other-ca; do
      openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 90 -subj "/CN=$authority" \
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

# overlay WORD NAME: the overlay, where the word is not empty
overlay() { [ -z "$1" ] || echo "$root/Config/demo/overlays/$2.yaml"; }

# The demo's configuration with its overlays, placed on this machine.
write_configuration() {
  local softhsm2= files=() machine=(
    "ISSUER_DIALECTS=$root/Config/iso8583" "ISSUER_DEMO_ISSUER=$root/Config/demo/demo-issuer.json"
    "ISSUER_ISSUERS_MASTERCARD_541333_ABROAD_RATES=$root/Config/demo/rates.txt"
    "ISSUER_TOKEN_MODULE=$([ -z "${DEMO_TOKEN_DELAY:-}" ] && find_token || echo "$bin/libFaultyToken.so")"
    "ISSUER_REDIS_UNIX_SOCKET=$(redis_socket)" "ISSUER_ADMIN_PORT=$admin_port"
    "ISSUER_LINKS_ACQUIRER_A_PORT=$port_a" "ISSUER_LINKS_ACQUIRER_B_PORT=$port_b"
    "ISSUER_LOG_LEVEL=${DEMO_LOG:-notice}"
    ${DEMO_EVENT_LOOPS:+"ISSUER_SERVER_EVENT_LOOPS=$DEMO_EVENT_LOOPS"}
    ${DEMO_TOKEN_PLACEMENT:+"ISSUER_TOKEN_PLACEMENT=$DEMO_TOKEN_PLACEMENT"}
    ${DEMO_TOKEN_WORKERS:+"ISSUER_TOKEN_WORKERS=$DEMO_TOKEN_WORKERS"}
    ${DEMO_MASTER_KEYS:+"ISSUER_TOKEN_MASTER_KEYS_KEPT=$DEMO_MASTER_KEYS"}
    ${DEMO_SECURE:+"ISSUER_LINKS_ACQUIRER_S_PORT=$port_s"}
    ${DEMO_1993:+"ISSUER_LINKS_ACQUIRER_C_PORT=$port_c" "ISSUER_LINKS_ACQUIRER_D_PORT=$port_d"}
  )
  if [ "$token" = softhsm2 ]; then softhsm2=1; else
    # Before the slow module, which passes on the entry point that it is told, stands the standard's own.
    [ -n "${DEMO_TOKEN_DELAY:-}" ] || machine+=("ISSUER_TOKEN_FUNCTION_LIST=$entry")
    machine+=("ISSUER_TOKEN_URI=pkcs11:token=$nss_label"
      "ISSUER_TOKEN_INIT_ARGUMENTS=configdir='sql:$directory/token' certPrefix='' keyPrefix='' secmod='' flags=")
  fi
  mapfile -t files < <(
    overlay "${DEMO_LIMITS:-}" limits; overlay "${DEMO_RULES:-}" rules; overlay "${DEMO_SECURE:-}" secure
    overlay "${DEMO_1993:-}" iso1993; overlay "${DEMO_TLS:-}" tls; overlay "$softhsm2" softhsm2
  )
  env "${machine[@]}" "$bin/issuer-host" config merge "$root/Config/demo/issuer-host.yaml" "${files[@]}" \
    >"$directory/issuer-host.yaml" || fail "the demo's configuration could not be made"
  # In place of the socket, which would come first.
  [ -z "${DEMO_REDIS_PORT:-}" ] || sed -i "s/^  unixSocket: .*/  port: $DEMO_REDIS_PORT/" "$directory/issuer-host.yaml"
  # By sentinels, whose ports follow the server's.
  [ -z "${DEMO_SENTINELS:-}" ] || sed -i "s/^  port: $DEMO_REDIS_PORT\$/  sentinelMaster: demo\n  sentinels: [$(
    seq -s ', ' -f '"127.0.0.1:%.0f"' $((DEMO_REDIS_PORT + 1)) $((DEMO_REDIS_PORT + DEMO_SENTINELS))
  )]/" "$directory/issuer-host.yaml"
}

# A test CA in a token of its own, and the issuer's certificate of each range.
certify_issuers() {
  [ "$token" != softhsm2 ] || return 0
  [ ! -s "$directory/certified" ] || return 0
  local authority=$directory/authority options request row rid prefix
  rm -rf "$authority" "$directory/certificates" "$directory"/*.request "$directory"/*.certificate "$directory"/ca-keys.json*
  mkdir -p "$authority"
  (umask 077 && od -An -N16 -tx1 /dev/urandom | tr -d ' \n' >"$authority/pin")
  certutil -N -d "sql:$authority" -f "$authority/pin"
  options=(--module "$(find_token)" --init-arguments "configdir='sql:$authority' certPrefix='' keyPrefix='' secmod='' flags="
    --function-list "$entry" --uri "pkcs11:token=$nss_label" --pin-file "$authority/pin" --ca-keys "$directory/ca-keys.json"
    --audit-log "$authority/audit.log")
  for row in A000000003:476173 A000000004:541333 F000000001:639999; do
    rid=${row%%:*} prefix=${row##*:}
    "$bin/issuer-keys" test-ca key "${options[@]}" --rid "$rid"
    request=(certificate request "range-$prefix" --identifier "$prefix" --expires 2049-12
      --out "$directory/$prefix.request" --config "$directory/issuer-host.yaml")
    # The key is there already where an earlier attempt was broken off.
    "$bin/issuer-keys" "${request[@]}" || "$bin/issuer-keys" "${request[@]}" --existing-key
    "$bin/issuer-keys" test-ca sign "${options[@]}" --rid "$rid" "$directory/$prefix.request" --out "$directory/$prefix.certificate"
    "$bin/issuer-keys" certificate import "$directory/$prefix.certificate" --as "range-$prefix" --config "$directory/issuer-host.yaml"
  done
  date >"$directory/certified"
}

# Fresh cards in a rack, made the demo's over SCP03: keys and certificates out of the token, by APDUs.
personalise_cards() {
  [ "$token" != softhsm2 ] || return 0
  local count try
  count=$(grep -c '"pan"' "$root/Config/demo/demo-issuer.json")
  # The file is there before it is read.
  : >"$directory/rack.out"
  "$bin/card-rack" --cards "$count" --listen 127.0.0.1:0 --issuer "$root/Config/demo/demo-issuer.json" >"$directory/rack.out" &
  rack_pid=$!
  for try in $(seq 200); do
    rack=$(sed -n 's/^ready on //p' "$directory/rack.out")
    [ -z "$rack" ] || break
    kill -0 "$rack_pid" 2>/dev/null || fail "card-rack did not start"
    sleep 0.02
  done
  rm -f "$directory/personalised.json" "$directory/personalised.json.batch"
  "$bin/issuer-keys" personalise "$root/Config/demo/demo-issuer.json" --to "tcp:$rack" --kmc kmc-bureau \
    --new-master imk-dek-demo --application "$root/Config/demo/application.json" \
    --out "$directory/personalised.json" --config "$directory/issuer-host.yaml"
}

binaries() { (cd "$root" && swift build -c release --show-bin-path); }

start_redis() {
  # A session of its own: an interrupt at the keyboard must reach the host first.
  # A copy: a sentinel rewrites the file of a server that it promotes.
  cp "$root/Config/redis.conf" "$directory/redis.conf"
  setsid redis-server "$directory/redis.conf" --port "${DEMO_REDIS_LISTEN:-0}" --unixsocket "$(redis_socket)" --dir "$directory" \
    --logfile "$directory/redis.log" --pidfile "$directory/redis.pid" \
    --appendfsync "${DEMO_REDIS_FSYNC:-always}" >/dev/null 2>&1 &
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

start_sentinels() {
  local number port
  for number in $(seq "${DEMO_SENTINELS:-0}"); do
    port=$((DEMO_REDIS_PORT + number))
    printf 'port %s\nbind 127.0.0.1\ndir %s\nsentinel monitor demo 127.0.0.1 %s 2\n' \
      "$port" "$directory" "$DEMO_REDIS_PORT" >"$directory/sentinel-$number.conf"
    setsid redis-server "$directory/sentinel-$number.conf" --sentinel >"$directory/sentinel-$number.log" 2>&1 &
    sentinel_pids+=($!)
  done
}

stop_redis() {
  [ ${#sentinel_pids[@]} -eq 0 ] || kill "${sentinel_pids[@]}" 2>/dev/null || true
  sentinel_pids=()
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
  # Only the demo shows these cards; every other use begins sooner without.
  [ "$command" != demo ] && [ -z "${DEMO_CERTIFICATES:-}" ] || certify_issuers >"$directory/certificates.log" 2>&1 ||
    { cat "$directory/certificates.log" >&2; fail "the issuers could not be certified"; }
  [ "$command" != demo ] || personalise_cards
  # Figures can only be compared if every measurement begins with an empty store.
  [ "$command" != load ] || rm -rf "$directory/appendonlydir" "$directory/issuer-host.place"
  start_redis
  start_sentinels
  # A terminal of any make may come next, with card counters of its own: each run begins with fresh ones.
  import_cards "$root/Config/demo/demo-issuer.json"
}

stop_host() {
  [ -n "$host_pid" ] || return 0
  kill -TERM "$host_pid" 2>/dev/null || true
  wait "$host_pid" 2>/dev/null || true
  host_pid=
}

stop_rack() {
  [ -n "$rack_pid" ] || return 0
  kill -TERM "$rack_pid" 2>/dev/null || true
  wait "$rack_pid" 2>/dev/null || true
  rack_pid=
}

cleanup() { stop_host; stop_rack; stop_redis; }

start_host() {
  LD_PRELOAD=${DEMO_HOST_PRELOAD:-} FAULTY_TOKEN_MICROSECONDS=${DEMO_TOKEN_DELAY:-0} "$bin/issuer-host" serve --config "$directory/issuer-host.yaml" >"$directory/host.out" 2>"$directory/host.log" &
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

bin=${DEMO_BIN:-$(binaries)}
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
    reader=()
    [ "$token" = softhsm2 ] || reader=(--reader "tcp:$rack")
    "$bin/terminal-simulator" demo "${reader[@]}" --config "$directory/issuer-host.yaml"
    ;;
  load)
    "$bin/load-generator" cards --profile "$1" --config "$directory/issuer-host.yaml" \
      --out "$directory/load-cards.json" >&2
    import_cards "$directory/load-cards.json"
    start_host
    DEMO_HOST_PID=$host_pid DEMO_REDIS_PID=$redis_pid "$bin/load-generator" run --profile "$1" \
      --config "$directory/issuer-host.yaml" --results "$root/LoadTests/results"
    ;;
  with)
    start_host
    DEMO_CONFIG="$directory/issuer-host.yaml" DEMO_HOST_PID=$host_pid DEMO_REDIS_PID=$redis_pid "$@"
    ;;
esac
