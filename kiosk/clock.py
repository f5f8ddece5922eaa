"""The clocks of this machine, read together, and how far the wall clock can be believed.

A board without a battery comes up with the time of its image, or with the one systemd-timesyncd saved. Nobody waits for
a better one: a stamp tells how good it is, and what the same boot learns later corrects it (docs/protocol.md, "Times").
"""

import ctypes
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Protocol

from kiosk.domain import Stamp, Trust

_TIME_ERROR = 5  # adjtimex(2): the clock is not synchronised
_FRESH_S = 9 * 3600
"""So long the kernel itself counts a clock as synchronised: until 500 ppm have made an error of 16 s."""


class Clock(Protocol):
    def now(self) -> Stamp: ...


class Evidence(NamedTuple):
    """Where it is written how the clock came to its time.

    ``epoch``: systemd lets no clock show less than the time of this file; ``build``: used where that is missing.
    ``saved``: has the time at which systemd-timesyncd last knew it. ``synchronised``: the same, of this boot alone; the
    unit of the daemon forbids to ask the kernel (ProtectClock=), and leaves this. ``rtc``: the folder of clock chips;
    one that set the clock at the start says so in ``hctosys``.
    """

    boot_id: Path = Path("/proc/sys/kernel/random/boot_id")
    rtc: Path = Path("/sys/class/rtc")
    epoch: Path = Path("/usr/lib/clock-epoch")
    build: Path = Path(__file__)
    saved: Path = Path("/var/lib/systemd/timesync/clock")
    synchronised: Path = Path("/run/systemd/timesync/synchronized")


_HERE = Evidence()
_LIBC = ctypes.CDLL(None, use_errno=True)


def kernel_is_synchronised() -> bool:
    timex = (ctypes.c_char * 256)()  # struct timex, modes = 0: read only
    return 0 <= int(_LIBC.adjtimex(timex)) < _TIME_ERROR


class SystemClock:
    """Stamps from this machine's clocks. The boot id is the kernel's: a restart of the daemon alone keeps it."""

    def __init__(self, evidence: Evidence = _HERE, synchronised: Callable[[], bool] = kernel_is_synchronised) -> None:
        try:
            self._boot = bytes.fromhex(evidence.boot_id.read_text().strip().replace("-", ""))[:8]
        except (OSError, ValueError):
            self._boot = os.urandom(8)
        self._synchronised = synchronised
        self._was_synchronised = evidence.synchronised
        self._alone = _alone(evidence)

    def now(self) -> Stamp:
        wall = time.time_ns() // 1_000_000
        zone = time.localtime(wall / 1000).tm_gmtoff
        return Stamp(wall, self.mono(), self._boot, self._trust(), zone)

    def mono(self) -> int:
        """The monotonic part alone, for what is shown right now."""
        return time.monotonic_ns() // 1_000_000

    def _trust(self) -> Trust:
        if self._synchronised() or 0 <= time.time_ns() / 1e9 - _time_of(self._was_synchronised) < _FRESH_S:
            return Trust.NTP
        if self._alone < Trust.RTC and self._was_synchronised.exists():
            self._alone = Trust.RTC  # a quartz that was set right in this boot is as good as a chip
        return self._alone


def _alone(evidence: Evidence) -> Trust:
    """What the clock was worth when the machine came up, without a network."""
    floor = _time_of(evidence.epoch) or _time_of(evidence.build)
    if any(_set_the_clock(chip, floor) for chip in evidence.rtc.glob("rtc*")):
        return Trust.RTC
    return Trust.RESTORED if floor < _time_of(evidence.saved) <= time.time_ns() / 1e9 else Trust.NONE


def _set_the_clock(chip: Path, floor: float) -> bool:
    """Whether this chip did, with a time that can be: one without a battery counts from 1970 or 2000."""
    try:
        return (chip / "hctosys").read_text().strip() == "1" and int((chip / "since_epoch").read_text()) > floor
    except (OSError, ValueError):
        return False


def _time_of(path: Path) -> float:
    """Seconds since 1970; 0 where there is no such file."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
