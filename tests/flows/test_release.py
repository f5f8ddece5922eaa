"""Groups: full and labelled, they go; a long press closes a short one."""

import pytest

from kiosk.domain import Reason, Signal
from kiosk.facts import GroupClosed, GroupReleased, TubeClosed, TubeOpened
from tests.support.desk_story import Story


def full(**policy: object) -> Story:
    story = Story(**({"pool_size": 5, "group_size": 5} | policy))
    story.crowd(*range(5))
    return story


def test_a_group_is_released_when_it_is_full_and_its_labels_are_confirmed() -> None:
    story = Story(pool_size=5, group_size=10)
    story.crowd(*range(9))
    story.printed()
    assert story.press() == []
    assert story.signal is Signal.DENIED
    story.both(9)
    assert story.press() == []  # the second tube has no label yet
    assert story.site.release.ready is None
    story.printed()
    assert story.site.release.ready is not None
    assert story.press() == [GroupReleased(1, 10)]
    assert story.signal is Signal.RELEASED
    assert story.press() == []
    assert story.signal is Signal.DENIED


@pytest.mark.parametrize(
    ("held_ms", "does"),
    [
        (29, "nothing"),
        (299, "nothing"),
        (300, "release"),
        (2000, "release"),
        (2001, "nothing"),
        (2999, "nothing"),
        (3000, "close"),
        (20_000, "close"),
    ],
)
def test_what_a_press_does_depends_on_its_length(held_ms: int, does: str) -> None:
    story = full()
    story.printed()
    story.crowd("short")
    facts = story.press(held_ms)
    assert {type(fact) for fact in facts} == {
        "nothing": set(),
        "release": {GroupReleased},
        "close": {TubeClosed, GroupClosed},
    }[does]
    assert (story.signal is Signal.DENIED) == (does == "nothing")


def test_a_long_press_closes_a_short_group_and_its_tube_marked_short() -> None:
    story = Story(pool_size=5, group_size=10)
    story.crowd(*range(7))
    assert story.press("long") == [TubeClosed(story.places[-1][1], 2, 5), GroupClosed(1, 7, short=True)]
    assert story.signal is Signal.CLOSED
    assert story.press() == []
    story.printed()
    assert story.press() == [GroupReleased(1, 7)]


def test_a_long_press_with_nobody_there_does_nothing() -> None:
    story = Story()
    assert story.press("long") == []
    assert story.signal is Signal.DENIED
    story.alone("Li")
    story.code("red", "Li", named=True)
    assert story.press("long") == []
    assert story.told(GroupClosed) == []


def test_a_long_press_between_two_tubes_closes_what_there_is() -> None:
    story = Story(pool_size=5, group_size=10)
    story.crowd(*range(5))
    story.alone("Li")
    story.code("red", "Li", named=True)
    assert story.press("long") == [GroupClosed(1, 5, short=True)]
    story.crowd(*range(10, 15))  # the tube Li left is the first of the next group
    assert len(story.told(TubeOpened)) == 2
    story.printed()
    assert story.press() == [GroupReleased(1, 5)]
    story.press("long")
    assert story.press() == [GroupReleased(2, 5)]


def test_groups_go_in_their_order_also_when_the_later_one_is_labelled_first() -> None:
    story = full(unlabelled_groups=3)
    story.crowd(*range(5, 10))
    first, second = (tube.tube for tube in story.closed)
    story.scan_label(second)
    assert story.press() == []
    story.scan_label(first)
    assert story.press() == [GroupReleased(1, 5)]
    assert story.press() == [GroupReleased(2, 5)]


@pytest.mark.parametrize(
    ("pool", "group", "closes_at"), [(1, 3, 3), (5, 10, 10), (10, 5, 10), (10, 15, 20), (20, 10, 20)]
)
def test_a_group_closes_with_a_whole_number_of_tubes(pool: int, group: int, closes_at: int) -> None:
    story = Story(pool_size=pool, group_size=group)
    story.crowd(*range(closes_at - 1))
    assert story.told(GroupClosed) == []
    story.both("last")
    assert story.told(GroupClosed) == [GroupClosed(1, closes_at)]


def test_people_in_tubes_of_their_own_come_along_with_the_group() -> None:
    story = Story(pool_size=5, group_size=5, unknown_code="single")
    story.both("unknown", "unknown")
    story.crowd(*range(5))
    assert story.told(GroupClosed) == [GroupClosed(1, 6)]
    story.printed(1)
    assert story.press() == []  # one of two labels
    story.printed()
    assert story.press() == [GroupReleased(1, 6)]


def test_when_no_code_can_be_told_the_groups_still_fill() -> None:
    story = Story(pool_size=10, group_size=5, unknown_code="single")
    for n in range(10):
        story.both(n, "unknown")
    assert story.told(GroupClosed) == [GroupClosed(1, 5), GroupClosed(2, 5)]
    story.both(10, "unknown")
    assert story.refusals == [Reason.PRINTER]


def test_waiting_and_the_oldest_wait() -> None:
    story = full()
    release = story.site.release
    assert (release.waiting, release.oldest) == (5, release.queue[0].since)
    story.tick(600)
    story.crowd("next")
    assert story.site.release.waiting == 6
    assert story.site.release.oldest == release.oldest
    story.printed()
    story.press()
    assert story.site.release.waiting == 1
    assert story.site.release.oldest is not None
    assert story.site.release.oldest.mono > 600_000


def test_nobody_waits_when_the_only_one_was_taken_back() -> None:
    story = Story()
    story.alone("Li")
    story.code("red", "Li", named=True)
    assert (story.site.release.waiting, story.site.release.oldest) == (0, None)
    story.tick(60)
    came = story.at
    story.both("next")
    assert story.site.release.oldest == came


@pytest.mark.parametrize("reboot", [True, False])
def test_a_restart_between_full_and_released(reboot: bool) -> None:
    story = full()
    story.restart(reboot=reboot)
    assert story.press() == []
    story.printed()
    story.restart(reboot=reboot)
    assert story.press() == [GroupReleased(1, 5)]


def test_a_smaller_group_size_closes_a_group_that_has_enough() -> None:
    story = Story(pool_size=5, group_size=20)
    story.crowd(*range(10))
    facts = story.restart(group_size=10)
    assert GroupClosed(1, 10) in facts
    story.crowd(*range(10, 15))
    facts = story.restart(group_size=4)
    assert GroupClosed(2, 5) in facts


def test_a_smaller_group_size_waits_for_the_tube_that_is_being_filled() -> None:
    story = Story(pool_size=10, group_size=20)
    story.crowd(*range(12))
    story.restart(group_size=5)
    assert story.told(GroupClosed) == []
    story.crowd(*range(12, 20))
    assert story.told(GroupClosed) == [GroupClosed(1, 20)]


def test_both_sizes_change_and_one_group_closes_with_the_tube_it_had() -> None:
    story = Story(pool_size=10, group_size=20)
    story.crowd(*range(12))
    story.restart(group_size=5, pool_size=5)
    assert story.told(GroupClosed) == [GroupClosed(1, 12)]
    assert [tube.members for tube in story.closed] == [10, 2]
