"""A list of kiosks as people keep it: a CSV whose columns are keys of kiosk-provision.toml."""

import csv
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

from msgspec import inspect

from kiosk.config import Config, ConfigError
from kiosk.explain import kind_of
from kiosk.provision.card import decode
from kiosk.provision.schema import Provision

_LOOSE = ("policy", "devices")
"""Tables whose keys are those of kiosk.toml."""


class Row(NamedTuple):
    """``line``: of the file, from 1; ``cells``: dotted key to value, without the empty ones."""

    line: int
    cells: dict[str, Any]


class Rows(NamedTuple):
    """``columns``: dotted key to its place, from 1."""

    path: Path
    columns: dict[str, int]
    rows: list[Row]

    def located(self, line: int, fault: str) -> str:
        """``fault`` (key, found, expected) with file, line and, where a column is to blame, column."""
        key = fault.partition(":")[0]
        place = next((place for column, place in self.columns.items() if key == column), None)
        return f"{self.path.name}:{line}{f':{place}' if place else ''}: {fault}"


def read(path: Path) -> Rows:
    """Raises ConfigError for a file that is no such list, OSError."""
    lines = decode(path.read_bytes(), path.name).splitlines(keepends=True)
    heading = next((line for line in lines if line.strip()), "")
    if not heading:
        raise ConfigError(f"{path.name}:1: found nothing, expected a line of columns such as kiosk.number")
    delimiter = max(",;\t", key=heading.count)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    columns: dict[str, int] = {}
    rows: list[Row] = []
    try:
        for cells in reader:
            line = reader.line_num
            if not any(cell.strip() for cell in cells):
                continue
            if not columns:
                columns = _columns(path, line, cells)
                continue
            if any(cell.strip() for cell in cells[len(columns) :]):
                expected = f"{len(columns)} cells, as many as columns"
                raise ConfigError(f"{path.name}:{line}:{len(columns) + 1}: found {len(cells)}, expected {expected}")
            named = zip(columns, map(str.strip, cells), strict=False)
            rows.append(Row(line, {key: _value(key, cell) for key, cell in named if cell}))
    except csv.Error as error:
        raise ConfigError(f"{path.name}:{reader.line_num}: not valid CSV: {error}") from None
    if not rows:
        raise ConfigError(f"{path.name}: found no kiosk, expected a line for each below the columns")
    return Rows(path, columns, rows)


def _columns(path: Path, line: int, cells: list[str]) -> dict[str, int]:
    columns: dict[str, int] = {}
    for place, key in enumerate(map(str.strip, cells), 1):
        keys = key.split(".")
        if _kind(keys) is None and not (keys[0] == "devices" and keys[-1] == "driver"):
            expected = "a key of kiosk-provision.toml, such as kiosk.number"
            raise ConfigError(f'{path.name}:{line}:{place}: found the column "{key}", expected {expected}')
        if key in columns:
            raise ConfigError(f'{path.name}:{line}:{place}: found the column "{key}" twice, expected it once')
        columns[key] = place
    return columns


def _value(key: str, cell: str) -> Any:
    """Text where the key wants text; otherwise what the cell says in TOML: 3, true, [40, 30]."""
    kind = _kind(key.split("."))
    if any(isinstance(each, inspect.StrType) for each in getattr(kind, "types", (kind,))):
        return cell
    try:
        return tomllib.loads(f"cell = {cell}")["cell"]
    except tomllib.TOMLDecodeError:
        return cell


def _kind(keys: list[str]) -> Any:
    return kind_of(Config if keys[0] in _LOOSE else Provision, keys)
