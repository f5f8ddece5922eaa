"""`kiosk-hub roster`: rosters for the kiosks, and by name who of one has not come (rules P1, P15)."""

import argparse
import csv
import sys
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple

import msgspec

from hub.access import on_record
from hub.commands import Message
from hub.entries import entries
from hub.intake import wall_ms
from hub.store import Store
from kiosk import facts, frames
from kiosk.commands import EVERYBODY
from kiosk.domain import Stamp, Trust
from kiosk.frames import State
from kiosk.roster import codec, pieces, table
from kiosk.roster.codec import SUFFIX
from kiosk.roster.entry import Entry, RosterError
from kiosk.seal import PrivateKeys, Sealer, SealError, digest_key, key_name, normal_number, open_box

OK, WRONG_TABLE = 0, 65
AGAIN_MS = 120_000
"""What a kiosk has not taken after so long is sent again, when it says that it is there."""
_EPOCH = date(1970, 1, 1)
_HEADINGS = ("楼栋/村", "行", "姓名", "证件号码", "电话", "类别", "状态", "上次采样", "应采日期", "车牌")


def add_commands(parser: argparse.ArgumentParser) -> None:
    """`kiosk-hub roster make | missing`."""
    commands = parser.add_subparsers(required=True, metavar="WHAT")
    text = "Make a roster file for the kiosks of a site from a table (CSV or .xlsx)."
    making = commands.add_parser("make", help=text, description=text)
    making.set_defaults(command=_make, db=None)
    making.add_argument("--site", required=True, help="six digits")
    making.add_argument("--private-key", type=Path, required=True, metavar="FILE", help="private.key")
    making.add_argument(
        "--key", type=Path, required=True, metavar="FILE", help="the round's digest key; made if it is not there"
    )
    making.add_argument("table", type=Path)
    making.add_argument("out", type=Path, help=f"NAME{SUFFIX}")

    text = "Have the receiver on this database send a roster to the kiosks of its site that do not have it."
    push = commands.add_parser("push", help=text, description=text)
    push.set_defaults(command=_push)
    push.add_argument("--db", type=Path, required=True, metavar="FILE", help="the database of received facts")
    push.add_argument("--private-key", type=Path, required=True, metavar="FILE", help="private.key")
    push.add_argument("--number", type=int, default=EVERYBODY, metavar="N", help="only this kiosk")
    push.add_argument("file", type=Path, help=f"NAME{SUFFIX}, as it was made")

    text = "Name everybody of a roster who has not come, as CSV. Each use is on record."
    missing = commands.add_parser("missing", help=text, description=text)
    missing.set_defaults(command=_missing)
    missing.add_argument("--db", type=Path, required=True, metavar="FILE", help="the database of received facts")
    missing.add_argument("--private-key", type=Path, required=True, metavar="FILE", help="private.key")
    missing.add_argument("--roster", type=Path, required=True, metavar="FILE", help=f"NAME{SUFFIX}, as it was made")
    missing.add_argument("--visits", action="store_true", help="only those who are to be visited at home")
    which = missing.add_mutually_exclusive_group()
    which.add_argument("--since", type=_day, metavar="DATE", help="who has not come since (default: it was made)")
    which.add_argument(
        "--overdue", type=int, metavar="DAYS", help="whose last sampling is so long ago, or as long as their row says"
    )
    missing.add_argument("--out", type=Path, metavar="FILE", help="default: standard output")


def _day(text: str) -> int:
    try:
        return (date.fromisoformat(text) - _EPOCH).days
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no day such as 2022-03-16") from None


def _make(options: argparse.Namespace) -> int:
    private = PrivateKeys.parse(options.private_key.read_text("utf-8"))
    try:
        read = table.read(options.table)
        for fault in read.faults:
            sys.stderr.write(f"{fault}\n")
        if read.faults:
            raise RosterError(f"{len(read.faults)} cells must be put right; nothing was made")
        key = digest_key("file", options.key)
        made = codec.make(
            read.entries,
            site=options.site,
            made=wall_ms(),
            key=key_name(key),
            digest=Sealer(private.public, key).digest,
            seal=private.public.seal,
            sign=private.sign,
        )
        codec.header(codec.split(made), [private.public.verify])
    except RosterError as error:
        sys.stderr.write(f"kiosk-hub roster: {error}\n")
        return WRONG_TABLE
    options.out.write_bytes(made)
    sys.stdout.write(f"{options.out}: {len(read.entries)} people for site {options.site}\n")
    return OK


def _push(options: argparse.Namespace) -> int:
    private = PrivateKeys.parse(options.private_key.read_text("utf-8"))
    try:
        parts = codec.split(options.file.read_bytes())
        header = codec.header(parts, [private.public.verify])
        data = codec.join(parts._replace(box=b""))
        count = sum(1 for _ in pieces.cut(header.made, data))
    except RosterError as error:
        sys.stderr.write(f"kiosk-hub roster: {options.file.name}: {error}\n")
        return WRONG_TABLE
    store = Store(options.db, create=True)
    with store.transaction():
        place = (header.site, options.number)
        store.rows("INSERT OR REPLACE INTO roster VALUES (?, ?, ?, ?)", *place, header.made, data)
    store.close()
    whom = f"{header.site}/{options.number or 'all'}"
    sys.stdout.write(f"{header.count} people for {whom}: sent in {count} pieces to each kiosk that says it is there\n")
    return OK


class Outbox:
    """Sends each kiosk that says it is there the roster it should have and does not."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._sent: dict[tuple[str, int], tuple[int, int]] = {}
        self._newest = self._last()

    def _last(self) -> int:
        return self._store.rows("SELECT max(made) FROM roster").fetchone()[0] or 0

    def fresh(self) -> list[tuple[str, int]]:
        """The kiosks of the sites that have got a roster since the last time."""
        before, self._newest = self._newest, self._last()
        if self._newest == before:
            return []
        query = "SELECT DISTINCT site, device.kiosk FROM device JOIN roster USING (site) WHERE made > ?"
        return list(self._store.rows(query, before).fetchall())

    def due(self, site: str, kiosk: int, now: int) -> Iterator[Message]:
        """``now``: ms since 1970 UTC. What was sent a moment ago is on its way."""
        query = "SELECT made, data FROM roster WHERE site = ? AND kiosk IN (?, ?) ORDER BY made DESC LIMIT 1"
        row = self._store.rows(query, site, kiosk, EVERYBODY).fetchone()
        if row is None or self._has(site, kiosk) >= row[0]:
            return
        made, at = self._sent.get((site, kiosk), (0, 0))
        if made == row[0] and now - at < AGAIN_MS:
            return
        self._sent[site, kiosk] = (row[0], now)
        for piece in pieces.cut(row[0], bytes(row[1])):
            yield Message(frames.topic(site, kiosk, "roster"), piece)

    def _has(self, site: str, kiosk: int) -> int:
        """When the roster that this kiosk uses was made."""
        row = self._store.rows("SELECT state FROM device WHERE site = ? AND kiosk = ?", site, kiosk).fetchone()
        said = msgspec.msgpack.decode(row[0], type=State).roster if row and row[0] else 0
        return said if isinstance(said, int) else 0


def _missing(options: argparse.Namespace) -> int:
    private = PrivateKeys.parse(options.private_key.read_text("utf-8"))
    try:
        parts = codec.split(options.roster.read_bytes())
        entries = codec.entries(parts, private)
    except RosterError as error:
        sys.stderr.write(f"kiosk-hub roster: {options.roster.name}: {error}\n")
        return WRONG_TABLE
    made = codec.claimed(parts).made
    store = Store(options.db)
    try:
        with on_record(store, f"who of {options.roster.name} has not come") as access:
            came = sampled(store, private)
            if options.overdue is not None:
                chosen = overdue(entries, came, options.overdue, _today(wall_ms()))
            else:
                since = _today(made) if options.since is None else options.since
                chosen = [Missing(each, _last(each, came), 0) for each in entries if _came(each, came) < since]
            rows = [each for each in chosen if each.entry.visit or not options.visits]
            _write(options.out, rows)
            access.opened = len(rows)
    finally:
        store.close()
    return OK


class Missing(NamedTuple):
    """``last`` and ``due``: days since 1970, 0 for unknown."""

    entry: Entry
    last: int
    due: int


def overdue(entries: list[Entry], came: dict[str, int], days: int, today: int) -> list[Missing]:
    """Whose next sampling should have been before ``today``; ``days``: between two, where the row does not say."""
    rows = [(each, _last(each, came)) for each in entries]
    dues = [Missing(each, last, last + (each.every or days) if last else 0) for each, last in rows]
    return [each for each in dues if each.due < today]


def _came(entry: Entry, came: dict[str, int]) -> int:
    return came.get(normal_number(entry.number), 0)


def _last(entry: Entry, came: dict[str, int]) -> int:
    return max(entry.last, _came(entry, came))


def sampled(store: Store, private: PrivateKeys) -> dict[str, int]:
    """Document number to the last day a swab of its holder went into a tube that was not lost."""
    came: dict[str, int] = {}
    for (journal,) in store.rows("SELECT journal FROM journal").fetchall():
        people: dict[int, tuple[bytes, int]] = {}
        bound: set[int] = set()
        for entry, at in entries(store, journal):
            match entry.fact:
                case facts.Registered() as fact:
                    people[fact.person] = (fact.subject.box, _when(entry.at, at))
                case facts.Bound(person=person):
                    bound.add(person)
                case facts.Unbound(person=person):
                    bound.discard(person)
                case facts.TubeLost(people=lost):
                    bound -= set(lost)
        for person in bound & people.keys():
            box, day = people[person]
            if number := _number(private, box):
                came[number] = max(day, came.get(number, 0))
    return came


def _when(at: Stamp, received: int) -> int:
    """The day, by our own clock where the kiosk's cannot be believed."""
    return at.day if at.trust >= Trust.RTC else _today(received)


def _today(ms: int) -> int:
    return (ms // 1000 + 8 * 3600) // 86_400


def _number(private: PrivateKeys, box: bytes) -> str:
    try:
        return normal_number(str(open_box(private, box).get("number", "")))
    except SealError:
        return ""


def _write(out: Path | None, rows: list[Missing]) -> None:
    lines = list(_lines(rows))
    if out is None:
        csv.writer(sys.stdout).writerows(lines)
        return
    with out.open("w", encoding="utf-8-sig", newline="") as file:  # as a spreadsheet wants it
        csv.writer(file).writerows(lines)
    sys.stderr.write(f"{out}: {len(rows)} people\n")


def _lines(rows: list[Missing]) -> Iterator[tuple[object, ...]]:
    yield _HEADINGS
    for each in sorted(rows, key=lambda each: (each.entry.place, each.entry.row)):
        entry = each.entry
        status = "外出" if entry.away else "上门" if entry.visit else ""
        yield (
            entry.place,
            entry.row,
            entry.name,
            entry.number,
            entry.phone,
            entry.category.value,
            status,
            _text(each.last),
            _text(each.due),
            entry.vehicle,
        )


def _text(day: int) -> str:
    return (_EPOCH + timedelta(day)).isoformat() if day else ""
