#!/usr/bin/env bash
# swift test with these arguments. What failed is printed once more at the end: a run has thousands of lines, and whoever
# looks at it in CI sees the last of them.
set -euo pipefail
log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0
swift test --skip-build --no-parallel "$@" 2>&1 | tee "$log" || status=$?
if [ $status != 0 ]; then
  printf '\nFailed (swift test %s):\n' "$*"
  # An issue, with the lines that belong to it; a program that did not come to its end, and what it was doing.
  grep -E '✘|↳|^[^◇✔]*(error|Fatal|fatal|signal)' "$log" | cut -c1-600 | tail -60 || true
  grep -E '^◇ Test' "$log" | tail -1
fi
exit $status
