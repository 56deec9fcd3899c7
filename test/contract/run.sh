#!/usr/bin/env bash
# Runs the vendor's Python SDK against the emulator. Usage: run.sh [FOLDER for the virtual environment]
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
# The emulator is TypeScript: it needs the Node that npm ci installs, where there is one.
PATH="$root/node_modules/.bin:$PATH"

if ! command -v python3 >/dev/null; then
  echo "The contract test was skipped: there is no python3 here."
  exit 0
fi

work=$(mktemp -d)
emulator=
cleanup() {
  if [ -n "$emulator" ]; then
    kill "$emulator" 2>/dev/null || true
    wait "$emulator" 2>/dev/null || true
  fi
  rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

venv=${1:-$work/venv}
if [ ! -x "$venv/bin/pip" ]; then
  python3 -m venv "$venv" || {
    echo "The contract test needs Python's venv module: on Debian, apt-get install python3-venv." >&2
    exit 1
  }
fi
install() { "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$here/requirements.txt"; }
# A download that fails once is no finding.
install || { sleep 10 && install; } || { sleep 30 && install; }

mkfifo "$work/exports"
node "$root/test/emulator/cli.ts" --copy-seconds 1 >"$work/exports" &
emulator=$!
exec 3<"$work/exports"
for _ in 1 2 3 4 5 6 7; do
  IFS= read -r line <&3 || {
    echo "The emulator did not start: see its message above. Node 22.18 or newer is needed; this is $(node --version)." >&2
    exit 1
  }
  eval "$line"
done

# A proxy of the environment has no business between the two.
no_proxy=127.0.0.1 NO_PROXY=127.0.0.1 "$venv/bin/python" "$here/contract.py"
