"""The journal for the event loop: one worker thread owns the one connection, a step is one hop."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Self, TypeVar

from kiosk.facts import Entry
from kiosk.frames import Row
from kiosk.journal import Journal

T = TypeVar("T")

_ENTRIES = 5000


class JournalThread:
    """The methods of `Journal`, awaitable. ``epoch``, ``head`` and ``set_aside`` may be read at any time."""

    def __init__(self, journal: Journal, thread: ThreadPoolExecutor) -> None:
        self._journal, self._thread = journal, thread
        self.epoch = journal.epoch
        self.head = journal.head
        self.set_aside = journal.set_aside

    @classmethod
    async def open(cls, path: Path) -> Self:
        """Raises what `Journal.open` raises."""
        thread = ThreadPoolExecutor(1, "journal")
        try:
            journal = await asyncio.get_running_loop().run_in_executor(thread, Journal.open, path)
        except BaseException:
            thread.shutdown(wait=False)
            raise
        return cls(journal, thread)

    async def _call(self, work: Callable[..., T], *arguments: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)

    async def append(self, rows: list[tuple[bytes, bytes]]) -> int:
        head: int = await self._call(self._journal.append, rows)
        self.head = head
        return head

    async def read(self, after: int, limit: int, max_bytes: int) -> list[Row]:
        return await self._call(self._journal.read, after, limit, max_bytes)

    async def entries(self, after: int) -> list[tuple[int, Entry]]:
        """Up to some thousand entries after ``after``; an empty list at the end."""
        return await self._call(lambda: list(islice(self._journal.entries(after), _ENTRIES)))

    async def snapshot(self, schema: int) -> tuple[int, bytes] | None:
        return await self._call(self._journal.snapshot, schema)

    async def save_snapshot(self, seq: int, schema: int, state: bytes) -> None:
        await self._call(self._journal.save_snapshot, seq, schema, state)

    async def mark(self, name: str) -> bytes | None:
        return await self._call(self._journal.mark, name)

    async def set_mark(self, name: str, value: bytes) -> None:
        await self._call(self._journal.set_mark, name, value)

    async def probe(self) -> None:
        await self._call(self._journal.probe)

    async def close(self) -> None:
        await self._call(self._journal.close)
        self._thread.shutdown()
