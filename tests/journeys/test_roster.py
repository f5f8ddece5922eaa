"""A site that knows who is expected: from the table on a stick to who has not come."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from msgspec import UNSET

from hub.cli import main as hub_command
from kiosk import badges
from kiosk.badges import Badge
from kiosk.domain import Category, Listed, Role
from kiosk.facts import Registered
from kiosk.people import person
from kiosk.seal import PrivateKeys, kept_digest_key, ram_file
from kiosk.simulate.rig import Rig
from tests.roster.tables import HEADINGS, csv, row_of
from tests.support.site_day import SiteDay, open_site, until

GOOD_CLOCK = ("-m", "tests.support.kiosk_with_good_clock")


@contextlib.asynccontextmanager
async def open_with_good_clock(folder: Path, **policy: object) -> AsyncIterator[SiteDay]:
    """A site whose kiosk knows what time it is."""
    tables = {"policy": {"card_alone_after_s": 0.3} | policy, "devices.card": {"same_card_s": 0.1}}
    async with Rig(folder, tables, command=GOOD_CLOCK) as rig:
        await rig.start()
        yield SiteDay(rig)


def now() -> datetime:
    """By the kiosk's own zone."""
    return datetime.now().astimezone()


def today(days: int = 0) -> str:
    return (now() + timedelta(days)).strftime("%Y-%m-%d")


def other_hour() -> str:
    """An hour of this day that is over, or far ahead."""
    return "00:00-01:00" if now().hour >= 12 else "22:00-23:00"


async def test_a_table_is_imported_and_the_desk_knows_who_is_expected(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [
        row_of(1, "1栋", "重点"),
        row_of(2, "1栋", "", "5", today(-2)),
        row_of(3, "1栋", "", "", "", "", other_hour()),
        row_of(4, "2栋"),
        row_of(5, "2栋", "", "", "", "外出"),
    ]
    table = csv(tmp_path / "list.csv", rows, encoding="gb18030")
    async with open_with_good_clock(tmp_path, pool_size=10, single_for=[]) as day:
        assert await day.technician("roster", "missing") == 1
        assert await day.technician("roster", "import", str(table)) == 0
        assert "5 people in 2 places are on the roster" in capsys.readouterr().out
        assert await day.resident(1) == "accepted"
        assert await day.resident(2) == "flagged"  # not due yet: accepted, and told
        assert await day.resident(3) == "flagged"  # not the hour of their building
        assert await day.resident(77) == "accepted"  # on no list
        assert [fact.listed for fact in day.told(Registered)] == [
            Listed(Category.KEY, "1栋"),
            Listed(place="1栋", early=True),
            Listed(place="1栋", slot=False),
            None,
        ]
        whole = {"total": 5, "done": 3, "away": 1, "missing": 1, "percent": 75}
        await until(lambda: day.rig.status()["roster"] == whole, "the coverage is counted")
        assert await day.technician("roster", "missing") == 0
        assert capsys.readouterr().out.splitlines()[-1] == "2栋: 1: rows 5"
        assert await day.technician("roster", "coverage") == 0
        assert capsys.readouterr().out.splitlines() == [
            "1栋: 3 of 3 came, 0 away, 0 missing, 100 %",
            "2栋: 0 of 2 came, 1 away, 1 missing, 0 %",
            "全部 all: 3 of 5 came, 1 away, 1 missing, 75 %",
        ]
        assert_nothing_in_clear(day, [person(n).number for n in range(1, 6)] + [person(n).name for n in range(1, 6)])


def assert_nothing_in_clear(day: SiteDay, words: list[str]) -> None:
    """Neither on the card nor in the log, nor in what programs are told."""
    files = [path for path in (day.rig.folder / "data").rglob("*") if path.is_file()]
    files += [day.rig.folder / "kiosk.log", day.rig.folder / "run" / "status.json"]
    for path in files:
        stored = path.read_bytes()
        for word in words:
            assert word.encode() not in stored, path
            assert word.encode("gb18030") not in stored, path


async def test_a_table_with_a_fault_leaves_the_roster_as_it_was(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = csv(tmp_path / "good.csv", [row_of(1)])
    bad = csv(tmp_path / "bad.csv", [row_of(2), ["李", "123456789012345678"], ["", person(3).number]])
    async with open_site(tmp_path) as day:
        assert await day.technician("roster", "import", str(good)) == 0
        assert await day.technician("roster", "import", str(bad)) == 1
        told = capsys.readouterr().err.splitlines()
        assert [line.split(": ")[0] for line in told[:2]] == ["bad.csv:3:2", "bad.csv:4:1"]
        assert told[2] == "2 cells must be put right; nothing was taken"
        await day.resident(2)
        await day.resident(1)
        assert [fact.listed for fact in day.told(Registered)] == [None, Listed(place="1栋")]


async def test_who_comes_at_another_hour_is_sent_away_where_the_profile_says_so(tmp_path: Path) -> None:
    table = csv(tmp_path / "list.csv", [row_of(1, "1栋", "", "", "", "", other_hour()), row_of(2, "2栋")], HEADINGS)
    async with open_with_good_clock(tmp_path, slot="refuse") as day:
        assert await day.technician("roster", "import", str(table)) == 0
        assert await day.resident(1) == "refused"
        assert await day.resident(2) == "accepted"
        assert day.refused == ["slot"]


async def test_after_a_power_cut_the_roster_is_stale_until_it_is_imported_again(tmp_path: Path) -> None:
    table = csv(tmp_path / "list.csv", [row_of(n) for n in range(3)])
    async with open_site(tmp_path, {"seal": {"digest_key": "ram"}}) as day:
        assert await day.technician("roster", "import", str(table)) == 0
        await day.rig.stop()
        paths = day.rig.config.kiosk
        if (key := ram_file(paths.runtime_dir, paths.data_dir)) is not None:
            key.unlink()
        await day.rig.start()
        await until(lambda: "roster-stale" in issues(day), "it is told")
        assert await day.technician("roster", "import", str(table)) == 0
        await until(lambda: "roster-stale" not in issues(day), "it is well again")
        await day.resident(1)
        assert [fact.listed for fact in day.told(Registered)] == [Listed(place="1栋")]


def issues(day: SiteDay) -> set[str]:
    return {issue["code"] for issue in day.rig.status().get("issues", [])}


async def test_a_driver_without_a_report_has_two_hours_and_is_held(tmp_path: Path) -> None:
    def came(minutes: int) -> str:
        return (now() - timedelta(minutes=minutes)).strftime("%Y-%m-%d %H:%M")

    heading = ("姓名", "证件号码", "车牌", "始发地", "到达", "7日核酸")
    drivers = [(1, 30, "无"), (2, 180, ""), (3, 60, "有")]
    rows = [[person(n).name, person(n).number, f"赣G0000{n}", "杭州", came(ago), report] for n, ago, report in drivers]
    async with open_with_good_clock(tmp_path) as day:
        assert await day.technician("roster", "import", str(csv(tmp_path / "drivers.csv", rows, heading))) == 0
        await until(lambda: {"driver-due", "driver-overdue"} <= issues(day), "two are due")
        assert [await day.resident(n) for n in (1, 2, 3)] == ["flagged", "flagged", "accepted"]
        assert [fact.listed.hold for fact in day.told(Registered)] == [True, True, False]
        await until(lambda: not {"driver-due", "driver-overdue"} & issues(day), "both have come")


async def test_the_command_post_makes_a_roster_and_it_comes_by_the_line_or_on_a_stick(tmp_path: Path) -> None:
    table = csv(tmp_path / "list.csv", [row_of(n, f"{1 + n % 2}栋") for n in range(2000)])
    async with open_site(tmp_path, line=True) as day:
        keys, db = day.rig.keys / "private.key", tmp_path / "hub.db"
        made = ["--private-key", str(keys), "--key", str(tmp_path / "data" / "digest.key")]
        stick = tmp_path / "week.roster"
        assert hub_command(["roster", "make", "--site", "360481", *made, str(table), str(stick)]) == 0
        push = ["roster", "push", "--db", str(db), "--private-key", str(keys), str(stick)]
        assert await asyncio.to_thread(hub_command, push) == 0
        await until(lambda: (day.rig.status()["roster"] or {}).get("total") == 2000, "it came by the line", within=90)
        await day.residents(7)
        assert [fact.listed for fact in day.told(Registered)] == [Listed(place="2栋")]
        assert await day.technician("roster", "import", str(stick)) == 0
        assert_nothing_in_clear(day, [person(n).number for n in range(0, 2000, 50)])


async def test_the_key_of_the_round_comes_with_a_badge_and_the_roster_is_made_with_it(tmp_path: Path) -> None:
    table, stick, key = csv(tmp_path / "list.csv", [row_of(1)]), tmp_path / "week.roster", tmp_path / "round.key"
    tables = {"seal": {"digest_key": "badge"}, "policy": {"round": "manual", "card_alone_after_s": 0.3}}
    async with Rig(tmp_path, tables) as rig:
        day, opening = SiteDay(rig), asyncio.create_task(rig.start())
        keys = ["--private-key", str(rig.keys / "private.key"), "--key", str(key)]
        assert hub_command(["roster", "make", "--site", "360481", *keys, str(table), str(stick)]) == 0
        await until(lambda: "badge-needed" in issues(day), "it waits for a badge")
        assert await day.technician("roster", "import", str(table)) == 1  # no digest can be made yet
        assert await day.technician("roster", "import", str(stick)) == 0
        private = PrivateKeys.parse((rig.keys / "private.key").read_text())
        badge = Badge(
            site="360481", badge=7, role=Role.REGISTRAR, since=0, until=1 << 50, key=kept_digest_key(key) or UNSET
        )
        assert rig.scanner is not None
        await rig.scanner.scan(badges.pack(badge, private.sign))
        await opening
        await day.residents(1)
        assert [fact.listed for fact in day.told(Registered)] == [Listed(place="1栋")]
