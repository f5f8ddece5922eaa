"""What makes a text a code, for every kind of code scanner."""

import unicodedata

from kiosk.events import CodeFailed, CodeScanned
from kiosk.recognise import MAX_TEXT

SEPARATORS = frozenset("\t\x1c\x1d\x1e\x1f")
"""Control characters that are content: TAB, and FS, GS, RS, US of ISO/IEC 15434."""

_NO_TEXT = frozenset({"Cc", "Cn", "Co", "Cs"})  # control, unassigned, private use, surrogate

TOO_LONG = f"longer than {MAX_TEXT} characters"

CodeEvent = CodeScanned | CodeFailed


def as_code(text: str) -> CodeEvent | None:
    """The event for one text as it came; None for an empty one. Blanks and TABs around it (a scanner's suffix) go."""
    text = text.removeprefix("\ufeff").strip(" \t")
    if not text:
        return None
    if len(text) > MAX_TEXT:
        return CodeFailed(TOO_LONG)
    if any(unicodedata.category(character) in _NO_TEXT and character not in SEPARATORS for character in text):
        return CodeFailed("noise, no text")
    return CodeScanned(text)
