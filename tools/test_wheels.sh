#!/usr/bin/env bash
# Install one wheel into a new environment of each CPython present, with no Go to be found and no
# source build allowed, and run a program there, and the interpreter's own tests of executors where
# it ships with them.
# usage: tools/test_wheels.sh dist/thornback-*.whl
set -euo pipefail

wheel=$(realpath "$1")
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Any call of Go fails loudly, also where it shares a folder with Python.
mkdir "$work/nogo"
printf '#!/bin/sh\necho "go was called: $*" >&2\nexit 97\n' >"$work/nogo/go"
chmod +x "$work/nogo/go"
export PATH="$work/nogo:$PATH"

# find_python 3.12: the path of that Python, on PATH or among those that pyenv keeps aside.
find_python() {
    local candidate
    for candidate in "python$1" "${PYENV_ROOT:-$HOME/.pyenv}/versions/$1".*/bin/"python$1"; do
        if "$candidate" -c '' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
}

passed=0
for version in 3.11 3.12 3.13; do
    python=$(find_python "$version")
    if [ -z "$python" ]; then
        echo "== CPython $version: not on this machine"
        continue
    fi
    echo "== CPython $version: $python"
    "$python" -m venv "$work/$version"
    "$work/$version/bin/python" -m pip --disable-pip-version-check --quiet \
        install --only-binary :all: "$wheel"
    # Isolated from the checkout and from the user's settings.
    (cd "$work" && timeout 120 "$work/$version/bin/python" -I "$root/tools/smoke.py")
    status=0
    (cd "$work" && timeout 300 "$work/$version/bin/python" -I "$root/tools/executor_tests.py") \
        >"$work/executor.log" 2>&1 || status=$?
    tail -n 1 "$work/executor.log"
    if [ "$status" -ne 0 ] && [ "$status" -ne 3 ]; then
        cat "$work/executor.log"
        exit 1
    fi
    passed=$((passed + 1))
done
echo "== the wheel works on $passed versions of CPython"
[ "$passed" -gt 0 ]
