"""The roster in use: a file in the data folder, read where it lies; who is on it, who has not come, who is due.

A roster that is missing, stale or damaged keeps nobody from being registered: nobody is on it, and an issue says so.
"""

import logging
from bisect import bisect_left
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import NamedTuple

from nacl.signing import VerifyKey

from kiosk import files
from kiosk.domain import Category, Covered, Listed, Stamp, Trust
from kiosk.roster import codec
from kiosk.roster.codec import RECORD, Header, Record
from kiosk.roster.entry import RosterError

log = logging.getLogger(__name__)

NAME = "people.roster"
"""Of the file, in the data folder."""
DUE_MIN = 120
"""Minutes from a driver's arrival within which they are to be sampled (rule P9)."""
_DAY_MIN = 24 * 60


class Records(Sequence[bytes]):
    """The sorted digests of a roster, and the record of each."""

    def __init__(self, data: bytes | mmap, start: int, count: int) -> None:
        self._data, self._start, self._count = data, start, count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, at: int) -> bytes:  # type: ignore[override]
        place = self._start + at * RECORD
        return self._data[place : place + 16]

    def record(self, at: int) -> Record:
        place = self._start + at * RECORD
        return codec.unpack(self._data[place : place + RECORD])

    def find(self, digest: bytes) -> Record | None:
        at = bisect_left(self, digest)
        return self.record(at) if at < self._count and self[at] == digest else None

    def __iter__(self) -> Iterator[bytes]:
        return (self[at] for at in range(self._count))


class Count(NamedTuple):
    """Of one place, or of all: ``away`` and ``missing`` have not come; who is away is not missing."""

    place: str
    total: int
    done: int
    away: int

    @property
    def covered(self) -> Covered:
        return Covered(self.total, self.done, self.away)

    @property
    def missing(self) -> int:
        return self.covered.missing

    @property
    def percent(self) -> int:
        return self.covered.percent


class Roster(NamedTuple):
    header: Header
    records: Records


class Shelf:
    """``posts``: who may have signed a roster. ``key``: the name of the key that
    digests are made with just now, b"" for none.
    ``every``: days between two samplings where the row itself does not say (rule P3)."""

    def __init__(
        self,
        folder: Path,
        site: str,
        posts: Sequence[VerifyKey],
        key: Callable[[], bytes],
        every: Mapping[Category, int],
    ) -> None:
        self._path = folder / NAME
        self._site = site
        self._posts = posts
        self._key = key
        self._every = every
        self._roster: Roster | None = None
        self._damage = ""

    def load(self) -> None:
        """Opens what lies in the data folder. Never raises."""
        roster, damage = None, ""
        try:
            roster = self._opened()
        except FileNotFoundError:
            pass
        except (OSError, ValueError) as error:
            log.error("the roster cannot be used: %s", error)
            damage = f"the roster cannot be used ({error}): import it again"
        self._roster, self._damage = roster, damage

    def _opened(self) -> Roster:
        with self._path.open("rb") as file:
            data = mmap(file.fileno(), 0, access=ACCESS_READ)
        header = codec.header(codec.split(data), self._posts)
        return Roster(header, Records(data, codec.start(data), header.count))

    def take(self, data: bytes, *, by_hand: bool = False) -> Header:
        """Puts this roster in the place of the one in use. ``by_hand``: also where its clock is behind the other's.
        Raises RosterError, OSError."""
        header = codec.header(codec.split(data), self._posts)
        if header.site != self._site:
            raise RosterError(f"site: found {header.site}, expected {self._site}: this roster is for another site")
        if not by_hand and self._roster is not None and header.made < self._roster.header.made:
            raise RosterError("made: a later roster than this one is in use")
        files.put(self._path, data, 0o600)
        self.load()
        log.info("a roster of %d people in %d places is in use", header.count, len(header.places))
        return header

    @property
    def made(self) -> int:
        """When the roster that lies here was made, also a stale one; 0 without one."""
        return self._roster.header.made if self._roster is not None else 0

    @property
    def roster(self) -> Roster | None:
        """None also while its digests are made with another key than ours: nobody would be found."""
        roster = self._roster
        return roster if roster is not None and roster.header.key == self._key() else None

    @property
    def issues(self) -> dict[str, str]:
        """Code to hint."""
        if self._damage:
            return {"roster-damaged": self._damage}
        if self._roster is not None and self._key() not in (b"", self._roster.header.key):
            hint = "the roster was made under another key, before a power cut or for another round: import it again"
            return {"roster-stale": hint}
        return {}

    def listed(self, digest: bytes, at: Stamp) -> Listed | None:
        """What the roster says of this person at this time."""
        if (roster := self.roster) is None or (record := roster.records.find(digest)) is None:
            return None
        return listed(record, roster.header.places[record.place].name, at, self._every)

    def coverage(self, seen: Iterable[bytes]) -> list[Count]:
        """How many of each place have come (rule P1). Takes 0.1 s for 20,000 who came: not on the event loop."""
        if (roster := self.roster) is None:
            return []
        done, away_done = [0] * len(roster.header.places), [0] * len(roster.header.places)
        for digest in seen:
            if (record := roster.records.find(digest)) is not None and not record.elsewhere:
                done[record.place] += 1
                away_done[record.place] += record.away
        return [
            Count(place.name, place.total, done[at], place.away - away_done[at])
            for at, place in enumerate(roster.header.places)
            if place.total
        ]

    def missing(self, seen: Container[bytes], *, visits: bool = False) -> dict[str, list[int]]:
        """Place to rows of the table of who has not come and is not away; ``visits``: only who is to be visited."""
        rows: dict[str, list[int]] = {}
        if (roster := self.roster) is not None:
            for at, digest in enumerate(roster.records):
                if digest in seen or (record := roster.records.record(at)).away or record.elsewhere:
                    continue
                if record.visit or not visits:
                    rows.setdefault(roster.header.places[record.place].name, []).append(record.row)
        return {place: sorted(rows[place]) for place in sorted(rows)}

    def drivers_due(self, seen: Container[bytes], at: Stamp) -> list[int]:
        """Minutes left, ascending, of each driver who has arrived without a report and has not come (rule P9)."""
        if (roster := self.roster) is None or at.trust < Trust.RTC:
            return []
        now = _minute(at)
        records = (roster.records.record(place) for place in roster.header.drivers)
        return sorted(
            record.arrival + DUE_MIN - now
            for record in records
            if record.arrival and record.arrival <= now and not record.report and record.digest not in seen
        )


def total(counts: Sequence[Count]) -> Count:
    return Count("", sum(c.total for c in counts), sum(c.done for c in counts), sum(c.away for c in counts))


def listed(record: Record, place: str, at: Stamp, every: Mapping[Category, int]) -> Listed:
    """A clock that nobody believes makes nobody early or late."""
    believed = at.trust >= Trust.RTC
    days = record.every or every.get(record.category, 0)
    early = believed and bool(days and record.last) and at.day < record.last + days
    in_time = record.start <= _minute(at) % _DAY_MIN < record.end
    return Listed(
        category=record.category,
        place=place,
        early=early,
        slot=in_time or not believed or not record.end,
        here=not record.elsewhere,
        hold=record.driver and not record.report,
    )


def _minute(at: Stamp) -> int:
    """Minutes since 1970, local."""
    return (at.wall // 1000 + at.zone) // 60
