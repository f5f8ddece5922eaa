"""What goes wrong at a table in the middle of a group, at the unmodified daemon."""

from pathlib import Path

from kiosk.people import person
from tests.support.site_day import open_site


async def test_red_at_the_seventh_of_ten_takes_no_place_and_the_group_goes_on(tmp_path: Path) -> None:
    async with open_site(tmp_path, pool_size=10, group_size=10) as day:
        await day.residents(*range(6))
        assert await day.resident(100, code="red") == "refused"
        await day.residents(*range(6, 10))
        await day.release_the_group()
        (label,) = await day.labels(1)
        assert day.released == [10]
        assert {tube for tube, _ in day.places.values()} == {label}
        assert sorted(position for _, position in day.places.values()) == list(range(1, 11))
        assert (day.refused, day.incidents) == (["red"], ["red"])
        await day.lamp("alarm", "blink")
        await day.acknowledge()


async def test_green_on_paper_and_red_on_the_phone_is_red(tmp_path: Path) -> None:
    async with open_site(tmp_path, pool_size=5, group_size=5) as day:
        await day.residents(0, 1, 2)
        assert await day.only_a_code(f"HC2:2:{person(1).number}") == "refused"
        assert set(day.incidents) == {"red"}, "the command post will hear of it"
        assert list(day.places) == [1, 3]
        assert await day.resident(1) == "refused"
        await day.residents(3, 4, 5)
        await day.release_the_group()
        assert day.released == [5]


async def test_ten_people_wait_while_the_printer_is_out_of_paper(tmp_path: Path) -> None:
    async with open_site(tmp_path, pool_size=10, group_size=10) as day:
        day.rig.printer.paper_left = 0
        await day.residents(*range(10))
        await day.lamp("fault", "blink")
        assert day.rig.panel.state.lamps["release"] == "off"
        day.rig.printer.refill()
        await day.release_the_group()
        assert len(set(await day.labels(1))) == 1
        assert day.released == [10]
