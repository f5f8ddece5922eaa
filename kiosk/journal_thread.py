"""The journal for the event loop: one worker thread owns the one connection, a step is one hop."""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Self, TypeVar

from kiosk.facts import Entry
from kiosk.frames import Row
from kiosk.journal import Journal

T = TypeVar("T")

_ENTRIES = 5000


class _Worker(threading.Thread):
    """Does what it is asked, in order. An executor would do the same, at twice the distance from the event loop."""

    def __init__(self, name: str) -> None:
        super().__init__(name=name, daemon=True)
        self._asked: SimpleQueue[tuple[asyncio.Future[Any], Callable[..., Any], tuple[object, ...]] | None] = (
            SimpleQueue()
        )
        self.start()

    def ask(self, work: Callable[..., T], *arguments: object) -> "asyncio.Future[T]":
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._asked.put((done, work, arguments))
        return done

    def dismiss(self) -> None:
        """It ends when it has done what it was asked before. A thread that is alive when the interpreter ends leaves
        foreign libraries complaining."""
        self._asked.put(None)
        self.join(1.0)

    def run(self) -> None:
        while (asked := self._asked.get()) is not None:
            done, work, arguments = asked
            result, error = None, None
            try:
                result = work(*arguments)
            except BaseException as raised:
                error = raised
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
                done.get_loop().call_soon_threadsafe(_settle, done, result, error)


def _settle(done: "asyncio.Future[Any]", result: object, error: BaseException | None) -> None:
    if done.done():  # given up
        return
    if error is None:
        done.set_result(result)
    else:
        done.set_exception(error)


class JournalThread:
    """The methods of `Journal`, awaitable. ``epoch``, ``head``, ``set_aside`` and ``kept`` may be read at any time."""

    def __init__(self, journal: Journal, thread: _Worker) -> None:
        self._journal, self._thread = journal, thread
        self.epoch = journal.epoch
        self.head = journal.head
        self.set_aside, self.kept = journal.set_aside, journal.kept

    @classmethod
    async def open(cls, path: Path) -> Self:
        """Raises what `Journal.open` raises."""
        thread = _Worker("journal")
        try:
            journal = await thread.ask(Journal.open, path)
        except BaseException:
            thread.dismiss()
            raise
        return cls(journal, thread)

    async def append(self, rows: list[tuple[bytes, bytes]]) -> int:
        head: int = await self._thread.ask(self._journal.append, rows)
        self.head = head
        return head

    async def read(self, after: int, limit: int, max_bytes: int) -> list[Row]:
        return await self._thread.ask(self._journal.read, after, limit, max_bytes)

    async def entries(self, after: int) -> list[tuple[int, Entry]]:
        """Up to some thousand entries after ``after``; an empty list at the end."""
        return await self._thread.ask(lambda: list(islice(self._journal.entries(after), _ENTRIES)))

    async def snapshot(self, schema: int) -> tuple[int, bytes] | None:
        return await self._thread.ask(self._journal.snapshot, schema)

    async def save_snapshot(self, seq: int, schema: int, state: bytes) -> None:
        await self._thread.ask(self._journal.save_snapshot, seq, schema, state)

    async def mark(self, name: str) -> bytes | None:
        return await self._thread.ask(self._journal.mark, name)

    async def set_mark(self, name: str, value: bytes) -> None:
        await self._thread.ask(self._journal.set_mark, name, value)

    async def probe(self) -> int:
        self.head = await self._thread.ask(self._journal.probe)
        return self.head

    async def close(self) -> None:
        await self._thread.ask(self._journal.close)
        self._thread.dismiss()
