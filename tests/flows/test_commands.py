"""Orders of the command post: obeyed once, in time, never after a later one; over restarts too."""

from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.domain import Signal, Trust
from kiosk.events import CommandAnswered, CommandArrived, Event
from kiosk.facts import CommandEnded, CommandTaken, Obey, Order, TellResult
from kiosk.site import decide, resume
from tests.support.desk_story import KIOSK, NOON, SITE, Story, digest

HOUR_MS = 3_600_000


def order(
    n: int = 1,
    to: int = KIOSK,
    *,
    site: str = SITE,
    do: str = "shell",
    until: int = int(NOON * 1000) + HOUR_MS,
    via: str = "uplink",
    fault: str = "",
    text: str = "",
) -> CommandArrived:
    envelope = f"{site} {to} {n} {do} {until} {text}".encode()
    return CommandArrived(site, to, n, until, do, envelope, digest(envelope.decode()), via, fault)


class Heard(NamedTuple):
    obeyed: list[str]
    told: list[tuple[int, str]]
    why: str


def hears(story: Story, event: Event) -> Heard:
    """What the kiosk does about it; the story goes on."""
    orders: list[Order] = decide(story.site, event, story.at).orders
    story.happens(event)
    told = [each for each in orders if isinstance(each, TellResult)]
    return Heard(
        [each.do for each in orders if isinstance(each, Obey)],
        [(each.n, each.outcome) for each in told],
        told[-1].text if told else "",
    )


def test_a_command_is_taken_handed_over_and_told() -> None:
    story = Story()
    assert hears(story, order()) == (["shell"], [(1, "accepted")], "")
    taken = story.told(CommandTaken)
    assert [(each.to, each.n, each.do, each.via, each.envelope) for each in taken] == [
        (KIOSK, 1, "shell", "uplink", order().envelope)
    ]


def test_its_end_is_a_fact_and_told() -> None:
    story = Story()
    hears(story, order())
    assert hears(story, CommandAnswered(KIOSK, 1, "done", "open")) == ([], [(1, "done")], "open")
    assert story.told(CommandEnded) == [CommandEnded(KIOSK, 1, "done", "open")]
    assert hears(story, CommandAnswered(KIOSK, 1, "failed", "late")) == ([], [], "")


def test_the_same_once_more_brings_the_stored_result_and_nothing_else() -> None:
    story = Story()
    hears(story, order())
    assert hears(story, order()) == ([], [(1, "accepted")], "")
    hears(story, CommandAnswered(KIOSK, 1, "done", "open"))
    story.tick(5 * 3600)
    assert hears(story, order()) == ([], [(1, "done")], "open")
    assert len(story.told(CommandTaken)) == 1


@pytest.mark.parametrize(
    ("late", "why"),
    [
        (order(1), "n: found 1, expected more than 2: a later command came before it"),
        (order(2, text="another"), "n: found 2, expected more than 2"),
        (order(3, until=int(NOON * 1000) - 60_000), "until: it expired 1 minutes ago by this kiosk's clock"),
        (order(3, fault="do: found dance"), "do: found dance"),
    ],
)
def test_what_is_refused_says_why_and_uses_up_nothing(late: CommandArrived, why: str) -> None:
    story = Story()
    hears(story, order(2))
    heard = hears(story, late)
    assert (heard.obeyed, heard.told) == ([], [(late.n, "refused")])
    assert why in heard.why
    assert hears(story, order(3)).obeyed == ["shell"]


@pytest.mark.parametrize("other", [order(to=KIOSK + 1), order(site="110000")])
def test_one_for_another_kiosk_is_not_answered(other: CommandArrived) -> None:
    assert hears(Story(), other) == ([], [], "")


def test_the_site_and_the_kiosk_are_counted_apart() -> None:
    story = Story()
    assert hears(story, order(9, to=0)).obeyed == ["shell"]
    assert hears(story, order(1)).obeyed == ["shell"]
    assert hears(story, order(9, to=0)).told == [(9, "accepted")]
    assert hears(story, order(8, to=0)).told == [(8, "refused")]


def test_a_code_is_answered_at_the_desk() -> None:
    story = Story()
    hears(story, order(via="code"))
    assert story.signal is Signal.ACKNOWLEDGED
    story.tick(2)
    hears(story, order(0, via="code"))
    assert story.signal is Signal.DENIED


def test_a_code_that_stays_under_the_scanner_is_answered_once() -> None:
    story = Story()
    hears(story, order(via="code"))
    given = story.site.desk.signals
    assert hears(story, order(via="code")) == ([], [], "")
    assert story.site.desk.signals == given


def test_a_restart_hands_over_what_has_not_ended() -> None:
    story = Story()
    hears(story, order())
    story.restart(reboot=True)
    assert [each.envelope for each in resume(story.site) if isinstance(each, Obey)] == [order().envelope]
    hears(story, CommandAnswered(KIOSK, 1, "done", ""))
    story.restart()
    assert [each for each in resume(story.site) if isinstance(each, Obey)] == []
    assert hears(story, order()).told == [(1, "done")]


def test_a_clock_that_went_back_lets_no_old_one_in() -> None:
    """It may be obeyed late, but never twice and never after a later one."""
    story = Story(trust=Trust.RESTORED)
    expired = order(1, until=int(NOON * 1000) - 1)
    assert hears(story, expired).told == [(1, "refused")]
    hears(story, order(2))
    story.clock_jump(-30 * 86_400)
    assert hears(story, expired).told == [(1, "refused")]
    assert hears(story, order(2)).obeyed == []


@given(st.lists(st.tuples(st.integers(1, 6), st.sampled_from([0, KIOSK]), st.booleans()), max_size=30))
def test_whatever_comes_each_number_is_obeyed_once_and_in_order(arrivals: list[tuple[int, int, bool]]) -> None:
    story = Story()
    for n, to, restarts in arrivals:
        hears(story, order(n, to))
        if restarts:
            story.restart()
    for to in (0, KIOSK):
        numbers = [each.n for each in story.told(CommandTaken) if each.to == to]
        assert numbers == sorted(set(numbers))
