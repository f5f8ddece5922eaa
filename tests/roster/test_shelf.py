"""The roster in use: found by digest, and who has come, is early, late or due."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.signing import SigningKey

from kiosk.domain import Category, Listed, Stamp, Trust
from kiosk.people import person
from kiosk.roster import codec
from kiosk.roster.entry import Entry, RosterError
from kiosk.roster.shelf import NAME, Count, Shelf, total
from kiosk.seal import PrivateKeys, Sealer

POST = PrivateKeys.generate()
DEVICE = SigningKey.generate()
KEY = bytes(range(32))
SEALER = Sealer(POST.public, KEY)
SITE = "360481"
DAY = 19_067


def at(hour: int, minute: int = 0, *, day: int = DAY, trust: Trust = Trust.RTC) -> Stamp:
    """That time in China."""
    return Stamp((day * 86_400 + hour * 3600 + minute * 60 - 8 * 3600) * 1000, 5000, trust=trust)


def entry(n: int, **more: object) -> Entry:
    who = person(n)
    return msgspec.convert({"row": n + 2, "name": who.name, "number": who.number, "place": "1栋"} | more, Entry)


def made(
    entries: list[Entry], *, sealer: Sealer = SEALER, sign: SigningKey = POST.sign, when: int = 1, site: str = SITE
):
    return codec.make(
        entries,
        site=site,
        made=when,
        key=sealer.key_name,
        digest=sealer.digest,
        seal=POST.public.seal,
        sign=sign,
    )


def shelf(folder: Path, entries: list[Entry] | None = None, *, sealer: Sealer = SEALER, **every: int) -> Shelf:
    posts = (POST.public.verify, DEVICE.verify_key)
    days = {Category(name): count for name, count in every.items()}
    it = Shelf(folder, SITE, posts, lambda: sealer.key_name, days)
    if entries is not None:
        it.take(made(entries))
    it.load()
    return it


def digest(n: int) -> bytes:
    return SEALER.digest(person(n).number)


def test_whoever_is_on_the_roster_is_found_and_nobody_else(tmp_path: Path) -> None:
    roster = shelf(tmp_path, [entry(n, place=f"{n % 7}栋") for n in range(500)])
    for n in range(500):
        assert roster.listed(digest(n), at(8)) == Listed(place=f"{n % 7}栋")
    assert not any(roster.listed(digest(n), at(8)) for n in range(500, 1000))


def test_what_lies_on_the_card_tells_no_name_number_phone_or_vehicle(tmp_path: Path) -> None:
    people = [entry(n, phone=f"1380000{n:04}", vehicle="赣G12345", origin="杭州") for n in range(50)]
    shelf(tmp_path, people)
    stored = (tmp_path / NAME).read_bytes()
    words = [word for each in people for word in (each.name, each.number, each.phone)] + ["赣G12345", "杭州"]
    for word in words:
        for encoding in ("utf-8", "gb18030", "utf-16-le"):
            assert word.encode(encoding) not in stored
    assert codec.entries(codec.split(stored), POST) == people


def test_the_roster_is_there_after_a_start(tmp_path: Path) -> None:
    shelf(tmp_path, [entry(1)])
    assert shelf(tmp_path).listed(digest(1), at(8)) is not None


def test_after_a_power_cut_with_a_key_in_ram_nobody_is_found_and_it_is_told(tmp_path: Path) -> None:
    shelf(tmp_path, [entry(1)])
    later = Sealer(POST.public, bytes(32))
    stale = shelf(tmp_path, sealer=later)
    assert stale.listed(later.digest(person(1).number), at(8)) is None
    assert list(stale.issues) == ["roster-stale"]
    assert stale.coverage([]) == []
    waits = shelf(tmp_path, sealer=Sealer(POST.public, None))  # no badge yet: that is told elsewhere
    assert (waits.roster, waits.issues) == (None, {})


def test_a_damaged_roster_is_told_and_nobody_is_on_it(tmp_path: Path) -> None:
    shelf(tmp_path, [entry(n) for n in range(9)])
    stored = bytearray((tmp_path / NAME).read_bytes())
    stored[-2000 if len(stored) > 3000 else len(stored) // 2] ^= 1
    (tmp_path / NAME).write_bytes(stored)
    damaged = shelf(tmp_path)
    assert damaged.listed(digest(1), at(8)) is None
    assert list(damaged.issues) == ["roster-damaged"]


def test_who_may_have_made_a_roster(tmp_path: Path) -> None:
    it = shelf(tmp_path, [entry(1)])
    with pytest.raises(RosterError, match="not made by our command post"):
        it.take(made([entry(2)], sign=SigningKey.generate(), when=2))
    with pytest.raises(RosterError, match="found 111111, expected 360481"):
        it.take(made([entry(2)], site="111111", when=2))
    with pytest.raises(RosterError, match="a later roster"):
        it.take(made([entry(2)], when=0))
    assert it.listed(digest(1), at(8))
    it.take(made([entry(2)], sign=DEVICE, when=0), by_hand=True)
    assert (it.listed(digest(1), at(8)), it.listed(digest(2), at(8))) == (None, Listed(place="1栋"))


@given(st.integers(0, 4000), st.booleans())
def test_a_file_that_is_cut_or_altered_is_not_taken(place: int, cut: bool) -> None:
    data = made([entry(n) for n in range(3)])
    place %= len(data)
    broken = data[:place] if cut else data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
    try:
        parts = codec.split(broken)
        codec.header(parts, (POST.public.verify,))
    except RosterError:
        return
    assert (parts.box, cut) == (b"", True)  # only the sealed part may be left out, as a whole


@pytest.mark.parametrize(
    ("last", "early"), [(DAY - 5, False), (DAY - 4, True), (DAY, True), (DAY + 1, True), (0, False)]
)
def test_every_five_days_as_the_class_says(tmp_path: Path, last: int, early: bool) -> None:
    roster = shelf(tmp_path, [entry(1, category="key", last=last), entry(2, last=last)], key=5)
    assert roster.listed(digest(1), at(8)) == Listed(Category.KEY, "1栋", early=early)
    assert roster.listed(digest(2), at(8)) == Listed(place="1栋")  # no rule for this class


def test_a_row_of_its_own_goes_before_the_class(tmp_path: Path) -> None:
    roster = shelf(tmp_path, [entry(1, category="key", last=DAY - 6, every=10)], key=5)
    assert roster.listed(digest(1), at(8)) == Listed(Category.KEY, "1栋", early=True)


@pytest.mark.parametrize(("hour", "minute", "slot"), [(7, 59, False), (8, 0, True), (8, 59, True), (9, 0, False)])
def test_the_hour_of_a_building(tmp_path: Path, hour: int, minute: int, slot: bool) -> None:
    roster = shelf(tmp_path, [entry(1, start=480, end=540)])
    assert roster.listed(digest(1), at(hour, minute)) == Listed(place="1栋", slot=slot)


def test_a_clock_nobody_believes_makes_nobody_early_or_late(tmp_path: Path) -> None:
    roster = shelf(tmp_path, [entry(1, start=480, end=540, every=5, last=DAY)])
    assert roster.listed(digest(1), at(12, trust=Trust.RESTORED)) == Listed(place="1栋")


def test_somebody_of_another_site_is_told_apart_and_counted_nowhere(tmp_path: Path) -> None:
    roster = shelf(tmp_path, [entry(1, site="360482"), entry(2, site=SITE)])
    found = roster.listed(digest(1), at(8))
    assert found == Listed(place="1栋", here=False)
    assert found.hint
    assert roster.coverage([digest(1)]) == [Count("1栋", 1, 0, 0)]
    assert roster.missing([]) == {"1栋": [4]}


def test_coverage_by_building(tmp_path: Path) -> None:
    people = [entry(n, place="1栋" if n < 6 else "2栋", away=n in (4, 5)) for n in range(10)]
    roster = shelf(tmp_path, people)
    came = [digest(n) for n in (0, 1, 4, 7)] + [b"a passer-by 1234"]
    one, two = roster.coverage(came)
    assert (one, one.missing, one.percent) == (Count("1栋", 6, 3, 1), 2, 60)
    assert (two, two.missing, two.percent) == (Count("2栋", 4, 1, 0), 3, 25)
    assert total([one, two]) == Count("", 10, 4, 1)
    assert roster.missing(came) == {"1栋": [4, 5], "2栋": [8, 10, 11]}


def test_the_visit_list(tmp_path: Path) -> None:
    roster = shelf(tmp_path, [entry(1, visit=True), entry(2), entry(3, visit=True)])
    assert roster.missing([digest(3)], visits=True) == {"1栋": [3]}


def test_a_driver_without_a_report_is_due_two_hours_after_arrival(tmp_path: Path) -> None:
    came = DAY * 1440 + 8 * 60
    people = [
        entry(1, vehicle="A", arrival=came),
        entry(2, vehicle="B", arrival=came + 30),
        entry(3, vehicle="C", arrival=came, report=True),
        entry(4, vehicle="D"),
        entry(5),
    ]
    roster = shelf(tmp_path, people)
    assert roster.drivers_due([], at(7, 59)) == []
    assert roster.drivers_due([], at(8, 0)) == [120]
    assert roster.drivers_due([], at(10, 10)) == [-10, 20]
    assert roster.drivers_due([digest(1)], at(10, 10)) == [20]
    assert [roster.listed(digest(n), at(9)).hold for n in range(1, 6)] == [True, True, False, True, False]
