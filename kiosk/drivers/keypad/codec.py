"""A numeric keypad: input events in, numbers out.

Digits of either block, ``*`` and ``.`` for the X of a document number, Backspace for the last character, ``-`` for
all of them, Enter for the end. People type slowly: a number lies there until a long pause. Num Lock means nothing,
since the kernel reports keys and not what they would type. Key codes: linux/input.h.
"""

from kiosk.drivers.code_hid.codec import ENDS, EV_KEY, EV_SYN, KEYS, SYN_DROPPED, Records
from kiosk.drivers.codes import CodeEvent
from kiosk.events import CodeFailed, NumberTyped

KEY_BACKSPACE = 14
MAX_TYPED = 32
"""Characters. No number that is typed here is longer."""

LOST = "the kernel dropped keys: type it again"
TOO_LONG = f"more than {MAX_TYPED} keys before Enter"

_MEANT = {code: plain for code, (plain, _) in KEYS.items() if plain.isdigit()} | {
    code: "X" for code, (plain, _) in KEYS.items() if plain in ("*", ".", "x")
}
_CLEARS = frozenset(code for code, (plain, _) in KEYS.items() if plain == "-")

KeypadEvent = CodeEvent | NumberTyped


class KeypadCodec:
    """Incremental: however the records are split, the same numbers come out. ``pause_s``: as in the configuration."""

    def __init__(self, pause_s: float) -> None:
        self._pause_us = pause_s * 1_000_000
        self._records = Records()
        self._text = ""
        self._last_us = 0

    @property
    def pending(self) -> bool:
        return False  # a half number is thrown away by the next key, not by silence

    def feed(self, data: bytes) -> list[KeypadEvent]:
        """Takes raw records."""
        return [event for record in self._records.cut(data) if (event := self._event(*record)) is not None]

    def idle(self) -> list[KeypadEvent]:
        return []

    def _event(self, kind: int, code: int, value: int, at_us: int) -> KeypadEvent | None:
        if kind == EV_SYN and code == SYN_DROPPED:
            self._text = ""
            return CodeFailed(LOST)
        if kind != EV_KEY or value != 1:
            return None
        if at_us - self._last_us > self._pause_us:
            self._text = ""
        self._last_us = at_us
        return self._key(code)

    def _key(self, code: int) -> KeypadEvent | None:
        if code in ENDS:
            text, self._text = self._text, ""
            return NumberTyped(text) if text else None
        if code == KEY_BACKSPACE:
            self._text = self._text[:-1]
        elif code in _CLEARS:
            self._text = ""
        else:
            self._text += _MEANT.get(code, "")
        if len(self._text) > MAX_TYPED:
            self._text = ""
            return CodeFailed(TOO_LONG)
        return None
