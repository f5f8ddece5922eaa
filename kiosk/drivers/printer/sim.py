"""A label printer to print on without one: the far side of a pty or of a TCP port, with paper that can run out."""

import asyncio
import contextlib
import os
import pty
import socket
import tty
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from PIL import Image

from kiosk.drivers.printer import Language, Status
from kiosk.drivers.printer.languages import AnyPrinter, language_of
from kiosk.drivers.printer.paper import EscposPaper, Paper, TsplPaper, ZplPaper
from kiosk.drivers.tspl.codec import Tspl
from kiosk.drivers.zpl.codec import Zpl
from kiosk.labels import DOTS_PER_MM

_CHUNK = 4096


class SimPrinter:
    """A printer of the configured language. Labels come out in ``labels`` and go to ``on_label``; ``received`` is every
    byte that ever came.

    Switches, at any time: ``paper_out``, ``head_open`` (what is sent then is lost), ``mute`` (answers nothing),
    ``stalled`` (takes no bytes), ``busy`` (never done). ``paper_left``: labels until it runs out by itself, None for
    plenty.
    """

    def __init__(self, config: AnyPrinter, on_label: Callable[[Image.Image], None] | None = None) -> None:
        self.labels: list[Image.Image] = []
        self.received = bytearray()
        self.paper_out = False
        self.head_open = False
        self.mute = False
        self.busy = False
        self.paper_left: int | None = None
        self._config = config
        self._language = language_of(config)
        self._on_label = on_label
        self._paper = _paper(self._language, config)
        self._running = asyncio.Event()
        self._running.set()
        self._link: Path | None = None
        self._ends: tuple[int, int] | None = None
        self._server: socket.socket | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def stalled(self) -> bool:
        return not self._running.is_set()

    @stalled.setter
    def stalled(self, on: bool) -> None:
        (self._running.clear if on else self._running.set)()

    def refill(self, paper_left: int | None = None) -> None:
        """A new roll."""
        self.paper_out = False
        self.paper_left = paper_left

    def plug(self, link: Path | None = None) -> None:
        """Plugs it in as a tty, under the symbolic link ``link`` or the one it had before."""
        self._link = link or self._link
        if self._link is None:
            raise ValueError("the first plug() needs a link")
        master, slave = pty.openpty()  # the slave stays open, so that a kiosk that closes its side hangs nothing up
        tty.setraw(slave)
        os.set_blocking(master, False)
        self._ends = (master, slave)
        self._paper = _paper(self._language, self._config)
        self._link.unlink(missing_ok=True)
        self._link.symlink_to(os.ttyname(slave))
        self._start(self._serve_pty(master))

    def unplug(self) -> None:
        """Pulls the plug: the tty hangs up, its link leads nowhere, and what was not printed yet is forgotten."""
        for task in list(self._tasks):
            task.cancel()
        if self._ends is not None and self._link is not None:
            self._link.unlink(missing_ok=True)
            self._link.symlink_to("/dev/unplugged")
            for end in self._ends:
                os.close(end)
            self._ends = None
        if self._server is not None:
            self._server.close()
            self._server = None

    close = unplug

    def listen(self, port: int = 0) -> int:
        """Listens on this port of 127.0.0.1, 0 for any free one, and returns it."""
        self._server = socket.socket()
        self._server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _CHUNK)  # as small as a printer's
        self._server.setblocking(False)
        self._server.bind(("127.0.0.1", port))
        self._server.listen(1)
        self._start(self._serve_tcp(self._server))
        return int(self._server.getsockname()[1])

    async def _serve_pty(self, master: int) -> None:
        loop = asyncio.get_running_loop()
        readable = asyncio.Event()
        while True:
            await self._running.wait()
            readable.clear()
            loop.add_reader(master, readable.set)
            try:
                await readable.wait()
            finally:
                loop.remove_reader(master)
            if self._running.is_set():
                answer = self._take(os.read(master, _CHUNK))
                with contextlib.suppress(BlockingIOError):
                    os.write(master, answer)

    async def _serve_tcp(self, server: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            connection, _ = await loop.sock_accept(server)
            with connection, contextlib.suppress(OSError):
                connection.setblocking(False)
                self._paper = _paper(self._language, self._config)
                while True:
                    await self._running.wait()
                    data = await loop.sock_recv(connection, _CHUNK)
                    await self._running.wait()
                    if not data:
                        break
                    await loop.sock_sendall(connection, self._take(data))

    def _take(self, data: bytes) -> bytes:
        """Prints what there is to print and returns the answers."""
        self.received += data
        answers = b""
        for deed in self._paper.feed(data):
            if isinstance(deed, Image.Image):
                self._put_out(deed)
            elif not self.mute:
                status = Status(paper_out=self.paper_out, head_open=self.head_open, busy=self.busy)
                answers += self._language.replies(status).get(deed, b"")
        return answers

    def _put_out(self, label: Image.Image) -> None:
        if self.paper_left == 0:
            self.paper_out = True
        if self.paper_out or self.head_open:
            return
        if self.paper_left is not None:
            self.paper_left -= 1
        self.labels.append(label)
        if self._on_label is not None:
            self._on_label(label)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _paper(language: Language, config: AnyPrinter) -> Paper:
    if isinstance(language, Tspl):
        return TsplPaper(DOTS_PER_MM[config.dpi], black_is_one=getattr(config, "invert", False))
    return ZplPaper() if isinstance(language, Zpl) else EscposPaper()
