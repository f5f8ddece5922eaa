"""Staff put right who is in which tube: before the tube is closed, after it, and after the release."""

import pytest

from kiosk.domain import Do, Role, Signal, Specimen
from kiosk.facts import (
    Corrected,
    GroupReleased,
    LabelWanted,
    ManifestClosed,
    Registered,
    TubeClosed,
    TubeLost,
    TubeOpened,
    TubeVoided,
    Unbound,
)
from tests.support.desk_story import Story, person

TAKEN_OUT = [Do.VOID, Do.NO_SHOW, Do.REFUSED, Do.LEFT]


def seats(story: Story) -> dict[str, dict[int, int]]:
    """Tube to position to person, as the journal tells."""
    found: dict[str, dict[int, int]] = {}
    for who, tube, position in story.places:
        found.setdefault(tube, {})[position] = who
    return found


def five(**policy: object) -> Story:
    """A pool of five, closed and not labelled, and its group waiting."""
    story = Story(**{"pool_size": 5, "group_size": 5} | policy)
    story.crowd(*"abcde")
    return story


def shown(story: Story) -> list[tuple[str, int, int, int]]:
    return [(label.tube, label.members, label.size, label.attempt) for label in story.labels]


# Somebody is not sampled -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("do", TAKEN_OUT)
def test_before_the_tube_is_closed_the_place_is_free_again(do: Do) -> None:
    story = Story(pool_size=5, group_size=5)
    story.crowd(*"abc")
    story.ordered(do, "b")
    assert story.signal is Signal.ACKNOWLEDGED
    [corrected] = story.told(Corrected)
    assert (corrected.do, corrected.badge, corrected.people, corrected.late) == (do, 7, (2,), False)
    story.crowd(*"def")
    assert [(tube.members, tube.size) for tube in story.closed] == [(5, 5)]
    assert story.places[-3:] == [
        (4, story.closed[0].tube, 2),
        (5, story.closed[0].tube, 4),
        (6, story.closed[0].tube, 5),
    ]


@pytest.mark.parametrize("do", TAKEN_OUT)
def test_after_closing_the_count_follows_and_the_label_comes_again_under_the_same_number(do: Do) -> None:
    story = five()
    tube = story.closed[0].tube
    story.printed()
    story.ordered(do, "b")
    story.press()
    assert story.signal is Signal.DENIED  # the old label is wrong
    story.printed()
    assert shown(story) == [(tube, 5, 5, 1), (tube, 4, 5, 2)]
    story.press()
    assert [group.members for group in story.told(GroupReleased)] == [4]


@pytest.mark.parametrize("do", TAKEN_OUT)
def test_after_the_release_they_are_on_record_as_not_sampled_and_the_label_stays(do: Do) -> None:
    story = five()
    story.printed()
    story.press()
    story.ordered(do, "b")
    assert story.told(Unbound) == [Unbound(story.closed[0].tube, 2, 2, late=True)]
    assert story.told(Corrected)[0].late
    assert story.printer == []


def test_a_correction_holds_for_a_label_that_still_waits_for_paper() -> None:
    story = five()
    story.paper_out()
    story.ordered(Do.LEFT, "e")
    story.printed()
    assert shown(story) == [(story.closed[0].tube, 4, 5, 3)]
    story.press()
    assert story.told(GroupReleased)


def test_word_of_the_old_picture_does_not_confirm_the_new_one() -> None:
    from kiosk.events import PrintSucceeded

    story = five()
    tube = story.closed[0].tube
    story.ordered(Do.LEFT, "e")
    story.happens(PrintSucceeded(tube, 1, True))  # it had begun before
    story.press()
    assert story.told(GroupReleased) == []
    story.printed()
    story.press()
    assert story.told(GroupReleased)


def test_by_scan_the_old_label_proves_nothing_for_the_new_one() -> None:
    story = five(by_scan=True)
    tube = story.closed[0].tube
    story.printed()
    story.scan_label(tube)
    story.ordered(Do.LEFT, "e")
    story.scan_label(tube)
    assert story.signal is Signal.DENIED
    story.printed()
    story.scan_label(tube)
    story.press()
    assert story.told(GroupReleased)


@pytest.mark.parametrize("do", TAKEN_OUT)
def test_who_was_taken_out_may_come_again(do: Do) -> None:
    story = five()
    story.ordered(do, "b")
    story.crowd("b")
    assert story.told(Registered)[-1].subject.digest == person("b")
    assert len(story.places) == 5


def test_the_last_person_is_taken_back_without_a_card_and_only_once() -> None:
    story = Story()
    story.crowd(*"ab")
    story.ordered(Do.VOID_LAST)
    story.ordered(Do.VOID_LAST)
    assert story.signal is Signal.DENIED
    assert [fact.people for fact in story.told(Corrected)] == [(2,)]


def test_nobody_registered_nobody_to_take_back() -> None:
    story = Story()
    story.ordered(Do.VOID_LAST)
    assert story.signal is Signal.DENIED
    story.ordered(Do.VOID, "stranger")
    assert story.signal is Signal.DENIED
    assert story.told(Corrected) == []


def test_a_single_tube_nobody_is_in_is_void_and_waits_for_no_label() -> None:
    story = Story(pool_size=1, group_size=2)
    story.crowd(*"ab")
    story.ordered(Do.LEFT, "a")
    assert story.told(TubeVoided) == [TubeVoided(story.closed[0].tube)]
    story.printer = [label for label in story.printer if label.tube != story.closed[0].tube]
    story.printed()
    story.press()
    assert [group.members for group in story.told(GroupReleased)] == [1]


def test_an_open_pool_that_everybody_left_goes_on() -> None:
    story = Story(pool_size=5)
    story.crowd("a")
    story.ordered(Do.VOID_LAST)
    story.crowd(*"bcdef")
    assert [(tube.members, tube.size) for tube in story.closed] == [(5, 5)]
    assert len(story.told(TubeOpened)) == 1


def test_a_correction_outlives_a_restart() -> None:
    story = five()
    story.ordered(Do.LEFT, "c")
    story.restart(reboot=True)
    story.printed()
    assert shown(story) == [(story.closed[0].tube, 4, 5, 2)]


# Somebody is elsewhere ---------------------------------------------------------------------------------------------


def test_a_person_is_moved_out_of_the_pool_into_a_tube_of_their_own() -> None:
    story = five()
    pool = story.closed[0].tube
    story.printed()
    story.ordered(Do.MOVE, "b")
    single = story.closed[1]
    assert (single.members, single.size, single.apart, single.digest) == (1, 1, True, person("b"))
    assert story.told(TubeOpened)[1].instead == pool
    assert seats(story) == {pool: {1: 1, 3: 3, 4: 4, 5: 5}, single.tube: {1: 2}}
    story.printed()
    assert shown(story)[1:] == [(single.tube, 1, 1, 1), (pool, 4, 5, 2)]
    story.press()
    assert [group.members for group in story.told(GroupReleased)] == [5]
    story.card("b")
    assert len(story.told(Registered)) == 5  # moved is not gone


def test_a_person_is_moved_after_the_release() -> None:
    story = five()
    story.printed()
    story.press()
    story.ordered(Do.MOVE, "b")
    story.printed()
    assert [label.members for label in story.labels] == [5, 1, 4]
    assert story.site.release.waiting == 0
    story.crowd(*"fghij")
    story.printed()
    story.press()
    assert [group.members for group in story.told(GroupReleased)] == [5, 5]


def test_a_person_is_moved_out_of_a_pool_that_goes_on() -> None:
    story = Story(pool_size=5, group_size=5)
    story.crowd(*"ab")
    story.ordered(Do.MOVE, "a")
    story.crowd(*"cdef")
    assert [(tube.members, tube.size) for tube in story.closed] == [(1, 1), (5, 5)]


def test_who_has_a_tube_of_their_own_is_not_moved() -> None:
    story = Story(pool_size=1)
    story.crowd("a")
    story.ordered(Do.MOVE, "a")
    assert story.signal is Signal.DENIED


def test_two_people_exchange_their_places() -> None:
    story = Story(pool_size=5, group_size=10)
    story.crowd(*"abcdefg")
    first, second = (fact.tube for fact in story.told(TubeOpened))
    story.printed()
    story.ordered(Do.SWAP, "b", "g")
    assert seats(story) == {first: {1: 1, 2: 7, 3: 3, 4: 4, 5: 5}, second: {1: 6, 2: 2}}
    assert story.printer == []  # a pool's label names nobody
    story.crowd(*"hij")
    assert [(tube.members, tube.size) for tube in story.closed] == [(5, 5), (5, 5)]


def test_two_single_tubes_that_were_exchanged_get_labels_with_the_other_name() -> None:
    story = Story(pool_size=1, group_size=2)
    story.crowd(*"ab")
    story.printed()
    story.ordered(Do.SWAP, "a", "b")
    story.printed()
    assert [label.name_of for label in story.labels] == [person(each) for each in "abba"]


def test_nobody_is_exchanged_into_a_tube_of_another_kind() -> None:
    story = Story(pool_size=5)
    story.crowd("a")
    story.ordered(Do.SINGLE_NEXT)
    story.crowd("alone")
    story.ordered(Do.SWAP, "a", "alone")
    assert story.signal is Signal.DENIED
    story.ordered(Do.SWAP, "a", "a")
    assert story.signal is Signal.DENIED
    story.ordered(Do.HOUSEHOLD_START)
    story.crowd("h1")
    story.ordered(Do.HOUSEHOLD_START)
    story.crowd("i1")
    story.ordered(Do.SWAP, "h1", "i1")
    assert story.signal is Signal.DENIED
    assert story.told(Corrected) == []


# The wrong tube ----------------------------------------------------------------------------------------------------


def test_two_tubes_that_were_mixed_up_exchange_their_people() -> None:
    story = Story(pool_size=5, group_size=5)
    story.crowd(*"abcdefghi")
    story.ordered(Do.CLOSE_POOL)
    first, second = (tube.tube for tube in story.closed)
    story.printed()
    story.ordered(Do.WRONG_TUBE, first, second)
    assert seats(story) == {second: {1: 1, 2: 2, 3: 3, 4: 4, 5: 5}, first: {1: 6, 2: 7, 3: 8, 4: 9}}
    story.printed()
    assert shown(story)[2:] == [(first, 4, 5, 2), (second, 5, 5, 2)]


def test_the_same_tube_twice_asks_for_a_new_number() -> None:
    story = five()
    old = story.closed[0].tube
    story.printed()
    story.ordered(Do.WRONG_TUBE, old, old)
    new = story.closed[1]
    assert (new.members, new.size) == (5, 5)
    assert story.told(TubeVoided) == [TubeVoided(old)]
    assert seats(story) == {new.tube: {1: 1, 2: 2, 3: 3, 4: 4, 5: 5}}
    story.press()
    assert story.told(GroupReleased) == []
    story.printed()
    story.press()
    assert [group.members for group in story.told(GroupReleased)] == [5]


def test_a_tube_with_a_barcode_of_its_own_is_put_in_the_wrong_one_s_place_while_it_is_filled_and_later() -> None:
    story = Story(pool_size=5, group_size=5, tube_source="preprinted", tube_pattern="HS[0-9]{4}")
    story.scan_label("HS0001")
    story.crowd(*"abc")
    story.ordered(Do.WRONG_TUBE, "HS0001", "HS0002")
    story.crowd(*"de")
    assert [(tube.tube, tube.members) for tube in story.closed] == [("HS0002", 5)]
    story.ordered(Do.WRONG_TUBE, "HS0002", "HS0003")
    assert set(seats(story)) == {"HS0003"}
    story.ordered(Do.WRONG_TUBE, "HS0003", "HS0001")
    assert story.signal is Signal.DENIED  # it was used before
    story.press()
    assert [group.members for group in story.told(GroupReleased)] == [5]


@pytest.mark.parametrize("tube", ["3604810100000094", "HS0009"])
def test_a_tube_nobody_knows_is_not_the_wrong_one(tube: str) -> None:
    story = five()
    story.ordered(Do.WRONG_TUBE, tube, story.closed[0].tube)
    assert story.signal is Signal.DENIED


# Split ------------------------------------------------------------------------------------------------------------


def test_a_tube_is_split_into_tubes_of_one_person_each() -> None:
    story = five()
    old = story.closed[0].tube
    story.printed()
    story.ordered(Do.SPLIT, old)
    singles = story.closed[1:]
    assert [(tube.members, tube.size, tube.digest) for tube in singles] == [(1, 1, person(who)) for who in "abcde"]
    assert len({tube.tube for tube in story.closed}) == 6
    assert story.told(TubeVoided) == [TubeVoided(old)]
    story.printed()
    story.press()
    assert [group.members for group in story.told(GroupReleased)] == [5]


def test_a_tube_is_split_into_two() -> None:
    story = five()
    old = story.closed[0].tube
    story.printed()
    story.ordered(Do.SPLIT, old, text="2")
    new = story.closed[1]
    assert seats(story) == {old: {1: 1, 2: 2, 3: 3}, new.tube: {1: 4, 2: 5}}
    assert (new.members, new.size) == (2, 5)
    story.printed()
    assert shown(story)[1:] == [(new.tube, 2, 5, 1), (old, 3, 5, 2)]


def test_a_tube_that_is_being_filled_is_not_split() -> None:
    story = Story(pool_size=5)
    story.crowd(*"abc")
    story.ordered(Do.SPLIT, story.told(TubeOpened)[0].tube)
    assert story.signal is Signal.DENIED


# A courier has the tube --------------------------------------------------------------------------------------------


def handed_over(*, gone: bool = True, released: bool = True, **policy: object) -> tuple[Story, str, str]:
    """Two labelled tubes, and their numbers: a courier has the first, or (``gone``: False) it is in the open box."""
    story = Story(**{"pool_size": 5, "group_size": 5} | policy)
    story.crowd(*range(2 * story.site.setup.policy.pool_size))
    story.printed()
    for _ in story.site.release.queue if released else ():
        story.press()
    story.badge(71, Role.COURIER)
    story.order(Do.COLLECT)
    first, second = [tube.tube for tube in story.closed][:2]
    story.scan_label(first)
    if gone:
        story.scan_label(second)
        story.ordered(Do.PACKED)
        assert story.told(ManifestClosed)
    return story, first, second


def unchanged(story: Story, before: int) -> bool:
    """The last order was answered with the signal of its own, and is alone in the journal."""
    return story.signal is Signal.TUBE and [type(fact).__name__ for _, fact in story.journal[before:]] == [
        "StaffOrdered"
    ]


@pytest.mark.parametrize("gone", [True, False])
@pytest.mark.parametrize("do", [Do.MOVE, Do.SPLIT, Do.WRONG_TUBE])
def test_what_presumes_the_tube_at_the_desk_is_refused_with_a_signal_of_its_own(do: Do, gone: bool) -> None:
    story, tube, _ = handed_over(gone=gone)
    before = len(story.journal)
    story.ordered(do, *{Do.MOVE: [0], Do.SPLIT: [tube]}.get(do, [tube, tube]))
    assert unchanged(story, before)
    assert story.told(Corrected) == []
    assert story.printer == []


def test_half_a_tube_that_has_gone_is_not_put_into_another() -> None:
    story, tube, _ = handed_over()
    before = len(story.journal)
    story.ordered(Do.SPLIT, tube, text="2")
    assert unchanged(story, before)


def test_a_tube_at_the_desk_is_not_mixed_up_with_one_that_has_gone() -> None:
    story, tube, _ = handed_over()
    story.crowd(*"abcde")
    before = len(story.journal)
    story.ordered(Do.WRONG_TUBE, story.closed[-1].tube, tube)
    assert unchanged(story, before)


def test_people_of_pools_that_have_gone_are_exchanged_on_record_and_those_with_their_name_on_the_label_are_not() -> (
    None
):
    story, first, second = handed_over()
    story.ordered(Do.SWAP, 0, 5)
    assert story.signal is Signal.ACKNOWLEDGED
    assert (seats(story)[first][1], seats(story)[second][1]) == (6, 1)
    assert story.printer == []
    story, *_ = handed_over(pool_size=1, group_size=2)
    before = len(story.journal)
    story.ordered(Do.SWAP, 0, 1)
    assert unchanged(story, before)


@pytest.mark.parametrize("gone", [True, False])
@pytest.mark.parametrize("released", [True, False])
@pytest.mark.parametrize("do", TAKEN_OUT)
def test_who_was_not_sampled_is_on_record_also_when_the_tube_has_gone(do: Do, released: bool, gone: bool) -> None:
    story, tube, _ = handed_over(gone=gone, released=released)
    story.ordered(do, 1)
    assert story.told(Unbound) == [Unbound(tube, 2, 2, late=True)]
    assert story.printer == []
    story.crowd(1)
    assert story.told(Registered)[-1].subject.digest == person(1)


@pytest.mark.parametrize("do", [Do.LOST_TUBE, Do.LEAKED_TUBE])
def test_a_tube_that_is_lost_on_its_way_is_told_and_nothing_of_it_is_moved(do: Do) -> None:
    story, tube, _ = handed_over()
    story.ordered(do, tube)
    assert [lost.people for lost in story.told(TubeLost)] == [(1, 2, 3, 4, 5)]
    story.ordered(Do.SPLIT, tube)
    assert story.signal is Signal.TUBE


# The label --------------------------------------------------------------------------------------------------------


def test_a_label_that_was_peeled_off_comes_again_under_its_number() -> None:
    story = five()
    tube = story.closed[0].tube
    story.printed()
    story.ordered(Do.REPRINT)
    assert [(fact.tube, fact.attempt) for fact in story.told(LabelWanted)] == [(tube, 2)]
    story.press()
    assert story.signal is Signal.DENIED
    story.printed()
    assert shown(story) == [(tube, 5, 5, 1), (tube, 5, 5, 2)]
    story.press()
    assert story.told(GroupReleased)


def test_nothing_was_printed_nothing_comes_again() -> None:
    story = Story()
    story.ordered(Do.REPRINT)
    assert story.signal is Signal.DENIED


def test_at_open_the_label_comes_with_the_first_person_and_again_when_the_tube_closes_short() -> None:
    story = Story(pool_size=5, group_size=5, label_at="open")
    story.crowd("a")
    story.printed()
    tube = story.told(TubeOpened)[0].tube
    assert shown(story) == [(tube, 5, 5, 1)]
    story.crowd("b")
    assert story.printer == []
    story.press("long")
    story.press()
    assert story.told(GroupReleased) == []
    story.printed()
    assert shown(story) == [(tube, 5, 5, 1), (tube, 2, 5, 2)]
    story.press()
    assert [group.members for group in story.told(GroupReleased)] == [2]


def test_at_open_a_full_tube_needs_no_other_label() -> None:
    story = Story(pool_size=5, group_size=5, label_at="open")
    story.crowd(*"abcde")
    assert len(story.printer) == 1
    story.press()
    assert story.told(GroupReleased) == []
    story.printed()
    story.press()
    assert [group.members for group in story.told(GroupReleased)] == [5]
    assert [fact.labelled for fact in story.told(TubeClosed)] == [True]


def test_at_open_a_single_tube_has_its_one_label_with_the_name() -> None:
    story = Story(pool_size=1, group_size=1, label_at="open")
    story.crowd("a")
    assert [(label.members, label.size, label.name_of) for label in story.printer] == [(1, 1, person("a"))]


def test_what_a_label_says_besides_survives_its_reprint() -> None:
    story = Story(pool_size=5, household_size=3)
    story.ordered(Do.NASAL_NEXT)
    story.crowd("infant")
    story.ordered(Do.REPRINT)
    assert [label.specimen for label in story.printer] == [Specimen.NASAL]
    story.ordered(Do.HOUSEHOLD_START)
    story.crowd("a", "b", "c")
    story.ordered(Do.LEFT, "b")
    assert [(label.household, label.members, label.size) for label in story.printer[1:]] == [(True, 2, 3)]
