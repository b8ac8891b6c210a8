#!/usr/bin/env bash
# The demo environment: a token store, a Redis server, the demo cards, the host, the terminal.
#
#   environment.sh install            install the Debian packages that are missing
#   environment.sh prepare            make or refresh the environment, start nothing that stays
#   environment.sh run                serve in the foreground until SIGINT or SIGTERM
#   environment.sh demo               serve, run the terminal simulator's demo, stop
#   environment.sh load PROFILE       import the profile's cards, serve, run the load generator, stop
#   environment.sh with COMMAND ...   serve, run COMMAND with ISSUER_CONFIG set, stop
#
# ISSUER_DEMO_DIR, ISSUER_PORT_A, ISSUER_PORT_B and ISSUER_ADMIN_PORT override .demo, 8583, 8584 and 9583;
# several environments can run side by side. ISSUER_BIN is the folder of the executables; ISSUER_REDIS_FSYNC overrides the fsync policy for measurements.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
directory=${ISSUER_DEMO_DIR:-$root/.demo}
port_a=${ISSUER_PORT_A:-8583}
port_b=${ISSUER_PORT_B:-8584}
admin_port=${ISSUER_ADMIN_PORT:-9583}
redis_pid= host_pid=

say() { printf '%s\n' "$*" >&2; }
fail() { say "error: $*"; exit 1; }

packages=(libssl-dev libp11-kit-dev libhiredis-dev libnss3 libnss3-tools softhsm2 redis-server pkg-config)

install_packages() {
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

find_softoken() {
  local path
  for path in "/usr/lib/$(uname -m)-linux-gnu" /usr/lib64 /usr/lib; do
    [ -e "$path/nss/libsoftokn3.so" ] && { echo "$path/nss/libsoftokn3.so"; return; }
    [ -e "$path/libsoftokn3.so" ] && { echo "$path/libsoftokn3.so"; return; }
  done
  fail "libsoftokn3.so not found; package libnss3 has it"
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
  module: $(find_softoken)
  initArguments: "configdir='sql:$directory/token' certPrefix='' keyPrefix='' secmod='' flags="
  uri: "pkcs11:token=NSS%20Certificate%20DB"
  pinFile: token.pin
  workers: ${ISSUER_TOKEN_WORKERS:-2}
keys:
  panHash: pan-hash
  pinVerification: pvk
redis:
  unixSocket: $(redis_socket)
  buckets: 64
policy:
  atcJumpMax: 1000
  pinTriesMax: 3
issuers:
  visa-476173:
    prefix: "476173"
    issuerMasterKey: imk-ac-476173
    masterKeyOption: A
    profiles: [visa-cvn10, visa-cvn18, visa-cvn22]
  mastercard-541333:
    prefix: "541333"
    issuerMasterKey: imk-ac-541333
    masterKeyOption: A
    profiles: [mc-cvn10h, mc-cvn11h, mc-cvn14h, mc-cvn15h]
  ccd-639999:
    prefix: "639999"
    issuerMasterKey: imk-ac-639999
    masterKeyOption: A
    profiles: [ccd]
links:
  acquirer-a:
    host: 127.0.0.1
    port: $port_a
    dialect: ascii87-binbitmap
    framing: 2be
    zonePINKey: zpk-acquirer-a
  acquirer-b:
    host: 127.0.0.1
    port: $port_b
    dialect: bcd87-rightF
    framing: 2be
    zonePINKey: zpk-acquirer-b
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
  # A store that has grown takes its time to load: about 100 MB a second.
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
  if [ ! -s "$directory/token.pin" ]; then
    (umask 077 && od -An -N16 -tx1 /dev/urandom | tr -d ' \n' >"$directory/token.pin")
    certutil -N -d "sql:$directory/token" -f "$directory/token.pin"
  fi
  "$bin/issuer-keys" load-test-keys "$root/Config/demo/demo-issuer.json" --config "$directory/issuer-host.yaml" \
    >"$directory/keys.log" || { cat "$directory/keys.log" >&2; fail "the test keys could not be loaded"; }
  # Figures can only be compared if every measurement begins with an empty store.
  [ "$command" != load ] || rm -rf "$directory/appendonlydir"
  start_redis
  # A terminal of any make may come next, with card counters of its own: each run begins with fresh ones.
  "$bin/issuer-host" cards import --forget-atcs "$root/Config/demo/demo-issuer.json" \
    --config "$directory/issuer-host.yaml" >&2
}

stop_host() {
  [ -n "$host_pid" ] || return 0
  kill -TERM "$host_pid" 2>/dev/null || true
  wait "$host_pid" 2>/dev/null || true
  host_pid=
}

cleanup() { stop_host; stop_redis; }

start_host() {
  "$bin/issuer-host" serve --config "$directory/issuer-host.yaml" >"$directory/host.out" 2>"$directory/host.log" &
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
  install) install_packages; exit ;;
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
    "$bin/issuer-host" cards import --forget-atcs "$directory/load-cards.json" \
      --config "$directory/issuer-host.yaml" >&2
    start_host
    ISSUER_HOST_PID=$host_pid ISSUER_REDIS_PID=$redis_pid "$bin/load-generator" run --profile "$1" \
      --config "$directory/issuer-host.yaml" --results "$root/LoadTests/results"
    ;;
  with)
    start_host
    ISSUER_CONFIG="$directory/issuer-host.yaml" ISSUER_HOST_PID=$host_pid ISSUER_REDIS_PID=$redis_pid "$@"
    ;;
esac
