"""Red and yellow: raised at once, once, until staff have seen it."""

import pytest

from kiosk.domain import Do, Reason, Signal, Trouble
from kiosk.facts import IncidentAcknowledged, IncidentRaised, Refused, Withdrawn
from tests.support.desk_story import Story, subject


@pytest.mark.parametrize("colour", ["red", "yellow"])
def test_an_incident_is_raised_before_the_refusal_with_all_that_was_shown(colour: str) -> None:
    story = Story()
    story.card("Li")
    raised, refused = story.code(colour, "Li")
    code = subject(f"{colour} code Li")
    assert raised == IncidentRaised(1, Reason(colour), code.digest, subject("person Li"), code)
    assert isinstance(refused, Refused)


def test_a_code_alone_raises_it_at_once_without_waiting_for_a_card() -> None:
    story = Story()
    code = subject("red code Li")
    assert story.code("red", "Li") == [IncidentRaised(1, Reason.RED, code.digest, None, code)]


@pytest.mark.parametrize("colour", ["green", "unknown"])
def test_green_and_unknown_raise_none(colour: str) -> None:
    story = Story()
    story.both("Li", colour)
    assert story.told(IncidentRaised) == []


def test_the_same_code_raises_no_second_one_while_the_first_is_open() -> None:
    story = Story()
    for _ in range(3):
        story.both("Li", "red")
        story.tick(20)
    assert len(story.told(IncidentRaised)) == 1
    story.both("Wang", "red")
    assert len(story.told(IncidentRaised)) == 2


def test_staff_acknowledge_all_that_is_open_and_the_code_may_raise_again() -> None:
    story = Story()
    story.both("Li", "red")
    story.both("Wang", "yellow")
    assert story.press("ack") == [IncidentAcknowledged(1), IncidentAcknowledged(2)]
    assert story.signal is Signal.ACKNOWLEDGED
    assert story.site.incidents.open == {}
    assert story.press("ack") == []
    story.tick(20)
    story.both("Li", "red")
    assert list(story.site.incidents.open) == [3]


def test_the_release_button_acknowledges_nothing() -> None:
    story = Story()
    story.both("Li", "red")
    story.press("release")
    story.press("long")
    assert list(story.site.incidents.open) == [1]


def test_a_person_taken_back_is_an_incident_that_names_their_number() -> None:
    story = Story()
    story.alone("Li")
    story.code("red", "Li")
    facts = story.tick(10)
    assert [fact for fact in facts if isinstance(fact, Withdrawn | IncidentRaised)] == [
        Withdrawn(1, Reason.RED),
        IncidentRaised(2, Reason.RED, person=1),
    ]


def test_it_stays_open_over_a_restart() -> None:
    story = Story()
    story.both("Li", "red")
    story.restart(reboot=True)
    assert list(story.site.incidents.open) == [1]
    assert story.press("ack") == [IncidentAcknowledged(1)]


@pytest.mark.parametrize(
    ("do", "kind"),
    [
        (Do.CALL_STAFF, Trouble.STAFF),
        (Do.CALL_SUPPLIES, Trouble.SUPPLIES),
        (Do.CALL_SECURITY, Trouble.SECURITY),
    ],
)
def test_a_call_for_help_is_an_incident_until_somebody_comes(do: Do, kind: Trouble) -> None:
    story = Story()
    assert IncidentRaised(1, kind) in story.ordered(do)
    assert list(story.site.incidents.open) == [1]
    story.tick(120)
    assert story.press("ack") == [IncidentAcknowledged(1)]


def test_who_showed_their_badge_and_acknowledged_is_on_record() -> None:
    story = Story()
    story.both("Li", "red")
    story.badge(12)
    assert story.press("ack") == [IncidentAcknowledged(1, by=12)]
