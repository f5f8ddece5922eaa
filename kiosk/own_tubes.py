"""Tubes that come with a barcode of their own (rules F11, G6): its grammar, and what only looks like it."""

import re
import string
from re import _parser  # type: ignore[attr-defined]  # the only way to see how long a match can be

LONGEST = 32
"""Characters of a barcode on a tube."""

_CHARACTERS = string.digits + string.ascii_uppercase


class OwnTubes:
    """``pattern`` must match all of a barcode. Raises ValueError for one that is no pattern, or has no end."""

    def __init__(self, pattern: str) -> None:
        try:
            self._pattern = re.compile(pattern)
            self._least, self._most = _parser.parse(pattern).getwidth()
        except (re.error, OverflowError, RecursionError) as error:
            raise ValueError(f"a regular expression: {error}") from None
        if not 4 <= self._least <= self._most <= LONGEST:
            raise ValueError(f"a regular expression for 4 to {LONGEST} characters, not {self._least} to {self._most}")

    def match(self, text: str) -> bool:
        return len(text) <= LONGEST and self._pattern.fullmatch(text) is not None

    def is_near(self, text: str) -> bool:
        """One character was lost, doubled or misread."""
        if not self._least - 1 <= len(text) <= self._most + 1:
            return False
        places = range(len(text))
        return (
            any(self.match(text[:at] + text[at + 1 :]) for at in places)
            or any(self.match(text[:at] + new + text[at + 1 :]) for at in places for new in _CHARACTERS)
            or any(self.match(text[:at] + new + text[at:]) for at in (*places, len(text)) for new in _CHARACTERS)
        )
