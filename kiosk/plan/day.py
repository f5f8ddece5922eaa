"""A whole day of a site: people come, each to the table with the fewest, until all are through."""

import heapq
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import count
from random import Random

import msgspec

from kiosk.plan.assumed import Assumed
from kiosk.plan.people import Person
from kiosk.plan.table import Passage, Table
from kiosk.site import Setup

LONGEST_S = 7 * 86_400.0
"""A day that is not over by then never will be."""


class Minute(msgspec.Struct, frozen=True):
    """People who wait, at the end of this minute of the day: before the desk, for labels and the gate, for a swab."""

    desk: int
    gate: int
    swab: int

    @property
    def all(self) -> int:
        return self.desk + self.gate + self.swab


class Day(msgspec.Struct, frozen=True):
    """What became of everybody. ``whole``: it was played to its end; ``ended``: seconds since opening."""

    passages: list[Passage]
    minutes: list[Minute]
    opened: Counter[str]
    swabs: list[tuple[float, int]]
    works: list[dict[str, float]]
    ended: float
    whole: bool


def play(
    setups: Sequence[Setup], assumed: Assumed, people: Sequence[Person], seed: int, limit_s: float | None = None
) -> Day:
    """One day; a table for each of ``setups``. With ``limit_s`` the day is broken off as soon as more than one person
    in twenty has waited longer than that."""
    calls: list[tuple[float, int, Callable[[float], None]]] = []
    order = count()
    now = 0.0
    passages = [Passage(number, person) for number, person in enumerate(people, 1)]
    left, late = len(passages), 0

    def later(after_s: float, call: Callable[[float], None]) -> None:
        heapq.heappush(calls, (now + after_s, next(order), call))

    def through(who: Passage) -> None:
        nonlocal left, late
        left -= 1
        late += who.sampled and limit_s is not None and who.wait > limit_s

    tables = [Table(setup, assumed, later, through, Random(f"{seed} {n}")) for n, setup in enumerate(setups)]
    minutes: list[Minute] = []
    coming = iter(passages)
    arrival = next(coming, None)

    def minute(then: float) -> None:
        for table in tables:
            table.minute(then)
        minutes.append(
            Minute(
                sum(len(table.queue) for table in tables),
                sum(table.registered for table in tables),
                sum(len(table.at_swab) for table in tables),
            )
        )
        later(60.0, minute)

    later(60.0, minute)
    while left and now < LONGEST_S and 20 * late <= len(passages):
        if arrival is not None and arrival.person.arrives <= calls[0][0]:
            now = arrival.person.arrives
            min(tables, key=_load).arrive(arrival)
            arrival = next(coming, None)
        else:
            now, _, call = heapq.heappop(calls)
            call(now)
    opened: Counter[str] = Counter()
    for table in tables:
        opened += table.opened
    swabs = sorted(swab for table in tables for swab in table.swabs)
    return Day(passages, minutes, opened, swabs, [table.work for table in tables], now, whole=not left)


def _load(table: Table) -> int:
    return table.load
