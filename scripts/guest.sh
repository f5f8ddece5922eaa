#!/bin/sh
# usage: guest.sh
# Gets what tests/guest needs: QEMU, a Debian kernel (once, into the user's cache), and evdev and lgpio for
# the Python of .venv. Those lie in .venv/guest, where only the guest looks: no other test shall rest on them.
set -eu
cd "$(dirname "$0")/.."
PATH=$PATH:/usr/sbin:/sbin
python=.venv/bin/python
made=.venv/guest/made-from

# The guest runs this machine's own Python.
[ "$(uname -m)" = x86_64 ] || exit 0

sh scripts/need.sh guest
if [ "$(cat $made 2>/dev/null)" != "$(cksum <requirements-guest.lock)" ]; then
    sh scripts/need.sh cc headers "$python"
    if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 13))'; then
        sh scripts/need.sh swig # for lgpio, which has no wheel from there on
    fi
    echo "guest: installing what requirements-guest.lock names"
    rm -rf .venv/guest
    # The variable has lgpio built with its C library inside. It is no name of an index, hence the quotes within.
    env "PY""PI=1" "$python" -m pip --disable-pip-version-check install --quiet --require-hashes --no-deps \
        --no-build-isolation --target .venv/guest -r requirements-guest.lock
    cksum <requirements-guest.lock >$made
fi
"$python" image-build/debian.py amd64 >/dev/null
