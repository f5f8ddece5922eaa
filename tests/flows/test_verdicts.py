"""An opaque code: asked at once, waited for a moment, and obeyed however late the answer comes."""

import pytest

from kiosk.domain import Category, Colour, Do, Reason, Signal, Trouble
from kiosk.facts import (
    AskVerdict,
    Bound,
    IncidentRaised,
    Refused,
    Registered,
    Unbound,
    VerdictAsked,
    VerdictTaken,
    Withdrawn,
)
from kiosk.flows import verdicts
from kiosk.site import resume
from kiosk.uplink import repeats
from tests.support.desk_story import Story, digest, person, subject

CODE = digest("opaque code Li")
ASKED = VerdictAsked(subject("opaque code Li"))


def asked(story: Story) -> list[bytes]:
    return [order.code.digest for order in story.orders if isinstance(order, AskVerdict)]


def one(story: Story) -> Registered:
    [registered] = story.told(Registered)
    return registered


# Asked ----------------------------------------------------------------------------------------------------------------


def test_an_opaque_code_is_asked_about_the_moment_it_is_seen_and_only_once() -> None:
    story = Story()
    story.opaque("Li")
    story.opaque("Li")
    assert asked(story) == [CODE]
    story.card("Li")
    story.opaque("Li")
    assert asked(story) == [CODE]


def test_other_codes_and_codes_where_none_are_wanted_are_not_asked_about() -> None:
    story = Story()
    story.both("Li", "unknown")
    assert asked(story) == []
    story = Story(health_code="off")
    story.opaque("Li")
    assert asked(story) == []


def test_a_card_fed_to_an_order_is_no_question() -> None:
    story = Story()
    story.ordered(Do.VOID)
    story.opaque("Li")
    assert asked(story) == []


# In time --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("card_first", [True, False])
@pytest.mark.parametrize("mode", ["required", "optional"])
def test_the_person_is_held_until_green_comes(card_first: bool, mode: str) -> None:
    story = Story(health_code=mode)
    if card_first:
        story.card("Li")
        assert story.opaque("Li") == [ASKED]
    else:
        story.opaque("Li")
        assert story.card("Li") == []
    assert story.signal is Signal.HELD
    assert story.tick(1) == []
    story.verdict("green", "Li", holder="Li")
    assert (one(story).colour, one(story).source) == (Colour.GREEN, "both")
    assert story.signal is Signal.ACCEPTED


def test_a_code_that_was_judged_before_the_card_came_waits_for_nothing() -> None:
    story = Story()
    story.opaque("Li")
    story.tick(4)
    assert story.verdict("green", "Li") == [VerdictTaken(CODE, Colour.GREEN, in_time=True)]
    story.card("Li")
    assert one(story).colour is Colour.GREEN


def test_the_time_runs_from_the_question_and_not_from_the_card() -> None:
    story = Story(unknown_code="flag")
    story.opaque("Li")
    story.tick(3)
    story.card("Li")
    assert one(story).colour is Colour.UNKNOWN
    assert story.signal is Signal.FLAGGED


@pytest.mark.parametrize(
    ("policy", "answer"), [("flag", Signal.FLAGGED), ("single", Signal.FLAGGED), ("refuse", Signal.REFUSED)]
)
def test_without_an_answer_in_time_the_third_state_applies(policy: str, answer: Signal) -> None:
    story = Story(unknown_code=policy)
    story.card("Li")
    story.opaque("Li")
    assert story.tick(1) == []
    story.tick(0.5)
    assert story.signal is answer
    assert [fact.apart for fact in story.told(Registered)] == {"flag": [False], "single": [True], "refuse": []}[policy]


def test_unknown_is_an_answer_too() -> None:
    story = Story()
    story.card("Li")
    story.opaque("Li")
    story.verdict("unknown", "Li")
    assert story.signal is Signal.FLAGGED


def test_where_nobody_can_be_asked_nobody_waits() -> None:
    story = Story()
    story.card("Li")
    story.opaque("Li", answers=False)
    assert one(story).colour is Colour.UNKNOWN
    assert asked(story) == [CODE]  # and yet it is asked, for whenever there is a line again


def test_who_comes_next_waits_for_no_verdict_of_somebody_else() -> None:
    story = Story()
    story.card("Li")
    story.opaque("Li")
    story.card("Wang")
    assert one(story).colour is Colour.UNKNOWN
    assert story.signal is Signal.HELD
    story.code("green", "Wang")
    assert [fact.colour for fact in story.told(Registered)] == [Colour.UNKNOWN, Colour.GREEN]


def test_a_repeat_is_told_at_once() -> None:
    story = Story()
    story.both("Li")
    story.tick(10)
    story.opaque("Li")
    assert story.card("Li") == [Refused(Reason.REPEAT, person("Li"))]


def test_a_desk_without_a_card_reader_waits_for_the_verdict_alone() -> None:
    story = Story(reads_cards=False)
    assert story.opaque("Li") == [ASKED]
    story.verdict("green", "Li", holder="Li")
    assert (one(story).source, one(story).subject.digest) == ("code", person("Li"))
    assert one(story).code == subject("opaque code Li")
    story.tick(10)
    story.opaque("Li")
    assert story.signal is Signal.REPEAT


def test_somebody_else_s_code_is_refused() -> None:
    story = Story()
    story.card("Li")
    story.opaque("Li")
    answer = VerdictTaken(CODE, Colour.GREEN, person("Wang"), in_time=True)
    assert story.verdict("green", "Li", holder="Wang") == [answer, Refused(Reason.MISMATCH, person("Li"))]
    story.tick(10)
    story.both("Wang")
    assert [fact.subject.digest for fact in story.told(Registered)] == [person("Wang")]


@pytest.mark.parametrize("colour", ["red", "yellow"])
def test_red_and_yellow_in_time_bind_nobody_and_raise_the_alarm(colour: str) -> None:
    story = Story()
    story.card("Li")
    story.opaque("Li")
    raised, taken, refused = story.verdict(colour, "Li", holder="Li")
    shown = (subject("person Li"), subject("opaque code Li"))
    assert raised == IncidentRaised(1, Trouble(colour), CODE, *shown)
    assert taken == VerdictTaken(CODE, Colour(colour), person("Li"), in_time=True)
    assert refused == Refused(Reason(colour), person("Li"), *shown, sure=True)
    story.tick(10)
    story.alone("Li")
    assert story.refusals == [Reason(colour)] * 2


def test_red_for_a_code_that_waits_for_its_card() -> None:
    story = Story()
    story.opaque("Li")
    assert story.verdict("red", "Li") == [
        IncidentRaised(1, Trouble.RED, CODE, None, subject("opaque code Li")),
        VerdictTaken(CODE, Colour.RED, in_time=True),
    ]
    story.card("Li")
    assert story.refusals == [Reason.RED]


# Too late -------------------------------------------------------------------------------------------------------------


def late(colour: str, holder: object = "Li") -> Story:
    story = Story()
    story.both("first")
    story.tick(5)
    story.card("Li")
    story.opaque("Li")
    story.tick(5)
    given = story.site.desk.signals
    story.verdict(colour, "Li", holder)
    assert story.site.desk.signals == given, "who is at the desk now is not told"
    return story


@pytest.mark.parametrize("colour", ["red", "yellow"])
def test_a_late_red_takes_the_person_back_and_is_an_incident(colour: str) -> None:
    story = late(colour)
    assert story.told(VerdictTaken) == [VerdictTaken(CODE, Colour(colour), person("Li"), 2)]
    assert story.told(Withdrawn) == [Withdrawn(2, Reason(colour), late=True)]
    assert story.told(IncidentRaised) == [IncidentRaised(1, Trouble(colour), person=2)]
    assert story.told(Unbound) == [Unbound(story.told(Bound)[0].tube, 2, 2)]
    story.both("next")
    assert [(who, position) for who, _, position in story.places] == [(1, 1), (3, 2)]


def test_a_late_green_is_on_record_and_changes_nothing() -> None:
    story = late("green")
    assert story.told(VerdictTaken) == [VerdictTaken(CODE, Colour.GREEN, person("Li"), 2)]
    assert len(story.places) == 2
    assert story.told(IncidentRaised) == []


def test_the_late_red_code_of_another_person_takes_back_both() -> None:
    story = late("red", holder="first")
    assert story.told(Withdrawn) == [Withdrawn(1, Reason.RED, late=True), Withdrawn(2, Reason.RED, late=True)]
    assert story.places == []


def test_a_late_red_of_somebody_who_was_turned_away_is_an_incident_and_bars_its_holder() -> None:
    story = Story(unknown_code="refuse")
    story.card("Li")
    story.opaque("Li")
    story.tick(5)
    assert story.verdict("red", "Li", holder="Li") == [
        VerdictTaken(CODE, Colour.RED, person("Li")),
        IncidentRaised(1, Trouble.RED, CODE),
    ]
    story.alone("Li")
    assert story.refusals[-1] is Reason.RED


def test_the_same_answer_twice_takes_nobody_back_twice() -> None:
    story = late("red")
    story.verdict("red", "Li", holder="Li")
    assert len(story.told(Withdrawn)) == 1


def test_an_answer_in_the_next_round_takes_nobody_of_it_back() -> None:
    story = Story()
    story.card("Li")
    story.opaque("Li")
    story.tick(2)
    story.new_round()
    story.verdict("red", "Li")
    assert story.told(Withdrawn) == []
    assert story.told(IncidentRaised) == [IncidentRaised(1, Trouble.RED, CODE)]


def test_a_late_answer_finds_its_person_after_a_restart() -> None:
    story = Story()
    story.card("Li")
    story.opaque("Li")
    story.tick(2)
    story.restart(reboot=True)
    story.verdict("red", "Li")
    assert story.told(Withdrawn) == [Withdrawn(1, Reason.RED, late=True)]


# Over a restart -------------------------------------------------------------------------------------------------------


def asked_at_start(story: Story) -> list[bytes]:
    return [order.code.digest for order in resume(story.site) if isinstance(order, AskVerdict)]


@pytest.mark.parametrize("reboot", [False, True])
@pytest.mark.parametrize("colour", ["red", "yellow"])
def test_killed_before_the_desk_decided_it_is_asked_again_and_its_red_is_an_incident(colour: str, reboot: bool) -> None:
    story = Story()
    story.card("Li")
    story.opaque("Li")
    story.restart(reboot=reboot)
    assert story.people == 0
    assert asked_at_start(story) == [CODE]
    assert story.verdict(colour, "Li", holder="Li")[-1] == IncidentRaised(1, Trouble(colour), CODE)
    assert asked_at_start(story) == []
    story.alone("Li")
    assert story.refusals == [Reason(colour)]


@pytest.mark.parametrize("policy", ["flag", "single", "refuse"])
def test_killed_after_nobody_answered_it_is_asked_again(policy: str) -> None:
    story = Story(unknown_code=policy)
    story.card("Li")
    story.opaque("Li")
    story.tick(5)
    story.restart()
    assert asked_at_start(story) == [CODE]
    story.verdict("red", "Li", holder="Li")
    assert [fact.kind for fact in story.told(IncidentRaised)] == [Trouble.RED]
    assert [fact.person for fact in story.told(Withdrawn)] == [fact.person for fact in story.told(Registered)]


def test_what_is_asked_at_a_start_is_sealed_as_it_is_in_the_facts() -> None:
    story = Story()
    story.opaque("Li")
    story.restart()
    assert [order for order in resume(story.site) if isinstance(order, AskVerdict)] == [AskVerdict(ASKED.code)]


@pytest.mark.parametrize("colour", ["green", "red", "unknown"])
@pytest.mark.parametrize("in_time", [True, False])
def test_what_was_answered_is_not_asked_again(colour: str, in_time: bool) -> None:
    story = Story()
    story.card("Li")
    story.opaque("Li")
    story.tick(1 if in_time else 5)
    story.verdict(colour, "Li", holder="Li")
    assert [fact.in_time for fact in story.told(VerdictTaken)] == [in_time]
    raised = len(story.told(IncidentRaised))
    story.restart()
    assert asked_at_start(story) == []
    assert len(story.told(IncidentRaised)) == raised == (colour == "red")


def test_a_code_that_is_shown_again_unanswered_is_asked_again_and_written_once() -> None:
    story = Story()
    story.opaque("Li")
    story.tick(30)
    story.restart()
    story.opaque("Li")
    assert asked(story) == [CODE, CODE]
    assert story.told(VerdictAsked) == [ASKED]


def test_old_questions_give_way() -> None:
    assert verdicts.MOST <= repeats.MOST, "nothing that a start asks pushes out what it asks"
    story = Story(health_code="required")
    for number in range(verdicts.MOST + 2):
        story.opaque(number)
        story.tick(11)
    assert asked_at_start(story) == [digest(f"opaque code {number}") for number in range(2, verdicts.MOST + 2)]


# Red wins -------------------------------------------------------------------------------------------------------------


def test_green_on_paper_and_red_on_the_phone_before_the_card() -> None:
    story = Story()
    story.code("green", "Li", named=True)
    story.code("red", "Li", named=True)
    story.card("Li")
    assert story.refusals == [Reason.RED]
    assert story.people == 0


def test_green_on_paper_is_registered_and_red_on_the_phone_takes_them_back() -> None:
    story = Story()
    story.both("Li")
    story.opaque("Li's phone")
    story.verdict("red", "Li's phone", holder="Li")
    story.tick(10)
    assert story.told(Withdrawn) == [Withdrawn(1, Reason.RED)]
    assert story.places == []


def test_red_on_the_phone_and_then_green_on_paper() -> None:
    story = Story()
    story.card("Li")
    story.code("red", "Li", named=True)
    story.tick(10)
    story.both("Li", "green")
    assert story.refusals == [Reason.RED, Reason.RED]
    assert story.people == 0


# Quiet at the desk ----------------------------------------------------------------------------------------------------


def test_red_yellow_and_any_other_refusal_look_and_sound_the_same_to_who_stands_there() -> None:
    from kiosk.panel import View, show

    answers = []
    for colour in ("red", "yellow", "unknown"):
        story = Story(unknown_code="refuse")
        story.both("Li", colour)
        desk = story.site.desk
        picture = show(View(signal=desk.signal, signal_at=desk.signal_at, accepting=True, ready=True), desk.signal_at)
        answers.append((story.answers, picture))
    assert answers[0] == answers[1] == answers[2]


def test_the_next_resident_is_served_while_the_alarm_is_lit() -> None:
    story = Story()
    story.both("Li", "red")
    story.both("Wang")
    assert story.signal is Signal.ACCEPTED
    assert list(story.site.incidents.open) == [1]


# Yellow in a lane of its own ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["seen", "asked", "seen before"])
def test_yellow_goes_into_a_tube_of_its_own_in_the_isolation_lane(way: str) -> None:
    story = Story(yellow="isolate")
    story.both("first")
    story.tick(5)
    if way == "asked":
        story.card("Li")
        story.opaque("Li")
        story.verdict("yellow", "Li", holder="Li")
    elif way == "seen":
        story.both("Li", "yellow")
    else:
        story.code("yellow", "Li", named=True)
        story.card("Li")
    registered = story.told(Registered)[1]
    assert (registered.category, registered.apart) == (Category.YELLOW, True)
    assert story.signal is Signal.FLAGGED
    assert [fact.kind for fact in story.told(IncidentRaised)] == [Trouble.YELLOW]
    story.both("next")
    assert [(who, position) for who, _, position in story.places] == [(1, 1), (2, 1), (3, 2)]
    assert [(tube.members, tube.isolation) for tube in story.closed] == [(1, True)]


def test_red_is_never_isolated() -> None:
    story = Story(yellow="isolate")
    story.both("Li", "red")
    story.tick(10)
    story.both("Li", "yellow")
    assert story.refusals == [Reason.RED, Reason.RED]


def test_somebody_taken_back_for_yellow_comes_again_in_the_isolation_lane() -> None:
    story = Story(yellow="isolate")
    story.card("Li")
    story.opaque("Li")
    story.tick(5)
    story.verdict("yellow", "Li", holder="Li")
    story.tick(5)
    story.alone("Li")
    assert [(fact.category, fact.apart) for fact in story.told(Registered)] == [
        (Category.GENERAL, False),
        (Category.YELLOW, True),
    ]
