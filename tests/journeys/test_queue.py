"""The queue of a site as those who wait and those who keep the door see it, on the unmodified daemon."""

from pathlib import Path

from kiosk.facts import GroupReleased
from tests.support.site_day import open_site

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
