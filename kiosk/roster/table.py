"""A roster as people keep it, a CSV or a workbook, and every row of it that cannot be used."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from kiosk.config import ConfigError
from kiosk.provision.card import decode
from kiosk.roster import xlsx
from kiosk.roster.cells import FIELD_OF, HEADINGS, MEANING, CellError, plain
from kiosk.roster.entry import Entry, RosterError

MAX_BYTES = 256 << 20
_REPORT_DAYS = 7
_NEEDED = ("name", "number")
_HEADING_WITHIN = 10
"""Lines in which the headings must come: a title may stand above them."""
_STRANGERS = (
    (0, b"\xff\xd8\xff", "a photograph (JPEG)"),
    (4, b"ftyphei", "a photograph (HEIC)"),
    (0, b"\x89PNG", "a picture (PNG)"),
    (0, b"GIF8", "a picture (GIF)"),
    (8, b"WEBP", "a picture (WebP)"),
    (0, b"%PDF", "a PDF"),
    (0, b"\xd0\xcf\x11\xe0", "an old workbook (.xls), or one with a password"),
)

Cells = tuple[int, list[str]]
"""Row number, from 1, and its cells."""


class Table(NamedTuple):
    """``faults``: one line for each cell that cannot be used; ``passed_over``: headings that mean nothing here."""

    entries: list[Entry]
    faults: list[str]
    passed_over: list[str]


def read(path: Path) -> Table:
    """Raises RosterError for a file that is no such table, OSError."""
    if path.stat().st_size > MAX_BYTES:
        raise RosterError(f"{path.name}: found more than {MAX_BYTES >> 20} MB, expected a table of people")
    return _Reading(path.name).table(_rows(path))


def _rows(path: Path) -> Iterator[Cells]:
    data = path.read_bytes()
    for start, magic, kind in _STRANGERS:
        if data.startswith(magic, start):
            raise RosterError(f"{path.name}: found {kind}, expected a table: save it as .xlsx or CSV")
    try:
        if data.startswith(b"PK"):
            yield from sorted(xlsx.read(data).items())
        else:
            yield from _csv(decode(data, path.name))
    except ConfigError as error:
        raise RosterError(str(error)) from None
    except RosterError as error:
        raise RosterError(f"{path.name}: {error}") from None


def _csv(text: str) -> Iterator[Cells]:
    lines = text.splitlines(keepends=True)
    if "\0" in text:
        raise RosterError("found bytes that are no text, expected a table: save it as .xlsx or CSV")
    delimiter = max(",;\t", key="".join(lines[:_HEADING_WITHIN]).count)
    reader = csv.reader(lines, delimiter=delimiter)
    try:
        for cells in reader:
            yield reader.line_num, [cell.strip() for cell in cells]
    except csv.Error as error:
        raise RosterError(f"row {reader.line_num}: not valid CSV: {error}") from None


class _Reading:
    def __init__(self, name: str) -> None:
        self._name = name
        self._columns: dict[int, str] = {}
        self._titles: list[str] = []
        self._faults: list[str] = []
        self._rows: dict[str, int] = {}

    def table(self, rows: Iterator[Cells]) -> Table:
        entries: list[Entry] = []
        for row, cells in rows:
            if not any(cells):
                continue
            if not self._columns:
                self._heading(row, cells)
            elif (entry := self._entry(row, cells)) is not None:
                entries.append(entry)
        if not self._columns:
            raise RosterError(
                f"{self._name}: found no line of headings, expected 姓名 (name), 证件号码 (number) and more"
            )
        if not entries and not self._faults:
            raise RosterError(f"{self._name}: found no people, expected a row for each below the headings")
        strange = [title for place, title in enumerate(self._titles) if title and place not in self._columns]
        return Table(entries, self._faults, strange)

    def _heading(self, row: int, cells: list[str]) -> None:
        columns = {place: FIELD_OF[plain(cell)] for place, cell in enumerate(cells) if plain(cell) in FIELD_OF}
        there = set(columns.values())
        if "number" not in there:
            if row >= _HEADING_WITHIN:
                expected = "、".join(headings.split()[0] for headings in HEADINGS.values())
                raise RosterError(
                    f"{self._name}:{row}: found no column 证件号码 (number), expected headings: {expected}"
                )
            return
        for field in _NEEDED:
            if field not in there:
                heading = HEADINGS[field].split()[0]
                raise RosterError(f"{self._name}:{row}: found no column {heading} ({field}), expected one")
        for field in there:
            if (found := list(columns.values()).count(field)) > 1:
                titles = "、".join(cells[place] for place, each in columns.items() if each == field)
                raise RosterError(f"{self._name}:{row}: found {found} columns for one thing ({titles}), expected one")
        self._columns, self._titles = columns, cells

    def _entry(self, row: int, cells: list[str]) -> Entry | None:
        fields: dict[str, Any] = {"row": row}
        good = True
        for place, field in self._columns.items():
            cell = cells[place] if place < len(cells) else ""
            try:
                if cell:
                    fields |= MEANING[field](cell)
                elif field in _NEEDED:
                    raise CellError("found nothing, expected it in every row")
                if field == "number" and (before := self._rows.setdefault(fields["number"], row)) != row:
                    raise CellError(f"found the number of row {before} again, expected everybody once")
            except CellError as error:
                self._faults.append(f"{self._name}:{row}:{place + 1}: {self._titles[place]}: {error}")
                good = False
        if not good:
            return None
        reported = fields.pop("report_day", 0)
        if reported and fields.get("arrival"):
            fields["report"] = 0 <= fields["arrival"] // (24 * 60) - reported <= _REPORT_DAYS
        return msgspec.convert(fields, Entry)
