"""Code scanners that type: input events in, codes out, for the US layout, which must be set in the scanner.

Only key-down counts. ENTER of either kind ends a code; a gap longer than a scanner makes, or events lost by the kernel
(SYN_DROPPED), throw the half code away. ALT plus keypad digits, the way some scanners type what US keys cannot, is
refused: the kernel reports a held key once, so that the digits cannot be recovered. Key codes: linux/input.h.
"""

import struct
from collections.abc import Iterator

from kiosk.drivers.codes import SEPARATORS, TOO_LONG, CodeEvent, as_code
from kiosk.events import CodeFailed
from kiosk.recognise import MAX_TEXT

RECORD = struct.Struct("@llHHi")
"""`struct input_event`: seconds, microseconds, type, code, value."""

EV_SYN, EV_KEY = 0, 1
SYN_REPORT, SYN_DROPPED = 0, 3
KEY_ENTER, KEY_KPENTER, KEY_CAPSLOCK = 28, 96, 58
KEY_LEFTCTRL, KEY_LEFTSHIFT, KEY_RIGHTSHIFT, KEY_LEFTALT, KEY_RIGHTCTRL, KEY_RIGHTALT = 29, 42, 54, 56, 97, 100
ENDS = frozenset({KEY_ENTER, KEY_KPENTER})
SHIFTS = frozenset({KEY_LEFTSHIFT, KEY_RIGHTSHIFT})
CTRLS = frozenset({KEY_LEFTCTRL, KEY_RIGHTCTRL})
ALTS = frozenset({KEY_LEFTALT, KEY_RIGHTALT})

ALT_MODE = "typed in ALT mode: switch that off in the scanner, or switch it to its virtual COM port"
KEYS_LOST = "the kernel dropped keys: scan again"
NO_ENTER = "the code did not end with Enter: set the scanner's suffix to Enter"


def _rows() -> Iterator[tuple[int, str, str]]:
    for first, plain, shifted in (
        (2, "1234567890-=", "!@#$%^&*()_+"),
        (15, "\tqwertyuiop[]", "\tQWERTYUIOP{}"),
        (30, "asdfghjkl;'`", 'ASDFGHJKL:"~'),
        (43, "\\zxcvbnm,./", "|ZXCVBNM<>?"),
        (57, " ", " "),
    ):
        yield from zip(range(first, first + len(plain)), plain, shifted, strict=True)


def _keypad() -> Iterator[tuple[int, str, str]]:
    for code, character in ((55, "*"), (98, "/"), (117, "="), (121, ","), *enumerate("789-456+1230.", 71)):
        yield code, character, character


KEYS: dict[int, tuple[str, str]] = {code: (plain, shifted) for code, plain, shifted in (*_keypad(), *_rows())}
"""Key code to what it types, alone and with Shift."""


class Records:
    """Cuts what is read into records, however it was split. ``rest``: the part of one that is not whole."""

    def __init__(self) -> None:
        self.rest = b""

    def cut(self, data: bytes) -> Iterator[tuple[int, int, int, int]]:
        """Type, code, value, and the kernel's time stamp in microseconds."""
        data = self.rest + data
        whole = len(data) - len(data) % RECORD.size
        self.rest = data[whole:]
        for seconds, micros, kind, code, value in RECORD.iter_unpack(data[:whole]):
            yield kind, code, value, seconds * 1_000_000 + micros


class HidCodec:
    """Incremental: however the records are split, the same codes come out. ``gap_s``: as in the configuration."""

    def __init__(self, gap_s: float) -> None:
        self._gap_us = gap_s * 1_000_000
        self._records = Records()
        self._text = ""
        self._last_us = 0
        self._refused = False  # until the next end or gap
        self._lost = False  # keys may be missing: how the modifiers stand is not known
        self._mid_report = False  # until the next SYN_REPORT
        self._held: set[int] = set()
        self._caps = False

    @property
    def pending(self) -> bool:
        """Whether a code has begun: `idle` is due after a silence."""
        return bool(self._text or self._records.rest) or self._refused

    def feed(self, data: bytes) -> list[CodeEvent]:
        """Takes raw records."""
        return [event for record in self._records.cut(data) if (event := self.event(*record))]

    def idle(self) -> list[CodeEvent]:
        """No key for much longer than a gap: what was typed so far has no end and is no code."""
        unfinished = bool(self._text)
        self._records.rest = b""
        self._start_clean()
        return [CodeFailed(NO_ENTER)] if unfinished else []

    def event(self, kind: int, code: int, value: int, at_us: int) -> CodeEvent | None:
        """Takes one input event; ``at_us``: the kernel's time stamp in microseconds."""
        if kind == EV_SYN and code == SYN_DROPPED:
            self._lost = self._mid_report = True
            return self._refuse(KEYS_LOST)
        if kind == EV_SYN and code == SYN_REPORT:
            self._mid_report = False
        elif kind == EV_KEY and not self._mid_report:
            return self._key(code, value, at_us)
        return None

    def _key(self, code: int, value: int, at_us: int) -> CodeEvent | None:
        if value == 1:
            if self.pending and at_us - self._last_us > self._gap_us:
                self._start_clean()
            self._last_us = at_us
        if code in SHIFTS | CTRLS | ALTS:
            (self._held.add if value else self._held.discard)(code)
        elif value != 1:
            return None
        elif code in ENDS:
            return self._end()
        elif code == KEY_CAPSLOCK:
            self._caps = not self._caps
        elif code in KEYS and not self._refused:
            return self._type(*KEYS[code])
        return None

    def _type(self, plain: str, shifted: str) -> CodeEvent | None:
        if self._held & ALTS:
            return self._refuse(ALT_MODE)
        shift = bool(self._held & SHIFTS) != (self._caps and plain.isalpha())
        character = shifted if shift else plain
        if self._held & CTRLS:
            character = _control(character)
            if character in {"\r", "\n"}:
                return self._end()
            if character not in SEPARATORS:
                return None
        self._text += character
        return self._refuse(TOO_LONG) if len(self._text) > MAX_TEXT else None

    def _end(self) -> CodeEvent | None:
        text = self._text
        self._start_clean()
        return as_code(text)

    def _refuse(self, why: str) -> CodeEvent | None:
        """Throws away the code that is being typed and what is still to come of it; said once."""
        said, self._refused, self._text = self._refused, True, ""
        return None if said else CodeFailed(why)

    def _start_clean(self) -> None:
        self._text = ""
        self._refused = False
        if self._lost:
            self._lost = False
            self._held.clear()
            self._caps = False


def _control(character: str) -> str:
    """What Ctrl makes of a key: Ctrl+] is GS, Ctrl+M is CR; "" where it makes nothing."""
    upper = character.upper()
    return chr(ord(upper) & 0x1F) if "@" <= upper <= "_" else ""
