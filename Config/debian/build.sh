#!/usr/bin/env bash
# Two Debian packages from executables that are built: issuer-host (the host and issuer-keys) and issuer-host-tools
# (the terminal simulator, the load generator and their kin).
#
#   build.sh BIN OUT
#
# BIN is the folder of the executables (`swift build -c release --show-bin-path`), OUT the folder for the packages.
# Needs dpkg-dev and patchelf. VERSION overrides the version, which otherwise grows with each commit.
set -euo pipefail

[ $# = 2 ] || { echo "usage: build.sh BIN OUT" >&2; exit 64; }
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
here=$root/Config/debian
bin=$(cd "$1" && pwd)
mkdir -p "$2"
out=$(cd "$2" && pwd)
for tool in patchelf dpkg-shlibdeps strip; do
  command -v "$tool" >/dev/null || { echo "error: $tool is missing: apt-get install patchelf dpkg-dev binutils" >&2; exit 1; }
done
version=${VERSION:-1.0+git$(git -C "$root" rev-list --count HEAD).$(git -C "$root" rev-parse --short=8 HEAD)}
architecture=$(dpkg --print-architecture)
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT

# The libraries of the Swift run time that executables in $1 load, each once. Debian has no package of them.
swift_libraries() {
  ldd "$1"/* | awk '$3 ~ /\/swift\/linux\// {print $3}' | sort -u
}

# place PACKAGE PRIVATE NAME...: executables and their Swift libraries in a folder of their own, links to them in /usr/bin.
place() {
  local package=$1 private=$2 name
  shift 2
  mkdir -p "$stage/$package/usr/bin" "$stage/$package$private"
  for name in "$@"; do
    [ -x "$bin/$name" ] || { echo "error: $bin/$name is not built" >&2; exit 1; }
    cp "$bin/$name" "$stage/$package$private/$name"
    ln -s "$private/$name" "$stage/$package/usr/bin/$name"
  done
  swift_libraries "$stage/$package$private" | xargs -r cp -t "$stage/$package$private"
  for name in "$stage/$package$private"/*; do
    strip --strip-unneeded "$name"
    # The toolchain of the machine that built it is not there.
    patchelf --set-rpath '$ORIGIN' "$name"
  done
}

# depends PACKAGE PRIVATE: the Debian packages of all libraries that are not in PRIVATE
depends() {
  local work=$stage/shlibdeps
  mkdir -p "$work/debian"
  printf 'Source: issuer-host\n\nPackage: %s\nArchitecture: any\n' "$1" >"$work/debian/control"
  (cd "$work" && dpkg-shlibdeps -O --ignore-missing-info -l"$stage/$1$2" "$stage/$1$2"/* 2>/dev/null) | sed -n 's/^shlibs:Depends=//p'
}

# finish PACKAGE DEPENDS: control files, then the package
finish() {
  local package=$1 tree=$stage/$1
  mkdir -p "$tree/DEBIAN"
  sed -e "s/@VERSION@/$version/" -e "s/@ARCHITECTURE@/$architecture/" -e "s/@DEPENDS@/$2/" \
    -e "s/@SIZE@/$(du -sk "$tree" | cut -f1)/" "$here/$package.control" >"$tree/DEBIAN/control"
  local script
  for script in postinst prerm postrm; do
    [ ! -f "$here/$package.$script" ] || install -m 755 "$here/$package.$script" "$tree/DEBIAN/$script"
  done
  [ ! -f "$here/$package.conffiles" ] || install -m 644 "$here/$package.conffiles" "$tree/DEBIAN/conffiles"
  install -D -m 644 "$root/LICENSE" "$tree/usr/share/doc/$package/copyright"
  find "$tree" -type d -exec chmod 755 {} +
  dpkg-deb --root-owner-group -Z"${DEB_COMPRESSION:-xz}" --build "$tree" "$out/${package}_${version}_$architecture.deb" >/dev/null
  echo "$out/${package}_${version}_$architecture.deb"
}

private=/usr/lib/issuer-host
place issuer-host "$private" issuer-host issuer-keys
tree=$stage/issuer-host
install -D -m 644 "$root/Config/systemd/issuer-host.service" "$tree/lib/systemd/system/issuer-host.service"
install -D -m 644 "$here/issuer-host.sysusers" "$tree/usr/lib/sysusers.d/issuer-host.conf"
install -D -m 644 "$here/issuer-host.tmpfiles" "$tree/usr/lib/tmpfiles.d/issuer-host.conf"
install -D -m 640 "$root/Config/issuer-host.example.yaml" "$tree/etc/issuer-host/issuer-host.yaml"
mkdir -p "$tree/usr/share/issuer-host" "$tree/usr/share/doc/issuer-host/examples"
cp -r "$root/Config/iso8583" "$root/Config/redis.conf" "$root/Config/issuer-host.schema.json" "$tree/usr/share/issuer-host/"
cp "$root"/Config/issuer-host.*.yaml "$tree/usr/share/doc/issuer-host/examples/"
cp "$root"/docs/*.md "$root/CHANGELOG.md" "$root/SECURITY.md" "$tree/usr/share/doc/issuer-host/"
[ ! -d "$root/Config/observability" ] || cp -r "$root/Config/observability" "$tree/usr/share/issuer-host/"
finish issuer-host "$(depends issuer-host "$private")"

private=/usr/lib/issuer-host-tools
place issuer-host-tools "$private" terminal-simulator load-generator fault-proxy card-rack
mkdir -p "$stage/issuer-host-tools/usr/share/issuer-host-tools"
cp -r "$root/Config/scenarios" "$root/Config/demo/demo-issuer.json" "$root/LoadTests/profiles" \
  "$stage/issuer-host-tools/usr/share/issuer-host-tools/"
finish issuer-host-tools "$(depends issuer-host-tools "$private")"
