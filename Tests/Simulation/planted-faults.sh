#!/bin/sh
# Plants each fault of planted-faults.txt in a copy of the sources and shows that its seed finds it there; the same seed is
# green on the sources as they are (SimulationTests). Not part of `make test`: a build for each fault, ten minutes in all
# on two cores.
#
#   Tests/Simulation/planted-faults.sh              each fault with its seed
#   Tests/Simulation/planted-faults.sh --search     looks for the first seed that finds each
#   Tests/Simulation/planted-faults.sh --check      builds nothing: whether each still has the text that it changes
#
# The status is 1 if a fault was not found, or if the sources as they are break a promise.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
table="$root/Tests/Simulation/planted-faults.txt"
tab=$(printf '\t')

if [ "${1:-}" = --check ]; then
    stale=0
    while IFS="$tab" read -r name seed file pattern words; do
        case "$name" in '#'* | '') continue ;; esac
        if sed -E "$pattern" "$root/Sources/Authorisation/$file" | cmp -s - "$root/Sources/Authorisation/$file"; then
            echo "$name: nothing to change in $file" >&2
            stale=1
        fi
    done < "$table"
    exit "$stale"
fi

# The copy has no counts of a host under load.
export ISSUER_HOST_COUNTS=0
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT

# The domain and the simulation alone: what they need, and no package from outside.
fresh() {
    rm -rf "$copy/Sources" "$copy/Tests"
    mkdir -p "$copy/Sources/run" "$copy/Tests"
    for part in ByteCoding EMV Authorisation; do cp -Rp "$root/Sources/$part" "$copy/Sources/"; done
    for part in Books Simulation VectorSupport; do cp -Rp "$root/Tests/$part" "$copy/Tests/"; done
    rm -f "$copy"/Tests/Simulation/planted-faults.*
    cat > "$copy/Sources/run/main.swift" <<'MAIN'
import Simulation
let numbers = CommandLine.arguments.dropFirst().compactMap { UInt64($0) }
for seed in numbers[0]...numbers[1] {
    do { try Simulation(seed: seed).run(messages: 100) } catch {
        print(error)
        break
    }
}
MAIN
    {
        sed -n '1,/^]$/p' "$root/Package.swift"
        cat <<'PACKAGE'
let package = Package(
    name: "planted", platforms: [.macOS(.v26)],
    targets: [
        .target(name: "ByteCoding", swiftSettings: rules),
        .target(name: "EMV", dependencies: ["ByteCoding"], swiftSettings: rules),
        .target(name: "Authorisation", dependencies: ["EMV", "ByteCoding"], swiftSettings: rules),
        .target(name: "VectorSupport", dependencies: ["ByteCoding"], path: "Tests/VectorSupport", swiftSettings: rules),
        .target(name: "Books", path: "Tests/Books", swiftSettings: rules),
        .target(
            name: "Simulation", dependencies: ["Authorisation", "Books", "EMV", "VectorSupport"],
            path: "Tests/Simulation", swiftSettings: rules),
        .executableTarget(name: "run", dependencies: ["Simulation"]),
    ])
PACKAGE
    } > "$copy/Package.swift"
}

build() {
    if ! swift build -c release --package-path "$copy" --product run > "$copy/log" 2>&1; then
        grep error: "$copy/log" >&2 || tail "$copy/log" >&2
        exit 1
    fi
}

failed=0
fresh
build
while IFS="$tab" read -r name seed file pattern words; do
    case "$name" in '#'* | '') continue ;; esac
    if [ "${1:-}" != --search ] && [ -n "$("$copy/.build/release/run" "$seed" "$seed")" ]; then
        echo "$name: seed $seed breaks a promise without the fault" >&2
        failed=1
    fi
done < "$table"

while IFS="$tab" read -r name seed file pattern words; do
    case "$name" in '#'* | '') continue ;; esac
    fresh
    # -E for plain parentheses in the patterns; the old text has to be there.
    sed -E -i.old "$pattern" "$copy/Sources/Authorisation/$file"
    if cmp -s "$copy/Sources/Authorisation/$file" "$copy/Sources/Authorisation/$file.old"; then
        echo "$name: nothing to change in $file" >&2
        exit 1
    fi
    rm "$copy/Sources/Authorisation/$file.old"
    build
    first=$seed
    last=$seed
    if [ "${1:-}" = --search ]; then
        first=1
        last=20000
    fi
    found=$("$copy/.build/release/run" "$first" "$last")
    if [ -n "$found" ]; then
        echo "$name: found. $words: $found"
    else
        echo "$name: NOT FOUND with seeds $first to $last. $words" >&2
        failed=1
    fi
done < "$table"
exit "$failed"
