"""The figures of a day, counted against the story that made them."""

from collections import Counter

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.domain import Category, Do, Listed, Reason
from kiosk.facts import Entry, Registered
from kiosk.figures import Figures, Tally, days, tally
from tests.support.desk_story import DAY_S, NOON, Story

DAY = NOON // DAY_S


def figures(story: Story) -> dict[int, Figures]:
    return days(entry for _, entry in story.entries())


def a_day() -> Story:
    story = Story(pool_size=5, group_size=5)
    story.crowd(*range(9))
    story.card("key", listed=Listed(Category.KEY))
    story.code("green", "key")
    story.both("red", "red")
    story.unusable(Reason.UNREADABLE)
    story.alone("late")
    story.paper_out()
    story.printed()
    story.press()
    return story


def test_people_are_counted_by_category_source_and_colour_and_those_turned_away_by_reason() -> None:
    day = figures(a_day())[DAY]
    assert (day.of("registered"), day.family("category")) == (11, {"general": 10, "key": 1})
    assert day.family("source") == {"both": 10, "card": 1}
    assert day.family("colour") == {"green": 10, "none": 1}
    assert (day.of("refused"), day.family("refused")) == (2, {"red": 1, "unreadable": 1})


def test_tubes_are_counted_by_kind_and_short_ones_apart() -> None:
    story = a_day()
    story.press("long")
    day = figures(story)[DAY]
    assert day.family("tubes") == dict(Counter("1" if tube.size == 1 else "5" for tube in story.closed))
    assert day.of("short") == sum(tube.members < tube.size for tube in story.closed)
    assert (day.of("labels failed"), day.of("labels again")) == (1, 1)


def test_what_is_missing_of_people_is_counted_by_field() -> None:
    day = figures(Story(start=NOON))
    assert day == {}
    story = a_day()
    missing = Counter(field.value for fact in story.told(Registered) for field in fact.missing)
    assert figures(story)[DAY].family("missing") == dict(missing)


def test_an_incident_is_timed_until_staff_acknowledge_it() -> None:
    story = Story()
    story.both("red", "red")
    story.tick(40)
    story.press("ack")
    day = figures(story)[DAY]
    assert day.family("incidents") == {"red": 1}
    assert day.of("acknowledged.red") == 1
    assert day.of("acknowledged after s.red") == pytest.approx(40, abs=2)


def test_waits_run_from_registration_to_release() -> None:
    story = Story(pool_size=5, group_size=5)
    for who in range(5):
        story.both(who)
        story.tick(60)
    story.printed()
    story.tick(120)
    story.press()
    day = figures(story)[DAY]
    assert sum(day.waits.values()) == 5
    assert day.wait_s(1) == pytest.approx(5 * 60 + 120, abs=15)
    assert day.wait_s(0.5) == pytest.approx(3 * 60 + 120, abs=15)
    assert day.wait_s(0.2) == pytest.approx(60 + 120, abs=15)


def test_who_goes_ahead_has_a_wait_of_their_own() -> None:
    story = Story(pool_size=5, group_size=5)
    story.crowd(*range(3))
    story.tick(600)
    story.card("contact", listed=Listed(Category.CONTACT))
    story.code("green", "contact")
    story.printed()
    story.press()
    assert figures(story)[DAY].waits == {0: 1} | figures(story)[DAY].waits
    assert figures(story)[DAY].wait_s(1) < 60


def test_pace_is_told_by_quarters_of_an_hour() -> None:
    story = Story(pool_size=5, group_size=5)
    story.crowd(*range(10))
    story.printed()
    story.tick(1800)
    story.crowd(*range(20, 24))
    day = figures(story)[DAY]
    assert sorted(day.pace.values()) == [4, 10]
    assert day.an_hour == (10 + 4) * 4 / 2


def test_undoing_and_typing_show_how_good_the_data_are() -> None:
    """Rule G9."""
    story = Story(pool_size=5, group_size=5)
    story.crowd(*range(4))
    story.ordered(Do.VOID_LAST)
    day = figures(story)[DAY]
    assert day.of("corrected.void-last") == 1
    assert day.undo_rate == 0.25
    assert day.typed_share == 0


def test_a_tube_is_here_until_it_is_handed_over_lost_or_void() -> None:
    story = Story(pool_size=5, group_size=5)
    story.crowd(*range(10))
    story.printed()
    now = Tally()
    for at, fact in story.journal:
        now = tally(now, fact, at)
    assert now.here == 2
    for at, fact in [(story.at, each) for each in story.ordered(Do.LOST_TUBE, story.closed[0].tube)]:
        now = tally(now, fact, at)
    assert now.here == 1


def test_each_day_has_its_own_figures() -> None:
    story = a_day()
    story.tick(DAY_S)
    story.crowd("a", "b")
    told = figures(story)
    assert (told[DAY].of("registered"), told[DAY + 1].of("registered")) == (11, 2)


def test_a_clock_that_jumps_away_and_back_loses_nobody() -> None:
    story = Story()
    story.crowd(*range(3))
    story.clock_jump(-100 * DAY_S)
    story.crowd(*range(10, 12))
    story.clock_jump(100 * DAY_S)
    story.crowd(*range(20, 24))
    told = figures(story)
    assert (told[DAY].of("registered"), told[DAY - 100].of("registered")) == (7, 2)


@settings(max_examples=50, derandomize=True, deadline=None)
@given(cut=st.integers(0, 60))
def test_figures_of_two_halves_are_those_of_the_whole(cut: int) -> None:
    entries = [entry for _, entry in a_day().entries()]
    whole = days(entries)[DAY]
    halves = [days(entries[:cut]).get(DAY, Figures(DAY)), days(entries[cut:]).get(DAY, Figures(DAY))]
    both = halves[0].plus(halves[1])
    assert (both.family("category"), both.pace) == (whole.family("category"), whole.pace)
    assert both.of("registered") == whole.of("registered")


def test_the_running_figures_can_be_kept_in_a_snapshot() -> None:
    story = a_day()
    now = Tally()
    for at, fact in story.journal:
        now = tally(now, fact, at)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(now), type=Tally) == now
    assert all(isinstance(entry, Entry) for _, entry in story.entries())
