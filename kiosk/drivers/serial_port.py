"""The one place where a tty is opened: raw, exclusive, never touching modem lines, watched by the event loop."""

import asyncio
import contextlib
import os
from typing import Self

import serial

from kiosk.drivers.base import DeviceLost


class SerialPort:
    """An open tty. Bytes are read as they come; a write has a deadline.

    Opening raises OSError (missing, no permission, held by another process). After that every method raises
    DeviceLost once the tty has hung up.
    """

    def __init__(self, path: str, baud: int) -> None:
        self.path = path
        self.baud = baud
        self._port = serial.Serial(path, baud, timeout=0, write_timeout=0, exclusive=True)
        self._fd = self._port.fileno()
        os.set_blocking(self._fd, False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._port.close()

    def discard_input(self) -> None:
        """Throws away what has been received and not read."""
        try:
            self._port.reset_input_buffer()
        except Exception as error:
            raise DeviceLost(f"{self.path}: {error}") from None

    async def read(self, size: int = 4096) -> bytes:
        """Waits for at least one byte and returns up to ``size``. Cancelling it loses nothing."""
        while True:
            await self._ready(write=False)
            try:
                data = self._take(size)
            except BlockingIOError:
                continue
            if not data:
                raise DeviceLost(f"{self.path}: hung up")
            return data

    def read_now(self, size: int = 4096) -> bytes:
        """What has come already, up to ``size``; b"" for nothing, also from a tty that has hung up: `read` tells."""
        try:
            return self._take(size)
        except BlockingIOError:
            return b""

    def _take(self, size: int) -> bytes:
        try:
            return os.read(self._fd, size)
        except BlockingIOError:
            raise
        except OSError as error:
            raise DeviceLost(f"{self.path}: {os.strerror(error.errno or 0)}") from None

    async def write(self, data: bytes, timeout: float) -> None:  # noqa: ASYNC109
        """Hands all of ``data`` to the kernel within ``timeout`` seconds. Raises DeviceLost saying how far it got."""
        view = memoryview(data)
        try:
            async with asyncio.timeout(timeout):
                while view:
                    await self._ready(write=True)
                    with contextlib.suppress(BlockingIOError):
                        view = view[os.write(self._fd, view) :]
        except TimeoutError:
            raise DeviceLost(f"{self.path}: took {len(data) - len(view)} of {len(data)} bytes in {timeout} s") from None
        except DeviceLost:
            raise
        except OSError as error:
            raise DeviceLost(f"{self.path}: {os.strerror(error.errno or 0)}") from None

    async def _ready(self, *, write: bool) -> None:
        loop = asyncio.get_running_loop()
        done = loop.create_future()

        def wake() -> None:
            if not done.done():
                done.set_result(None)

        (loop.add_writer if write else loop.add_reader)(self._fd, wake)
        try:
            await done
        finally:
            (loop.remove_writer if write else loop.remove_reader)(self._fd)
