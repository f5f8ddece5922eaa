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
