#!/usr/bin/env bash
# Swift 6.3.1 on Linux: NSString.deletingLastPathComponent ends the program on a path of one character without a slash,
# where "ab" gives "". Needs swiftc in PATH; shows it without the product.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat >"$folder/main.swift" <<'SWIFT'
import Foundation
print("folder of \(CommandLine.arguments[1]): '\((CommandLine.arguments[1] as NSString).deletingLastPathComponent)'")
SWIFT
swiftc "$folder/main.swift" -o "$folder/paths"
export SWIFT_BACKTRACE=enable=no
"$folder/paths" ab
if "$folder/paths" a; then
  echo "a path of one character has a folder now"
  exit 1
fi
echo "a path of one character ended the program"
