"""The audit reads as a story, and tells of nobody who they are."""

import re

from kiosk.domain import Do
from kiosk.facts import DrillBegun
from kiosk.journal_story import in_words, lines
from tests.support.desk_story import Story, person


def told(story: Story) -> list[str]:
    return [line.split("  ", 1)[1] for line in lines(story.entries())]


def test_a_correction_reads_with_who_ordered_it_and_all_that_followed() -> None:
    story = Story(pool_size=5, group_size=5)
    story.crowd(*"abcde")
    story.printed()
    before = len(told(story))
    story.tick(1)
    story.ordered(Do.LEFT, "b")
    story.tick(1)
    story.printed()
    tube = story.closed[0].tube
    assert told(story)[before:] == [
        (
            f"badge 7 (registrar 登记员) ordered: Has left 已离开; 更正 corrected, Has left 已离开: person 2; "
            f"person 2 leaves place 2 of tube {tube}; label of {tube} to be printed again 补打, number 2: 4/5"
        ),
        f"label of {tube} printed",
    ]


def test_a_day_reads_from_the_start_to_the_release_a_line_a_step() -> None:
    story = Story(pool_size=1, group_size=1, trust=2)
    for step in (lambda: story.crowd("a"), story.printed, story.press):
        story.tick(1)
        step()
    tube = story.closed[0].tube
    said = list(lines(story.entries()))
    assert all(re.match(r"2022-01-08 12:00:\d\d  ", line) for line in said)
    assert told(story) == [
        "the kiosk starts, version 0; 轮次 round 1 begins, the first",
        (
            f"登记 person 1 registered, green 绿码; tube {tube} opened, single 单采; "
            f"person 1 has place 1 of tube {tube}; "
            f"tube {tube} closed with 1/1; group 1 complete 第1组: 1 people"
        ),
        f"label of {tube} printed",
        "放行 group 1 released: 1 people",
    ]


def test_a_clock_nobody_believes_is_marked() -> None:
    assert " ?  " in next(lines(Story(trust=0).entries()))


def test_nothing_of_a_person_is_told_but_their_number() -> None:
    story = Story(pool_size=1, group_size=1)
    story.crowd("a")
    story.both("b", "red")
    story.ordered(Do.VOID, "a")
    text = "\n".join(lines(story.entries()))
    for who in "ab":
        assert person(who).hex() not in text
        assert repr(person(who)) not in text
    assert "box" not in text


def test_a_fact_without_words_of_its_own_is_told_by_its_name() -> None:
    assert in_words(DrillBegun(1)) == "drill begun"
