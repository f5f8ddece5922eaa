"""An ordinary day at a site, from the first card to the last record at the command post."""

from pathlib import Path

from kiosk.people import person
from tests.support.site_day import kept_by, open_site


async def test_thirty_people_three_groups_three_tubes(tmp_path: Path) -> None:
    async with open_site(tmp_path, line=True) as day:
        for first in (0, 10, 20):
            await day.residents(*range(first, first + 9))
            assert (await day.lamp("go", "on")).bar == 9
            await day.residents(first + 9)
            await day.release_the_group()
        labels = await day.labels(3)
        post = await day.all_is_at_the_command_post()

        assert labels == [tube.tube for tube in day.tubes]
        assert [tube.members for tube in day.tubes] == [10, 10, 10]
        assert day.released == [10, 10, 10]
        assert [place for _, place in day.places.values()] == [*range(1, 11)] * 3
        assert (post.people, post.tubes, post.groups, post.released) == (30, 3, 3, 3)
        assert (post.refused, post.incidents) == ({}, 0)


async def test_a_site_without_a_line_carries_the_same_records_on_a_stick(tmp_path: Path) -> None:
    async with open_site(tmp_path, line=True, pool_size=5, group_size=5) as day:
        await day.residents(*range(5))
        assert await day.resident(0, code=None) == "repeat"
        assert await day.resident(9, code="red") == "refused"
        await day.release_the_group()
        over_the_line = await day.all_is_at_the_command_post()
        by_hand = await day.carry_to_the_command_post(tmp_path / "stick", tmp_path / "other.db")

        assert by_hand == over_the_line
        assert kept_by(tmp_path / "other.db") == kept_by(day.rig.hub_db)


async def test_somebody_who_comes_twice_is_told_so_and_bound_once(tmp_path: Path) -> None:
    async with open_site(tmp_path) as day:
        await day.residents(1, 2, 3)
        assert await day.resident(2, code=None) == "repeat"
        await day.residents(4)
        assert day.refused == ["repeat"]
        assert [place for _, place in day.places.values()] == [1, 2, 3, 4]


async def test_a_new_round_lets_everybody_come_again(tmp_path: Path) -> None:
    async with open_site(tmp_path, round="manual") as day:
        await day.residents(1, 2)
        assert await day.technician("round", "new") == 0
        await day.residents(1, 2)
        assert day.people == 4
        assert day.refused == []


async def test_a_short_group_closes_by_a_long_press(tmp_path: Path) -> None:
    async with open_site(tmp_path) as day:
        await day.residents(1, 2, 3, 4)
        await day.close_a_short_group()
        await day.release_the_group()
        await day.residents(5)
        (tube,) = day.tubes
        assert (tube.members, tube.size) == (4, 10)
        assert await day.labels(1) == [tube.tube]
        assert day.released == [4]
        assert day.places[5][0] != tube.tube


async def test_power_fails_within_a_group_and_it_goes_on_at_the_next_person(tmp_path: Path) -> None:
    async with open_site(tmp_path) as day:
        await day.residents(*range(6))
        await day.rig.kill()
        await day.rig.start()
        assert (await day.lamp("stop", "off")).bar == 6
        assert await day.resident(3, code=None) == "repeat"
        await day.residents(*range(6, 10))
        await day.release_the_group()
        (tube,) = day.tubes
        assert (tube.members, tube.size) == (10, 10)
        assert await day.labels(1) == [tube.tube]


async def test_stopped_for_the_night_and_started_in_the_morning(tmp_path: Path) -> None:
    async with open_site(tmp_path) as day:
        await day.residents(*range(3))
        assert await day.rig.stop() == 0
        await day.rig.panel.wait_online(False)
        await day.rig.start()
        await day.residents(3)
        assert day.places[4][1] == 4
        assert person(0).name not in (tmp_path / "kiosk.log").read_text("utf-8")
