"""A drill is practised apart (rule Q18), and what it comes to is told (rule P12)."""

import msgspec

from kiosk.domain import Do, Drilled, Role, Signal
from kiosk.events import BadgePresented, OrderScanned, PowerOn
from kiosk.facts import DrillBegun, DrillEnded, Fact, Started
from kiosk.site import Site, refold
from tests.support.desk_story import DAY_S, NOON, Story

TECHNICIAN, REGISTRAR = 7, 9


def orders(story: Story, do: Do, role: Role = Role.TECHNICIAN, badge: int = TECHNICIAN) -> list[Fact]:
    """Badge and command code; returns what was said besides the order."""
    since = int(NOON - DAY_S) * 1000
    story.happens(BadgePresented(badge, role, since, since + 3 * DAY_S * 1000))
    return story.happens(OrderScanned(do))[1:]


def practising(number: int = 1) -> Story:
    """The drill's own journal, just opened."""
    story = Story()
    story.journal.clear()
    story.site = Site(msgspec.structs.replace(story.site.setup, kiosk=0, drill=number))
    story.happens(PowerOn("0"))
    return story


def test_a_badge_begins_a_drill_and_from_then_on_this_journal_is_not_written() -> None:
    story = Story()
    assert not story.site.away
    assert orders(story, Do.DRILL_ON) == [DrillBegun(1)]
    assert story.site.away
    assert refold(Site(story.site.setup), story.entries()).away


def test_those_who_wait_and_the_labels_that_are_owed_come_first() -> None:
    story = Story(pool_size=5, group_size=5, health_code="off")
    story.card("early")
    assert orders(story, Do.DRILL_ON) == []
    assert story.signal is Signal.DENIED
    story.press("long")
    story.press()
    assert orders(story, Do.DRILL_ON) == []
    story.printed()
    story.press()
    assert orders(story, Do.DRILL_ON) == [DrillBegun(1)]


def test_without_a_badge_a_command_code_does_nothing() -> None:
    story = Story()
    assert story.happens(OrderScanned(Do.DRILL_ON)) == []
    drill = practising()
    assert drill.happens(OrderScanned(Do.DRILL_OFF)) == []
    assert not drill.site.away
    assert orders(drill, Do.DRILL_OFF, Role.COURIER) == []
    assert not drill.site.away


def test_a_drill_has_numbers_of_a_kiosk_that_no_site_has_and_ends_by_a_badge() -> None:
    drill = practising(3)
    assert drill.told(DrillBegun) == [DrillBegun(3)]
    assert not drill.site.away
    drill.crowd(*range(10))
    assert [tube.tube[6:8] for tube in drill.closed] == ["00"]
    orders(drill, Do.CLOSE_POOL, Role.REGISTRAR, REGISTRAR)
    assert orders(drill, Do.DRILL_OFF) == [DrillEnded(3, 10, (TECHNICIAN, REGISTRAR))]
    assert drill.site.away


def test_a_drill_goes_on_over_a_restart() -> None:
    drill = practising(2)
    drill.crowd(1, 2)
    drill.site = refold(Site(drill.site.setup), drill.entries())
    assert drill.happens(PowerOn("0")) == [Started("0")]
    assert (drill.site.away, drill.site.drill.number) == (False, 2)


def test_the_journal_proper_learns_of_the_end_at_the_next_start_and_once() -> None:
    story = Story()
    orders(story, Do.DRILL_ON)
    drilled = Drilled(34, (TECHNICIAN, REGISTRAR))
    assert story.happens(PowerOn("0", drilled=drilled))[1:] == [DrillEnded(1, 34, (TECHNICIAN, REGISTRAR))]
    assert not story.site.away
    assert story.happens(PowerOn("0", drilled=drilled)) == [Started("0")]
    assert orders(story, Do.DRILL_ON) == [DrillBegun(2)]


def test_a_drill_within_a_drill_or_the_end_of_none_is_denied() -> None:
    drill, story = practising(), Story()
    assert orders(drill, Do.DRILL_ON) == []
    assert drill.signal is Signal.DENIED
    assert orders(story, Do.DRILL_OFF) == []
    assert story.signal is Signal.DENIED
