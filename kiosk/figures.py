"""The figures of a day, folded from facts (rules D1, G9, R6). The kiosk reports by them, and the command post sums them
up. Pure."""

import math
from collections.abc import Iterable, Iterator
from typing import TypeVar

import msgspec

from kiosk.domain import Do, Specimen, Stamp, Trust
from kiosk.facts import (
    Corrected,
    DayReported,
    Entry,
    Fact,
    GroupClosed,
    GroupReleased,
    IncidentAcknowledged,
    IncidentRaised,
    LabelFailed,
    LabelPrinted,
    ManifestClosed,
    Note,
    Refused,
    Registered,
    TubeClosed,
    TubeLost,
    TubeOpened,
    TubeVoided,
    Withdrawn,
)

T = TypeVar("T")

WAIT_STEP_S = 15
QUARTER_S = 900
_STAY = frozenset({Do.MOVE, Do.SWAP, Do.WRONG_TUBE, Do.SPLIT})
"""Corrections after which the people are still there."""
_UNDONE = frozenset({Do.VOID_LAST, Do.VOID})


class Figures(msgspec.Struct, frozen=True):
    """``day``: since 1970-01-01, local. ``trusted``: the clock could be believed all the time. ``counts``: name to
    number, such as "registered", "refused.red", "tubes.10"; ``waits``: from registration to release, in steps of
    WAIT_STEP_S, to people; ``pace``: quarter of an hour of the day to people registered in it."""

    day: int = 0
    trusted: bool = True
    counts: dict[str, int] = {}
    waits: dict[int, int] = {}
    pace: dict[int, int] = {}

    def of(self, name: str) -> int:
        return self.counts.get(name, 0)

    def family(self, name: str) -> dict[str, int]:
        """What the counts of this name consist of: "refused" to {"red": 1, …}."""
        return {key[len(name) + 1 :]: count for key, count in self.counts.items() if key.startswith(f"{name}.")}

    @property
    def undo_rate(self) -> float:
        """Share of the registered whom staff took back at once (rule G9)."""
        return self.of("voided") / (self.of("registered") or 1)

    @property
    def typed_share(self) -> float:
        """Share of the registered whose number was typed (rule G9)."""
        return self.of("source.typed") / (self.of("registered") or 1)

    @property
    def an_hour(self) -> float:
        """People registered an hour, over the quarters in which anybody was."""
        return sum(self.pace.values()) * 3600 / QUARTER_S / (len(self.pace) or 1)

    def wait_s(self, share: float) -> int:
        """The wait that this share of the people does not exceed, rounded up to a step."""
        rank, steps = math.ceil(share * sum(self.waits.values())), 0
        for step in sorted(self.waits):
            rank -= self.waits[step]
            steps = step
            if rank <= 0:
                break
        return steps * WAIT_STEP_S

    def plus(self, other: "Figures") -> "Figures":
        """Both together; the day is that of the first."""
        return Figures(
            self.day,
            self.trusted and other.trusted,
            _sum(self.counts, other.counts),
            _sum(self.waits, other.waits),
            _sum(self.pace, other.pace),
        )


class Tally(msgspec.Struct, frozen=True):
    """``today``: the figures of the day of the last fact. ``waiting``: who is registered and in no closed group, and
    since when; ``groups``: the same of each closed group. ``raised``: incidents nobody has acknowledged. ``here``:
    closed tubes that were not handed over."""

    today: Figures = Figures()
    waiting: dict[int, Stamp] = {}
    groups: dict[int, tuple[Stamp, ...]] = {}
    raised: dict[int, tuple[str, Stamp]] = {}
    here: int = 0


def tally(now: Tally, change: Fact | Note, at: Stamp) -> Tally:
    """What is so after one fact. At a new day the figures begin anew."""
    if isinstance(change, Note | DayReported):
        return now
    names = tuple(_names(change, now, at))
    if not names and not isinstance(change, GroupClosed):
        return now
    today = now.today if now.today.day == at.day else Figures(at.day)
    counts = dict(today.counts)
    for name, count in names:
        counts[name] = counts.get(name, 0) + count
    replace = msgspec.structs.replace
    today = replace(today, counts=counts, trusted=today.trusted and at.trust >= Trust.RTC)
    now = replace(now, today=today)
    match change:
        case Registered():
            quarter = (at.wall // 1000 + at.zone) % 86_400 // QUARTER_S
            today = replace(today, pace=_plus(today.pace, quarter))
            return replace(now, today=today, waiting=now.waiting | {change.person: at})
        case Withdrawn():
            return replace(now, waiting=_without(now.waiting, (change.person,)))
        case Corrected() if change.do not in _STAY:
            return replace(now, waiting=_without(now.waiting, change.people))
        case GroupClosed():
            people = tuple(now.waiting)[-1:] if change.ahead else tuple(now.waiting)
            stamps = tuple(now.waiting[person] for person in people)
            return replace(now, waiting=_without(now.waiting, people), groups=now.groups | {change.group: stamps})
        case GroupReleased():
            waits = today.waits
            for since in now.groups.get(change.group, ()):
                waits = _plus(waits, -(-at.since(since) // (1000 * WAIT_STEP_S)))
            groups = {group: each for group, each in now.groups.items() if group != change.group}
            return replace(now, today=replace(today, waits=waits), groups=groups)
        case IncidentRaised():
            return replace(now, raised=now.raised | {change.incident: (change.kind.value, at)})
        case IncidentAcknowledged():
            return replace(now, raised={n: each for n, each in now.raised.items() if n != change.incident})
        case TubeClosed():
            return replace(now, here=now.here + 1)
        case TubeVoided() | TubeLost():
            return replace(now, here=now.here - 1)
        case ManifestClosed():
            return replace(now, here=now.here - change.tubes)
    return now


def run(entries: Iterable[Entry]) -> Iterator[tuple[Entry, Tally]]:
    """Each fact with what is so after it. A day that comes back, because a clock was wrong, goes on."""
    told: dict[int, Figures] = {}
    now = Tally()
    for entry in entries:
        if now.today.day != entry.at.day:
            now = msgspec.structs.replace(now, today=told.get(entry.at.day, Figures(entry.at.day)))
        now = tally(now, entry.fact, entry.at)
        told[entry.at.day] = now.today
        yield entry, now


def days(entries: Iterable[Entry]) -> dict[int, Figures]:
    """The figures of each day on which anything was counted."""
    return {now.today.day: now.today for _, now in run(entries) if now.today.counts}


def _names(fact: Fact | Note, now: Tally, at: Stamp) -> Iterator[tuple[str, int]]:
    match fact:
        case Registered():
            yield from (("registered", 1), (f"source.{fact.source}", 1), (f"colour.{fact.colour}", 1))
            yield f"category.{fact.category}", 1
            yield from ((f"missing.{field}", 1) for field in fact.missing)
        case Refused():
            yield from (("refused", 1), (f"refused.{fact.reason}", 1))
        case TubeClosed():
            yield from (("tubes", 1), (f"tubes.{kind(fact)}", 1))
            if fact.members < fact.size and not fact.household:
                yield "short", 1
        case TubeVoided():
            yield "tubes voided", 1
        case TubeLost():
            yield f"tubes {fact.kind}", 1
        case LabelPrinted():
            yield from (("labels", 1),) + ((("labels again", 1),) if fact.attempt > 1 else ())
        case LabelFailed():
            yield "labels failed", 1
        case GroupReleased():
            yield from (("groups", 1), ("released", fact.members))
        case ManifestClosed():
            yield from (("consignments", 1), ("handed over", fact.tubes))
        case Withdrawn():
            yield "withdrawn", 1
        case Corrected():
            yield from (("corrected", 1), (f"corrected.{fact.do}", 1))
            if fact.do in _UNDONE:
                yield "voided", len(fact.people)
        case IncidentRaised():
            yield from (("incidents", 1), (f"incidents.{fact.kind}", 1))
        case IncidentAcknowledged() if (raised := now.raised.get(fact.incident)) is not None:
            yield f"acknowledged.{raised[0]}", 1
            yield f"acknowledged after s.{raised[0]}", at.since(raised[1]) // 1000


def kind(tube: TubeClosed | TubeOpened) -> str:
    """What tubes are counted by, and their stock is named by (rule G4)."""
    if tube.specimen is Specimen.NASAL:
        return "nasal"
    return "household" if tube.household else str(tube.size)


def _plus(counts: dict[int, int], key: int) -> dict[int, int]:
    return counts | {key: counts.get(key, 0) + 1}


def _without(waiting: dict[int, Stamp], people: tuple[int, ...]) -> dict[int, Stamp]:
    return {person: since for person, since in waiting.items() if person not in people}


def _sum(one: dict[T, int], other: dict[T, int]) -> dict[T, int]:
    return one | {key: one.get(key, 0) + count for key, count in other.items()}
