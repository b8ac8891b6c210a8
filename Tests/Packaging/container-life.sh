#!/usr/bin/env bash
# The container image's life: built from nothing, started as its own user, decides a purchase, reloads, ends in order.
#
#   container-life.sh BIN
#
# BIN has all executables. The image is kept in a folder that is thrown away. Needs root and buildah.
set -euo pipefail

bin=${1:?usage: container-life.sh BIN}
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

if [ "${2:-}" != inside ]; then
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  chmod 711 "$work"
  storage=(--root "$work/storage" --runroot "$work/run" --storage-driver vfs)
  "$root/Config/container/build.sh" "$bin" issuer-host:test "${storage[@]}"
  container=$(buildah "${storage[@]}" from --pull=never issuer-host:test)
  status=0
  DEMO_DIR=$work/demo DEMO_BIN=$bin WORK=$work CONTAINER=$container \
    "$root/Config/demo/environment.sh" with "${BASH_SOURCE[0]}" "$bin" inside || status=$?
  buildah "${storage[@]}" rm "$container" >/dev/null
  exit "$status"
fi

failures=0
must() { local what=$1; shift; if "$@"; then echo "ok: $what"; else echo "FAILED: $what"; failures=$((failures + 1)); fi; }
in_container() {
  buildah --root "$WORK/storage" --runroot "$WORK/run" --storage-driver vfs run --isolation chroot \
    --volume "$WORK/demo:$WORK/demo" --volume "$root/Config:$root/Config:ro" "$CONTAINER" -- "$@"
}
says() { local text=$1 output; shift; output=$("$@" 2>&1 || true); [[ $output == *"$text"* ]] || { echo "$output"; false; }; }
within() { local try; for try in $(seq "$1"); do "${@:2}" && return; sleep 0.1; done; return 1; }

must "its programs run" says "commit " in_container /usr/bin/issuer-host --version
must "issuer-keys is there" says "commit " in_container /usr/bin/issuer-keys --version
must "there is no shell" says "sh" in_container /bin/sh -c true

# The host of the environment makes room for that of the image, which works on the same token and store.
kill "$DEMO_HOST_PID"
within 200 bash -c "! kill -0 $DEMO_HOST_PID 2>/dev/null"
chown -R 10001:10001 "$WORK/demo"
must "its check passes" says "state store" in_container /usr/bin/issuer-host check --config "$DEMO_CONFIG"
in_container /usr/bin/issuer-host serve --config "$DEMO_CONFIG" >"$WORK/out" 2>"$WORK/log" &
run=$!
ready() { grep -q '^ready' "$WORK/out"; }
must "it becomes ready" within 600 ready || true
host=$(pgrep -f "^/usr/bin/issuer-host serve --config $DEMO_CONFIG" | head -1)
must "it runs as its own user" [ "$(stat -c %u "/proc/${host:-0}")" = 10001 ]
must "it decides a purchase" says "00 approved" "$bin/terminal-simulator" purchase --card visa-cvn18 --amount 12.34 --config "$DEMO_CONFIG"
kill -HUP "$host"
must "it takes a reload" within 200 grep -q "reloaded" "$WORK/log"
kill -TERM "$host"
must "it ends in order" wait "$run"
[ "$failures" = 0 ] || { cat "$WORK/log"; echo "$failures failed"; exit 1; }
