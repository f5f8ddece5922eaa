"""Cards and health codes together, under every policy, and what happens when they do not agree."""

from pathlib import Path

import pytest

from kiosk.facts import Registered
from kiosk.people import person
from tests.support.site_day import SiteDay, open_site


def sources(day: SiteDay) -> list[str]:
    return [fact.source for fact in day.told(Registered)]


async def test_where_the_code_is_optional_either_will_do(tmp_path: Path) -> None:
    async with open_site(tmp_path, pair_window_s=1.5) as day:
        assert await day.resident(1) == "accepted"
        assert await day.only_a_code() == "accepted"
        assert await day.resident(2, code=None) == "accepted"
        assert sources(day) == ["both", "code", "card"]


async def test_where_the_code_is_required_a_card_alone_is_turned_away(tmp_path: Path) -> None:
    async with open_site(tmp_path, health_code="required", pair_window_s=1.5) as day:
        assert await day.resident(1, code=None) == "refused"
        assert await day.only_a_code() == "refused"
        assert await day.resident(1) == "accepted"
        assert day.refused == ["no-code", "no-card"]


async def test_where_codes_are_off_the_card_counts_at_once(tmp_path: Path) -> None:
    async with open_site(tmp_path, health_code="off") as day:
        assert await day.resident(1, code=None) == "accepted"
        assert await day.only_a_code("red") == "refused"
        assert day.refused == ["not-needed"]
        assert day.incidents == []


async def test_an_unknown_code_is_marked_and_never_green(tmp_path: Path) -> None:
    async with open_site(tmp_path, unknown_code="flag") as day:
        assert await day.resident(1, code="foreign") == "flagged"
        assert await day.resident(2) == "accepted"
        assert [fact.colour.value for fact in day.told(Registered)] == ["unknown", "green"]
        assert [place for _, place in day.places.values()] == [1, 2]


async def test_an_unknown_code_can_mean_a_tube_of_ones_own(tmp_path: Path) -> None:
    async with open_site(tmp_path, unknown_code="single", pool_size=5, group_size=5) as day:
        await day.residents(1)
        assert await day.resident(2, code="foreign") == "flagged"
        await day.residents(3, 4, 5, 6)
        await day.release_the_group()
        assert [(tube.members, tube.size) for tube in day.tubes] == [(1, 1), (5, 5)]
        assert day.places[2] == (day.tubes[0].tube, 1)
        assert day.released == [6]
        assert await day.labels(2) == [tube.tube for tube in day.tubes]


async def test_an_unknown_code_can_be_refused(tmp_path: Path) -> None:
    async with open_site(tmp_path, unknown_code="refuse") as day:
        assert await day.resident(1, code="foreign") == "refused"
        assert await day.resident(1, code=None) == "accepted"
        assert day.refused == ["unknown-code"]


@pytest.mark.parametrize("colour", ["red", "yellow"])
async def test_red_and_yellow_get_no_place_and_alarm_until_somebody_has_seen_it(tmp_path: Path, colour: str) -> None:
    async with open_site(tmp_path) as day:
        await day.residents(1)
        assert await day.resident(2, code=colour) == "refused"
        await day.lamp("alarm", "blink")
        await day.residents(3)
        assert day.places.keys() == {1, 2}
        assert [place for _, place in day.places.values()] == [1, 2]
        assert (day.refused, day.incidents) == ([colour], [colour])
        assert (await day.lamp("alarm", "blink")).bar == 2
        await day.acknowledge()
        await day.lamp("alarm", "off")


async def test_a_red_code_that_was_shown_late_takes_the_place_back(tmp_path: Path) -> None:
    async with open_site(tmp_path, pair_window_s=1.5) as day:
        code = day.phone("green")
        assert await day.resident(1, code) == "accepted"
        red = code.replace("HC1:0", "HC1:2")
        named = f"HC2:2:{person(2).number}"
        assert await day.resident(2, code=None) == "accepted"
        assert await day.only_a_code(named) == "refused"
        assert list(day.places) == [1]
        assert day.incidents[-1] == "red"
        assert red not in (tmp_path / "kiosk.log").read_text("utf-8")


async def test_a_card_and_the_code_of_another_person_do_not_go_together(tmp_path: Path) -> None:
    async with open_site(tmp_path) as day:
        assert await day.resident(1, code=f"HC2:0:{person(2).number}") == "refused"
        assert await day.resident(1, code=f"HC2:0:{person(1).number}") == "accepted"
        assert day.refused == ["mismatch"]
        assert day.people == 1
