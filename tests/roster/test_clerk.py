"""The roster of the running kiosk: taken in pieces, counted as people come, and late drivers told as time goes on."""

import itertools
from pathlib import Path
from typing import Any

import msgspec
import pytest
from nacl.signing import SigningKey

from kiosk.domain import Coverage, Covered, Stamp, Trust
from kiosk.flows.registration import Registration
from kiosk.growing import GrowingMap
from kiosk.people import person
from kiosk.roster import clerk
from kiosk.roster.clerk import EVERY_MS, Clerk, Piece, Wanted
from kiosk.roster.entry import Entry
from kiosk.roster.pieces import cut
from kiosk.roster.shelf import NAME, Shelf
from kiosk.seal import Sealer
from tests.roster.test_shelf import POST, SEALER, SITE, at, digest, entry, made

DEVICE = SigningKey.generate()


class Clock:
    def __init__(self) -> None:
        self.stamp = at(8)

    def now(self) -> Stamp:
        return self.stamp

    def goes_on(self, minutes: int) -> None:
        ms = minutes * 60_000
        self.stamp = Stamp(self.stamp.wall + ms, self.stamp.mono + ms, trust=Trust.NTP)


class Desk:
    """A clerk with its clock and its shelf."""

    def __init__(self, folder: Path, sealer: Sealer = SEALER) -> None:
        self.clock, keys = Clock(), (POST.public.verify, DEVICE.verify_key)
        self.shelf = Shelf(folder, SITE, keys, lambda: sealer.key_name, {})
        self.shelf.load()
        self.clerk = Clerk(self.shelf, SITE, self.clock, sealer, POST.public.seal, DEVICE)

    async def take(self, data: bytes, size: int, *, table: bool = False) -> dict[str, Any]:
        reply: dict[str, Any] = {}
        for start in range(0, len(data), size):
            last = start + size >= len(data)
            reply = await self.clerk.take(Piece(data[start : start + size], first=start == 0, last=last, table=table))
        return reply


def came(*people: int) -> Registration:
    seen: GrowingMap[bytes, int] = GrowingMap()
    for number, who in enumerate(people, 1):
        seen = seen.add(digest(who), number)
    return Registration(people=len(people), seen=seen)


@pytest.mark.parametrize("size", [100, 1 << 20])
async def test_a_table_in_clear_and_a_file_make_the_same_roster(tmp_path: Path, size: int) -> None:
    people = [entry(n) for n in range(40)]
    for table, data in ((True, msgspec.msgpack.encode(people)), (False, made(people, when=1 << 50))):
        desk = Desk(tmp_path)
        assert await desk.take(data, size, table=table) == {"ok": True, "people": 40, "places": 1}
        assert all(desk.shelf.listed(digest(n), at(8)) for n in range(40))
        assert person(1).number.encode() not in (tmp_path / NAME).read_bytes()


async def test_what_is_no_roster_leaves_the_old_one(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    await desk.take(made([entry(1)]), 1 << 20)
    for data, table, why in (
        (b"noise", False, "no roster file"),
        (b"noise", True, "no whole table"),
        (msgspec.msgpack.encode([{"row": 0, "name": "x", "number": "1"}]), True, "no whole table"),
        (msgspec.msgpack.encode([]), True, "found 0 people"),
        (made([entry(2)], site="111111"), False, "for another site"),
    ):
        assert why in (await desk.take(data, 1 << 20, table=table))["error"]
    assert desk.shelf.listed(digest(1), at(8)) is not None


async def test_a_table_needs_the_key_that_a_badge_brings(tmp_path: Path) -> None:
    desk = Desk(tmp_path, Sealer(POST.public, None))
    reply = await desk.take(msgspec.msgpack.encode([entry(1)]), 1 << 20, table=True)
    assert "a badge brings it" in reply["error"]


async def test_people_are_counted_as_they_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(tmp_path)
    assert desk.clerk.progress is None
    await desk.take(made([entry(n) for n in range(4)]), 1 << 20)
    await desk.clerk.look(came())
    assert desk.clerk.progress == {"total": 4, "done": 0, "away": 0, "missing": 4, "percent": 0}
    await desk.clerk.look(came(1))
    assert desk.clerk.progress["done"] == 0  # not again so soon
    desk.clock.goes_on(EVERY_MS // 60_000 + 1)
    await desk.clerk.look(came(1, 99))
    assert desk.clerk.progress["done"] == 1
    whole = Covered(4, 1, 0)
    assert desk.clerk.covered == Coverage(desk.clerk.made, whole, (whole,))
    monkeypatch.setattr(clerk, "MAX_PLACES", 0)
    assert desk.clerk.covered == Coverage(desk.clerk.made, whole), "households are not told apart"
    assert (await desk.clerk.missing(Wanted(), came(1)))["missing"] == {"1栋": [2, 4, 5]}
    freed = msgspec.structs.replace(came(1, 2), freed=frozenset({1}))
    assert (await desk.clerk.coverage(freed))["all"]["done"] == 1


async def test_a_driver_becomes_due_and_late_while_nobody_comes(tmp_path: Path) -> None:
    desk, nobody = Desk(tmp_path), came()
    arrival = at(9).wall // 60_000 + 8 * 60
    await desk.take(made([entry(1, vehicle="A", arrival=arrival)]), 1 << 20)
    told = []
    for _ in range(5):
        await desk.clerk.look(nobody)
        told.append(sorted(desk.clerk.issues))
        desk.clock.goes_on(60)
    assert told == [[], ["driver-due"], ["driver-due"], ["driver-due"], ["driver-overdue"]]
    await desk.clerk.look(came(1))
    assert desk.clerk.issues == {}


async def test_pieces_of_the_uplink_make_a_roster(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    desk = Desk(tmp_path)
    for piece in itertools.chain([b"noise"], cut(1, made([entry(1)], when=1))):
        desk.clerk.hear(piece)
    await desk.clerk.look(came())
    assert desk.clerk.made == 1
    assert "no piece of a roster" in caplog.text
    for piece in cut(0, made([entry(2)], when=0)):
        desk.clerk.hear(piece)
    await desk.clerk.look(came())
    assert "a later roster than this one is in use" in caplog.text
    assert desk.shelf.listed(digest(1), at(8)) is not None


def test_a_row_in_clear_never_shows_its_text() -> None:
    assert (
        str(Entry(row=1, name="张三", number="1")) == repr(Entry(row=1, name="张三", number="1")) == "<Entry withheld>"
    )
