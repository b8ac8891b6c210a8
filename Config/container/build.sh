#!/usr/bin/env bash
# A container image of the issuer host from executables that are built. No registry is asked: the image begins empty.
#
#   build.sh BIN NAME [BUILDAH OPTION...]
#
# BIN is the folder of the executables (`swift build -c release --show-bin-path`), NAME the image's, as issuer-host:1.0. Needs
# root, buildah, dpkg-dev and patchelf, and the packages of the token modules that are to be in it (libnss3).
set -euo pipefail

[ $# -ge 2 ] || { echo "usage: build.sh BIN NAME [BUILDAH OPTION...]" >&2; exit 64; }
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
bin=$1 name=$2
shift 2
command -v buildah >/dev/null || { echo "error: buildah is missing: apt-get install buildah" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tree=$work/root

DEB_COMPRESSION=none "$root/Config/debian/build.sh" "$bin" "$work/packages" >/dev/null
dpkg-deb -x "$work"/packages/issuer-host_*.deb "$tree"
# A container has no systemd, and its configuration is mounted.
rm -rf "$tree/lib" "$tree/usr/lib/sysusers.d" "$tree/usr/lib/tmpfiles.d" "$tree/etc/issuer-host"
mkdir -p "$tree"/usr/lib64 "$tree"/etc/issuer-host "$tree"/var/lib/issuer-host "$tree"/proc "$tree"/dev "$tree"/sys
install -d -m 1777 "$tree/tmp"
ln -s usr/lib "$tree/lib"
ln -s usr/lib64 "$tree/lib64"

# NSS softoken, and what it loads by name.
library=/usr/lib/$(uname -m)-linux-gnu
token=()
for file in "$library"/libsoftokn3.so "$library"/libfreebl*3.so "$library"/nss/lib{softokn3,freebl3,freeblpriv3,nssdbm3}.{so,chk} \
  "$library"/libsoftokn3.chk "$library"/libfreebl*3.chk; do
  [ ! -e "$file" ] || token+=("$file")
done
[ ${#token[@]} -gt 0 ] || { echo "error: no NSS softoken in $library: apt-get install libnss3" >&2; exit 1; }

# Each library under the path by which the loader asks for it. Those of the package lie beside its programs.
{
  printf '%s\n' "${token[@]}"
  ldd "$tree"/usr/lib/issuer-host/issuer-* $(printf '%s\n' "${token[@]}" | grep '\.so$') |
    awk '$3 ~ /^\// {print $3} $1 ~ /^\// && $1 !~ /:$/ {print $1}' | grep -v -F "$tree"
} | sort -u | while read -r file; do
  path=$(readlink -f "$(dirname "$file")")/$(basename "$file")
  install -D -m 755 "$(readlink -f "$file")" "$tree$path"
done
printf 'root:x:0:0:root:/:/none\nissuer-host:x:10001:10001:issuer host:/var/lib/issuer-host:/none\n' >"$tree/etc/passwd"
printf 'root:x:0:\nissuer-host:x:10001:\n' >"$tree/etc/group"
printf 'hosts: files dns\n' >"$tree/etc/nsswitch.conf"
chown -R 0:0 "$tree"
chown 10001:10001 "$tree/var/lib/issuer-host"
chmod 700 "$tree/var/lib/issuer-host"

tar --create --numeric-owner --file "$work/root.tar" --directory "$tree" .
rm -rf "$tree" "$work/packages"

version=$(git -C "$root" describe --always --dirty 2>/dev/null || echo unknown)
buildah "$@" build --isolation chroot --pull=never --layers=false --label "org.opencontainers.image.revision=$version" \
  --file "$root/Config/container/Containerfile" --tag "$name" "$work" >&2
echo "$name"
