#!/usr/bin/env bash
# Prints the path of a Python that has what requirements.txt names, made once, under .build.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
folder=$here/../../.build/interoperability
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
exec 9>"$folder/lock"
flock 9
if ! cmp -s "$here/requirements.txt" "$folder/installed.txt"; then
  rm -rf "$folder/venv"
  python3 -m venv "$folder/venv" >&2
  "$folder/venv/bin/pip" install --quiet --disable-pip-version-check -r "$here/requirements.txt" >&2
  cp "$here/requirements.txt" "$folder/installed.txt"
fi
echo "$folder/venv/bin/python"
