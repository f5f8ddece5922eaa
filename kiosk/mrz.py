"""The machine-readable zone of a passport: ICAO 9303 part 4, TD3, two lines of 44 characters. Pure."""

import re
from datetime import date
from typing import NamedTuple

from kiosk.domain import DocumentKind, Person
from kiosk.identity import check_731

LINE = 44
_SEX = {"M": "1", "F": "2", "<": "9", "X": "9"}  # GB/T 2261.1: 9 is "not stated"
_FILLED = re.compile(r"[A-Z0-9<]{88}")


class BadZoneError(ValueError):
    """This is a passport's zone, and it cannot be right. The text tells which part, and nothing of what it holds."""


class _Part(NamedTuple):
    name: str
    text: str
    check: str


def is_zone(text: str) -> bool:
    """Whether a scanned text is meant to be one: P, and 88 characters without what a scanner puts between the lines."""
    return text.startswith("P") and _FILLED.fullmatch(_joined(text)) is not None


def _joined(text: str) -> str:
    return re.sub(r"[\s\x1c-\x1f]", "", text)


def parse(text: str, today: date) -> Person:
    """The holder. Years have two digits: nobody is born after ``today``, a passport is good for 50 years at most.

    Raises BadZoneError where a check digit is wrong or a date is none."""
    zone = _joined(text)
    first, second = zone[:LINE], zone[LINE:]
    number, nationality, birth, sex, expiry, personal = (
        second[:9], second[10:13], second[13:19], second[20], second[21:27], second[28:42],
    )  # fmt: skip
    composite = second[:10] + second[13:20] + second[21:43]
    for part in (
        _Part("number", number, second[9]),
        _Part("date of birth", birth, second[19]),
        _Part("date of expiry", expiry, second[27]),
        _Part("personal number", personal, "0" if second[42] == "<" else second[42]),
        _Part("composite", composite, second[43]),
    ):
        if check_731(part.text.replace("<", "0")) != part.check:
            raise BadZoneError(f"{part.name}: wrong check digit")
    if sex not in _SEX:
        raise BadZoneError("sex: expected M, F or <")
    surname, _, given = first[5:].partition("<<")
    return Person(
        document=DocumentKind.PASSPORT,
        number=number.rstrip("<"),
        name="",
        birth=_date("date of birth", birth, today.year),
        sex=_SEX[sex],
        nationality=nationality.rstrip("<"),
        latin_name=" ".join(f"{surname}<{given}".replace("<", " ").split()),
        valid_to=_date("date of expiry", expiry, today.year + 50),
    )


def _date(name: str, digits: str, latest_year: int) -> str:
    """YYYYMMDD, in the last hundred years before ``latest_year``. Parts that are not known may be 00 or <<."""
    try:
        year = int(digits[:2]) + latest_year // 100 * 100
    except ValueError:
        raise BadZoneError(f"{name}: no date") from None
    if year > latest_year:
        year -= 100
    month, day = digits[2:4].replace("<", "0"), digits[4:6].replace("<", "0")
    try:
        date(year, int(month) or 1, int(day) or 1)
    except ValueError:
        raise BadZoneError(f"{name}: no date") from None
    return f"{year}{month}{day}"
