"""What lies on the desk, and what was last answered."""

import pytest

from kiosk.domain import Signal
from kiosk.flows.desk import Desk
from tests.support.desk_story import Story


@pytest.mark.parametrize("reboot", [True, False])
def test_a_restart_clears_the_desk(reboot: bool) -> None:
    story = Story()
    story.alone("Li")
    story.card("Wang")
    story.restart(reboot=reboot)
    assert story.site.desk == Desk()
    story.tick(20)
    assert story.people == 1


def test_equal_answers_can_be_told_apart() -> None:
    story = Story(health_code="off")
    given = story.site.desk.signals
    story.card("Li")
    story.card("Wang")
    assert story.answers == [Signal.ACCEPTED, Signal.ACCEPTED]
    assert story.site.desk.signals == given + 2


def test_an_answer_carries_its_time() -> None:
    story = Story()
    story.tick(7)
    story.card("Li")
    assert story.site.desk.signal_at == story.mono


def test_every_input_has_an_answer() -> None:
    story = Story(pool_size=1, group_size=1, by_scan=True)
    story.card("Li")
    story.code("green", "Li")
    story.card("Li")
    story.code("red", "Wang")
    story.press("ack")
    story.press("release")
    story.press("long")
    story.printed()
    story.scan_label("3604810100000011")  # not ours
    story.scan_label(story.labels[0].tube)
    story.press("release")
    assert story.answers == [
        Signal.HELD,
        Signal.ACCEPTED,
        Signal.REPEAT,
        Signal.HELD,
        Signal.ACKNOWLEDGED,
        Signal.DENIED,
        Signal.DENIED,
        Signal.DENIED,
        Signal.ACKNOWLEDGED,
        Signal.RELEASED,
    ]
