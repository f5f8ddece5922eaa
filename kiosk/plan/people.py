"""Who comes, when, and how long each takes: drawn once, so that the same people come however many tables there are."""

from collections.abc import Callable
from random import Random
from typing import Literal

import msgspec

from kiosk.domain import Category, Colour
from kiosk.plan.assumed import Assumed

Arrivals = Literal["peak", "even", "slots"]

_TENTHS = (16, 17, 13, 9, 7, 6, 7, 9, 9, 7)
"""Per cent of the people in each tenth of the day: a morning peak of 1.7 times the mean, a smaller one after work."""

SLOT_S = 1800.0
"""People are asked by building to come in the same half hour (rule Q4); most come in its first half."""


class Person(msgspec.Struct, frozen=True):
    """``arrives``: seconds since the site opened; ``scan`` and ``swab``: seconds that registration and the swab take.
    ``colour``: of their code; ``card``: they have one."""

    arrives: float
    scan: float
    swab: float
    colour: Colour
    category: Category
    card: bool


def people(count: int, day_s: float, arrivals: Arrivals, assumed: Assumed, seed: int) -> list[Person]:
    """All people of a day of ``day_s`` seconds, in the order they arrive."""
    rng = Random(f"{seed} {arrivals}")
    when = _WHEN[arrivals]
    times = sorted(when(rng, day_s) for _ in range(count))
    swab_s = 3600 / assumed.sampled_an_hour
    return [
        Person(
            arrives=time,
            scan=assumed.scan_s * _spread(rng),
            swab=swab_s * _spread(rng),
            colour=Colour.RED if rng.random() < assumed.red else Colour.GREEN,
            category=Category.KEY if rng.random() < assumed.key else Category.GENERAL,
            card=rng.random() >= assumed.no_card,
        )
        for time in times
    ]


def _spread(rng: Random) -> float:
    """Triangular from 0.6 to 1.8, mode 0.6: its mean is 1."""
    return rng.triangular(0.6, 1.8, 0.6)


def _peak(rng: Random, day_s: float) -> float:
    tenth = rng.choices(range(10), _TENTHS)[0]
    return (tenth + rng.random()) * day_s / 10


def _even(rng: Random, day_s: float) -> float:
    return rng.random() * day_s


def _slots(rng: Random, day_s: float) -> float:
    length = min(SLOT_S, day_s)
    slot = rng.randrange(max(1, round(day_s / length)))
    return min(day_s, (slot + rng.triangular(0, 1, 0.25)) * length)


_WHEN: dict[Arrivals, Callable[[Random, float], float]] = {"peak": _peak, "even": _even, "slots": _slots}
