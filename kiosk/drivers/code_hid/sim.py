"""The far side of a scanner that types: `struct input_event` records into a named pipe, which the driver reads in place
of a device node."""

import contextlib
import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from kiosk.drivers.code_hid.codec import (
    EV_KEY,
    EV_SYN,
    KEY_CAPSLOCK,
    KEY_ENTER,
    KEY_LEFTALT,
    KEY_LEFTCTRL,
    KEY_LEFTSHIFT,
    KEYS,
    RECORD,
    SYN_REPORT,
)
from kiosk.drivers.code_serial.sim import write_all
from kiosk.drivers.codes import SEPARATORS

TYPED: dict[str, tuple[int, bool]] = {
    character: (code, bool(shift)) for code, pair in KEYS.items() for shift, character in reversed([*enumerate(pair)])
}
"""Character to (key code, with Shift), the main block before the keypad."""

KEYPAD_DIGITS = {plain: code for code, (plain, _) in KEYS.items() if code >= 71 and plain.isdigit()}

Press = tuple[int, int]
"""Key code and value: 1 down, 0 up."""


def presses(text: str, *, end: int = KEY_ENTER, caps: bool = False) -> Iterator[Press]:
    """What a scanner set to the US layout presses for ``text``. ``caps``: within Caps Lock, as some are set to do.
    A character that has no key is typed in ALT mode, as the decimal number of its GBK code."""
    if caps:
        yield from _tap(KEY_CAPSLOCK)
    for character in text:
        yield from _character(character, caps=caps)
    if caps:
        yield from _tap(KEY_CAPSLOCK)
    yield from _tap(end)


def records(pressed: Iterable[Press], start_us: int, step_us: int = 2_000) -> bytes:
    """The kernel's records of ``pressed``, one report each, ``step_us`` microseconds apart."""
    out = bytearray()
    for number, (code, value) in enumerate(pressed):
        at = divmod(start_us + number * step_us, 1_000_000)
        out += RECORD.pack(*at, EV_KEY, code, value) + RECORD.pack(*at, EV_SYN, SYN_REPORT, 0)
    return bytes(out)


def _tap(code: int) -> Iterator[Press]:
    yield code, 1
    yield code, 0


def _character(character: str, *, caps: bool) -> Iterator[Press]:
    held = []
    if character in SEPARATORS and character not in TYPED:
        held.append(KEY_LEFTCTRL)
        character = chr(ord(character) | 0x40)
    if character in TYPED:
        code, shift = TYPED[character]
        codes = [code]
        if shift != (caps and character.isalpha()):
            held.append(KEY_LEFTSHIFT)
    else:
        held.append(KEY_LEFTALT)
        codes = [KEYPAD_DIGITS[digit] for digit in str(int.from_bytes(character.encode("gbk"), "big"))]
    for modifier in held:
        yield modifier, 1
    for code in codes:
        yield from _tap(code)
    for modifier in held:
        yield modifier, 0


class HidScannerSim:
    """Plugged in from the start; ``path`` is what the kiosk opens."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd = -1
        self._at_us = 0
        self.plug()

    def plug(self) -> None:
        """The device appears."""
        self.path.unlink(missing_ok=True)
        os.mkfifo(self.path)
        self._fd = os.open(self.path, os.O_RDWR | os.O_NONBLOCK)  # holds the pipe open while nobody reads

    def unplug(self) -> None:
        """The device is gone."""
        self.path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            os.close(self._fd)
        self._fd = -1

    async def scan(self, text: str, *, end: int = KEY_ENTER, caps: bool = False) -> None:
        """Types ``text`` and the ``end`` key."""
        await self.press(presses(text, end=end, caps=caps))

    async def press(self, pressed: Iterable[Press], step_us: int = 2_000) -> None:
        """Presses and releases keys, ``step_us`` microseconds apart by their time stamps."""
        keys = list(pressed)
        start_us = max(self._at_us + step_us, time.monotonic_ns() // 1000)
        self._at_us = start_us + len(keys) * step_us
        await write_all(self._fd, records(keys, start_us, step_us))
