"""The queue of a site as those who wait and those who keep the door see it, on the unmodified daemon."""

from pathlib import Path

from kiosk.domain import Signal
from kiosk.drivers.speaker import codec
from kiosk.drivers.speaker.driver import PROBE_MS
from kiosk.facts import GroupReleased
from kiosk.voice import ANSWERS, call
from tests.support.site_day import open_site, until
from tests.support.speaker import NAME, Loudspeaker, needs_aplay, spoken

SMALL = {"pool_size": 5, "group_size": 5}


async def test_the_door_closes_at_the_cap_and_opens_when_a_group_has_gone(tmp_path: Path) -> None:
    async with open_site(tmp_path, {"queue": {"waiting_cap": 5}}, **SMALL) as day:
        await day.residents(*range(5))
        shown = await day.lamp("door", "on")
        assert shown.lamps["stop"] == "on" or shown.lamps["go"] == "on"
        assert await day.resident(5, None) == "refused"
        assert day.refused == ["queue-full"]
        status = day.rig.status()
        assert (status["door"], status["waiting"], status["waiting_cap"]) == ("closed", 5, 5)
        await day.release_the_group()
        await day.lamp("door", "off")
        await day.residents(5)


async def test_staff_are_told_when_somebody_has_waited_for_a_quarter_of_an_hour(tmp_path: Path) -> None:
    ahead = tmp_path / "ahead"
    ahead.write_text("0 0")
    command = ("-m", "tests.support.kiosk_with_own_clock", str(ahead))
    async with open_site(tmp_path, command=command, **SMALL) as day:
        await day.residents(0)
        for minutes, winks in ((14, False), (15, True)):
            ahead.write_text(f"{60 * minutes} {60 * minutes}")
            await until(lambda at=minutes: day.rig.status()["oldest_wait_s"] >= 60 * at, "time goes on")
            assert [issue["code"] for issue in day.rig.status()["issues"]].count("wait-long") == winks
        shown = await day.lamp("release", "wink")
        assert (shown.buzzer, shown.lamps["fault"]) == ("wait", "off")
        await day.close_a_short_group()
        await day.release_the_group()
        await until(lambda: not day.rig.status()["oldest_wait_s"], "nobody waits")
        assert "wait-long" not in [issue["code"] for issue in day.rig.status()["issues"]]
        assert day.rig.status()["pace_per_hour"] == {"came": 4, "went": 0}


async def test_groups_are_sent_to_the_tables_in_turn(tmp_path: Path) -> None:
    tables = ["1号采样台", "2号采样台"]
    async with open_site(tmp_path, {"queue": {"tables": tables}}, pool_size=1, group_size=1) as day:
        for n in range(3):
            await day.residents(n)
            await day.release_the_group()
        assert [fact.table for fact in day.told(GroupReleased)] == [*tables, tables[0]]


@needs_aplay
async def test_a_released_group_is_called_to_its_table_in_both_languages(tmp_path: Path) -> None:
    """Heard behind the unmodified aplay, sample by sample."""
    loudspeaker = Loudspeaker(tmp_path)
    tables = {
        "site": {"table": "3号采样台"},
        "devices.speaker": {"driver": "alsa", "device": NAME},
        "voice": {"volume": 100, "languages": ["zh", "en"]},
    }
    async with open_site(tmp_path, tables, env=loudspeaker.env, pool_size=1, group_size=1) as day:
        await day.residents(0)
        await day.release_the_group()
        said = [codec.silence(PROBE_MS), *map(spoken, (ANSWERS[Signal.ACCEPTED], call(1, "3号采样台")))]
        await until(lambda: loudspeaker.heard_just(*said), "the group is called")
        assert day.rig.status()["devices"]["speaker"] == "online"
        loudspeaker.pull_out()
        await day.residents(1)
        await until(lambda: day.rig.status()["devices"]["speaker"] == "offline", "the loss is told")
        await day.residents(2)
