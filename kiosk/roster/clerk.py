"""Keeps the roster of the running kiosk: takes a new one in pieces, and tells who has come and who has not."""

import asyncio
import logging
from typing import Any

import msgspec
from nacl.public import PublicKey
from nacl.signing import SigningKey

from kiosk.clock import Clock
from kiosk.domain import Coverage
from kiosk.flows.registration import Registration
from kiosk.roster import codec
from kiosk.roster.entry import Entry, RosterError
from kiosk.roster.pieces import Pieces
from kiosk.roster.shelf import Count, Shelf, total
from kiosk.seal import Sealer, SealError

log = logging.getLogger(__name__)

MAX_FILE = 256 << 20
PIECE = 8192
"""Bytes in one request; base64 and the rest of its line come on top."""
EVERY_MS = 5000
"""Coverage is counted no oftener."""
MAX_PLACES = 500
"""Of a report; more are households, not buildings."""


class Piece(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Arguments of "roster-piece": a part of a new roster, as it is. ``table``: of msgpack [Entry, …], in clear, which
    stays in RAM; otherwise of a roster file."""

    data: bytes
    first: bool = False
    last: bool = False
    table: bool = False


class Wanted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Arguments of "roster-missing"."""

    visits: bool = False


class Clerk:
    """``sign``: this kiosk's own key, for a table taken here; ``seal``: the command post's, for the names in it."""

    def __init__(
        self, shelf: Shelf, site: str, clock: Clock, sealer: Sealer, seal: PublicKey, sign: SigningKey
    ) -> None:
        self._shelf = shelf
        self._site = site
        self._clock = clock
        self._sealer = sealer
        self._seal = seal
        self._sign = sign
        self._pieces: list[bytes] = []
        self._by_line = Pieces()
        self._arrived = b""
        self._counted: tuple[Registration, object] | None = None
        self._counted_at = -EVERY_MS
        self._there: frozenset[bytes] = frozenset()
        self._due: list[int] = []
        self.counts: list[Count] = []

    async def take(self, piece: Piece) -> dict[str, Any]:
        """The reply to a piece; the last one puts the new roster in the place of the old one."""
        pieces = [piece.data] if piece.first else [*self._pieces, piece.data]
        self._pieces = pieces if not piece.last and sum(map(len, pieces)) <= MAX_FILE else []
        if not piece.last:
            return {"ok": True} if self._pieces else {"error": "more than any roster holds"}
        try:
            header = await asyncio.to_thread(self._take, b"".join(pieces), table=piece.table)
        except (RosterError, SealError) as error:
            return {"error": str(error)}
        except OSError as error:
            return {"error": f"the roster cannot be written: {error.strerror}"}
        return {"ok": True, "people": header.count, "places": len(header.places)}

    def _take(self, data: bytes, *, table: bool) -> codec.Header:
        if table:
            try:
                rows = msgspec.msgpack.decode(data, type=list[Entry])
            except msgspec.MsgspecError as error:
                raise RosterError(f"no whole table: {error}") from None
            data = codec.make(
                rows,
                site=self._site,
                made=self._clock.now().wall,
                key=self._sealer.key_name,
                digest=self._sealer.digest,
                seal=self._seal,
                sign=self._sign,
            )
        return self._shelf.take(data, by_hand=table)

    async def missing(self, wanted: Wanted, registration: Registration) -> dict[str, Any]:
        """Place to rows of the table, for everybody who has not come."""
        if self._shelf.roster is None:
            return self._none()
        rows = await asyncio.to_thread(self._shelf.missing, seen(registration), visits=wanted.visits)
        return {"missing": rows}

    def _none(self) -> dict[str, Any]:
        return {"error": next(iter(self._shelf.issues.values()), "no roster is in use: import one first")}

    def hear(self, payload: bytes) -> None:
        """A piece of a roster came over the uplink."""
        try:
            self._arrived = self._by_line.hear(payload) or self._arrived
        except RosterError as error:
            log.warning("over the uplink: %s", error)

    @property
    def made(self) -> int:
        """When the roster in use was made, ms since 1970 UTC; 0 without one."""
        return self._shelf.made

    async def look(self, registration: Registration) -> None:
        """Takes what came over the uplink, and counts again where anything has changed."""
        if self._arrived:
            reply, self._arrived = await self.take(Piece(self._arrived, first=True, last=True)), b""
            if "error" in reply:
                log.warning("the roster that came over the uplink is not used: %s", reply["error"])
        at = self._clock.now()
        counted = (registration, self._shelf.roster)
        news = self._counted is None or any(a is not b for a, b in zip(self._counted, counted, strict=True))
        if news and at.mono - self._counted_at >= EVERY_MS:
            self._counted, self._counted_at = counted, at.mono
            self._there, self.counts = await asyncio.to_thread(self._count, registration)
        self._due = self._shelf.drivers_due(self._there, at)

    def _count(self, registration: Registration) -> tuple[frozenset[bytes], list[Count]]:
        there = seen(registration)
        return there, self._shelf.coverage(there)

    async def coverage(self, registration: Registration) -> dict[str, Any]:
        """How many of each place have come, as of now."""
        if self._shelf.roster is None:
            return self._none()
        _, counts = await asyncio.to_thread(self._count, registration)
        return {"places": [_told(count) for count in counts], "all": _told(total(counts))}

    @property
    def progress(self) -> dict[str, Any] | None:
        """For the status; None without a roster."""
        return _told(total(self.counts)) if self.counts else None

    @property
    def covered(self) -> Coverage | None:
        """For the report of the day; None without a roster."""
        if not self.counts:
            return None
        places = tuple(count.covered for count in self.counts)
        return Coverage(self.made, total(self.counts).covered, places if len(places) <= MAX_PLACES else ())

    @property
    def issues(self) -> dict[str, str]:
        """Code to hint."""
        found = dict(self._shelf.issues)
        if (late := sum(minutes < 0 for minutes in self._due)) > 0:
            found["driver-overdue"] = (
                f"{late} drivers without a result arrived more than two hours ago: sample them now"
            )
        if soon := [minutes for minutes in self._due if minutes >= 0]:
            found["driver-due"] = f"{len(soon)} drivers have arrived without a result, the next is due in {soon[0]} min"
        return found


def _told(count: Count) -> dict[str, Any]:
    place = {"place": count.place} if count.place else {}
    numbers = {"total": count.total, "done": count.done, "away": count.away}
    return place | numbers | {"missing": count.missing, "percent": count.percent}


def seen(registration: Registration) -> frozenset[bytes]:
    """The digests of who is registered in this round."""
    freed = registration.freed
    return frozenset(digest for digest, person in registration.seen.items() if person not in freed)
