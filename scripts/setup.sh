#!/bin/sh
# Makes .venv from requirements.lock and puts this tree into it. Does nothing when it is up to date.
set -eu
cd "$(dirname "$0")/.."
here=$(pwd -P)
made=.venv/made-from

sums() {
    cksum <requirements.lock
    cksum <pyproject.toml
    echo "$here"
}

if [ -x .venv/bin/kiosk ] && [ "$(cat "$made" 2>/dev/null)" = "$(sums)" ] && .venv/bin/python -c '' 2>/dev/null; then
    exit 0
fi

find_python() {
    for candidate in python3.13 python3.12 python3.11 python3; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    echo "setup: no Python 3.11 or newer found (looked for python3.13, python3.12, python3.11, python3)" >&2
    return 1
}

# A moved tree, or a Python that has gone, leaves a .venv whose programs cannot start.
if ! .venv/bin/python -c 'import pip' 2>/dev/null || ! grep -qF "$here/.venv/" .venv/bin/pip; then
    python=$(find_python)
    sh scripts/need.sh venv "$python"
    echo "setup: making .venv with $("$python" --version)"
    "$python" -m venv --clear .venv
fi

rm -f "$made"
echo "setup: installing what requirements.lock names"
.venv/bin/python -m pip --disable-pip-version-check install --quiet --require-hashes -r requirements.lock
.venv/bin/python -m pip --disable-pip-version-check install --quiet --no-deps --no-build-isolation -e .
sums >"$made"
echo "setup: ready, $(.venv/bin/python --version) in .venv"
