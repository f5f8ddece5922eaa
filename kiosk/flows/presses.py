"""What the length of a press on the release button means; between the two, and shorter, it means nothing."""

from kiosk.events import ButtonPressed

SHORT_MS = (300, 2000)
LONG_MS = 3000


def is_short(press: ButtonPressed) -> bool:
    """Releases the group."""
    return press.button == "release" and SHORT_MS[0] <= press.held_ms <= SHORT_MS[1]


def is_long(press: ButtonPressed) -> bool:
    """Closes a short group and its tube."""
    return press.button == "release" and press.held_ms >= LONG_MS
