"""Badges and command codes at a kiosk that works: real bytes at the scanner."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hub.cli import main as hub_command
from kiosk import seal
from kiosk.domain import Do, Role
from kiosk.facts import CommandEnded, KeyTaken, Registered, StaffOrdered
from kiosk.simulate.rig import Rig
from tests.support.site_day import SAFETY_S, SiteDay, open_site, until
from tests.support.staff_desk import badge, command_code, drill

KEY, OTHER = b"round one " * 3 + b"..", b"round two " * 3 + b".."


async def shows(day: SiteDay, *codes: str) -> list[str]:
    return [await day.only_a_code(each) for each in codes]


def issues(day: SiteDay) -> set[str]:
    return {issue["code"] for issue in day.rig.status().get("issues", [])}


@contextlib.asynccontextmanager
async def open_by_badge(folder: Path, key: bytes) -> AsyncIterator[SiteDay]:
    """A site whose key comes with a badge: it does not open before one is shown."""
    policy = {"card_alone_after_s": 0.3, "round": "manual"}
    tables = {"seal": {"digest_key": "badge"}, "policy": policy, "devices.card": {"same_card_s": 0.1}}
    async with Rig(folder, tables) as rig:
        day = SiteDay(rig)
        await start_by_badge(day, key)
        yield day


async def start_by_badge(day: SiteDay, key: bytes) -> None:
    rig = day.rig
    starting = asyncio.create_task(rig.start(within=4 * SAFETY_S))
    await until(lambda: "badge-needed" in issues(day), "it says what it needs", 2 * SAFETY_S)
    await until(lambda: rig.status()["devices"]["code"] == "online", "the scanner is there")
    assert rig.scanner is not None
    assert not starting.done()
    await rig.scanner.scan(badge(rig, key=key))
    await starting


async def test_a_command_code_counts_after_a_badge_and_not_without(tmp_path: Path) -> None:
    async with open_site(tmp_path / "kiosk") as day:
        call = command_code(day.rig, Do.CALL_STAFF)
        assert await shows(day, call) == ["denied"]
        assert await shows(day, badge(day.rig, Role.SAMPLER, 12), call) == ["acknowledged"] * 2
        assert day.told(StaffOrdered) == [StaffOrdered(Do.CALL_STAFF, 12, Role.SAMPLER)]


async def test_a_badge_of_another_site_is_refused(tmp_path: Path) -> None:
    async with open_site(tmp_path / "kiosk") as day, open_site(tmp_path / "other") as other:
        assert await shows(day, badge(other.rig), command_code(day.rig, Do.CALL_STAFF)) == ["refused", "denied"]
        assert day.told(StaffOrdered) == []
        assert "a staff code that is not obeyed: signature" in (day.rig.folder / "kiosk.log").read_text()


async def test_the_command_post_puts_a_badge_out_of_use(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with open_site(tmp_path / "kiosk", line=True) as day:
        await day.residents(1)
        await day.all_is_at_the_command_post()
        assert await shows(day, badge(day.rig)) == ["acknowledged"]
        keys = ["--db", str(day.rig.hub_db), "--private-key", str(day.rig.keys / "private.key")]
        assert hub_command(["command", *keys, "360481", "all", "revoke", "7", "9"]) == 0
        await until(lambda: day.told(CommandEnded), "the kiosk has heard of it")
        assert day.told(CommandEnded)[0].outcome == "done"
        assert await shows(day, command_code(day.rig, Do.CALL_STAFF), badge(day.rig)) == ["denied", "denied"]
        other = badge(day.rig, Role.REGISTRAR, 8)
        assert await shows(day, other, command_code(day.rig, Do.CALL_STAFF)) == ["acknowledged", "acknowledged"]


async def test_who_is_on_shift_is_on_the_status(tmp_path: Path) -> None:
    async with open_site(tmp_path / "kiosk") as day:
        on = command_code(day.rig, Do.SHIFT_ON)
        await shows(day, badge(day.rig, Role.REGISTRAR, 3, drills=1), on, badge(day.rig, Role.SAMPLER, 12), on)
        await until(lambda: len(day.rig.status()["shift"]) == 2, "both are on shift")
        told = [(each["badge"], each["role"], each["supervised"]) for each in day.rig.status()["shift"]]
        assert told == [(3, "registrar", True), (12, "sampler", False)]
        await shows(day, command_code(day.rig, Do.SHIFT_OFF))
        await until(lambda: len(day.rig.status()["shift"]) == 1, "one has gone")


async def test_nobody_is_registered_before_a_badge_brings_the_key(tmp_path: Path) -> None:
    async with open_by_badge(tmp_path / "kiosk", KEY) as day:
        await day.residents(1, 2)
        assert day.told(KeyTaken) == [KeyTaken(seal.key_name(KEY))]
        await until(lambda: "badge-needed" not in issues(day), "nothing is needed any more")
        everything = b"".join(path.read_bytes() for path in (day.rig.folder / "data").rglob("*") if path.is_file())
        assert KEY not in everything  # nothing of it is on the card


async def test_two_kiosks_with_one_key_know_one_person_by_one_digest(tmp_path: Path) -> None:
    async with open_by_badge(tmp_path / "one", KEY) as one, open_by_badge(tmp_path / "two", KEY) as two:
        await one.residents(1)
        await two.residents(1)
        assert one.told(Registered)[0].subject.digest == two.told(Registered)[0].subject.digest


async def test_a_restart_keeps_the_key_and_a_power_cut_asks_for_the_badge(tmp_path: Path) -> None:
    async with open_by_badge(tmp_path / "kiosk", KEY) as day:
        await day.residents(1)
        await day.rig.kill()
        await day.rig.start()
        assert await day.resident(1) == "repeat"
        await day.rig.kill()
        memory = seal.ram_file(day.rig.config.kiosk.runtime_dir, day.rig.config.kiosk.data_dir)
        assert memory is not None
        memory.unlink()
        await start_by_badge(day, KEY)
        assert await day.resident(1) == "repeat"
        await day.residents(2)


async def test_another_key_in_one_round_is_refused_until_a_new_round(tmp_path: Path) -> None:
    async with open_by_badge(tmp_path / "kiosk", KEY) as day:
        await day.residents(1)
        assert await shows(day, badge(day.rig, Role.REGISTRAR, 8, key=OTHER)) == ["acknowledged"]
        await until(lambda: "badge-key" in issues(day), "it says so")
        await day.residents(2)
        assert await day.resident(1) == "repeat"
        assert await shows(day, badge(day.rig, Role.REGISTRAR, 8, key=OTHER)) == ["acknowledged"]
        assert await day.technician("round", "new") == 0
        await day.residents(1)
        assert [fact.key for fact in day.told(KeyTaken)] == [seal.key_name(KEY), seal.key_name(OTHER)]
        assert "issue raised: badge-key" in (day.rig.folder / "kiosk.log").read_text()


async def test_a_drill_goes_by_the_key_of_its_round_and_gives_it_back(tmp_path: Path) -> None:
    async with open_by_badge(tmp_path / "kiosk", KEY) as day:
        await day.residents(1)
        await day.close_a_short_group()
        await day.release_the_group()
        await drill(day.rig, Do.DRILL_ON)
        await day.residents(2)
        await drill(day.rig, Do.DRILL_OFF)
        assert await day.resident(1) == "repeat"
        await day.residents(2)
