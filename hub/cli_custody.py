"""`kiosk-hub manifest read` and `kiosk-hub members`."""

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from hub.access import on_record
from hub.members import members
from hub.store import Store
from kiosk import manifest
from kiosk.frames import FrameError
from kiosk.manifest import Manifest
from kiosk.seal import PrivateKeys


def add_manifest(parser: argparse.ArgumentParser) -> None:
    """`kiosk-hub manifest read`: no network and no database is needed."""
    what = parser.add_subparsers(required=True, metavar="WHAT")
    text = "Verify a box's manifest and list its tubes."
    read = what.add_parser("read", help=text, description=text)
    read.set_defaults(command=read_manifest)
    read.add_argument("what", nargs="+", help="NAME.manifest, a text file with scanned codes, or the codes (KM1:…)")
    read.add_argument(
        "--key", action="append", default=[], metavar="KEY", help="a kiosk that is trusted: fingerprint or key in hex"
    )
    read.add_argument("--db", type=Path, metavar="FILE", help="trust every kiosk that is enrolled in this database")
    read.add_argument("--json", action="store_true", help="one JSON object instead of text")


def read_manifest(options: argparse.Namespace) -> int:
    trusted = [*options.key, *_enrolled(options.db)]
    try:
        read = manifest.unpack(_envelope(options.what), trusted)
        tubes = read.unfold()
    except FrameError as error:
        sys.stderr.write(f"kiosk-hub manifest: {error}\n")
        return 1
    if options.json:
        head = {name: value for name, value in msgspec.structs.asdict(read).items() if name not in ("tubes", "key")}
        rows = [tube._asdict() for tube in tubes]
        sys.stdout.write(msgspec.json.encode(head | {"box": read.name, "tubes": rows}).decode() + "\n")
    else:
        sys.stdout.write(_text(read, tubes))
    return 0


def _envelope(what: list[str]) -> bytes:
    """Raises FrameError, OSError."""
    codes: list[str] = []
    for each in what:
        if each.upper().startswith(manifest.PREFIX):
            codes.append(each)
            continue
        data = Path(each).read_bytes()
        if not data.upper().startswith(manifest.PREFIX.encode()):
            return data
        codes += data.decode("ascii", "replace").split()
    return manifest.join(codes)


def _enrolled(db: Path | None) -> list[str]:
    if db is None:
        return []
    store = Store(db)
    try:
        return [bytes(row[0]).hex() for row in store.rows("SELECT key FROM device")]
    finally:
        store.close()


def _text(read: Manifest, tubes: list[manifest.Tube]) -> str:
    drill = "DRILL 演练: no specimens\n" if not read.kiosk else ""
    bags = len({tube.bag for tube in tubes})
    lines = [
        f"{drill}box       {read.name}  {read.place}",
        f"tubes     {len(tubes)} in {bags} bags, {sum(tube.members for tube in tubes)} swabs, {read.left} left behind",
        f"to        {read.lab or '-'}, vehicle {read.vehicle or '-'}",
        f"signed    courier {read.courier}, handed over by {read.witness}, {_time(read.at, read.zone)}",
    ]
    for tube in tubes:
        marks = [
            "household" if tube.household else "",
            tube.specimen.value,
            f"{tube.absent} of the label not sampled" if tube.absent else "",
        ]
        sure = "" if tube.trusted else "?"
        lines.append(
            f"{tube.bag:3}  {tube.tube}  {tube.members}/{tube.size}  {_time(tube.first, read.zone)}{sure}  "
            + " ".join(mark for mark in marks if mark)
        )
    return "\n".join(lines) + "\n"


def _time(wall: int, zone: int) -> str:
    return datetime.fromtimestamp(wall / 1000 + zone, UTC).strftime("%Y-%m-%d %H:%M")


def tell_members(options: argparse.Namespace) -> int:
    private, store = PrivateKeys.parse(options.private_key.read_text("utf-8")), Store(options.db)
    tube = "".join(options.tube)
    with on_record(store, f"members of tube {tube}") as access:
        access.opened = 0
        for row in members(store, private, tube):
            sys.stdout.write(msgspec.json.encode(row).decode() + "\n")
            access.opened += "position" in row
    store.close()
    if not access.opened:
        sys.stderr.write(f"kiosk-hub members: nobody is in tube {tube} by what has been received\n")
    return 0 if access.opened else 1
