"""The work of a code scanner's driver while the device is open, whichever way it is attached."""

import asyncio
import logging
import time
from collections.abc import Iterator, Sequence
from typing import Never, Protocol

from kiosk.drivers.base import Post
from kiosk.drivers.zone_lines import ZoneLines
from kiosk.events import CodeFailed, Event

log = logging.getLogger(__name__)

PACE_S = 0.02
"""Seconds of rest after each code. Nobody scans faster; a flood of noise waits in the kernel, not in our memory."""


class Source(Protocol):
    async def read(self) -> bytes: ...

    def read_now(self) -> bytes: ...


class Codec(Protocol):
    @property
    def pending(self) -> bool: ...

    def feed(self, data: bytes) -> Sequence[Event]: ...

    def idle(self) -> Sequence[Event]: ...


async def read_codes(name: str, source: Source, codec: Codec, silence_s: float, post: Post) -> Never:
    """Posts every code, and logs why one failed, once per cause in a row. Ends only by what ``source`` raises.

    ``silence_s``: a code that has begun is told of silence after this time without a byte.
    """
    said, zone = "", ZoneLines()
    while True:
        try:
            async with asyncio.timeout(silence_s if codec.pending else zone.waits(time.monotonic())):
                data = await source.read()
        except TimeoutError:
            data = source.read_now()  # this process may have been late, and not the scanner
        for event in _whole(codec.feed(data) if data else codec.idle(), zone):
            why = event.why if isinstance(event, CodeFailed) else ""
            if why and why != said:
                log.warning("%s: refused: %s", name, why)
            said = why
            post(event)
            await asyncio.sleep(PACE_S)


def _whole(events: Sequence[Event], zone: ZoneLines) -> Iterator[Event]:
    now = time.monotonic()
    for event in events:
        yield from zone.feed(event, now)
    yield from zone.idle(now)
