"""What the panel is told of the state, and what is said in words."""

from typing import Any

from kiosk.config import Queue
from kiosk.domain import Do, Signal
from kiosk.health import WAIT_LONG, Issue
from kiosk.on_duty import supervised
from kiosk.overview import Surroundings, heard, told, view
from kiosk.panel import View
from tests.support.desk_story import Story


def seen(story: Story, issues: tuple[Issue, ...] = (), *, ready: bool = True, **around: Any) -> View:
    return view(story.site, issues, Surroundings(devices={}, **around), "", ready=ready)


def test_the_door_is_closed_and_nobody_may_scan_while_as_many_wait_as_may() -> None:
    story = Story(setup={"queue": Queue(waiting_cap=5)}, pool_size=5, group_size=5)
    story.crowd(*range(4))
    assert (seen(story).accepting, seen(story).door_closed) == (True, False)
    story.crowd(4)
    assert (seen(story).accepting, seen(story).door_closed) == (False, True)
    assert heard(story.site).door_closed
    assert not seen(story, ready=False).door_closed


def test_a_long_wait_is_no_fault_but_has_its_own_sign() -> None:
    shown = seen(Story(), (Issue(WAIT_LONG, 0, "release"),))
    assert (shown.wait_long, shown.faults) == (True, ())


def test_a_badge_shows_for_its_minute_and_who_is_supervised_as_long_as_they_register() -> None:
    story = Story()
    assert seen(story).badge_until == 0
    story.badge()
    assert seen(story).badge_until == story.at.mono + 60_000
    assert seen(story, supervised=True).supervised


def test_the_bar_is_that_of_the_group_size_which_staff_have_ordered() -> None:
    story = Story(pool_size=5, group_size=10)
    story.ordered(Do.GROUP, text="5")
    assert seen(story).group_size == 5


def test_a_resident_is_told_in_words_what_staff_and_cards_without_need_of_a_code_are_not() -> None:
    optional, required = Story(), Story(health_code="required")
    optional.card("Li")
    required.card("Li")
    assert (optional.signal, told(optional.site)) == (Signal.HELD, Signal.NONE)
    assert told(required.site) is Signal.HELD
    required.code("green", "Li")
    assert told(required.site) is Signal.ACCEPTED
    required.ordered(Do.VOID)
    assert (required.signal, told(required.site)) == (Signal.HELD, Signal.NONE)


def test_the_desk_is_supervised_while_all_its_registrars_have_too_few_drills() -> None:
    story = Story()
    assert not supervised(story.site, story.at)
    story.badge(drills=2)
    story.order(Do.SHIFT_ON)
    assert supervised(story.site, story.at)
    story.badge(8, drills=3)
    story.order(Do.SHIFT_ON)
    assert not supervised(story.site, story.at)
    story.badge(8, drills=3)
    story.order(Do.SHIFT_OFF)
    assert supervised(story.site, story.at)
    story.tick(13 * 3600)
    assert not supervised(story.site, story.at)  # they forgot to sign off
