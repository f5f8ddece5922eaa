"""Rosters at the command post: made for the kiosks, and named again from what the kiosks sent."""

import csv
import io
from pathlib import Path

import msgspec
import pytest

from hub.cli import main
from hub.roster import overdue
from hub.store import Store
from kiosk import seal
from kiosk.domain import Colour, Stamp, Trust
from kiosk.export import export
from kiosk.facts import AnyFact, Bound, Entry, Registered, TubeLost, TubeOpened, Unbound
from kiosk.people import person
from kiosk.roster import codec
from kiosk.roster.entry import Entry as Expected
from tests.roster import tables
from tests.support.post import DEVICE, NUMBER, PRIVATE, SITE, Rows

TUBE = "3604810010010001"
DAY_MS = 86_400_000
DAY = 21_000  # days since 1970, long after the rosters here were made
KEY = bytes(range(32))


def at(day: int, trust: Trust = Trust.NTP) -> Stamp:
    return Stamp(day * DAY_MS, 0, trust=trust)


@pytest.fixture
def post(tmp_path: Path) -> Path:
    """A folder of the command post: keys, a table of ten people in two buildings, a roster made of it."""
    (tmp_path / "private.key").write_text(PRIVATE.line() + "\n")
    seal.keep_digest_key(tmp_path / "round.key", KEY)
    rows = [tables.row_of(n, f"{1 + n % 2}栋", "", "", "", {8: "外出", 9: "上门"}.get(n, "")) for n in range(10)]
    tables.csv(tmp_path / "list.csv", rows)
    assert main(make(tmp_path, tmp_path / "list.csv")) == 0
    return tmp_path


def make(post: Path, table: Path) -> list[str]:
    keys = ["--private-key", str(post / "private.key"), "--key", str(post / "round.key")]
    return ["roster", "make", "--site", SITE, *keys, str(table), str(post / "week.roster")]


def received(post: Path, facts: list[tuple[AnyFact, Stamp]]) -> None:
    rows = Rows()
    for fact, stamp in facts:
        rows.add(1, body=msgspec.msgpack.encode(Entry(1, stamp, fact)))
    export(rows, DEVICE, SITE, NUMBER, PRIVATE.public.kid, post / "stick")
    keys = ["--db", str(post / "hub.db"), "--private-key", str(post / "private.key")]
    assert main(["import", *keys, str(post / "stick")]) == 0


def came(*people: int, day: int = DAY, trust: Trust = Trust.NTP) -> list[tuple[AnyFact, Stamp]]:
    """Each as the next person of the journal, under a digest key that nobody here knows."""
    sealer = seal.Sealer(PRIVATE.public, bytes(32))
    facts: list[tuple[AnyFact, Stamp]] = [(TubeOpened(TUBE, 1, 1, 10), at(day, trust))]
    for place, who in enumerate(people, 1):
        facts.append((Registered(place, sealer.subject(person(who)), "card", Colour.GREEN), at(day, trust)))
        facts.append((Bound(TUBE, place, place), at(day, trust)))
    return facts


def missing(post: Path, capsys: pytest.CaptureFixture[str], *options: str) -> list[dict[str, str]]:
    capsys.readouterr()
    keys = ["--db", str(post / "hub.db"), "--private-key", str(post / "private.key")]
    assert main(["roster", "missing", *keys, "--roster", str(post / "week.roster"), *options]) == 0
    return list(csv.DictReader(io.StringIO(capsys.readouterr().out)))


def names(rows: list[dict[str, str]]) -> set[str]:
    return {row["姓名"] for row in rows}


def test_a_roster_for_the_kiosks_of_a_site(post: Path) -> None:
    data = (post / "week.roster").read_bytes()
    header = codec.header(codec.split(data), [PRIVATE.public.verify])
    assert (header.site, header.count, header.key) == (SITE, 10, seal.key_name(KEY))
    assert [(place.name, place.total, place.away) for place in header.places] == [("1栋", 5, 1), ("2栋", 5, 0)]
    assert person(3).number.encode() not in data
    assert codec.entries(codec.split(data), PRIVATE)[3].number == person(3).number


def test_who_has_not_come_is_named_by_building(post: Path, capsys: pytest.CaptureFixture[str]) -> None:
    received(post, [*came(0, 1, 2, 5, 77), (Unbound(TUBE, 2, 2), at(DAY))])  # the second one left again
    rows = missing(post, capsys)
    assert [row["楼栋/村"] for row in rows] == sorted(row["楼栋/村"] for row in rows)
    assert names(rows) == {person(n).name for n in (1, 3, 4, 6, 7, 8, 9)}
    [away] = [row for row in rows if row["状态"] == "外出"]
    assert (away["姓名"], away["证件号码"], away["电话"]) == (person(8).name, person(8).number, "13800000008")
    assert names(missing(post, capsys, "--visits")) == {person(9).name}
    store = Store(post / "hub.db")
    records = store.rows("SELECT what, opened FROM access ORDER BY access").fetchall()
    store.close()
    assert records == [("who of week.roster has not come", 7), ("who of week.roster has not come", 1)]


def test_whose_tube_was_lost_is_missing_again(post: Path, capsys: pytest.CaptureFixture[str]) -> None:
    received(post, [*came(0, 1), (TubeLost(TUBE, "lost", (2,)), at(DAY))])
    assert {person(1).name} == names(missing(post, capsys)) & {person(0).name, person(1).name}


def test_who_came_before_the_round_is_missing(post: Path, capsys: pytest.CaptureFixture[str]) -> None:
    received(post, came(0, 1, day=DAY))
    assert len(missing(post, capsys, "--since", "2027-07-01")) == 8  # 21,000 days after 1970 is 2027-07-01
    assert len(missing(post, capsys, "--since", "2027-07-02")) == 10


def test_a_kiosk_whose_clock_is_wrong_is_believed_by_the_day_it_was_received(
    post: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    received(post, came(0, day=3, trust=Trust.NONE))
    assert len(missing(post, capsys)) == 9


def test_who_is_overdue() -> None:
    def row(n: int, **more: object) -> Expected:
        return Expected(row=n, name=f"{n}", number=f"{n}", **more)

    rows = [row(1, last=90), row(2, last=90, every=5), row(3), row(4, last=80), row(5, last=80)]
    assert [each.entry.row for each in overdue(rows, {"5": 99}, 10, 100)] == [2, 3, 4]
    assert [(each.entry.row, each.due) for each in overdue(rows, {"5": 99}, 10, 101)] == [
        (1, 100),
        (2, 95),
        (3, 0),
        (4, 90),
    ]


def test_the_overdue_export_is_a_table_for_a_spreadsheet(post: Path, capsys: pytest.CaptureFixture[str]) -> None:
    received(post, came(0, day=DAY))
    assert missing(post, capsys, "--overdue", "10", "--out", str(post / "overdue.csv")) == []
    raw = (post / "overdue.csv").read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(io.StringIO(raw.decode("utf-8-sig"))))
    assert names(rows) == {person(n).name for n in range(1, 10)}


def test_a_table_with_faults_makes_nothing(post: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (post / "week.roster").unlink()
    bad = tables.csv(post / "bad.csv", [["李", "1"], ["", person(1).number]])
    assert main(make(post, bad)) == 65
    told = capsys.readouterr().err.splitlines()
    assert [line.split(": ")[0] for line in told[:2]] == ["bad.csv:2:2", "bad.csv:3:1"]
    assert not (post / "week.roster").exists()
    assert (
        main(["roster", "missing", "--db", "x", "--private-key", str(post / "private.key"), "--roster", str(bad)]) == 65
    )
