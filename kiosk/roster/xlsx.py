"""The text of the first sheet of an .xlsx workbook (ECMA-376, Office Open XML), and nothing else of it.

What comes from a stranger's stick is read within bounds: no part unfolds to more than MAX_PART bytes, and a document
type, which alone could declare entities, ends the reading.
"""

import io
import re
import zipfile
import zlib
from collections.abc import Callable
from typing import Any
from xml.parsers import expat

from kiosk.roster.entry import RosterError

MAX_PART = 512 << 20
"""Bytes of one part of the workbook: a sheet of a million people has less than half of it."""
MAX_COLUMNS = 200
_WORKBOOK, _RELATIONS, _STRINGS = "xl/workbook.xml", "xl/_rels/workbook.xml.rels", "xl/sharedStrings.xml"
_REFERENCE = re.compile(r"([A-Z]{1,3})([1-9][0-9]{0,6})")
_CHUNK = 1 << 16

Start = Callable[[str, dict[str, str]], None]
Sheet = dict[int, list[str]]
"""Row number, from 1, to its cells."""


def read(data: bytes) -> Sheet:
    """Rows that hold something. Raises RosterError."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as book:
            names = set(book.namelist())
            if _WORKBOOK not in names:
                raise RosterError(f"found {_kind(names)}, expected a workbook (.xlsx) or CSV")
            strings = _strings(book) if _STRINGS in names else []
            rows = _sheet(book, _first_sheet(book), strings)
            if not rows and any(name.startswith("xl/media/") for name in names):
                raise RosterError("found a sheet of pictures, expected cells with text: photographs cannot be read")
            return rows
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError):
        raise RosterError("the workbook is damaged or encrypted: save it again as .xlsx, without a password") from None


def _kind(names: set[str]) -> str:
    if any(name.startswith("word/") for name in names):
        return "a Word document"
    if any(re.search(r"\.(jpe?g|png|heic|bmp|webp)$", name, re.IGNORECASE) for name in names):
        return "a ZIP of pictures"
    return "a ZIP without a workbook in it"


def _first_sheet(book: zipfile.ZipFile) -> str:
    ids: list[str] = []
    targets: dict[str, str] = {}

    def workbook(tag: str, attributes: dict[str, str]) -> None:
        if tag == "sheet":
            ids.extend(value for name, value in attributes.items() if name.endswith(":id"))
        if tag == "workbookPr" and attributes.get("date1904") in ("1", "true"):
            raise RosterError("the workbook counts days from 1904: save it with dates from 1900, or as CSV")

    def relation(tag: str, attributes: dict[str, str]) -> None:
        if tag == "Relationship":
            targets[attributes.get("Id", "")] = attributes.get("Target", "")

    _parse(book, _WORKBOOK, workbook)
    _parse(book, _RELATIONS, relation)
    target = targets.get(ids[0], "") if ids else ""
    if not target:
        raise RosterError("the workbook has no sheet")
    return target.removeprefix("/") if target.startswith("/") else f"xl/{target}"


def _strings(book: zipfile.ZipFile) -> list[str]:
    strings: list[str] = []
    texts: list[str] = []
    reading = phonetic = False

    def start(tag: str, _: dict[str, str]) -> None:
        nonlocal reading, phonetic
        if tag == "si":
            texts.clear()
        phonetic = phonetic or tag == "rPh"
        reading = tag == "t" and not phonetic

    def end(tag: str) -> None:
        nonlocal reading, phonetic
        reading = False
        phonetic = phonetic and tag != "rPh"
        if tag == "si":
            strings.append("".join(texts))

    _parse(book, _STRINGS, start, end, lambda text: texts.append(text) if reading else None)
    return strings


def _sheet(book: zipfile.ZipFile, part: str, strings: list[str]) -> Sheet:
    rows: Sheet = {}
    merged: list[str] = []
    texts: list[str] = []
    kind, reading, row, column = "n", False, 0, -1

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal kind, reading, row, column
        if tag == "row":
            row, column = _count(attributes.get("r", row + 1)), -1
        elif tag == "c":
            kind = attributes.get("t", "n")
            column = _place(attributes["r"])[1] if "r" in attributes else column + 1
            texts.clear()
        elif tag == "mergeCell":
            merged.append(attributes.get("ref", ""))
        reading = tag in ("v", "t")

    def end(tag: str) -> None:
        nonlocal reading
        reading = False
        if tag == "c" and (text := _text(kind, "".join(texts), strings).strip()) and 0 <= column < MAX_COLUMNS:
            cells = rows.setdefault(row, [])
            cells.extend([""] * (column + 1 - len(cells)))
            cells[column] = text

    _parse(book, part, start, end, lambda text: texts.append(text) if reading else None)
    for reference in merged:
        _spread(rows, reference)
    return rows


def _text(kind: str, raw: str, strings: list[str]) -> str:
    if kind == "s":
        index = _count(raw) if raw else -1
        if not 0 <= index < len(strings):
            raise RosterError("the workbook names a text that it does not have: save it again as .xlsx")
        return strings[index]
    if kind != "n" or not raw:
        return raw
    try:
        value = float(raw)
    except ValueError:
        return raw
    if abs(value) >= 1e15:  # Excel keeps 15 digits: whoever wants to use it must see that it was rounded
        return f"{value:.4E}"
    return str(int(value)) if value.is_integer() else repr(value)


def _spread(rows: Sheet, reference: str) -> None:
    """What stands in merged cells stands in each row of them: one building over its people."""
    first, _, last = reference.partition(":")
    (top, column), (bottom, _) = _place(first), _place(last or first)
    text = rows[top][column] if top in rows and column < len(rows[top]) else ""
    for row in range(top + 1, bottom + 1) if text else ():
        if (cells := rows.get(row)) is not None:
            cells.extend([""] * (column + 1 - len(cells)))
            cells[column] = cells[column] or text


def _place(reference: str) -> tuple[int, int]:
    """Row from 1 and column from 0 of "B3"."""
    found = _REFERENCE.fullmatch(reference)
    if found is None:
        raise RosterError("the workbook has a cell without a place: save it again as .xlsx")
    column = 0
    for letter in found[1]:
        column = column * 26 + ord(letter) - 64
    return int(found[2]), column - 1


def _count(raw: object) -> int:
    try:
        return int(str(raw))
    except ValueError:
        raise RosterError("the workbook is damaged: save it again as .xlsx") from None


def _parse(
    book: zipfile.ZipFile,
    part: str,
    start: Start,
    end: Callable[[str], None] | None = None,
    text: Callable[[str], Any] | None = None,
) -> None:
    """One part, element by element, names without their namespace. Raises RosterError."""

    def doctype(*_: object) -> None:
        raise RosterError(f"{part} declares a document type, which no workbook does: it is not read")

    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = doctype
    parser.StartElementHandler = lambda tag, attributes: start(tag.rpartition(":")[2], attributes)
    if end is not None:
        parser.EndElementHandler = lambda tag: end(tag.rpartition(":")[2])
    if text is not None:
        parser.CharacterDataHandler = text
    read = 0
    try:
        with book.open(part) as stream:
            while chunk := stream.read(_CHUNK):
                read += len(chunk)
                if read > MAX_PART:
                    raise RosterError(f"{part} unfolds to more than {MAX_PART >> 20} MB: it is not read")
                parser.Parse(chunk, False)
        parser.Parse(b"", True)
    except expat.ExpatError as error:
        raise RosterError(f"{part} is damaged ({error}): save the workbook again") from None
    except KeyError:
        raise RosterError(f"the workbook lacks {part}: save it again as .xlsx") from None
