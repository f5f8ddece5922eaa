"""The daemon with clocks that a test may set: `python -m tests.support.kiosk_with_own_clock AHEAD run ...`.

The file AHEAD holds by how many seconds the wall clock is ahead, and where a second number follows, the monotonic
clock; it may change at any time.
"""

import sys
import time
from pathlib import Path
from types import SimpleNamespace

from kiosk import cli, clock

if __name__ == "__main__":
    ahead = Path(sys.argv.pop(1))

    def seconds(which: int) -> int:
        return int([*ahead.read_text().split(), "0"][which])

    clock.time = SimpleNamespace(
        time_ns=lambda: time.time_ns() + seconds(0) * 10**9,
        monotonic_ns=lambda: time.monotonic_ns() + seconds(1) * 10**9,
        localtime=time.localtime,
    )
    sys.exit(cli.main())
