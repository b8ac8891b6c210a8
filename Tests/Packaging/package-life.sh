#!/usr/bin/env bash
# The Debian packages' life on a machine of its own: built, installed, upgraded, removed and purged.
#
#   package-life.sh BIN
#
# The machine is an overlay over this one, thrown away afterwards: nothing is installed here. The Swift toolchain is hidden in
# it, so that the packages have to bring what they need. Needs root, dpkg-dev and patchelf.
set -euo pipefail

bin=${1:?usage: package-life.sh BIN}
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export DEB_COMPRESSION=none

# The release before and this one: the same programs under two versions.
VERSION=1.0+before "$root/Config/debian/build.sh" "$bin" "$work/debs" >/dev/null
VERSION=1.0+behind "$root/Config/debian/build.sh" "$bin" "$work/debs" >/dev/null
mkdir "$work/overlay"

unshare --mount --net --pid --fork bash -euo pipefail -s "$work" <<'INSIDE'
work=$1
mount --make-rprivate /
# An overlay cannot have an overlay above it on every kernel: its own layers lie in memory.
mount -t tmpfs tmpfs "$work/overlay"
mkdir "$work/overlay"/{upper,work,root}
mount -t overlay overlay -o "lowerdir=/,upperdir=$work/overlay/upper,workdir=$work/overlay/work" "$work/overlay/root"
machine=$work/overlay/root
mount -t proc proc "$machine/proc"
mkdir -p "$machine/debs"
mount --bind "$work/debs" "$machine/debs"
[ ! -d /opt/swift ] || mount -t tmpfs tmpfs "$machine/opt/swift"

there() { chroot "$machine" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive "$@"; }
failures=0
must() { local what=$1; shift; if "$@"; then echo "ok: $what"; else echo "FAILED: $what"; failures=$((failures + 1)); fi; }
says() { local text=$1 output; shift; output=$(there "$@" 2>&1 || true); [[ $output == *"$text"* ]]; }
installed() { there dpkg-query -W -f '${Version}' "$1" 2>/dev/null; }

there sh -c "dpkg --install /debs/*before*.deb" >"$work/install.log" 2>&1 ||
  { cat "$work/install.log"; exit 1; }
must "the packages are installed" [ "$(installed issuer-host) $(installed issuer-host-tools)" = "1.0+before 1.0+before" ]
must "the installation says what comes next" grep -q "issuer-host check" "$work/install.log"
must "the user is there" says "(issuer-host)" id issuer-host
must "the configuration is root's and the host's" [ "$(there stat -c '%U:%G %a' /etc/issuer-host/issuer-host.yaml)" = "root:issuer-host 640" ]
must "the state is the host's alone" [ "$(there stat -c '%U:%G %a' /var/lib/issuer-host)" = "issuer-host:issuer-host 700" ]
for program in issuer-host issuer-keys terminal-simulator load-generator fault-proxy card-rack; do
  must "$program runs without the toolchain" says "commit " "$program" --version
done
must "the shipped configuration is read, and what is missing is named" \
  says "token.pinFile" issuer-host check --config /etc/issuer-host/issuer-host.yaml
must "the dialects are where it looks for them" there test -f /usr/share/issuer-host/iso8583/ascii87-binbitmap.json
must "the unit is one that systemd takes" there systemd-analyze verify /lib/systemd/system/issuer-host.service

# What an operator made.
there sh -c 'printf "\n# ours\n" >>/etc/issuer-host/issuer-host.yaml'
there sh -c 'mkdir /var/lib/issuer-host/token && echo key >/var/lib/issuer-host/token/key4.db'

there sh -c "dpkg --install /debs/*behind*.deb" >"$work/upgrade.log" 2>&1 ||
  { cat "$work/upgrade.log"; exit 1; }
must "the packages are upgraded" [ "$(installed issuer-host) $(installed issuer-host-tools)" = "1.0+behind 1.0+behind" ]
must "the operator's configuration is kept" there grep -q "^# ours" /etc/issuer-host/issuer-host.yaml
must "an upgrade does not ask for first steps" [ "$(grep -c 'not started' "$work/upgrade.log")" = 0 ]
must "the upgraded host runs" says "commit " issuer-host --version

there dpkg --remove issuer-host issuer-host-tools >"$work/remove.log" 2>&1
must "a removed package keeps the configuration" there test -f /etc/issuer-host/issuer-host.yaml
must "its programs are gone" [ ! -e "$machine/usr/bin/issuer-host" ]
there dpkg --purge issuer-host issuer-host-tools >"$work/purge.log" 2>&1
must "a purge takes the configuration" [ ! -e "$machine/etc/issuer-host" ]
must "a purge never takes keys" [ -s "$machine/var/lib/issuer-host/token/key4.db" ]
must "and says where they are" grep -q "left in place: /var/lib/issuer-host" "$work/purge.log"
must "nothing else is left" [ -z "$(there find /usr /etc /lib -name '*issuer-host*' ! -path '/usr/share/doc/*' 2>/dev/null)" ]
[ "$failures" = 0 ] || { echo "$failures failed"; exit 1; }
INSIDE
