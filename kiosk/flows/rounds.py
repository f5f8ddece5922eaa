"""Rounds (轮次): when a person may come again, and what a jumping clock does to that."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from kiosk.domain import Do, Stamp, Trust
from kiosk.events import Event, PowerOn, RoundRequested
from kiosk.facts import ClockStepped, Fact, Note, Order, Registered, RoundStarted, StaffOrdered, Started

if TYPE_CHECKING:
    from kiosk.site import Site

STEP_MS = 60_000
"""The wall clock has jumped when it moves this much against the monotonic clock of the same boot."""


class Rounds(msgspec.Struct, frozen=True):
    """``day``: of the round, by the clock as it runs now; ``known``: the last day told by a clock that can be believed
    (one that went back over a power cut cannot, before it is synchronised). ``offset``: wall minus monotonic of the
    last fact, in ``boot``; ``people``: registered in this round and boot; ``trust``: the most the clock had in it."""

    round: int = 0
    day: int = 0
    known: int = 0
    boot: bytes = b""
    offset: int = 0
    people: int = 0
    trust: Trust = Trust.NONE


def evolve(slice_: Rounds, change: Fact | Note, at: Stamp) -> Rounds:
    if isinstance(change, Note):
        return slice_
    same = at.boot == slice_.boot
    people = slice_.people if same else 0
    trust = max(slice_.trust, at.trust) if same else at.trust
    number, day = slice_.round, slice_.day
    match change:
        case Registered():
            people += 1
        case RoundStarted():
            number, day, people = change.round, change.day, 0
        case ClockStepped() if not 0 < abs(change.by_ms) <= STEP_MS:
            day = at.day
    return Rounds(number, day, _known(slice_.known, at), at.boot, at.wall - at.mono, people, trust)


def _known(known: int, at: Stamp) -> int:
    if at.trust >= Trust.NTP:
        return at.day
    return max(known, at.day) if at.trust >= Trust.RTC else known


def react(site: "Site", item: Event | Fact, at: Stamp) -> Iterator[Fact | Note | Order]:
    now = site.rounds
    if isinstance(item, StaffOrdered) and item.do is Do.ROUND_START:
        yield RoundStarted(now.round + 1, at.day, "manual")
    if not isinstance(item, Event):
        return
    if isinstance(item, PowerOn):
        yield Started(item.version, item.kept)
    if now.round == 0:
        yield RoundStarted(1, at.day, "first")
    elif isinstance(item, RoundRequested):
        yield RoundStarted(now.round + 1, at.day, "manual")
    elif at.boot == now.boot and abs(jump := at.wall - at.mono - now.offset) > STEP_MS:
        yield from _stepped(site, at, jump)
    elif at.boot != now.boot and (at.day < now.day or (at.day > now.day and at.trust < Trust.RTC)):
        yield ClockStepped(0)
    elif site.setup.policy.round == "daily" and at.day > now.day:
        yield RoundStarted(now.round + 1, at.day, "daily")
    elif at.boot == now.boot and at.trust > now.trust and at.trust >= Trust.RTC:
        yield ClockStepped(jump)


def _stepped(site: "Site", at: Stamp, jump: int) -> Iterator[Fact]:
    """A corrected clock is not a new day for those who were just registered: only a round nobody joined since the
    machine came up may end by it."""
    new_day = at.day > max(site.rounds.day, site.rounds.known) and at.trust >= Trust.RTC and site.rounds.people == 0
    yield ClockStepped(jump)
    if new_day and site.setup.policy.round == "daily":
        yield RoundStarted(site.rounds.round + 1, at.day, "daily")
