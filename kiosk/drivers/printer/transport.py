"""The four kinds of port a label printer hangs on: tty, /dev/usb/lpN, tcp://host:port, plain file.

Every call has a deadline, every port has one owner, and what goes wrong is DeviceLost or another OSError.
"""

import asyncio
import contextlib
import errno
import fcntl
import os
import socket
import stat
import struct
import termios
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from kiosk.drivers.base import DeviceLost
from kiosk.drivers.serial_port import SerialPort

_USB_MAJOR = 180  # character devices of /dev/usb
_LPGETSTATUS, _LPABORT = 0x060B, 0x0604  # <linux/lp.h>
_LP_PAPER_OUT = 0x20
_BLOCKED_S = 0.02  # usblp reports "ready" while it is not once paper ran out: look again after this
_LOOK_S = 0.002
_SEND_BUFFER = 4096  # small, so that a printer that takes nothing is noticed


class Port(Protocol):
    """An open connection to a printer."""

    async def write(self, data: bytes, within: float, /) -> None:
        """Returns when all of ``data`` has left this machine. Raises DeviceLost after ``within`` seconds."""

    async def read(self) -> bytes:
        """Waits for at least one byte."""

    def discard_input(self) -> None:
        """Forgets what came and was not read, so that an old answer is not taken for a new one."""

    def close(self) -> None: ...


@contextlib.asynccontextmanager
async def open_port(path: str, baud: int, within: float) -> AsyncIterator[Port]:
    """Opens what ``path`` names, for this owner alone.

    A path outside /dev that does not exist is made as a plain file; under /dev, or behind a symbolic link, it is a
    device that is not plugged in, and raises OSError.
    """
    port = await TcpPort.connect(path, within) if path.startswith("tcp://") else _open_path(path, baud)
    try:
        yield port
    finally:
        port.close()


def _open_path(path: str, baud: int) -> Port:
    where = Path(path)
    try:
        found = where.stat()
    except FileNotFoundError:
        if where.is_relative_to("/dev") or where.is_symlink():
            raise
        return FilePort(path)
    if stat.S_ISREG(found.st_mode):
        return FilePort(path)
    if not stat.S_ISCHR(found.st_mode):
        raise OSError(errno.ENODEV, f"{path} is neither a printer nor a plain file")
    return UsbPort(path) if os.major(found.st_rdev) == _USB_MAJOR else SerialPort(path, baud)


class FilePort:
    """A file that labels are appended to. It never answers."""

    def __init__(self, path: str) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        _own(self._fd, path)

    async def write(self, data: bytes, _within: float, /) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._fd, view) :]

    async def read(self) -> bytes:
        await asyncio.Event().wait()
        return b""

    def discard_input(self) -> None:
        pass

    def close(self) -> None:
        os.close(self._fd)


class UsbPort:
    """The kernel's printer class driver (usblp).

    Its write() returns while up to 8 KiB are still on their way, and close() cuts those off: a write is done only when
    the device is writable again. LPABORT makes it report out-of-paper instead of waiting for ever.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._fd = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        _own(self._fd, path)
        with contextlib.suppress(OSError):
            fcntl.ioctl(self._fd, _LPABORT, 1)

    async def write(self, data: bytes, within: float, /) -> None:
        view = memoryview(data)
        try:
            async with asyncio.timeout(within):
                while view:
                    await _ready(self._fd, write=True)
                    try:
                        view = view[os.write(self._fd, view) :]
                    except BlockingIOError:
                        await asyncio.sleep(_BLOCKED_S)
                await _ready(self._fd, write=True)
        except TimeoutError:
            raise DeviceLost(self._why() or f"took {len(data) - len(view)} of {len(data)} bytes") from None
        except OSError as error:
            why = "out of paper" if error.errno == errno.ENOSPC else os.strerror(error.errno or 0)
            raise DeviceLost(f"{self._path}: {why}") from None

    async def read(self) -> bytes:
        while True:
            await _ready(self._fd, write=False)
            try:
                if data := os.read(self._fd, 4096):
                    return data
            except BlockingIOError:
                pass
            except OSError as error:
                raise DeviceLost(f"{self._path}: {os.strerror(error.errno or 0)}") from None
            await asyncio.sleep(_BLOCKED_S)

    def discard_input(self) -> None:
        try:
            while os.read(self._fd, 4096):
                pass
        except BlockingIOError:
            pass
        except OSError as error:
            raise DeviceLost(f"{self._path}: {os.strerror(error.errno or 0)}") from None

    def close(self) -> None:
        os.close(self._fd)

    def _why(self) -> str:
        """The port's own status; asked only when nothing is being sent, since some printers print the answer."""
        with contextlib.suppress(OSError):
            (bits,) = struct.unpack("i", fcntl.ioctl(self._fd, _LPGETSTATUS, b"\0" * 4))
            return "out of paper" if bits & _LP_PAPER_OUT else ""
        return ""


class TcpPort:
    """A raw socket, port 9100 as a rule. A write is done when the printer has acknowledged every byte."""

    def __init__(self, connected: socket.socket, name: str) -> None:
        self._socket = connected
        self._name = name

    @classmethod
    async def connect(cls, url: str, within: float) -> "TcpPort":
        where = urlsplit(url)
        made = socket.socket(socket.AF_INET6 if ":" in (where.hostname or "") else socket.AF_INET)
        try:
            made.setblocking(False)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            async with asyncio.timeout(within):
                await asyncio.get_running_loop().sock_connect(made, (where.hostname or "", where.port or 9100))
        except TimeoutError:
            made.close()
            raise DeviceLost(f"{url}: no connection within {within} s") from None
        except BaseException:
            made.close()
            raise
        return cls(made, url)

    async def write(self, data: bytes, within: float, /) -> None:
        try:
            async with asyncio.timeout(within):
                await asyncio.get_running_loop().sock_sendall(self._socket, data)
                while _unsent(self._socket):  # noqa: ASYNC110 - the kernel gives no event for it
                    await asyncio.sleep(_LOOK_S)
        except TimeoutError:
            raise DeviceLost(f"{self._name}: takes no more data") from None
        except OSError as error:
            raise DeviceLost(f"{self._name}: {os.strerror(error.errno or 0)}") from None

    async def read(self) -> bytes:
        try:
            data = await asyncio.get_running_loop().sock_recv(self._socket, 4096)
        except OSError as error:
            raise DeviceLost(f"{self._name}: {os.strerror(error.errno or 0)}") from None
        if not data:
            raise DeviceLost(f"{self._name}: hung up")
        return data

    def discard_input(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._socket.recv(4096):
                pass

    def close(self) -> None:
        self._socket.close()


def _own(fd: int, path: str) -> None:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        raise OSError(errno.EBUSY, f"{path} is in use by another process") from None


def _unsent(connected: socket.socket) -> int:
    if error := connected.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
        raise OSError(error, os.strerror(error))
    (count,) = struct.unpack("i", fcntl.ioctl(connected.fileno(), termios.TIOCOUTQ, b"\0" * 4))
    return int(count)


async def _ready(fd: int, *, write: bool) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    (loop.add_writer if write else loop.add_reader)(fd, ready.set)
    try:
        await ready.wait()
    finally:
        (loop.remove_writer if write else loop.remove_reader)(fd)
