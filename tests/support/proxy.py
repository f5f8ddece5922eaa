"""A hostile TCP line between a client and a server."""

import asyncio
import contextlib
from typing import Self


class Proxy:
    """``cut_up`` / ``cut_down``: the next connection is reset after so many bytes towards / from the server, once.
    ``stalled``: bytes are swallowed, the connections stay. ``refuse``: new connections are closed at once."""

    def __init__(self, port: int) -> None:
        self.port = 0
        self.cut_up: int | None = None
        self.cut_down: int | None = None
        self.stalled = False
        self.refuse = False
        self.connections = 0
        self._target = port
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        await self._server.wait_closed()

    def cut(self) -> None:
        """Resets every connection."""
        for writer in self._writers:
            writer.transport.abort()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        if self.refuse:
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        both = {writer, far_writer}
        self._writers |= both
        up, self.cut_up = self.cut_up, None
        down, self.cut_down = self.cut_down, None
        try:
            await asyncio.wait(
                [
                    asyncio.ensure_future(self._pump(reader, far_writer, up)),
                    asyncio.ensure_future(self._pump(far_reader, writer, down)),
                ],
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            self._writers -= both
            for each in both:
                each.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, left: int | None) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                if self.stalled:
                    continue
                if left is not None:
                    data, left = data[:left], left - len(data)
                writer.write(data)
                await writer.drain()
                if left is not None and left <= 0:
                    return
