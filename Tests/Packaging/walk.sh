#!/usr/bin/env bash
# The walk of a stranger: the packages on a machine that has nothing else, then docs/getting-started.md from its second section
# to its eighth, block by block as they are written there, an alarm, and a restore.
#
#   walk.sh BIN
#
# The machine is an overlay over this one, thrown away afterwards; the Swift toolchain is hidden in it. Needs root, dpkg-dev,
# patchelf, and on this machine redis-server, libnss3-tools, prometheus and python3. Takes some minutes.
set -euo pipefail

bin=${1:?usage: walk.sh BIN}
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
DEB_COMPRESSION=none "$root/Config/debian/build.sh" "$bin" "$work/debs" >/dev/null
mkdir "$work/overlay"

unshare --mount --net --pid --fork bash -euo pipefail -s "$work" "$root" <<'INSIDE'
work=$1 root=$2
mount --make-rprivate /
ip link set lo up
mount -t tmpfs tmpfs "$work/overlay"
mkdir "$work/overlay"/{upper,work,root}
mount -t overlay overlay -o "lowerdir=/,upperdir=$work/overlay/upper,workdir=$work/overlay/work" "$work/overlay/root"
machine=$work/overlay/root
mount -t proc proc "$machine/proc"
mount --rbind /dev "$machine/dev"
mkdir -p "$machine/walk/debs"
mount --bind "$work/debs" "$machine/walk/debs"
cp "$root/Tests/Packaging/walk.py" "$machine/walk/"
[ ! -d /opt/swift ] || mount -t tmpfs tmpfs "$machine/opt/swift"
there() { chroot "$machine" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 "$@"; }
there sh -c "dpkg --install /walk/debs/*.deb" >"$work/install.log" 2>&1 || { cat "$work/install.log"; exit 1; }
there /usr/bin/python3 /walk/walk.py
INSIDE
