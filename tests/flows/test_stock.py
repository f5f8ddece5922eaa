"""What is left of labels and tubes, and for how long it does (rules Q16, F18)."""

import pytest

from kiosk.domain import Do, Role
from kiosk.facts import StaffOrdered
from kiosk.flows.stock import counted
from tests.support.desk_story import Story


def story(**policy: object) -> Story:
    return Story(pool_size=5, group_size=5, **policy)


def serve(story: Story, people: int, *, every_s: float = 1) -> None:
    for _ in range(people):
        story.both(f"resident {len(story.journal)}")
        story.printed()
        story.press()
        story.tick(every_s)


def test_labels_and_tubes_are_counted_down_from_what_staff_say_is_there() -> None:
    desk = story()
    desk.ordered(Do.STOCK, text="labels 1000")
    desk.ordered(Do.STOCK, text="5 40")
    serve(desk, 15)
    assert desk.site.stock.left == {"labels": 997, "5": 37}
    desk.ordered(Do.STOCK, text="labels 500")
    assert desk.site.stock.left["labels"] == 500


def test_what_nobody_counted_is_never_low() -> None:
    desk = story()
    serve(desk, 10)
    assert desk.site.stock.low(desk.at, 60) == {}
    assert desk.site.stock.minutes("labels", desk.at) is None


def test_each_kind_of_tube_is_counted_apart() -> None:
    desk = story()
    for text in ("5 10", "1 10", "nasal 10", "household 10"):
        desk.ordered(Do.STOCK, text=text)
    serve(desk, 5)
    desk.ordered(Do.SINGLE_NEXT)
    serve(desk, 1)
    desk.ordered(Do.NASAL_NEXT)
    serve(desk, 1)
    desk.ordered(Do.HOUSEHOLD_START)
    serve(desk, 2)
    assert desk.site.stock.left == {"5": 9, "1": 9, "nasal": 9, "household": 9}


def test_the_forecast_is_at_the_pace_of_the_last_hour() -> None:
    desk = story()
    desk.ordered(Do.STOCK, text="5 100")
    serve(desk, 100, every_s=36)  # an hour, in which 20 tubes are opened
    assert desk.site.stock.left["5"] == 80
    assert desk.site.stock.minutes("5", desk.at) == pytest.approx(4 * 60, rel=0.25)
    assert desk.site.stock.low(desk.at, 60) == {}
    assert desk.site.stock.low(desk.at, 300) == {"5": 80}


def test_a_pause_makes_no_forecast() -> None:
    desk = story()
    desk.ordered(Do.STOCK, text="5 3")
    serve(desk, 5)
    assert desk.site.stock.low(desk.at, 60) == {"5": 2}
    desk.tick(2 * 3600)
    assert desk.site.stock.low(desk.at, 60) == {}


def test_what_is_used_up_is_low_whatever_the_pace() -> None:
    desk = story()
    desk.ordered(Do.STOCK, text="5 1")
    serve(desk, 10)
    desk.tick(2 * 3600)
    assert desk.site.stock.low(desk.at, 60) == {"5": 0}


def test_stock_outlives_a_restart() -> None:
    desk = story()
    desk.ordered(Do.STOCK, text="labels 1000")
    serve(desk, 5)
    before = desk.site.stock
    desk.restart(reboot=True)
    assert desk.site.stock == before
    assert before.left["labels"] == 999


@pytest.mark.parametrize("text", ["", "labels", "labels -1", "labels x", "7 100", "labels 999999999", "labels 1 2"])
def test_an_order_that_says_nothing_of_use_is_denied(text: str) -> None:
    desk = story()
    desk.ordered(Do.STOCK, text=text)
    assert counted(text) is None
    assert desk.site.stock.left == {}
    assert desk.signal == "denied"


def test_a_technician_may_count_and_a_sampler_may_not() -> None:
    desk = story()
    desk.badge(role=Role.SAMPLER)
    assert not any(isinstance(fact, StaffOrdered) for fact in desk.order(Do.STOCK, "labels 10"))
    desk.badge(role=Role.TECHNICIAN)
    desk.order(Do.STOCK, "labels 10")
    assert desk.site.stock.left == {"labels": 10}
