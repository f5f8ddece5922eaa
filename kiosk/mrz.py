"""The machine-readable zones of travel documents: ICAO 9303 parts 4 to 6. Pure.

    TD3  passports       2 lines of 44
    TD2  larger cards    2 lines of 36
    TD1  cards           3 lines of 30

The first line of TD3 and TD2 and the last of TD1 hold names, and so no digit; every other line has some.
"""

import re
from datetime import date
from typing import NamedTuple

from kiosk.domain import DocumentKind, Person
from kiosk.identity import check_731

LINES = {44: 2, 36: 2, 30: 3}
"""Length of a line to how many there are."""
_SEX = {"M": "1", "F": "2", "<": "9", "X": "9"}  # GB/T 2261.1: 9 is "not stated"
_FILLED = re.compile(r"[A-Z0-9<]+")
_FIRST = re.compile(r"[PIACV][A-Z<]{43}|[PIACV][A-Z<]{35}|(?=.*[0-9])[PIACV][A-Z<]{4}[A-Z0-9<]{25}")


class BadZoneError(ValueError):
    """This is a document's zone, and it cannot be right. The text tells which part, and nothing of what it holds."""


class _Part(NamedTuple):
    name: str
    text: str
    check: str


class _Zone(NamedTuple):
    """What the three layouts have in common."""

    number: _Part
    nationality: str
    birth: _Part
    sex: str
    expiry: _Part
    composite: _Part
    name: str


def is_first(text: str) -> bool:
    """Whether this is the first line of a zone. It has a filler, which no code of another system has."""
    return "<" in text and _FIRST.fullmatch(text) is not None


def is_line(text: str) -> bool:
    """Whether this can be any line of one, taken for itself."""
    return len(text) in LINES and "<" in text and _FILLED.fullmatch(text) is not None


def follows(text: str, first: str) -> bool:
    """Whether this can be a later line of the zone that begins with ``first``, read rightly or not."""
    return len(text) == len(first) and _FILLED.fullmatch(text) is not None and not is_first(text)


def is_zone(text: str) -> bool:
    """Whether a scanned text is meant to be one, without what a scanner puts between the lines."""
    zone = _joined(text)
    if len(zone) == 88 and text.startswith("P"):
        return _FILLED.fullmatch(zone) is not None
    whole = any(len(zone) == length * count and is_first(zone[:length]) for length, count in LINES.items())
    return whole and _FILLED.fullmatch(zone) is not None


def _joined(text: str) -> str:
    return re.sub(r"[\s\x1c-\x1f]", "", text)


def parse(text: str, today: date) -> Person:
    """The holder. Years have two digits: nobody is born after ``today``, a document is good for 50 years at most.

    Raises BadZoneError where a check digit is wrong, a date is none, or the document is a visa: its number may be
    its own."""
    zone = _cut(_joined(text))
    for part in (zone.number, zone.birth, zone.expiry, zone.composite):
        if check_731(part.text.replace("<", "0")) != part.check:
            raise BadZoneError(f"{part.name}: wrong check digit")
    if zone.sex not in _SEX:
        raise BadZoneError("sex: expected M, F or <")
    surname, _, given = zone.name.partition("<<")
    return Person(
        document=DocumentKind.PASSPORT,
        number=zone.number.text.rstrip("<"),
        name="",
        birth=_date(zone.birth, today.year),
        sex=_SEX[zone.sex],
        nationality=zone.nationality.rstrip("<"),
        latin_name=" ".join(f"{surname}<{given}".replace("<", " ").split()),
        valid_to=_date(zone.expiry, today.year + 50),
    )


def _cut(zone: str) -> _Zone:
    if zone.startswith("V"):
        raise BadZoneError("a visa, which is no document of a person")
    if len(zone) == 90:
        return _td1(zone[:30], zone[30:60], zone[60:])
    return _td2_or_3(zone[: len(zone) // 2], zone[len(zone) // 2 :])


def _td1(first: str, second: str, name: str) -> _Zone:
    composite = first[5:30] + second[0:7] + second[8:15] + second[18:29]
    return _Zone(
        _number(first[5:14], first[14], first[15:30]),
        second[15:18],
        _Part("date of birth", second[:6], second[6]),
        second[7],
        _Part("date of expiry", second[8:14], second[14]),
        _Part("composite", composite, second[29]),
        name,
    )


def _td2_or_3(first: str, second: str) -> _Zone:
    """TD3 has a check digit of its own for the optional data, and a number of nine characters at most."""
    passport = len(second) == 44
    if passport and check_731(second[28:42].replace("<", "0")) != second[42].replace("<", "0"):
        raise BadZoneError("personal number: wrong check digit")
    rest = "" if passport else second[28:35]
    composite = second[:10] + second[13:20] + second[21:-1]
    return _Zone(
        _number(second[:9], second[9], rest),
        second[10:13],
        _Part("date of birth", second[13:19], second[19]),
        second[20],
        _Part("date of expiry", second[21:27], second[27]),
        _Part("composite", composite, second[-1]),
        first[5:],
    )


def _number(number: str, check: str, rest: str) -> _Part:
    """A filler for the check digit: the number goes on in the optional data ``rest``, its check digit behind it."""
    more = rest.partition("<")[0]
    if check == "<" and more:
        return _Part("number", number + more[:-1], more[-1])
    return _Part("number", number, check)


def _date(part: _Part, latest_year: int) -> str:
    """YYYYMMDD, in the last hundred years before ``latest_year``. Parts that are not known may be 00 or <<."""
    digits = part.text
    try:
        year = int(digits[:2]) + latest_year // 100 * 100
    except ValueError:
        raise BadZoneError(f"{part.name}: no date") from None
    if year > latest_year:
        year -= 100
    month, day = digits[2:4].replace("<", "0"), digits[4:6].replace("<", "0")
    try:
        date(year, int(month) or 1, int(day) or 1)
    except ValueError:
        raise BadZoneError(f"{part.name}: no date") from None
    return f"{year}{month}{day}"
