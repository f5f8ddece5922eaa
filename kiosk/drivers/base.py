"""What every driver shares: the seam to the runner and the keep-open loop."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

from kiosk.events import DeviceOffline, DeviceOnline, Event

log = logging.getLogger(__name__)

Post = Callable[[Event], None]
"""Puts an event into the runner's inbox. Never blocks, never raises."""

REOPEN_AFTER = (0.2, 0.5, 1.0, 2.0)
"""Seconds between tries to reopen a lost device; the last one repeats."""


class DeviceLost(OSError):
    """The device went away or answers nothing: reopen it."""


class Driver(Protocol):
    """A device of the kiosk. ``name`` is its key under ``[devices]``."""

    name: str

    async def run(self) -> None:
        """Works until cancelled. Raises nothing else."""


async def keep_open(name: str, post: Post, session: Callable[[Callable[[], None]], Awaitable[None]]) -> None:
    """Runs ``session`` for ever. It opens the device, calls the function it is given once the device answers, works,
    and ends by raising OSError when the device is lost. Posts DeviceOnline and DeviceOffline at each change only."""
    state: str | None = None
    tries = 0

    def online() -> None:
        nonlocal state, tries
        tries = 0
        if state != "":
            state = ""
            log.info("%s: online", name)
            post(DeviceOnline(name))

    while True:
        try:
            await session(online)
            why = "session ended"
        except OSError as error:
            why = str(error) or type(error).__name__
        except Exception as error:  # a fault in one device never stops the kiosk
            log.exception("%s: fault in the driver", name)
            why = f"internal fault ({type(error).__name__})"
        if state is None or state == "":
            log.warning("%s: offline: %s", name, why)
            post(DeviceOffline(name, why))
        state = why
        await asyncio.sleep(REOPEN_AFTER[min(tries, len(REOPEN_AFTER) - 1)])
        tries += 1
