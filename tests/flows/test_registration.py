"""One person at the desk, told in the words of the field."""

import pytest

from kiosk.domain import Colour, Do, DocumentKind, Reason, Signal
from kiosk.events import CardPresented
from kiosk.facts import Bound, CodeShown, IncidentRaised, Refused, Registered, TubeClosed, Unbound, Withdrawn
from tests.support.desk_story import Story, person, subject

MODES = ("required", "optional", "off")


def one(story: Story) -> Registered:
    """The one registration so far."""
    [registered] = story.told(Registered)
    return registered


# Card alone, code alone -----------------------------------------------------------------------------------------------


def test_optional_a_card_alone_waits_a_moment_and_is_registered() -> None:
    story = Story()
    assert story.card("Li") == []
    assert story.signal is Signal.HELD
    assert story.tick(1) == []
    story.tick(0.5)
    assert (one(story).source, one(story).colour) == ("card", Colour.NONE)
    assert (one(story).subject, one(story).code) == (subject("person Li"), None)
    assert story.signal is Signal.ACCEPTED


def test_required_a_card_alone_is_refused_when_no_code_came_in_time() -> None:
    story = Story(health_code="required")
    story.card("Li")
    assert story.tick(9.5) == []
    assert story.tick(0.5) == [Refused(Reason.NO_CODE, person("Li"))]
    assert story.signal is Signal.REFUSED


def test_off_a_card_is_enough_and_a_code_is_of_no_use() -> None:
    story = Story(health_code="off")
    assert isinstance(story.card("Li")[0], Registered)
    assert story.code("red", "Li") == [Refused(Reason.NOT_NEEDED)]
    assert story.told(IncidentRaised) == []


def test_optional_a_green_code_alone_registers_after_the_window() -> None:
    story = Story()
    story.code("green", "Li")
    assert story.tick(9.5) == []
    story.tick(0.5)
    assert (one(story).source, one(story).subject) == ("code", subject("green code Li"))
    assert story.signal is Signal.ACCEPTED


def test_required_a_green_code_alone_is_not_enough() -> None:
    story = Story(health_code="required")
    story.code("green", "Li")
    assert story.tick(10) == [Refused(Reason.NO_CARD)]


@pytest.mark.parametrize("mode", ["required", "optional"])
@pytest.mark.parametrize("unknown", ["flag", "single", "refuse"])
def test_an_unknown_code_alone_stands_for_nobody(mode: str, unknown: str) -> None:
    story = Story(health_code=mode, unknown_code=unknown)
    story.code("unknown", "noise")
    assert story.tick(10) == [Refused(Reason.UNKNOWN_CODE)]


# Card and code --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["required", "optional"])
@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize("card_first", [True, False])
def test_card_and_code_in_either_order(mode: str, named: bool, card_first: bool) -> None:
    story = Story(health_code=mode)
    if card_first:
        story.card("Li")
    story.code("green", "Li", named=named)
    story.tick(1)
    assert story.people == int(card_first)
    if not card_first:
        story.tick(8)
        story.card("Li")
    assert (one(story).source, one(story).colour, one(story).subject) == ("both", Colour.GREEN, subject("person Li"))
    assert one(story).code is not None
    assert story.signal is Signal.ACCEPTED
    story.tick(20)
    assert story.people == 1
    assert story.refusals == []


def test_required_code_and_card_too_far_apart_are_two_refusals() -> None:
    story = Story(health_code="required")
    story.code("green", "Li")
    story.tick(10)
    story.card("Li")
    story.tick(10)
    assert story.refusals == [Reason.NO_CARD, Reason.NO_CODE]


def test_the_same_card_again_while_it_waits_changes_nothing() -> None:
    story = Story(health_code="required")
    story.card("Li")
    story.tick(6)
    assert story.card("Li") == []
    assert story.tick(4) == [Refused(Reason.NO_CODE, person("Li"))]


def test_the_same_code_again_while_it_waits_changes_nothing() -> None:
    story = Story()
    story.code("green", "Li")
    story.tick(6)
    assert story.code("green", "Li") == []
    assert isinstance(story.tick(4)[0], Registered)


def test_optional_another_card_ends_the_wait_of_the_first() -> None:
    story = Story()
    story.card("Li")
    story.tick(1)
    assert isinstance(story.card("Wang")[0], Registered)
    assert one(story).subject.digest == person("Li")
    assert story.signal is Signal.HELD  # what the one at the desk now needs to see
    story.tick(2)
    assert [fact.subject.digest for fact in story.told(Registered)] == [person("Li"), person("Wang")]
    assert [fact.person for fact in story.told(Registered)] == [1, 2]


def test_required_another_card_ends_the_wait_of_the_first_with_a_refusal() -> None:
    story = Story(health_code="required")
    story.card("Li")
    assert story.card("Wang") == [Refused(Reason.NO_CODE, person("Li"))]
    story.code("green", "Wang")
    assert one(story).subject.digest == person("Wang")


def test_another_code_ends_the_wait_of_the_first() -> None:
    story = Story()
    story.code("green", "Li")
    story.code("green", "Wang")
    story.tick(10)
    assert [fact.subject for fact in story.told(Registered)] == [subject("green code Li"), subject("green code Wang")]


def test_a_code_that_names_another_person_is_refused_and_both_may_try_again() -> None:
    story = Story()
    story.card("Li")
    assert story.code("green", "Wang", named=True) == [Refused(Reason.MISMATCH, person("Li"))]
    assert story.signal is Signal.REFUSED
    story.tick(3)
    story.card("Li")
    story.code("green", "Li", named=True)
    story.card("Wang")
    story.code("green", "Wang", named=True)
    assert [fact.subject.digest for fact in story.told(Registered)] == [person("Li"), person("Wang")]


def test_code_first_then_the_card_of_another_person() -> None:
    story = Story(health_code="required")
    story.code("green", "Wang", named=True)
    assert story.card("Li") == [Refused(Reason.MISMATCH, person("Li"))]


def test_the_red_code_of_somebody_else_bars_its_holder_not_the_one_with_the_card() -> None:
    story = Story()
    story.card("Li")
    story.code("red", "Wang", named=True)
    assert story.refusals == [Reason.RED, Reason.MISMATCH]
    story.tick(10)
    story.alone("Li")
    story.alone("Wang")
    assert one(story).subject.digest == person("Li")
    assert story.refusals == [Reason.RED, Reason.MISMATCH, Reason.RED]


@pytest.mark.parametrize("mode", MODES)
def test_an_expired_card_is_accepted_with_a_flag(mode: str) -> None:
    story = Story(health_code=mode)
    story.card("Li", expired=True)
    if mode != "off":
        story.code("green", "Li")
    assert one(story).expired
    assert story.signal is Signal.ACCEPTED


def test_the_kind_of_document_is_kept() -> None:
    story = Story(health_code="off")
    story.happens(CardPresented(subject("person Anna"), DocumentKind.FOREIGNER_2023))
    assert one(story).document is DocumentKind.FOREIGNER_2023


@pytest.mark.parametrize(
    ("reason", "signal"),
    [
        (Reason.UNREADABLE, Signal.RETRY),
        (Reason.BAD_NUMBER, Signal.RETRY),
        (Reason.NOT_NEEDED, Signal.REFUSED),
    ],
)
def test_what_cannot_be_used_is_answered_and_disturbs_no_one(reason: Reason, signal: Signal) -> None:
    story = Story()
    story.card("Li")
    assert story.unusable(reason) == [Refused(reason)]
    assert story.signal is signal
    story.code("green", "Li")
    assert one(story).source == "both"


# Twice ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
def test_the_same_person_twice_is_told_so_and_bound_once(mode: str) -> None:
    story = Story(health_code=mode)
    story.card("Li")
    if mode != "off":
        story.code("green", "Li")
    story.tick(20)
    assert story.card("Li") == [Refused(Reason.REPEAT, person("Li"))]  # at once, no code is asked for
    assert story.signal is Signal.REPEAT
    assert len(story.told(Bound)) == 1


def test_a_registered_person_who_comes_back_with_the_code_alone_is_told_so() -> None:
    story = Story()
    story.both("Li")
    story.tick(60)
    assert story.code("green", "Li") == [Refused(Reason.REPEAT, subject("green code Li").digest)]
    assert story.signal is Signal.REPEAT
    story.tick(20)
    assert story.people == 1


def test_registered_by_code_alone_and_back_with_card_and_code() -> None:
    story = Story()
    story.code("green", "Li")
    story.tick(20)
    story.both("Li")
    assert story.refusals == [Reason.REPEAT]
    assert story.people == 1


@pytest.mark.parametrize("first", ["card", "code"])
@pytest.mark.parametrize("second", ["card", "code"])
def test_a_code_that_names_its_holder_and_the_card_are_one_person(first: str, second: str) -> None:
    story = Story()
    for shown in (first, second):
        story.card("Li") if shown == "card" else story.code("green", "Li", named=True)
        story.tick(20)
    assert len(story.told(Bound)) == 1
    assert story.signal is Signal.REPEAT


def test_a_phone_left_before_the_scanner_takes_no_green_away_and_meets_no_other_card() -> None:
    story = Story()
    story.both("Li")
    story.tick(1)
    assert story.code("green", "Li") == []
    assert story.signal is Signal.ACCEPTED
    story.card("Wang")
    assert story.code("green", "Li") == []
    story.code("green", "Wang")
    assert story.told(Registered)[1].code == subject("green code Wang")


def test_a_phone_left_there_is_no_excuse_for_red() -> None:
    story = Story()
    story.card("Li")
    story.code("green", "Li", named=True)
    story.tick(1)
    assert Withdrawn(1, Reason.RED) in story.code("red", "Li", named=True)


@pytest.mark.parametrize("round_policy", ["daily", "manual"])
def test_a_new_round_lets_them_come_again(round_policy: str) -> None:
    story = Story(round=round_policy)
    story.both("Li")
    story.new_round()
    story.tick(20)
    story.both("Li")
    assert story.people == 2
    assert story.refusals == []


# Red and yellow -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["required", "optional"])
@pytest.mark.parametrize("colour", ["red", "yellow"])
@pytest.mark.parametrize("card_first", [True, False])
def test_red_and_yellow_are_not_bound_and_the_place_stays_for_the_next(
    mode: str, colour: str, card_first: bool
) -> None:
    story = Story(health_code=mode)
    story.both("first")
    if card_first:
        story.both("Li", colour)
    else:
        story.code(colour, "Li")
        story.card("Li")
    refused = story.told(Refused)[-1]
    assert (refused.reason, refused.sure) == (Reason(colour), card_first)
    assert (refused.card, refused.code) == (subject("person Li"), subject(f"{colour} code Li"))
    assert story.signal is Signal.REFUSED
    story.tick(10)
    story.both("next")
    assert [position for _, _, position in story.places] == [1, 2]


@pytest.mark.parametrize("colour", ["red", "yellow"])
def test_red_wins_over_green_until_staff_let_them_come_or_the_round_is_over(colour: str) -> None:
    story = Story()
    story.both("Li", colour)
    story.tick(10)
    story.alone("Li")
    story.card("Li")
    story.code("unknown", "Li")
    assert story.refusals == [Reason(colour)] * 3
    story.tick(10)
    story.both("Li", "green")
    assert story.refusals == [Reason(colour)] * 4
    story.ordered(Do.OVERRIDE, "Li")
    story.both("Li", "green")
    assert story.people == 1
    story.new_round()
    story.tick(10)
    story.alone("Li")
    assert story.people == 2


def test_a_bar_ends_with_the_round_and_outlives_a_restart() -> None:
    story = Story(round="manual")
    story.both("Li", "red")
    story.restart(reboot=True)
    story.alone("Li")
    assert story.people == 0
    story.new_round()
    story.tick(10)
    story.alone("Li")
    assert story.people == 1


def test_a_red_code_alone_whose_holder_is_known_bars_the_card() -> None:
    story = Story()
    story.code("red", "Li", named=True)
    story.tick(10)
    story.alone("Li")
    assert story.refusals == [Reason.RED, Reason.RED]


def test_somebody_who_takes_a_card_where_another_showed_red_may_try_again() -> None:
    story = Story()
    story.code("red", "runaway")
    story.card("Li")
    assert not story.told(Refused)[-1].sure
    story.tick(10)
    story.alone("Li")
    assert one(story).subject.digest == person("Li")


# Unknown --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["required", "optional"])
def test_unknown_is_accepted_with_a_flag_and_never_green(mode: str) -> None:
    story = Story(health_code=mode, unknown_code="flag")
    story.both("Li", "unknown")
    assert (one(story).colour, one(story).apart) == (Colour.UNKNOWN, False)
    assert story.signal is Signal.FLAGGED
    assert Signal.ACCEPTED not in story.answers


def test_unknown_goes_into_a_tube_of_its_own() -> None:
    story = Story(unknown_code="single")
    story.both("first")
    story.both("Li", "unknown")
    story.both("next")
    assert story.told(Registered)[1].apart
    assert story.answers[3] is Signal.FLAGGED
    assert [(tube.members, tube.size, tube.apart, tube.digest) for tube in story.closed] == [(1, 1, True, person("Li"))]
    assert [(who, position) for who, _, position in story.places] == [(1, 1), (2, 1), (3, 2)]


def test_unknown_is_refused_and_green_is_still_welcome() -> None:
    story = Story(unknown_code="refuse")
    story.both("Li", "unknown")
    assert story.refusals == [Reason.UNKNOWN_CODE]
    story.both("Li")
    assert story.people == 1


# A code that comes late -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("colour", ["green", "unknown"])
def test_a_late_code_is_added_to_the_person_registered_by_card_alone(colour: str, named: bool) -> None:
    story = Story()
    story.alone("Li")
    facts = story.code(colour, "Li", named=named) + story.tick(10)
    [shown] = [fact for fact in facts if isinstance(fact, CodeShown)]
    assert (shown.person, shown.colour) == (1, Colour(colour))
    assert story.signal is Signal.REPEAT
    story.tick(20)
    story.code(colour, "Li", named=named)
    assert story.refusals == [Reason.REPEAT]
    assert story.people == 1


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("colour", ["red", "yellow"])
def test_a_late_red_code_takes_the_person_back_and_frees_the_place(colour: str, named: bool) -> None:
    story = Story()
    story.both("first")
    story.alone("Li")
    facts = story.code(colour, "Li", named=named) + story.tick(10)
    assert [fact for fact in facts if isinstance(fact, Withdrawn | Unbound)] == [
        Withdrawn(2, Reason(colour)),
        Unbound(story.told(Bound)[0].tube, 2, 2),
    ]
    assert story.signal is Signal.REFUSED
    story.both("next")
    assert [(who, position) for who, _, position in story.places] == [(1, 1), (3, 2)]


def test_a_person_who_was_taken_back_needs_an_override_and_is_then_bound_anew() -> None:
    story = Story()
    story.alone("Li")
    story.code("red", "Li")
    story.tick(10)
    story.alone("Li")
    assert story.refusals == [Reason.RED]
    story.ordered(Do.OVERRIDE, "Li")
    story.both("Li", "green")
    assert [(who, position) for who, _, position in story.places] == [(2, 1)]
    story.tick(20)
    story.card("Li")
    assert story.refusals == [Reason.RED, Reason.REPEAT]


def test_a_person_is_taken_back_once_even_when_the_tube_is_closed_already() -> None:
    story = Story(pool_size=1, group_size=1)
    story.alone("Li")
    for _ in range(3):
        story.code("red", "Li", named=True)
        story.tick(20)
    assert len(story.told(Withdrawn)) == 1
    assert story.refusals == [Reason.RED, Reason.RED]
    assert story.places == []
    story.ordered(Do.OVERRIDE, "Li")
    story.both("Li", "green")
    assert len(story.places) == 1


def test_the_late_code_of_one_does_not_swallow_the_next_person() -> None:
    story = Story()
    story.alone("Li")
    story.code("green", "Li")
    story.code("green", "Wang")
    story.tick(20)
    assert [fact.code for fact in story.told(CodeShown)] == [subject("green code Li")]
    assert [fact.subject for fact in story.told(Registered)[1:]] == [subject("green code Wang")]


def test_a_code_long_after_a_card_alone_is_a_person_of_its_own() -> None:
    story = Story()
    story.alone("Li")
    story.tick(15)
    story.code("green", "Wang")
    story.tick(10)
    assert story.people == 2


def test_a_code_after_somebody_else_was_registered_is_not_that_of_the_one_before() -> None:
    story = Story()
    story.alone("Li")
    story.both("Wang")
    story.code("red", "runaway")
    story.tick(10)
    assert story.told(Withdrawn) == []
    assert story.refusals == [Reason.RED]


def test_after_a_restart_nobody_was_registered_a_moment_ago() -> None:
    story = Story()
    story.alone("Li")
    story.restart()
    story.code("red", "Wang")
    story.tick(10)
    assert story.told(Withdrawn) == []


# The printer is behind ------------------------------------------------------------------------------------------------


def test_two_unlabelled_groups_stop_registration_until_a_label_comes() -> None:
    story = Story(pool_size=5, group_size=5)
    story.crowd(*range(10))
    assert len(story.told(TubeClosed)) == 2
    assert story.card("late") == [Refused(Reason.PRINTER, person("late"))]  # at once, no code is asked for
    assert story.signal is Signal.REFUSED
    story.tick(2)
    assert story.card(3) == [Refused(Reason.REPEAT, person(3))]
    story.tick(2)
    story.code("green", "by code alone")
    story.tick(10)
    story.code("red", "runaway")
    story.tick(10)
    assert story.refusals == [Reason.PRINTER, Reason.REPEAT, Reason.PRINTER, Reason.RED]
    story.printed(1)
    story.both("late")
    assert story.people == 11


def test_a_desk_without_a_card_reader_answers_a_code_at_once() -> None:
    story = Story(health_code="optional", reads_cards=False)
    story.code("green")
    assert story.answers == [Signal.ACCEPTED]
