"""What is said: numbers as people say them, nobody's name, no colour, and nothing that the panel does not tell too."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.domain import Signal
from kiosk.facts import GroupReleased
from kiosk.panel import View, show
from kiosk.voice import ANSWERS, CALL_MS, DOOR_CLOSED, MOST, Clip, Heard, Waiting, call, catalogue, number, prompts

TEXTS = catalogue()
BEFORE, AFTER = Heard(7, door_closed=False), Heard(8, door_closed=False)


def words(clips: object) -> str:
    """What is said in Chinese without a space, in English with them."""
    chinese = "".join(TEXTS[clip] for clip in clips if clip.language == "zh")
    english = " ".join(TEXTS[clip] for clip in clips if clip.language == "en")
    return " ".join(each for each in (chinese, english) if each)


@pytest.mark.parametrize(
    ("value", "chinese", "english"),
    [
        (1, "一", "one"),
        (10, "十", "ten"),
        (13, "十三", "thirteen"),
        (20, "二十", "twenty"),
        (42, "四十二", "forty two"),
        (100, "一百", "one hundred"),
        (105, "一百零五", "one hundred five"),
        (110, "一百一十", "one hundred ten"),
        (2000, "二千", "two thousand"),
        (2010, "二千零一十", "two thousand ten"),
        (1001, "一千零一", "one thousand one"),
        (9999, "九千九百九十九", "nine thousand nine hundred ninety nine"),
    ],
)
def test_numbers_are_said_as_people_say_them(value: int, chinese: str, english: str) -> None:
    assert words(number("zh", value)) == chinese
    assert words(number("en", value)) == english


@given(st.integers(1, MOST), st.sampled_from(["zh", "en"]))
def test_every_number_can_be_said_and_no_two_alike(value: int, language: str) -> None:
    clips = number(language, value)
    assert all(clip in TEXTS for clip in clips)
    assert clips != number(language, value % MOST + 1)


@pytest.mark.parametrize("value", [0, -1, MOST + 1])
def test_another_number_is_an_error(value: int) -> None:
    with pytest.raises(ValueError, match="cannot be said"):
        number("zh", value)


def test_a_group_is_called_to_its_table() -> None:
    said = call(13, "3号采样台")
    assert words(said.clips) == "请第十三组到三号采样台。 Group thirteen please go to table three"
    for nameless in ("", "东门采样台", "0号"):
        assert words(call(13, nameless).clips) == "请第十三组到采样台。 Group thirteen please go to the sampling table."
    assert words(call(2, "1号采样台", drill=True).clips).startswith("演练。请第二组")


@pytest.mark.parametrize("prompt", [*ANSWERS.values(), DOOR_CLOSED, call(9999, "99号"), call(1, "", drill=True)])
def test_each_prompt_has_its_clips(prompt: object) -> None:
    assert {clip.language for clip in prompt.clips} == {"zh", "en"}
    assert all(clip in TEXTS for clip in prompt.clips)


# What it never says ---------------------------------------------------------------------------------------------------


def test_no_colour_is_named_and_nobody_is() -> None:
    everything = " ".join(TEXTS.values()).casefold()
    assert not re.search("[红黄绿橙蓝]|green|yellow|\\bred\\b|\\bname|姓名", everything)


def test_whatever_the_reason_a_refusal_is_told_in_the_same_words() -> None:
    assert words(ANSWERS[Signal.REFUSED].clips) == "请找志愿者。 Please ask a volunteer."


# Its twin on the panel ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("signal", ANSWERS)
def test_an_answer_that_is_said_is_also_seen_and_sounded(signal: Signal) -> None:
    calm = View(ready=True, accepting=True)
    shown = show(View(ready=True, accepting=True, signal=signal, signal_count=1), 0)
    assert shown.buzzer != "off"
    assert shown.lamps != show(calm, 0).lamps


def test_a_call_and_a_closed_door_are_also_seen() -> None:
    called = show(View(ready=True, accepting=True, signal=Signal.RELEASED, signal_count=1), 0)
    assert (called.lamps["release"], called.buzzer) == ("on", "released")
    assert show(View(ready=True, door_closed=True), 0).lamps["door"] == "on"


# When it speaks -------------------------------------------------------------------------------------------------------


def test_an_answer_is_said_once() -> None:
    assert prompts(BEFORE, AFTER, Signal.ACCEPTED, []) == [ANSWERS[Signal.ACCEPTED]]
    assert prompts(AFTER, AFTER, Signal.ACCEPTED, []) == []


@pytest.mark.parametrize("signal", set(Signal) - set(ANSWERS))
def test_what_is_for_staff_is_not_said(signal: Signal) -> None:
    assert prompts(BEFORE, AFTER, signal, []) == []


def test_a_released_group_is_called() -> None:
    facts = [GroupReleased(13, 10, "3号采样台")]
    assert prompts(BEFORE, AFTER, Signal.RELEASED, facts) == [call(13, "3号采样台")]
    assert prompts(BEFORE, AFTER, Signal.RELEASED, [GroupReleased(MOST + 1, 10)]) == []


def test_the_closed_door_is_told_when_it_closes() -> None:
    closed = Heard(8, door_closed=True)
    assert prompts(BEFORE, closed, Signal.ACCEPTED, []) == [DOOR_CLOSED, ANSWERS[Signal.ACCEPTED]]
    assert prompts(closed, closed, Signal.ACCEPTED, []) == []


# One after the other --------------------------------------------------------------------------------------------------


def test_the_newest_answer_takes_the_place_of_one_that_waits_and_calls_keep_their_order() -> None:
    waiting = Waiting()
    for prompt in (call(1, ""), ANSWERS[Signal.ACCEPTED], call(2, ""), ANSWERS[Signal.REPEAT]):
        waiting.put(prompt, 0)
    assert [waiting.next(0) for _ in range(4)] == [call(1, ""), call(2, ""), ANSWERS[Signal.REPEAT], None]


def test_a_stale_prompt_is_never_said() -> None:
    waiting = Waiting()
    waiting.put(call(1, ""), 0)
    waiting.put(ANSWERS[Signal.ACCEPTED], 0)
    assert waiting.next(CALL_MS) is None
    waiting.put(call(2, ""), 1)
    assert waiting.next(CALL_MS) == call(2, "")


def test_of_a_crowd_of_prompts_only_the_last_few_wait() -> None:
    waiting = Waiting()
    for group in range(1, 20):
        waiting.put(call(group, ""), 0)
    assert waiting.next(0) == call(20 - Waiting.MOST, "")


def test_an_empty_text_is_no_clip() -> None:
    assert Clip("en", "table") not in TEXTS
