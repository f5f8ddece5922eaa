"""Frames out of the journal."""

from collections import deque
from collections.abc import Sequence
from typing import Protocol

from nacl.signing import SigningKey

from kiosk import frames
from kiosk.frames import Row
from kiosk.uplink.window import FRAMES, Flight


class AsyncJournal(Protocol):
    """The part of the journal that the uplink reads."""

    @property
    def epoch(self) -> bytes: ...
    @property
    def head(self) -> int: ...
    async def read(self, after: int, _limit: int, _max_bytes: int, /) -> Sequence[Row]: ...
    async def mark(self, name: str) -> bytes | None: ...
    async def set_mark(self, name: str, value: bytes) -> None: ...


class Packing:
    """Packs in the name of one kiosk; of a backlog some frames ahead, made while the line is full."""

    def __init__(
        self, site: str, number: int, journal: AsyncJournal, device_key: SigningKey, kid: bytes, *, drill: bool
    ) -> None:
        self._site, self._number = site, number
        self._journal = journal
        self._key, self._kid = device_key, kid
        self._drill = drill
        self._tip = (0, b"")  # sequence and chain of the fact packed last
        self._read: Sequence[Row] = ()  # and not packed
        self._packed: deque[Flight] = deque()

    async def alone(self, seq: int) -> bytes:
        """The frame of one fact."""
        return await self._pack(await self._journal.read(seq - 1, 1, frames.MAX_BODIES))

    async def next(self, after: int) -> Flight:
        """What follows the fact ``after``; there must be some."""
        if not self._packed or self._packed[0].first != after + 1:
            self._packed.clear()
            await self._pack_next(after)
        return self._packed.popleft()

    async def ahead(self, after: int) -> bool:
        """Makes one more frame for `next`; false when there are enough, or no full one is left."""
        last = self._packed[-1].last if self._packed else after
        if len(self._packed) >= FRAMES or self._journal.head - last < frames.MAX_FACTS:
            return False
        await self._pack_next(last)
        return True

    async def _pack_next(self, after: int) -> None:
        rows = await self._rows(after)
        self._packed.append(Flight(rows[0].seq, rows[-1].seq, await self._pack(rows), 0.0))
        self._tip = (rows[-1].seq, rows[-1].chain)

    async def _rows(self, after: int) -> Sequence[Row]:
        """Those of the frame after ``after``, several frames read at once: the way to the journal's thread and back
        costs as much as a frame."""
        if not self._read or self._read[0].seq != after + 1:
            self._read = await self._journal.read(after, FRAMES * frames.MAX_FACTS, FRAMES * frames.MAX_BODIES)
        count = frames.fitting(self._read)
        rows, self._read = self._read[:count], self._read[count:]
        return rows

    async def _pack(self, rows: Sequence[Row]) -> bytes:
        before, journal = rows[0].seq - 1, self._journal
        if before == 0:
            prev = frames.genesis(journal.epoch)
        elif self._tip[0] == before:
            prev = self._tip[1]
        else:
            prev = (await journal.read(before - 1, 1, frames.MAX_BODIES))[0].chain
        return frames.pack(
            rows,
            site=self._site,
            kiosk=self._number,
            epoch=journal.epoch,
            prev=prev,
            kid=self._kid,
            key=self._key,
            drill=self._drill,
        )
