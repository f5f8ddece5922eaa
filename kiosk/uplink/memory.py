"""What the uplink knows of a time before this start, and leaves for the next one: in the journal."""

import logging
import time
from collections.abc import AsyncIterator

import msgspec

from kiosk import frames
from kiosk.uplink.packing import AsyncJournal
from kiosk.uplink.window import Window

log = logging.getLogger(__name__)

MARK = "uplink"
"""The journal's mark that remembers the watermark: msgpack [upto, receiver's epoch]."""

_REMEMBER_S = 30.0  # the mark costs one fsync and is only a cache
_INCIDENT = b"incident-raised"
"""In the body of every fact that is one."""
_SEARCH = 1000  # facts looked through at once


class Memory:
    """``due``: monotonic seconds, when the mark is to be remembered next."""

    def __init__(self, journal: AsyncJournal) -> None:
        self.due = 0.0
        self._journal = journal
        self._remembered = (0, b"")

    async def window(self) -> Window:
        """As it was, or a fresh one."""
        try:
            value = await self._journal.mark(MARK)
            mark, hub = msgspec.msgpack.decode(value or b"\x92\x00\xc4\x00", type=tuple[int, bytes])
        except Exception as error:  # it is only a cache: the retained acknowledgement tells
            log.warning("uplink: the remembered mark cannot be used: %s", error)
            return Window()
        if not 0 <= mark <= self._journal.head:
            return Window()
        self._remembered = (mark, hub)
        return Window(mark=mark, hub=hub, cursor=mark)

    async def remember(self, window: Window) -> None:
        self.due = time.monotonic() + _REMEMBER_S
        current = (window.mark, window.hub)
        if current == self._remembered:
            return
        try:
            await self._journal.set_mark(MARK, msgspec.msgpack.encode(current))
            self._remembered = current
        except Exception as error:
            log.warning("uplink: the mark cannot be remembered: %s", error)

    async def incidents(self, after: int) -> AsyncIterator[int]:
        """Sequence of each incident after this fact."""
        try:
            while rows := await self._journal.read(after, _SEARCH, frames.MAX_PLAIN):
                for row in rows:
                    if _INCIDENT in row.body:
                        yield row.seq
                after = rows[-1].seq
        except OSError as error:
            log.warning("uplink: older incidents cannot be looked for: %s", error)
