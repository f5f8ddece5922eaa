"""What is said to residents (docs/voice.md): prompts from signals and facts, put together from clips. Pure.

A prompt says the number of a group and of a table, never a name and never the colour of a code; whatever cannot be
registered is told in the same words. Each prompt has a twin on the panel, so that nobody depends on hearing it.
"""

import re
from collections.abc import Sequence
from typing import Literal, NamedTuple

from kiosk.domain import Signal
from kiosk.facts import Fact, GroupReleased

Language = Literal["zh", "en"]
LANGUAGES: tuple[Language, ...] = ("zh", "en")

_PHRASES: dict[str, tuple[str, str]] = {
    "registered": ("登记成功。", "Registered."),
    "flagged": ("已登记，请等一下。", "Registered. Please wait."),
    "other": ("请出示身份证和健康码。", "Card and code, please."),
    "repeat": ("您已经登记过了。", "Already registered."),
    "ask": ("请找志愿者。", "Please ask a volunteer."),
    "again": ("请再来一次。", "Please try again."),
    "full": ("等候区已满，请在外面等。", "The waiting area is full. Please wait outside."),
    "distance": ("请保持一米间隔。", "Please keep one metre apart."),
    "drill": ("演练。", "Drill."),
    "group": ("请第", "Group"),
    "to-table": ("组到", "please go to table"),
    "table": ("号采样台。", ""),
    "to-tables": ("组到采样台。", "please go to the sampling table."),
}
"""Clip to its text in Chinese and English; an empty text needs no clip."""

_CHINESE = dict(enumerate("零一二三四五六七八九十")) | {100: "百", 1000: "千"}
_ENGLISH = {
    0: "zero",
    1: "one",
    2: "two",
    3: "three",
    4: "four",
    5: "five",
    6: "six",
    7: "seven",
    8: "eight",
    9: "nine",
    10: "ten",
    11: "eleven",
    12: "twelve",
    13: "thirteen",
    14: "fourteen",
    15: "fifteen",
    16: "sixteen",
    17: "seventeen",
    18: "eighteen",
    19: "nineteen",
    20: "twenty",
    30: "thirty",
    40: "forty",
    50: "fifty",
    60: "sixty",
    70: "seventy",
    80: "eighty",
    90: "ninety",
    100: "hundred",
    1000: "thousand",
}
MOST = 9999
"""The highest number that can be said."""


class Clip(NamedTuple):
    language: Language
    name: str


def catalogue() -> dict[Clip, str]:
    """Every clip there is, and what it says."""
    texts = {Clip("zh", name): zh for name, (zh, _) in _PHRASES.items()}
    texts |= {Clip("en", name): en for name, (_, en) in _PHRASES.items()}
    texts |= {Clip("zh", f"n{part}"): word for part, word in _CHINESE.items()}
    texts |= {Clip("en", f"n{part}"): word for part, word in _ENGLISH.items()}
    return {clip: text for clip, text in texts.items() if text}


def number(language: Language, value: int) -> list[Clip]:
    """The clips of a number from 1 to MOST: 13 is 十三, thirteen. Raises ValueError for another one."""
    if not 0 < value <= MOST:
        raise ValueError(f"{value} cannot be said")
    parts = _chinese(value) if language == "zh" else _english(value)
    return [Clip(language, f"n{part}") for part in parts]


def _chinese(value: int) -> list[int]:
    parts: list[int] = []
    for rank in (1000, 100, 10, 1):
        digit, value = divmod(value, rank)
        if digit:
            parts += [digit, rank] if rank > 1 else [digit]
        elif parts and value and parts[-1] != 0:
            parts.append(0)
    return parts[1:] if parts[:2] == [1, 10] else parts


def _english(value: int) -> list[int]:
    parts: list[int] = []
    for rank in (1000, 100):
        digit, value = divmod(value, rank)
        parts += [digit, rank] if digit else []
    if value >= 20:
        parts.append(value // 10 * 10)
        value %= 10
    return [*parts, value] if value else parts


class Prompt(NamedTuple):
    """``clips``: of all languages, in order. Not worth saying any more after ``fresh_ms``. ``newest``: a later one of
    this kind takes its place, as long as it is not being said."""

    name: str
    clips: tuple[Clip, ...]
    fresh_ms: int
    newest: bool


ANSWER_MS, CALL_MS = 3_000, 30_000


def _prompt(name: str, *phrases: str) -> Prompt:
    clips = [Clip(language, phrase) for language in LANGUAGES for phrase in phrases]
    return Prompt(name, tuple(clips), ANSWER_MS, newest=True)


ANSWERS: dict[Signal, Prompt] = {
    Signal.ACCEPTED: _prompt("registered", "registered"),
    Signal.FLAGGED: _prompt("flagged", "flagged"),
    Signal.HELD: _prompt("other", "other"),
    Signal.REPEAT: _prompt("repeat", "repeat"),
    Signal.REFUSED: _prompt("ask", "ask"),
    Signal.RETRY: _prompt("again", "again"),
}
"""What the person at the desk is told; the panel shows and sounds the same signal."""

DOOR_CLOSED = _prompt("full", "full", "distance")._replace(fresh_ms=CALL_MS, newest=False)
"""Said when the door lamp lights."""


def call(group: int, table: str, *, drill: bool = False) -> Prompt:
    """A group is sent to its table: 请第十三组到三号采样台. Only the number of a table can be said. The release lamp
    and its tone say the same."""
    found = re.search(r"[0-9]+", table)
    place = int(found[0]) if found is not None and 0 < int(found[0]) <= MOST else 0
    clips: list[Clip] = []
    for language in LANGUAGES:
        clips += [Clip(language, "drill")] * drill
        clips += [Clip(language, "group"), *number(language, group)]
        if place:
            clips += [Clip(language, "to-table"), *number(language, place)]
            clips += [Clip(language, "table")] if Clip(language, "table") in _CATALOGUE else []
        else:
            clips.append(Clip(language, "to-tables"))
    return Prompt("call", tuple(clips), CALL_MS, newest=False)


_CATALOGUE = catalogue()


class Heard(NamedTuple):
    """Up to where the panel has been listened to: answers given, and whether the door lamp burned."""

    signals: int
    door_closed: bool


def prompts(before: Heard, now: Heard, signal: Signal, facts: Sequence[Fact], *, drill: bool = False) -> list[Prompt]:
    """What is to be said after a step. ``signal``: the answer that a resident was given last, or NONE."""
    said = [
        call(fact.group, fact.table, drill=drill)
        for fact in facts
        if isinstance(fact, GroupReleased) and fact.group <= MOST
    ]
    if now.door_closed and not before.door_closed:
        said.append(DOOR_CLOSED)
    if now.signals != before.signals and signal in ANSWERS:
        said.append(ANSWERS[signal])
    return said


class Waiting:
    """Prompts that wait for the one that is being said. They keep their order; stale ones are dropped."""

    MOST = 5

    def __init__(self) -> None:
        self._prompts: list[tuple[Prompt, int]] = []

    def put(self, prompt: Prompt, now: int) -> None:
        """``now``: monotonic ms."""
        kept = [each for each in self._prompts if not (prompt.newest and each[0].newest)]
        self._prompts = [*kept, (prompt, now)][-self.MOST :]

    def next(self, now: int) -> Prompt | None:
        """The prompt to say now."""
        while self._prompts:
            prompt, put_at = self._prompts.pop(0)
            if now - put_at < prompt.fresh_ms:
                return prompt
        return None
