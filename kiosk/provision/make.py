"""On a laptop at the command post: provisioning files and codes for one kiosk, or for a list of a hundred."""

import base64
import csv
import errno
import io
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from kiosk import config_file, files
from kiosk.config import ConfigError
from kiosk.provision import codes, rows, toml
from kiosk.provision.card import decode
from kiosk.provision.merge import PROFILES, make
from kiosk.provision.rows import Row, Rows
from kiosk.provision.schema import NAME, Provision, check
from kiosk.seal import PrivateKeys

EXPECTED = "expected.csv"
"""For `kiosk-hub expect`: which kiosk will prove itself by which one-time id."""


class Made(NamedTuple):
    provision: Provision
    text: str
    codes: list[str]

    @property
    def folder(self) -> str:
        return f"{self.provision.site.code}-{self.provision.kiosk.number:02}"


def site_tables(path: Path, keys: PrivateKeys) -> dict[str, Any]:
    """What all kiosks of a site share: a kiosk-provision.toml without number and key; the key is ours. Raises
    ConfigError, OSError."""
    data = config_file.parse(decode(path.read_bytes(), path.name), path.name)
    own = keys.public.line()
    if (named := data.setdefault("seal", {}).setdefault("public_key", own)) and named != own:
        raise ConfigError(f"{path.name}: seal.public_key: found another key than that of the private key: leave it out")
    data["seal"]["public_key"] = own
    data.pop("id", None)
    return data


def one(site: Path, number: int, keys: PrivateKeys, profiles: Sequence[Path] = PROFILES) -> list[Made]:
    """Raises ConfigError, OSError."""
    return [_made(site_tables(site, keys), Row(0, {"kiosk.number": number}), keys, site.name, profiles)]


def many(site: Path, listed: Path, keys: PrivateKeys, profiles: Sequence[Path] = PROFILES) -> list[Made]:
    """All kiosks of a list, or ConfigError with a line for each row that is wrong. Raises OSError."""
    tables, table = site_tables(site, keys), rows.read(listed)
    made: list[Made] = []
    faults: list[str] = []
    seen: dict[tuple[str, int], int] = {}
    for row in table.rows:
        try:
            each = _made(tables, row, keys, "", profiles)
        except ConfigError as error:
            faults.append(table.located(row.line, str(error).removeprefix(": ")))
            continue
        place = each.provision.site.code, each.provision.kiosk.number
        if (line := seen.setdefault(place, row.line)) != row.line:
            again = f"kiosk.number: found {place[1]} again, expected each number once: line {line} has it"
            faults.append(table.located(row.line, again))
        made.append(each)
    if faults:
        raise ConfigError("\n".join([*faults, _summary(table, len(faults))]))
    return made


def _summary(table: Rows, count: int) -> str:
    return f"{table.path.name}: {count} of {len(table.rows)} rows are wrong, nothing is written"


def _made(site: dict[str, Any], row: Row, keys: PrivateKeys, name: str, profiles: Sequence[Path]) -> Made:
    data = {key: dict(value) if isinstance(value, dict) else value for key, value in site.items()}
    data.setdefault("kiosk", {})
    for key, value in row.cells.items():
        _put(data, key.split("."), value)
    data["id"] = base64.b32encode(secrets.token_bytes(10)).decode()
    provision = check(data, name)
    make(provision, name, profiles)
    text = toml.dumps(data)
    try:
        return Made(provision, text, codes.split(codes.seal(text, keys.sign), provision.id))
    except codes.CodeError as error:
        raise ConfigError(f"{name}: {error}") from None


def _put(table: dict[str, Any], keys: Sequence[str], value: object) -> None:
    """Leaves the tables of other kiosks alone."""
    first, *rest = keys
    if not rest:
        table[first] = value
        return
    below = table.get(first)
    table[first] = dict(below) if isinstance(below, dict) else {}
    _put(table[first], rest, value)


def write(made: Sequence[Made], out: Path) -> None:
    """A folder for each kiosk. Raises FileExistsError, before anything is written, where one is there; OSError."""
    for path in (*(out / each.folder for each in made), out / EXPECTED):
        if path.exists():
            raise FileExistsError(errno.EEXIST, "it is there and is not overwritten: choose another folder", str(path))
    for each in made:
        _write(each, out / each.folder)
    files.put(out / EXPECTED, expected(made).encode(), 0o600)


def _write(made: Made, folder: Path) -> None:
    from kiosk.provision import sheet

    files.put(folder / NAME, made.text.encode(), 0o600)
    for number, code in enumerate(made.codes, 1):
        files.put(folder / f"code-{number}-of-{len(made.codes)}.png", _saved(sheet.code_picture(code), "PNG"), 0o600)
    first, *others = sheet.pages(made.provision, made.codes)
    pdf = _saved(first, "PDF", resolution=sheet.DPI, save_all=True, append_images=others)
    files.put(folder / "sheet.pdf", pdf, 0o600)


def _saved(image: Any, form: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def expected(made: Sequence[Made]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("site", "number", "id"))
    writer.writerows((each.provision.site.code, each.provision.kiosk.number, each.provision.id) for each in made)
    return out.getvalue()
