#!/usr/bin/env bash
# Other people's tokens from Debian, each started for one command and gone with it.
#
#   tokens.sh KIND FOLDER COMMAND...       KIND: opencryptoki, tpm2 or p11-kit
#
# COMMAND finds TOKEN_MODULE, TOKEN_URI and TOKEN_PIN. Everything is kept below FOLDER, an absolute path. A system's own
# opencryptoki is not touched: daemon and store have namespaces of their own.
set -euo pipefail
kind=$1 folder=$2
shift 2
pids=()
finish() {
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  wait 2>/dev/null || true
}
trap finish EXIT
mkdir -p "$folder"
export TOKEN_PIN=01234567
library() { # library PACKAGE END
  dpkg -L "$1" | grep -m1 -- "/$2\$" || { echo "tokens.sh: no $2: is $1 installed?" >&2; exit 1; }
}
# Waits up to ten seconds.
appears() {
  for _ in $(seq 100); do [ ! -e "$1" ] || return 0; sleep 0.1; done
  echo "tokens.sh: $1 never came" >&2
  return 1
}

case $kind in
  opencryptoki)
    if [ -z "${TOKENS_INSIDE:-}" ]; then
      namespaces=(--mount --ipc)
      [ "$(id -u)" -eq 0 ] || namespaces+=(--map-root-user)
      TOKENS_INSIDE=1 exec unshare "${namespaces[@]}" bash "$0" "$kind" "$folder" "$@"
    fi
    mkdir -p "$folder"/{lib/swtok/TOK_OBJ,lock/swtok,run/lock/opencryptoki/swtok}
    mount --bind "$folder/lib" /var/lib/opencryptoki
    mount --bind "$folder/run" /run
    [ -L /var/lock ] || mount --bind "$folder/lock" /var/lock/opencryptoki
    pkcsslotd -f >"$folder/daemon.log" 2>&1 &
    pids+=($!)
    appears /run/pkcsslotd.socket
    slot=$(pkcsconf -t | sed -n 's/^Token #\([0-9]*\) Info:/\1/p' | tail -1)
    # Label and PINs as Debian ships them are taken once only.
    echo issuer-test | pkcsconf -I -c "$slot" -S 87654321 >/dev/null
    pkcsconf -P -c "$slot" -S 87654321 -n 76543210
    pkcsconf -u -c "$slot" -S 76543210 -n 12345670
    pkcsconf -p -c "$slot" -U 12345670 -n "$TOKEN_PIN"
    export TOKEN_MODULE=$(library opencryptoki PKCS11_API.so) TOKEN_URI=pkcs11:token=issuer-test
    ;;
  tpm2)
    # A TPM has room for three objects; its resource manager, on a bus of its own, makes room for more.
    if [ -z "${TOKENS_INSIDE:-}" ]; then
      TOKENS_INSIDE=1 exec dbus-run-session -- bash "$0" "$kind" "$folder" "$@"
    fi
    mkdir -p "$folder/state" "$folder/store"
    swtpm socket --tpm2 --tpmstate "dir=$folder/state" --ctrl "type=unixio,path=$folder/sock.ctrl" \
      --server "type=unixio,path=$folder/sock" --flags not-need-init,startup-clear >"$folder/swtpm.log" 2>&1 &
    pids+=($!)
    appears "$folder/sock"
    tpm2-abrmd --session --allow-root --logger=stdout "--tcti=swtpm:path=$folder/sock" >"$folder/abrmd.log" 2>&1 &
    pids+=($!)
    export TPM2_PKCS11_STORE=$folder/store TPM2_PKCS11_TCTI=tabrmd:bus_type=session TPM2_PKCS11_LOG_LEVEL=0
    export TPM2TOOLS_TCTI=$TPM2_PKCS11_TCTI
    for _ in $(seq 100); do
      ! tpm2_getcap properties-fixed >/dev/null 2>&1 || break
      sleep 0.1
    done
    { tpm2_ptool init && tpm2_ptool addtoken --pid=1 --label=issuer-test --userpin="$TOKEN_PIN" --sopin=76543210; } \
      >"$folder/ptool.log" 2>&1 || { cat "$folder/ptool.log" >&2; exit 1; }
    export TOKEN_MODULE=$(library libtpm2-pkcs11-1 libtpm2_pkcs11.so) TOKEN_URI=pkcs11:token=issuer-test
    ;;
  p11-kit)
    # SoftHSM2 behind p11-kit's own remoting.
    mkdir -p "$folder/token"
    export SOFTHSM2_CONF=$folder/softhsm2.conf
    printf 'directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n' "$folder/token" >"$SOFTHSM2_CONF"
    softhsm2-util --init-token --free --label issuer-test --so-pin 76543210 --pin "$TOKEN_PIN" >/dev/null
    p11-kit server --foreground --name "$folder/p11.sock" --provider "$(library libsofthsm2 libsofthsm2.so)" \
      pkcs11:token=issuer-test >"$folder/server.log" 2>&1 &
    pids+=($!)
    appears "$folder/p11.sock"
    export P11_KIT_SERVER_ADDRESS=unix:path=$folder/p11.sock
    export TOKEN_MODULE=$(library p11-kit-modules p11-kit-client.so) TOKEN_URI=pkcs11:token=issuer-test
    ;;
  *)
    echo "tokens.sh: opencryptoki, tpm2 or p11-kit, not $kind" >&2
    exit 64
    ;;
esac
"$@"
