"""The list of those who get a badge, as a CSV: number, role, name, since, until, drills."""

import csv
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import msgspec

from kiosk.domain import Private, Role
from kiosk.provision.card import decode

COLUMNS = ("number", "role", "name", "since", "until", "drills")
_NEEDED = ("number", "role", "since", "until")
CHINA = timezone(timedelta(hours=8))
MAX_HOURS = 72
"""A badge is for a shift; a longer one is a mistake in the list."""


class SheetError(ValueError):
    """The list cannot be used; a line for each fault: file, line, column, found, expected."""


class Holder(Private, msgspec.Struct, frozen=True):
    """``name``: for the paper alone, in no code; ``since`` and ``until``: ms since 1970 UTC."""

    number: int
    role: Role
    name: str
    since: int
    until: int
    drills: int

    __repr__ = Private.__repr__
    __str__ = Private.__repr__


def read(path: Path) -> list[Holder]:
    """All of the list or none of it. Raises SheetError, OSError."""
    lines = decode(path.read_bytes(), path.name).splitlines(keepends=True)
    heading = next((line for line in lines if line.strip()), "")
    reader = csv.DictReader(lines, delimiter=max(",;\t", key=heading.count), strict=True, skipinitialspace=True)
    found = [(name or "").strip() for name in reader.fieldnames or ()]
    if set(_NEEDED) - set(found) or set(found) - set(COLUMNS):
        said = f"columns: found {', '.join(found) or 'nothing'}"
        raise SheetError(f"{path.name}:1: {said}, expected {', '.join(_NEEDED)}, and name and drills if you like")
    reader.fieldnames = found
    holders: list[Holder] = []
    faults: list[str] = []
    try:
        for cells in reader:
            try:
                given = {key: (value or "").strip() for key, value in cells.items() if key}
                holders.append(holder(given, {each.number for each in holders}))
            except SheetError as error:
                faults.append(f"{path.name}:{reader.line_num}: {error}")
    except csv.Error as error:
        raise SheetError(f"{path.name}:{reader.line_num}: not valid CSV: {error}") from None
    if not (holders or faults):
        raise SheetError(f"{path.name}: found no badge, expected a line for each below the columns")
    if faults:
        raise SheetError("\n".join((*faults, f"{path.name}: {len(faults)} lines are wrong, nothing is written")))
    return holders


def holder(cells: dict[str, str], taken: set[int]) -> Holder:
    """One line of the list. Raises SheetError, which names the column."""
    number = _number("number", cells.get("number", ""), 1, 9999)
    if number in taken:
        raise SheetError(f"number: found {number} again, expected each number once")
    role = cells.get("role", "")
    if role not in set(Role):
        raise SheetError(f'role: found "{role}", expected one of {", ".join(Role)}')
    since, until = (_moment(name, cells.get(name, "")) for name in ("since", "until"))
    if not since < until <= since + MAX_HOURS * 3_600_000:
        raise SheetError(
            f"until: found {cells.get('until')}, expected a time within {MAX_HOURS} h after since: {cells.get('since')}"
        )
    drills = _number("drills", cells.get("drills", "") or "0", 0, 999)
    return Holder(number, Role(role), cells.get("name", ""), since, until, drills)


def _number(name: str, text: str, least: int, most: int) -> int:
    if not (text.isascii() and text.isdecimal() and least <= int(text) <= most):
        raise SheetError(f'{name}: found "{text}", expected a number from {least} to {most}')
    return int(text)


def _moment(name: str, text: str) -> int:
    """In China's time where it says no other."""
    try:
        given = datetime.fromisoformat(text)
    except ValueError:
        raise SheetError(f'{name}: found "{text}", expected a time such as 2022-03-16 08:00') from None
    moment = given if given.tzinfo is not None else given.replace(tzinfo=CHINA)
    return int(moment.astimezone(UTC).timestamp() * 1000)
