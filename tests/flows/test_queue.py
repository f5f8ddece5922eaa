"""The people who wait: how many may, how long they should, who goes first, where they go, and in groups of how many."""

from typing import Any

import pytest

from kiosk.config import Queue
from kiosk.domain import Category, Do, DocumentKind, Listed, Reason, Signal
from kiosk.events import CardPresented
from kiosk.facts import Fact, GroupClosed, GroupReleased, TubeClosed
from kiosk.flows.release import group_size
from tests.support.desk_story import Story, subject


def story(cap: int = 0, tables: tuple[str, ...] = (), **policy: Any) -> Story:
    setup = {"queue": Queue(waiting_cap=cap), "tables": tables}
    return Story(setup=setup, **({"pool_size": 5, "group_size": 5, "unlabelled_groups": 10} | policy))


def listed(at: Story, who: object, category: Category) -> list[Fact]:
    """Somebody of whom the roster says what they are."""
    came = CardPresented(subject(f"person {who}"), DocumentKind.RESIDENT, listed=Listed(category))
    return at.happens(came) + at.tick(2)


# How many may wait (rule Q1) ------------------------------------------------------------------------------------------


def test_at_the_cap_nobody_more_is_registered_until_a_group_has_gone() -> None:
    desk = story(cap=10)
    desk.crowd(*range(10))
    desk.card("late")
    assert desk.refusals == [Reason.QUEUE_FULL]
    assert desk.signal is Signal.REFUSED
    desk.printed()
    desk.card("late")
    assert desk.refusals == [Reason.QUEUE_FULL] * 2
    desk.press()
    desk.both("late")
    assert desk.people == 11


def test_the_door_stays_closed_when_somebody_leaves_and_opens_with_a_group() -> None:
    desk = story(cap=8)
    desk.crowd(*range(7))
    desk.alone("Li")
    assert desk.site.release.is_full(8)
    desk.code("red", "Li", named=True)
    assert desk.site.release.waiting == 7
    assert desk.site.release.is_full(8)
    desk.printed()
    desk.press()
    assert not desk.site.release.is_full(8)


def test_the_door_is_not_closed_for_want_of_a_group_that_could_go() -> None:
    desk = story(cap=5, pool_size=10, group_size=10)
    desk.crowd(*range(4))
    desk.alone("Li")
    assert desk.site.release.is_full(5)
    desk.code("red", "Li", named=True)
    assert not desk.site.release.is_full(5)


@pytest.mark.parametrize("reboot", [True, False])
def test_a_restart_keeps_the_door_closed(reboot: bool) -> None:
    desk = story(cap=5)
    desk.crowd(*range(5))
    desk.restart(reboot=reboot)
    desk.card("late")
    assert desk.refusals == [Reason.QUEUE_FULL]


def test_without_a_cap_any_number_may_wait() -> None:
    desk = story(unlabelled_groups=10)
    for _ in range(30):
        desk.crowd(*(desk.people + n for n in range(5)))
        desk.printed()
    assert (desk.people, desk.refusals) == (150, [])


# Where they go (rule Q5) ----------------------------------------------------------------------------------------------


def test_groups_go_to_the_tables_in_turn() -> None:
    desk = story(tables=("1号采样台", "2号采样台", "3号采样台"))
    went = []
    for start in range(0, 20, 5):
        desk.crowd(*range(start, start + 5))
        desk.printed()
        went += [fact.table for fact in desk.press() if isinstance(fact, GroupReleased)]
        desk.restart()
    assert went == ["1号采样台", "2号采样台", "3号采样台", "1号采样台"]


# Groups of 5 or 10 (rule G2) ------------------------------------------------------------------------------------------


def test_staff_make_groups_of_five_and_of_ten() -> None:
    desk = story(group_size=10)
    desk.crowd(*range(5))
    assert desk.ordered(Do.GROUP, text="5")[-1] == GroupClosed(1, 5)
    desk.crowd(*range(5, 10))
    desk.restart()
    assert desk.told(GroupClosed)[-1] == GroupClosed(2, 5)
    desk.ordered(Do.GROUP, text="10")
    desk.crowd(*range(10, 15))
    assert len(desk.told(GroupClosed)) == 2
    desk.crowd(*range(15, 20))
    assert desk.told(GroupClosed)[-1] == GroupClosed(3, 10)


def test_a_group_stays_a_whole_number_of_tubes() -> None:
    desk = story(pool_size=10, group_size=10)
    desk.ordered(Do.GROUP, text="5")
    assert group_size(desk.site) == 10
    desk.crowd(*range(10))
    assert desk.told(GroupClosed) == [GroupClosed(1, 10)]


@pytest.mark.parametrize("text", ["", "0", "7", "100", "ten"])
def test_groups_of_another_size_are_not_made(text: str) -> None:
    desk = story()
    desk.ordered(Do.GROUP, text=text)
    assert desk.signal is Signal.DENIED
    assert group_size(desk.site) == 5


def worked(an_hour: int, **policy: Any) -> Story:
    """Half an hour at this pace, each group released as it is labelled."""
    desk = story(**policy)
    for n in range(an_hour // 2):
        desk.both(n)
        desk.tick(3600 / an_hour - 0.5)
        desk.tick(0.5)
        desk.printed()
        if desk.site.release.ready is not None:
            desk.press()
    return desk


@pytest.mark.parametrize(("an_hour", "proposed"), [(150, 5), (400, 10)])
def test_the_pace_says_whether_groups_of_five_or_ten_are_better(an_hour: int, proposed: int) -> None:
    desk = worked(an_hour)
    pace = desk.site.release.pace
    came, went = pace.per_hour(desk.at) or (0, 0)
    assert came == pytest.approx(an_hour, abs=20)
    assert went == pytest.approx(an_hour, abs=20)
    assert pace.proposed_group(5, desk.at) == proposed
    assert pace.proposed_group(10, desk.at) == (10 if proposed == 10 else 0)


def test_no_group_is_proposed_before_a_quarter_of_an_hour_was_measured_or_when_nobody_goes() -> None:
    desk = story()
    desk.crowd(*range(5))
    desk.printed()
    desk.press()
    assert desk.site.release.pace.per_hour(desk.at) is None
    desk.tick(40 * 60)
    assert desk.site.release.pace.per_hour(desk.at) == (0, 0)
    assert desk.site.release.pace.proposed_group(5, desk.at) == 0


# Who goes first (rule Q10) --------------------------------------------------------------------------------------------


def test_a_close_contact_goes_before_the_group_that_is_being_formed() -> None:
    desk = story(group_size=5)
    desk.crowd(1, 2)
    facts = listed(desk, "contact", Category.CONTACT)
    tube = next(fact.tube for fact in facts if isinstance(fact, TubeClosed))
    assert GroupClosed(1, 1, ahead=tube) in facts
    desk.printed()
    assert desk.press() == [GroupReleased(1, 1)]
    desk.crowd(3, 4, 5)
    desk.printed()
    assert desk.press() == [GroupReleased(2, 5)]


def test_a_close_contact_goes_before_full_groups_and_holds_up_none() -> None:
    desk = story()
    desk.crowd(*range(5))
    desk.printed()
    listed(desk, "contact", Category.CONTACT)
    listed(desk, "returnee", Category.RETURNEE)
    assert desk.press() == [GroupReleased(1, 5)]  # their labels are not there yet
    desk.crowd(*range(5, 10))
    desk.printed()
    released = [desk.press()[0] for _ in range(3)]
    assert released == [GroupReleased(2, 1), GroupReleased(3, 1), GroupReleased(4, 5)]
    assert (desk.site.release.waiting, desk.site.release.oldest) == (0, None)


def test_who_goes_ahead_does_not_stop_the_desk_while_their_labels_are_printed() -> None:
    desk = story(unlabelled_groups=2)
    for n in range(9):
        listed(desk, n, Category.KEY)
    assert (desk.people, desk.refusals) == (9, [])
    assert desk.site.release.unlabelled_groups == 0


def test_people_infected_before_have_a_tube_of_their_own_and_go_with_the_others() -> None:
    desk = story()
    listed(desk, "recovered", Category.RECOVERED)
    assert desk.told(GroupClosed) == []
    desk.crowd(*range(5))
    assert desk.told(GroupClosed) == [GroupClosed(1, 6)]


# How long they wait (rule Q3) -----------------------------------------------------------------------------------------


def test_the_oldest_wait_is_that_of_whoever_came_first() -> None:
    desk = story()
    desk.both("first")
    came = desk.at
    desk.tick(60)
    listed(desk, "contact", Category.CONTACT)
    assert desk.site.release.oldest == came
    desk.crowd(*range(4))
    assert desk.site.release.oldest == came
