#!/bin/bash
# Builds the fuzz targets with libFuzzer and runs each for so many seconds: fuzz.sh SECONDS [TARGET...]
# Whatever crashes is kept under Tests/Fuzz/regressions/TARGET, where the tests replay it.
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:-60}
shift || true
targets=("${@:-}")
[ -n "${targets[0]}" ] || targets=(frame message tlv dialect)
build=.build/fuzz
mkdir -p "$build"
flags=(-O -wmo -swift-version 6 -parse-as-library -sanitize=fuzzer,address -package-name issuer_host -I "$build")
for feature in InternalImportsByDefault ExistentialAny MemberImportVisibility NonisolatedNonsendingByDefault; do
  flags+=(-enable-upcoming-feature "$feature")
done
module() {
  local name=$1 folder=$2
  local object="$build/$name.o"
  if [ -f "$object" ] && [ -z "$(find "$folder" "$build"/*.swiftmodule -newer "$object" -name '*.swift*' -print -quit)" ]; then return; fi
  # shellcheck disable=SC2046
  swiftc "${flags[@]}" -module-name "$name" -emit-module -emit-module-path "$build/$name.swiftmodule" \
    -emit-object -o "$object" $(find "$folder" -name '*.swift' | sort)
}
for name in ByteCoding ISO8583 EMV DialectTools; do module "$name" "Sources/$name"; done
module FuzzTargets Tests/Fuzz/FuzzTargets
status=0
# Leaks are not looked for: Foundation's XML parser leaks its own errors, some 4 GiB of them in an hour.
export ASAN_OPTIONS=detect_leaks=0
for target in "${targets[@]}"; do
  swiftc "${flags[@]}" -module-name "Fuzz_$target" "Tests/Fuzz/Entries/$target.swift" \
    "$build"/{ByteCoding,ISO8583,EMV,DialectTools,FuzzTargets}.o -o "$build/fuzz-$target"
  mkdir -p "$build/corpus-$target" "Tests/Fuzz/regressions/$target"
  echo "fuzz $target: $seconds seconds"
  "$build/fuzz-$target" -max_total_time="$seconds" -max_len=4096 -timeout=10 -detect_leaks=0 -rss_limit_mb=8192 -print_final_stats=1 \
    -artifact_prefix="Tests/Fuzz/regressions/$target/" \
    "$build/corpus-$target" "Tests/Fuzz/corpus/$target" 2> "$build/$target.log" || status=1
  grep -E 'DONE|stat::number_of_executed|ERROR|Fatal' "$build/$target.log" || true
done
exit $status
