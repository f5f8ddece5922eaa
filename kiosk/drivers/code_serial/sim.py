"""The far side of a serial code scanner: a pseudo-terminal behind a stable link, as udev makes for the real device."""

import asyncio
import contextlib
import os
import tty
from pathlib import Path


class SerialScannerSim:
    """Plugged in from the start; ``link`` is what the kiosk opens."""

    def __init__(self, link: Path) -> None:
        self.link = link
        self._master = -1
        self._slave = -1
        self.plug()

    def plug(self) -> None:
        """A new tty appears behind the link."""
        self._master, self._slave = os.openpty()
        os.set_blocking(self._master, False)
        tty.setraw(self._slave)
        fresh = self.link.with_name(self.link.name + ".new")
        fresh.symlink_to(os.ttyname(self._slave))
        fresh.replace(self.link)

    def unplug(self) -> None:
        """The link goes and the tty hangs up."""
        self.link.unlink(missing_ok=True)
        for fd in (self._master, self._slave):
            with contextlib.suppress(OSError):
                os.close(fd)
        self._master = self._slave = -1

    async def scan(
        self, text: str, *, encoding: str = "utf-8", terminator: bytes = b"\r", chunk: int = 0, pause_s: float = 0.0
    ) -> None:
        """Sends ``text``, whole or in pieces of ``chunk`` bytes with ``pause_s`` seconds after each."""
        data = text.encode(encoding) + terminator
        step = chunk or len(data)
        for start in range(0, len(data), step):
            await self.send(data[start : start + step])
            await asyncio.sleep(pause_s)

    async def send(self, data: bytes) -> None:
        """Sends any bytes, as fast as the kiosk reads them. Raises OSError when unplugged."""
        await write_all(self._master, data)


async def write_all(fd: int, data: bytes) -> None:
    """Writes ``data`` to a non-blocking ``fd`` as fast as the other side reads."""
    loop = asyncio.get_running_loop()
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(fd, view) :]
        except BlockingIOError:
            ready = asyncio.Event()
            loop.add_writer(fd, ready.set)
            try:
                await ready.wait()
            finally:
                loop.remove_writer(fd)
