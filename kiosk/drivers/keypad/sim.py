"""The far side of a keypad: the same records as those of a scanner that types, from its keys and at a person's pace."""

from collections.abc import Iterator

from kiosk.drivers.code_hid.codec import KEYS
from kiosk.drivers.code_hid.sim import HidScannerSim, Press

KEY_KPENTER = 96
STROKE_US = 180_000
_KEYPAD = {plain: code for code, (plain, _) in KEYS.items() if code in (55, 98) or 71 <= code <= 83}


def strokes(number: str) -> Iterator[Press]:
    """What fingers press on it, with Enter; ``X`` is the star."""
    for character in number:
        code = _KEYPAD["*" if character == "X" else character]
        yield code, 1
        yield code, 0
    yield KEY_KPENTER, 1
    yield KEY_KPENTER, 0


class KeypadSim(HidScannerSim):
    """Plugged in from the start; ``path`` is what the kiosk opens."""

    async def type(self, number: str) -> None:
        """Digits, X and Enter."""
        await self.press(strokes(number), STROKE_US // 2)
