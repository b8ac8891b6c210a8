#!/usr/bin/env bash
# The commit alone against redis-benchmark calling the same function, both fsync settings; prints a Markdown table.
#
#   commit.sh [--runs N]     5 runs without it, host and redis-benchmark in turn, a new server for each
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
exec swift run --package-path LoadTests/Benchmarks --scratch-path .build-benchmarks -c release benchmarks commit "$@"
