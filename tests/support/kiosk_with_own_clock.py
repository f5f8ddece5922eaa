"""The daemon with a wall clock that a test may set: `python -m tests.support.kiosk_with_own_clock AHEAD run ...`.

The file AHEAD holds by how many seconds it is ahead; it may change at any time.
"""

import sys
import time
from pathlib import Path
from types import SimpleNamespace

from kiosk import cli, clock

if __name__ == "__main__":
    ahead = Path(sys.argv.pop(1))
    clock.time = SimpleNamespace(
        time_ns=lambda: time.time_ns() + int(ahead.read_text()) * 10**9,
        monotonic_ns=time.monotonic_ns,
        localtime=time.localtime,
    )
    sys.exit(cli.main())
