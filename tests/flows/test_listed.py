"""What the roster says of a person is told at the desk and written down with them."""

import pytest

from kiosk.domain import Category, Do, Listed, Reason, Signal
from kiosk.facts import Refused, Registered, TubeClosed
from tests.support.desk_story import Story


@pytest.mark.parametrize(
    ("listed", "signal"),
    [
        (Listed(place="1栋"), Signal.ACCEPTED),
        (Listed(early=True), Signal.FLAGGED),
        (Listed(slot=False), Signal.FLAGGED),
        (Listed(here=False), Signal.FLAGGED),
        (Listed(hold=True), Signal.FLAGGED),
    ],
)
def test_a_hint_of_the_roster_is_no_plain_green_and_keeps_nobody_away(listed: Listed, signal: Signal) -> None:
    story = Story(health_code="off")
    [registered, *_] = story.card(1, listed=listed)
    assert isinstance(registered, Registered)
    assert registered.listed == listed
    assert story.signal is signal


def test_the_class_on_the_roster_decides_the_tube() -> None:
    story = Story(health_code="off", pool_size=5)
    story.card(1, listed=Listed(Category.KEY, "1栋"))
    story.card(2, listed=Listed(place="1栋"))
    assert [(tube.members, tube.size) for tube in story.told(TubeClosed)] == [(1, 1)]


def test_another_hour_is_refused_where_the_profile_says_so_unless_staff_override() -> None:
    story = Story(health_code="off", slot="refuse")
    late = Listed(place="1栋", slot=False)
    assert story.card(1, listed=late)[0] == Refused(Reason.SLOT, story.told(Refused)[-1].digest)
    story.ordered(Do.OVERRIDE, 1)
    story.card(1, listed=late)
    assert [fact.listed for fact in story.told(Registered)] == [late]


def test_the_roster_is_asked_for_the_card_that_waits_for_its_code() -> None:
    story = Story()
    story.card(1, listed=Listed(place="2栋"))
    story.code("green", 1)
    assert [fact.listed for fact in story.told(Registered)] == [Listed(place="2栋")]
