"""Every closed tube gets its label, under its one number, however often the printer fails."""

import pytest

from kiosk.domain import Reason, Signal
from kiosk.events import PrintFailed, PrintSucceeded
from kiosk.facts import LabelFailed, LabelPrinted, PrintLabel
from tests.support.desk_story import Story, person


def closed_one(*, by_scan: bool = False) -> Story:
    story = Story(pool_size=1, group_size=1, by_scan=by_scan)
    story.both("Li")
    return story


def test_a_closed_tube_is_ordered_at_once_with_the_number_of_its_people() -> None:
    story = Story(pool_size=5, group_size=5)
    story.crowd(*range(4))
    assert story.printer == []
    story.both(4)
    assert story.printer == [PrintLabel(story.closed[0].tube, 5, 5, story.at)]


def test_only_a_single_tube_names_its_person() -> None:
    assert closed_one().printer[0].name_of == person("Li")
    story = Story(pool_size=5)
    story.both("Li")
    story.press("long")
    assert (story.printer[0].members, story.printer[0].size, story.printer[0].name_of) == (1, 5, b"")


@pytest.mark.parametrize(("confirmed", "proof"), [(True, "status"), (False, "sent")])
def test_a_printed_label_says_how_that_is_known(confirmed: bool, proof: str) -> None:
    story = closed_one()
    tube = story.printer[0].tube
    assert story.printed(confirmed=confirmed) == [LabelPrinted(tube, 1, proof)]
    assert story.site.labelling.wanted == {}


def test_a_label_that_failed_comes_again_under_the_same_number_with_the_next_attempt() -> None:
    story = closed_one()
    tube = story.printer[0].tube
    assert story.paper_out() == [LabelFailed(tube, 1, "out of paper")]
    assert story.paper_out("head open") == [LabelFailed(tube, 2, "head open")]
    assert story.printed() == [LabelPrinted(tube, 3, "status")]


def test_after_a_restart_the_labels_still_owed_come_in_order_as_the_next_attempt() -> None:
    story = Story(pool_size=1, group_size=1, unlabelled_groups=5)
    story.crowd(*range(4))
    tubes = [label.tube for label in story.printer]
    story.printed(1)
    story.paper_out()
    story.restart(reboot=True)
    assert [(label.tube, label.attempt) for label in story.printer] == [(tubes[1], 2), (tubes[2], 1), (tubes[3], 1)]
    assert {label.name_of for label in story.printer} == {person(1), person(2), person(3)}
    story.printed()
    assert [fact.tube for fact in story.told(LabelPrinted)] == tubes


def test_word_of_a_label_nobody_waits_for_changes_nothing() -> None:
    story = closed_one()
    tube = story.printer[0].tube
    story.printed()
    for event in (PrintSucceeded(tube, 1, True), PrintFailed(tube, 2, "late"), PrintSucceeded("36", 1, True)):
        assert story.happens(event) == []


def test_by_scan_a_print_alone_confirms_nothing() -> None:
    story = closed_one(by_scan=True)
    tube = story.printer[0].tube
    assert story.printed() == [LabelPrinted(tube, 1, "status", confirmed=False)]
    assert story.press() == []
    assert story.signal is Signal.DENIED
    story.restart()
    assert story.printer == []  # it is printed: nothing to print again
    assert story.scan_label(tube) == [LabelPrinted(tube, 1, "scan")]
    assert story.signal is Signal.ACKNOWLEDGED
    assert story.scan_label(tube) == []
    assert story.signal is Signal.DENIED


def test_by_scan_a_failed_try_is_counted_in_the_scan() -> None:
    story = closed_one(by_scan=True)
    tube = story.printer[0].tube
    story.paper_out()
    story.printed()
    assert story.scan_label(tube) == [LabelPrinted(tube, 2, "scan")]


def test_by_scan_a_scan_proves_a_label_whose_print_was_never_reported() -> None:
    story = closed_one(by_scan=True)
    tube = story.printer[0].tube
    assert story.scan_label(tube) == [LabelPrinted(tube, 1, "scan")]


def test_registration_goes_on_up_to_two_unlabelled_groups_and_the_labels_come_in_order() -> None:
    story = Story(pool_size=5, group_size=10)
    story.crowd(*range(10))
    story.paper_out()
    story.crowd(*range(10, 20))
    assert story.people == 20
    story.card("one too many")
    assert story.refusals == [Reason.PRINTER]
    story.restart(reboot=True)
    story.card("one too many")
    assert story.refusals == [Reason.PRINTER] * 2
    story.printed(1)
    story.card("one too many")
    assert story.refusals == [Reason.PRINTER] * 3  # the first group has two tubes
    story.printed(1)
    story.alone("at last")
    assert story.people == 21
    story.printed()
    assert [fact.tube for fact in story.told(LabelPrinted)] == [tube.tube for tube in story.closed]
