"""The panel as a Unix socket that any number of peers may join. Every peer sees every state and may press."""

import asyncio
import contextlib
import logging
import os
import socket
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

from kiosk.config import SocketPanel as Config
from kiosk.drivers.base import DeviceLost, Post, keep_open
from kiosk.drivers.buttons import Button
from kiosk.drivers.panel_socket import codec
from kiosk.panel import STARTING, Panel

log = logging.getLogger(__name__)

MAX_PEERS = 16
MAX_UNSENT = 64 * 1024
"""Bytes a peer may leave unread before it is dropped."""
CHECK_S = 1.0


class SocketPanel:
    """Sends the latest panel and posts ButtonPressed. ``fault`` names a jammed button, or is ""."""

    name = "panel"

    def __init__(self, config: Config, post: Post) -> None:
        self._path = Path(config.path)
        self._post = post
        self._panel = STARTING
        self._peers: set[_Peer] = set()
        self.fault = ""

    def show(self, panel: Panel, _now_mono: int) -> None:
        """Sent at once to every peer if it differs from the last one. Never blocks, never raises."""
        if panel == self._panel:
            return
        self._panel = panel
        line = codec.encode(panel)
        for peer in tuple(self._peers):
            peer.send(line)

    async def run(self) -> None:
        await keep_open(self.name, self._post, self._session)

    async def _session(self, online: Callable[[], None]) -> None:
        with _listen(self._path) as listener:
            inode = self._path.stat().st_ino
            server = await asyncio.get_running_loop().create_unix_server(self._join, sock=listener)
            try:
                online()
                while self._path.stat().st_ino == inode:
                    self._look_for_stuck_buttons()
                    await asyncio.sleep(CHECK_S)
                raise DeviceLost(f"{self._path}: replaced by somebody else")
            finally:
                self.fault = ""
                server.close()
                for peer in tuple(self._peers):
                    peer.drop()

    def _join(self) -> "_Peer":
        return _Peer(self._peers, self._post, lambda: codec.encode(self._panel))

    def _look_for_stuck_buttons(self) -> None:
        stuck = sorted({name for peer in self._peers for name in peer.stuck(_now())})
        fault = f"button stuck: {', '.join(stuck)}" if stuck else ""
        if fault and fault != self.fault:
            log.warning("panel: %s", fault)
        self.fault = fault


class _Peer(asyncio.Protocol):
    """One connection. It has buttons of its own: an edge of one lamp box never ends the press of another, and a press
    that is cut off by a lost connection has not happened."""

    def __init__(self, peers: set["_Peer"], post: Post, greeting: Callable[[], bytes]) -> None:
        self._peers = peers
        self._post = post
        self._greeting = greeting
        self._lines = codec.Lines()
        self._buttons = {name: Button(name, bounce_ms=0, lockout_ms=0) for name in ("release", "ack")}
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if len(self._peers) >= MAX_PEERS:
            self._refuse(f"more than {MAX_PEERS} peers")
            return
        self._peers.add(self)
        self.send(self._greeting())

    def connection_lost(self, _: Exception | None) -> None:
        self._peers.discard(self)
        self._transport = None

    def data_received(self, data: bytes) -> None:
        now = _now()
        try:
            for line in self._lines.feed(data):
                edge = codec.decode_edge(line)
                press = self._buttons[edge.button].feed(edge.edge == "down", now)
                if press is not None:
                    self._post(press)
        except codec.CodecError as error:
            self._refuse(str(error))

    def send(self, line: bytes) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        self._transport.write(line)
        if self._transport.get_write_buffer_size() > MAX_UNSENT:
            self._refuse("reads too slowly")

    def stuck(self, now: int) -> list[str]:
        return [name for name, button in self._buttons.items() if button.stuck(now)]

    def drop(self) -> None:
        self._peers.discard(self)
        if self._transport is not None:
            self._transport.abort()

    def _refuse(self, why: str) -> None:
        log.warning("panel: peer dropped: %s", why)
        self.drop()


def _now() -> int:
    return time.monotonic_ns() // 1_000_000


@contextlib.contextmanager
def _listen(path: Path) -> Iterator[socket.socket]:
    """A listening socket at ``path``. A socket file nobody listens on is replaced; anything else there is left alone
    and raises DeviceLost."""
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise DeviceLost(f"{path}: exists and is no socket")
        with socket.socket(socket.AF_UNIX) as probe:
            probe.setblocking(False)
            try:
                probe.connect(os.fspath(path))
            except ConnectionRefusedError:
                path.unlink()
            except BlockingIOError:
                raise DeviceLost(f"{path}: another daemon listens here") from None
            else:
                raise DeviceLost(f"{path}: another daemon listens here")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.setblocking(False)
        listener.bind(os.fspath(path))
        inode = path.stat().st_ino
        try:
            path.chmod(0o660)
            listener.listen()
            yield listener
        finally:
            with contextlib.suppress(OSError):
                if path.stat().st_ino == inode:
                    path.unlink()
