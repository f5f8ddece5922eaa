"""The daemon on a machine whose clock a time server has set: `python -m tests.support.kiosk_with_good_clock run …`."""

import sys

from kiosk import cli, clock
from kiosk.domain import Trust

if __name__ == "__main__":
    clock.SystemClock._trust = lambda _: Trust.NTP
    sys.exit(cli.main())
