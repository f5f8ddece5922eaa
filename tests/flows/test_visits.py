"""Home visits: the same tubes, and nobody waits at a gate."""

from kiosk.domain import Do, Signal
from kiosk.facts import GroupClosed, GroupReleased, Registered, TubeClosed, TubeOpened
from tests.support.desk_story import Story


def test_at_home_a_group_goes_when_its_tube_is_closed_and_labelled() -> None:
    story = Story(pool_size=5, group_size=10)
    story.ordered(Do.VISIT_START)
    story.crowd(*range(5))
    assert [(fact.group, fact.members) for fact in story.told(GroupClosed)] == [(1, 5)]
    assert story.told(GroupReleased) == []  # never without a label
    story.printed()
    assert [(fact.group, fact.members) for fact in story.told(GroupReleased)] == [(1, 5)]
    assert story.site.release.waiting == 0


def test_nobody_of_the_site_shares_a_tube_with_somebody_at_home() -> None:
    story = Story(pool_size=10, group_size=10)
    story.crowd(*range(3))
    story.ordered(Do.VISIT_START)
    story.crowd(*range(3, 5))
    story.ordered(Do.VISIT_END)
    story.printed()
    story.crowd(5)
    assert [(tube.members, tube.size) for tube in story.closed] == [(3, 10), (2, 10)]
    assert [fact.members for fact in story.told(GroupClosed)] == [3, 2]
    assert [fact.visit for fact in story.told(Registered)] == [False] * 3 + [True] * 2 + [False]


def test_the_numbers_go_on_in_the_same_series() -> None:
    story = Story(pool_size=1, group_size=1)
    for order, who in ((Do.VISIT_START, 1), (Do.VISIT_END, 2), (Do.VISIT_START, 3)):
        story.crowd(who)
        story.printed()
        story.ordered(order)
    assert [fact.serial for fact in story.told(TubeOpened)] == [1, 2, 3]


def test_back_at_the_site_the_gate_is_there_again() -> None:
    story = Story(pool_size=5, group_size=5)
    story.ordered(Do.VISIT_START)
    story.ordered(Do.VISIT_END)
    story.crowd(*range(5))
    story.printed()
    assert story.told(GroupReleased) == []
    story.press()
    assert len(story.told(GroupReleased)) == 1


def test_the_visit_goes_on_after_a_restart() -> None:
    story = Story(pool_size=5, group_size=10)
    story.ordered(Do.VISIT_START)
    story.restart(reboot=True)
    story.crowd(*range(5))
    story.printed()
    assert len(story.told(GroupReleased)) == 1


def test_the_courier_or_a_long_press_closes_a_short_tube_at_home() -> None:
    story = Story(pool_size=10, group_size=10)
    story.ordered(Do.VISIT_START)
    story.crowd(1, 2)
    story.press("long")
    story.printed()
    assert [(fact.members, fact.size) for fact in story.told(TubeClosed)] == [(2, 10)]
    assert [fact.members for fact in story.told(GroupReleased)] == [2]


def test_who_is_out_already_is_told_so() -> None:
    story = Story()
    story.ordered(Do.VISIT_START)
    since = story.site.visits.since
    story.tick(10)
    story.ordered(Do.VISIT_START)
    assert (story.signal, story.site.visits.since) == (Signal.DENIED, since)
