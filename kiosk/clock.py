"""The clocks of this machine, read together."""

import ctypes
import os
import time
from pathlib import Path
from typing import Protocol

from kiosk.domain import Stamp, Trust

_TIME_ERROR = 5  # adjtimex(2): the clock is not synchronised


class Clock(Protocol):
    def now(self) -> Stamp: ...


class SystemClock:
    """Stamps from this machine's clocks. The boot id is the kernel's: a restart of the daemon alone keeps it.

    ``synchronised``: a file that systemd-timesyncd makes once it has set the clock (systemd-timesyncd.service(8)).
    """

    def __init__(
        self,
        boot_id: Path = Path("/proc/sys/kernel/random/boot_id"),
        rtc: Path = Path("/dev/rtc0"),
        synchronised: Path = Path("/run/systemd/timesync/synchronized"),
    ) -> None:
        try:
            self._boot = bytes.fromhex(boot_id.read_text().strip().replace("-", ""))[:8]
        except (OSError, ValueError):
            self._boot = os.urandom(8)
        self._rtc = rtc.exists()
        self._synchronised = synchronised
        self._libc = ctypes.CDLL(None, use_errno=True)

    def now(self) -> Stamp:
        wall = time.time_ns() // 1_000_000
        zone = time.localtime(wall / 1000).tm_gmtoff
        return Stamp(wall, self.mono(), self._boot, self._trust(), zone)

    def mono(self) -> int:
        """The monotonic part alone, for what is shown right now."""
        return time.monotonic_ns() // 1_000_000

    def _trust(self) -> Trust:
        """The kernel knows it whatever program keeps the time, but the unit of the daemon forbids to ask it."""
        timex = (ctypes.c_char * 256)()  # struct timex, modes = 0: read only
        state = self._libc.adjtimex(timex)
        if 0 <= state < _TIME_ERROR or self._synchronised.exists():
            return Trust.NTP
        return Trust.RTC if self._rtc else Trust.RESTORED
