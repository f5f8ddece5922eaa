"""A lamp box: the far side of the panel socket."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Literal, Self

from kiosk.drivers.panel_socket import codec
from kiosk.panel import Panel

RETRY_S = 0.1


class SimPanel:
    """Follows a kiosk's panel and presses its buttons; reconnects for ever. An async context manager.

    ``state`` is the latest panel, ``history`` every panel received, in order, over all connections.
    """

    def __init__(self, path: Path | str) -> None:
        self._path = str(path)
        self._writer: asyncio.StreamWriter | None = None
        self._changed = asyncio.Condition()
        self._task: asyncio.Task[None] | None = None
        self.history: list[Panel] = []

    @property
    def state(self) -> Panel | None:
        return self.history[-1] if self.history else None

    @property
    def online(self) -> bool:
        return self._writer is not None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._follow(), name="lamp box")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def wait_for(
        self, predicate: Callable[[Panel], bool], *, since: int | None = None, within: float = 30.0
    ) -> Panel:
        """The first panel that fits: the present one or any later one, or any from ``history[since]`` on. Raises
        TimeoutError after ``within`` seconds."""
        position = max(0, len(self.history) - 1) if since is None else since
        async with asyncio.timeout(within), self._changed:
            while True:
                for panel in self.history[position:]:
                    if predicate(panel):
                        return panel
                position = len(self.history)
                await self._changed.wait()

    async def wait_online(self, online: bool = True, within: float = 30.0) -> None:
        """Waits until the connection is there (or gone). Raises TimeoutError."""
        async with asyncio.timeout(within), self._changed:
            await self._changed.wait_for(lambda: self.online is online)

    async def press(self, button: Literal["release", "ack"], held_ms: int = 500) -> None:
        """Holds a button down for this long, really. Raises ConnectionError without a connection."""
        self.send(codec.encode(codec.Edge(button, "down")))
        await asyncio.sleep(held_ms / 1000)
        self.send(codec.encode(codec.Edge(button, "up")))

    def send(self, data: bytes) -> None:
        if self._writer is None:
            raise ConnectionError("the panel socket is not connected")
        self._writer.write(data)

    async def _follow(self) -> None:
        while True:
            with contextlib.suppress(OSError, codec.CodecError):
                async with self._connection() as reader:
                    await self._read(reader)
            await asyncio.sleep(RETRY_S)

    async def _read(self, reader: asyncio.StreamReader) -> None:
        lines = codec.Lines()
        while data := await reader.read(4096):
            panels = [codec.decode_panel(line) for line in lines.feed(data)]
            async with self._changed:
                self.history += panels
                self._changed.notify_all()

    @contextlib.asynccontextmanager
    async def _connection(self) -> AsyncIterator[asyncio.StreamReader]:
        reader, writer = await asyncio.open_unix_connection(self._path)
        try:
            async with self._changed:
                self._writer = writer
                self._changed.notify_all()
            yield reader
        finally:
            self._writer = None
            writer.transport.abort()
            async with self._changed:
                self._changed.notify_all()
