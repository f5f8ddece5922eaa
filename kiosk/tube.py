"""Tube numbers: 16 digits, ``site(6) kiosk(2) day(3) serial(4) check(1)``.

The check digit is Damm's: H. M. Damm, "Total anti-symmetrische Quasigruppen", dissertation, Marburg 2004. One walk
through a totally anti-symmetric quasigroup of order 10 catches every single wrong digit and every swap of two adjacent
digits. Luhn's scheme, used on bank cards, lets the swap 09 <-> 90 pass.

A number is unique because `Serials` remembers what was used, not because the clock says so: the day in it is a hint.
"""

from datetime import date, timedelta
from typing import Self

import msgspec

LENGTH = 16
LAST_SERIAL = 9999
LOST_SERIALS = 1000
LAST_FLOOR = 9000
DRILL = 0
"""The kiosk in the numbers of a drill: no kiosk of a site has it."""
DAYS = 1000
"""A day of a tube number is a count of days since 1970-01-01, local time, modulo this."""

_DAMM = (
    (0, 3, 1, 7, 5, 9, 8, 6, 4, 2),
    (7, 0, 9, 2, 1, 5, 4, 8, 6, 3),
    (4, 2, 0, 6, 8, 7, 1, 3, 5, 9),
    (1, 7, 5, 0, 9, 8, 3, 4, 2, 6),
    (6, 1, 2, 3, 0, 4, 5, 9, 7, 8),
    (3, 6, 7, 4, 2, 0, 9, 5, 8, 1),
    (5, 8, 6, 9, 7, 2, 0, 1, 3, 4),
    (8, 9, 4, 5, 3, 6, 2, 0, 1, 7),
    (9, 4, 3, 8, 6, 1, 7, 2, 0, 5),
    (2, 5, 8, 1, 4, 3, 6, 7, 9, 0),
)


class BadTubeNumber(ValueError):
    """The text is no tube number, or the parts make none; the message says why."""


class NumbersExhausted(Exception):
    """All 9,999,000 numbers of this kiosk are used."""


def check_digit(digits: str) -> str:
    """The Damm digit that belongs behind ``digits``. Over digits and check digit together the result is "0"."""
    state = 0
    for digit in digits:
        state = _DAMM[state][int(digit)]
    return str(state)


class TubeNumber(msgspec.Struct, frozen=True, order=True):
    """The parts of a number: ``site`` six digits, ``kiosk`` 0-99, ``day`` 0-999, ``serial`` 1-9999; ``str()`` is all.

    Raises BadTubeNumber when a part is out of its range.
    """

    site: str
    kiosk: int
    day: int
    serial: int

    def __post_init__(self) -> None:
        if not (len(self.site) == 6 and _is_digits(self.site)):
            raise BadTubeNumber(f"site {self.site!r}: a site code is six digits")
        for part, value, low, high in (
            ("kiosk", self.kiosk, DRILL, 99),
            ("day", self.day, 0, DAYS - 1),
            ("serial", self.serial, 1, LAST_SERIAL),
        ):
            if not low <= value <= high:
                raise BadTubeNumber(f"{part} {value}: must be from {low} to {high}")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads 16 digits. Raises BadTubeNumber that says what is wrong: a character, length, check digit, a part."""
        for place, character in enumerate(text, 1):
            if not _is_digits(character):
                raise BadTubeNumber(f"character {place} is {character!r}: a tube number has digits only")
        if len(text) != LENGTH:
            raise BadTubeNumber(f"{len(text)} digits: a tube number has {LENGTH}")
        if text[-1] != (expected := check_digit(text[:-1])):
            raise BadTubeNumber(
                f"check digit {text[-1]} is wrong: after these {LENGTH - 1} digits it would be {expected}"
            )
        return cls(text[:6], int(text[6:8]), int(text[8:11]), int(text[11:15]))

    def __str__(self) -> str:
        body = f"{self.site}{self.kiosk:02}{self.day:03}{self.serial:04}"
        return body + check_digit(body)

    @property
    def drill(self) -> bool:
        """Of a drill, and never of a resident's specimen."""
        return self.kiosk == DRILL

    def grouped(self) -> str:
        """The number as people read it: "360481 01 123 0007 0"."""
        text = str(self)
        return " ".join((text[:6], text[6:8], text[8:11], text[11:15], text[15:]))


def explain(number: str, today: int | None = None) -> str:
    """What a technician wants to know of a number; blanks and hyphens between its groups are allowed.

    ``today``: days since 1970-01-01, to name the likely date. Raises BadTubeNumber that says what is wrong.
    """
    tube = TubeNumber.parse("".join(number.replace("-", " ").split()))
    day = f"{tube.day:03}   days since 1970-01-01, modulo {DAYS}"
    if today is not None:
        likely = date(1970, 1, 1) + timedelta(days=today - (today - tube.day) % DAYS)
        day += f": {likely.isoformat()}, if the kiosk's clock was right and the day had numbers left"
    return "\n".join(
        (
            f"tube    {tube.grouped()}",
            f"site    {tube.site}",
            f"kiosk   {tube.kiosk:02}" + ("   of a drill 演练: no specimen" if tube.drill else ""),
            f"day     {day}",
            f"serial  {tube.serial:04}  number {tube.serial} of that day",
            f"check   {str(tube)[-1]}     right (Damm)",
        )
    )


class Serials(msgspec.Struct, frozen=True):
    """Which numbers are used: ``last`` maps a day to its highest used serial. The fold of the journal, so that no clock
    that jumps back, stands still or was never set, and no return of a day after 1000, gives a number twice. ``floor``:
    serials up to this one may have been used by a journal that is lost."""

    last: dict[int, int] = {}
    floor: int = 0

    def next(self, day: int) -> tuple[int, int]:
        """The next free (day, serial), at or after the preferred ``day`` (0-999). Raises NumbersExhausted."""
        for ahead in range(DAYS):
            candidate = (day + ahead) % DAYS
            if (serial := max(self.last.get(candidate, 0), self.floor) + 1) <= LAST_SERIAL:
                return candidate, serial
        raise NumbersExhausted("this kiosk has used all its tube numbers: give it another kiosk number")

    def used(self, day: int, serial: int) -> "Serials":
        """The state after (``day``, ``serial``) was given away."""
        return Serials(self.last | {day: max(serial, self.last.get(day, 0))}, self.floor)

    def above(self, lost: int) -> "Serials":
        """The state when so many journals of this kiosk are lost: each may have used LOST_SERIALS of any day."""
        return Serials(self.last, max(self.floor, min(lost * LOST_SERIALS, LAST_FLOOR)))


def _is_digits(text: str) -> bool:
    return text.isascii() and text.isdecimal()
