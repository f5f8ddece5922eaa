"""The clocks of tubes: what is due, what is late, what is left, and how sure that is."""

import pytest

from kiosk.config import CustodyRules
from kiosk.domain import Do, Trust
from kiosk.tube_clocks import issues, look
from tests.flows.test_custody import COURIER, REGISTRAR, Table


def codes(table: Table) -> list[str]:
    return list(issues(look(table.site, table.at), table.rules))


def quiet(**rules: object) -> CustodyRules:
    off: dict[str, object] = {"pick_up_min": 0, "warn_min": 1440, "limit_min": 1440, "day_end": ""}
    return CustodyRules(**(off | rules))  # type: ignore[arg-type]


def test_a_courier_is_due_when_the_first_swab_is_an_hour_old_though_its_pool_is_still_open() -> None:
    table = Table(quiet(pick_up_min=60), pool_size=10, group_size=10)
    table.card("Li")
    table.tick(59 * 60)
    table.card("Wang")
    assert codes(table) == []
    table.tick(60)
    assert codes(table) == ["pick-up-due"]
    assert look(table.site, table.at).waiting == 1


def test_a_courier_is_due_when_there_are_as_many_tubes_as_one_takes() -> None:
    table = Table(quiet(pick_up_tubes=3))
    table.tubes("Li", "Wang")
    assert codes(table) == []
    table.tubes("Zhao")
    assert codes(table) == ["pick-up-due"]


def test_a_tube_is_told_of_at_two_hours_and_again_at_four() -> None:
    table = Table(quiet(warn_min=120, limit_min=240))
    table.tubes("Li")
    table.tick(7199)
    table.tubes("Wang")
    assert codes(table) == []
    table.tick(1)
    assert codes(table) == ["tube-2h"]
    table.tick(7200)
    assert codes(table) == ["tube-2h", "tube-4h"]
    found = look(table.site, table.at)
    assert (found.warn, found.limit) == (1, 1)


def test_what_a_courier_has_is_no_longer_watched_and_counts_for_the_laboratory() -> None:
    table = Table(quiet(warn_min=120, labs=("LAB-1",)))
    tubes = table.tubes("Li", "Wang")
    table.tick(7200)
    table.handed_over(*tubes)
    assert codes(table) == []
    assert look(table.site, table.at).in_flight == {"LAB-1": 2}
    table.tick(8 * 3600)
    assert look(table.site, table.at).in_flight == {}


def test_a_wall_clock_that_jumps_makes_no_tube_older() -> None:
    table = Table(quiet(limit_min=240))
    table.tubes("Li")
    table.clock_jump(7 * 86_400)
    assert codes(table) == []
    table.clock_jump(-8 * 86_400)
    table.tick(4 * 3600)
    assert codes(table) == ["tube-4h"]


@pytest.mark.parametrize(("trust", "unsure"), [(Trust.NTP, 0), (Trust.RESTORED, 1)])
def test_over_a_reboot_the_wall_clock_tells_and_one_nobody_believes_is_marked(trust: Trust, unsure: int) -> None:
    table = Table(quiet(limit_min=240))
    table.tubes("Li")
    table.restart(reboot=True, jump=4 * 3600, trust=trust)
    assert codes(table) == ["tube-4h"]
    assert look(table.site, table.at).unsure == unsure
    assert ("at least" in issues(look(table.site, table.at), table.rules)["tube-4h"]) is bool(unsure)


def test_what_is_left_at_the_end_of_the_day_is_an_alarm_until_it_goes() -> None:
    table = Table(quiet(day_end="22:00"))
    tubes = table.tubes("Li")  # it is noon
    table.tick(10 * 3600 - 1)
    assert codes(table) == []
    table.tick(1)
    assert codes(table) == ["tubes-left"]
    table.tick(4 * 3600)
    assert codes(table) == ["tubes-left"]
    table.handed_over(*tubes)
    assert codes(table) == []


def test_a_clock_nobody_believes_does_not_end_the_day() -> None:
    table = Table(quiet(day_end="11:00"), trust=Trust.NONE)
    table.tubes("Li")
    assert codes(table) == []


def test_a_box_that_was_to_go_says_what_it_lacks_even_where_no_tube_is_watched() -> None:
    table = Table()
    one, two = table.tubes("Li", "Wang")
    table.obeys(COURIER, Do.COLLECT)
    table.pack(one)
    assert "manifest-open" not in issues(look(table.site, table.at), None)
    table.obeys(REGISTRAR, Do.PACKED)
    assert two in issues(look(table.site, table.at), None)["manifest-open"]
    table.pack(two)
    assert issues(look(table.site, table.at), None) == {}
