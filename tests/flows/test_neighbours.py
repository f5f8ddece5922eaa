"""What the desk does with what other kiosks of the site have told."""

from kiosk.domain import Do, DocumentKind, Reason, Role, Signal
from kiosk.events import BadgePresented, CardPresented, NumberClaimed, OrderScanned
from kiosk.facts import Fact, TubeOpened
from tests.support.desk_story import DAY_S, NOON, Story, subject


def comes(story: Story, who: object, *, elsewhere: int = 0) -> list[Fact]:
    return story.happens(CardPresented(subject(f"person {who}"), DocumentKind.RESIDENT, elsewhere=elsewhere))


def test_who_was_at_another_table_is_told_so_and_counted_apart() -> None:
    story = Story(health_code="off")
    comes(story, "Li", elsewhere=2)
    assert story.signal is Signal.REPEAT
    assert story.site.registration.refused == {Reason.ELSEWHERE: 1}
    comes(story, "Wang")
    comes(story, "Wang", elsewhere=2)  # told so here first
    assert story.refusals == [Reason.ELSEWHERE, Reason.REPEAT]


def test_staff_may_let_them_in_all_the_same() -> None:
    story = Story(health_code="off")
    comes(story, "Li", elsewhere=2)
    since = int(NOON - DAY_S) * 1000
    story.happens(BadgePresented(9, Role.REGISTRAR, since, since + 3 * DAY_S * 1000, 3))
    story.happens(OrderScanned(Do.OVERRIDE))
    comes(story, "Li", elsewhere=2)
    comes(story, "Li", elsewhere=2)
    assert story.people == 1


def test_with_a_number_that_another_kiosk_has_nobody_is_registered_and_no_tube_opened() -> None:
    story = Story(health_code="off")
    comes(story, "early")
    assert story.happens(NumberClaimed(taken=True)) == []
    comes(story, "Li")
    assert (story.signal, story.refusals) == (Signal.REFUSED, [Reason.NUMBER_TAKEN])
    assert len(story.told(TubeOpened)) == 1
    story.happens(NumberClaimed(taken=False))
    comes(story, "Li")
    assert story.people == 2


def test_a_restart_waits_to_hear_it_again() -> None:
    story = Story(health_code="off")
    story.happens(NumberClaimed(taken=True))
    story.restart()
    comes(story, "Li")
    assert story.people == 1
