"""The one place where a keyboard-like scanner is opened: grabbed, its clock set, watched by the event loop.

A named pipe in its place gives the same records, ungrabbed: for an input bridge, or the simulator. What the kernel
provides is in linux/input.h; the records are `struct input_event`.
"""

import asyncio
import contextlib
import errno
import fcntl
import os
import stat
import struct
import time
from pathlib import Path
from typing import Any, Self

from kiosk.drivers.base import DeviceLost
from kiosk.drivers.code_hid.codec import EV_KEY, KEY_ENTER, KEYS

EV_REL = 2
LED_CAPSL = 1
NEEDED_KEYS = frozenset({KEY_ENTER, *(code for code, (plain, _) in KEYS.items() if plain.isalpha())})
"""What a keyboard has that a scanner types on."""
DIGITS = frozenset(code for code, (plain, _) in KEYS.items() if code >= 71 and plain.isdigit())
"""What a numeric keypad has."""

_EVIOCSCLOCKID = 0x400445A0


class InputDevice:
    """An open input device. ``keys``: what a real one must have.

    Opening raises OSError: missing, no permission, no keyboard, held by another program, or python-evdev not installed.
    After that both reads raise DeviceLost once the device is gone.
    """

    def __init__(self, path: str, keys: frozenset[int] = NEEDED_KEYS) -> None:
        self.path = path
        mode = Path(path).stat().st_mode
        self._device: Any = None
        if stat.S_ISFIFO(mode):
            self._fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        elif stat.S_ISCHR(mode):
            self._device = _open_and_grab(path, keys)
            self._fd = self._device.fd
        else:
            raise DeviceLost(f"{path}: neither an input device nor a pipe")
        self._discard()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the device, which also ends the grab."""
        with contextlib.suppress(OSError):
            if self._device is None:
                os.close(self._fd)
            else:
                self._device.close()

    async def read(self, size: int = 4096) -> bytes:
        """Waits for at least one byte and returns up to ``size``. Cancelling it loses nothing."""
        while True:
            await self._readable()
            if data := self.read_now(size):
                return data

    def read_now(self, size: int = 4096) -> bytes:
        """What has come already, up to ``size``; b"" when that is nothing."""
        try:
            data = os.read(self._fd, size)
        except BlockingIOError:
            return b""
        except OSError as error:
            raise DeviceLost(f"{self.path}: {os.strerror(error.errno or 0)}") from None
        if not data:
            raise DeviceLost(f"{self.path}: the other end of the pipe closed it")
        return data

    def _discard(self) -> None:
        """Throws away what was typed before now."""
        with contextlib.suppress(BlockingIOError):
            while os.read(self._fd, 65536):
                pass

    async def _readable(self) -> None:
        loop = asyncio.get_running_loop()
        ready = asyncio.Event()
        loop.add_reader(self._fd, ready.set)
        try:
            await ready.wait()
        finally:
            loop.remove_reader(self._fd)


def _open_and_grab(path: str, keys: frozenset[int]) -> Any:
    try:
        import evdev
    except ImportError:
        raise DeviceLost(f"{path}: needs python-evdev (the extra [pi], or the distribution's python3-evdev)") from None
    device = evdev.InputDevice(path)
    try:
        _check_keyboard(path, device.capabilities(), keys)
        try:
            device.grab()
        except OSError as error:
            if error.errno != errno.EBUSY:
                raise
            raise DeviceLost(f"{path}: another program holds it") from None
        with contextlib.suppress(OSError):  # gaps between keys are then untouched when the wall clock is set
            fcntl.ioctl(device.fd, _EVIOCSCLOCKID, struct.pack("i", time.CLOCK_MONOTONIC))
        with contextlib.suppress(OSError):  # the console may have left it on
            device.set_led(LED_CAPSL, 0)
    except BaseException:
        device.close()
        raise
    return device


def _check_keyboard(path: str, capabilities: dict[int, list[int]], keys: frozenset[int]) -> None:
    if EV_REL in capabilities or not keys.issubset(capabilities.get(EV_KEY, ())):
        what = "keypad" if keys is DIGITS else "keyboard-like scanner"
        raise DeviceLost(f"{path}: not a {what}: choose the node that ends in -event-kbd")
