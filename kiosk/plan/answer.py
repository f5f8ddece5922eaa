"""What a planned day comes to, and how many tables it takes."""

import math
from collections.abc import Callable, Sequence

import msgspec

from kiosk.config import CustodyRules, Queue
from kiosk.plan.assumed import Assumed
from kiosk.plan.day import Day, Minute, play
from kiosk.plan.people import Arrivals, Person, people
from kiosk.plan.table import STAGES, Passage
from kiosk.site import Setup

MOST_TABLES = 99
"""Kiosk numbers of a site go so far."""


class Waits(msgspec.Struct, frozen=True):
    """Minutes."""

    p50: float
    p95: float
    worst: float

    @classmethod
    def of(cls, people: Sequence[Passage]) -> "Waits":
        """The nearest ranks."""
        ranked = sorted(who.wait for who in people) or [0.0]
        return cls(*(round(ranked[math.ceil(q * len(ranked)) - 1] / 60, 1) for q in (0.5, 0.95, 1.0)))


class Stage(msgspec.Struct, frozen=True):
    """``busy``: share of the time; ``wait_min``: the mean wait for it."""

    busy: float
    wait_min: float


class Slice(msgspec.Struct, frozen=True):
    """People who arrived in one quarter of an hour, and their waits."""

    arrived: int
    waits: Waits


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """``tables``: the least whose p95 keeps the limit, or those that were asked for; ``kept``: they do keep it.
    ``turned_away``: registered by nobody, such as red codes. ``overtime_min``: from closing time until the last is
    through; ``most_waiting``: people, at once, on the whole site. ``pick_ups``: seconds since opening."""

    people: int
    hours: float
    arrivals: Arrivals
    seed: int
    limit_min: float
    tables: int
    kept: bool
    sampled: int
    turned_away: int
    waits: Waits
    overtime_min: float
    most_waiting: int
    tubes: dict[str, int]
    labels: int
    pick_ups: list[float]
    stages: dict[str, Stage]
    bottleneck: str
    assumed: Assumed
    quarters: list[Slice]
    minutes: list[Minute]


def plan(
    setup: Setup,
    count: int,
    hours: float,
    *,
    tables: int | None = None,
    seed: int = 1,
    arrivals: Arrivals = "peak",
    limit_min: float | None = None,
    assumed: Assumed | None = None,
) -> Plan:
    """The day of ``count`` people at ``tables`` tables, or at as few as keep the limit, which is the site's own oldest
    wait (rule Q3) where nothing else is said. Raises ValueError where even MOST_TABLES are too few."""
    assumed = assumed or Assumed()
    limit_min = limit_min or float(setup.queue.oldest_wait_min or Queue().oldest_wait_min)
    crowd = people(count, hours * 3600, arrivals, assumed, seed)

    def at(tables: int, limit_s: float | None = None) -> Day:
        setups = [msgspec.structs.replace(setup, kiosk=number) for number in range(1, tables + 1)]
        return play(setups, assumed, crowd, seed, limit_s)

    if tables is None:
        tables, day = _fewest(at, crowd, assumed, limit_min * 60)
    else:
        day = at(tables)
    through = [who for who in day.passages if who.sampled]
    waits = Waits.of(through)
    stages = _stages(day, through, assumed)
    return Plan(
        people=count,
        hours=hours,
        arrivals=arrivals,
        seed=seed,
        limit_min=limit_min,
        tables=tables,
        kept=day.whole and waits.p95 <= limit_min,
        sampled=len(through),
        turned_away=sum(who.refused for who in day.passages),
        waits=waits,
        overtime_min=round(max(0.0, day.ended / 60 - hours * 60), 1),
        most_waiting=max((minute.all for minute in day.minutes), default=0),
        tubes=dict(sorted(day.opened.items())),
        labels=day.opened.total(),
        pick_ups=_pick_ups(day, setup.rules, hours * 3600),
        stages=stages,
        bottleneck=max(STAGES, key=lambda name: stages[name].busy),
        assumed=assumed,
        quarters=_quarters(through),
        minutes=day.minutes,
    )


def _fewest(
    at: Callable[[int, float], Day], crowd: Sequence[Person], assumed: Assumed, limit_s: float
) -> tuple[int, Day]:
    """The least number of tables that keeps the limit, looked for from what a queue without chance would need."""

    def good(tables: int) -> Day | None:
        day = at(tables, limit_s)
        return day if day.whole and Waits.of([who for who in day.passages if who.sampled]).p95 * 60 <= limit_s else None

    tables = _estimate(crowd, assumed, limit_s)
    day = good(tables)
    while day is None and tables < MOST_TABLES:
        tables += 1
        if (day := good(tables)) is not None:
            return tables, day
    if day is None:
        raise ValueError(f"even {MOST_TABLES} tables are too few for {len(crowd)} people: more sites, or more hours")
    while tables > 1 and (fewer := good(tables - 1)) is not None:
        tables, day = tables - 1, fewer
    return tables, day


def _estimate(crowd: Sequence[Person], assumed: Assumed, limit_s: float) -> int:
    """As if everybody took the mean time at the slower of desk and swab, and nobody waited for a group (Lindley)."""
    relieved = 1 - assumed.break_min / (assumed.shift_h * 60 + assumed.break_min)
    each_s = max(assumed.scan_s, 3600 / assumed.sampled_an_hour / assumed.samplers / relieved)
    for tables in range(1, MOST_TABLES):
        late, wait, before = 0, 0.0, 0.0
        for who in crowd:
            wait = max(0.0, wait - who.arrives + before)
            before = who.arrives
            late += wait > limit_s
            wait += each_s / tables
        if 20 * late <= len(crowd):
            return tables
    return MOST_TABLES


def _stages(day: Day, through: Sequence[Passage], assumed: Assumed) -> dict[str, Stage]:
    """Of the busiest table; the mean waits of all."""
    waits = dict.fromkeys((*STAGES, "group"), 0.0)
    for who in through:
        waits["registration"] += who.registered - who.person.scan - who.person.arrives
        waits["group"] += who.closed - who.registered
        waits["printing"] += who.labelled - who.closed
        waits["gate"] += who.released - who.labelled
        waits["sampling"] += who.swabbed - who.released - assumed.walk_s
    busy = {name: max(work[name] for work in day.works) / (day.ended or 1.0) for name in STAGES} | {"group": 0.0}
    busy["sampling"] /= assumed.samplers
    return {
        name: Stage(round(busy[name], 3), round(wait / 60 / (len(through) or 1), 2)) for name, wait in waits.items()
    }


def _pick_ups(day: Day, rules: CustodyRules, closing_s: float) -> list[float]:
    """A courier comes when the first swab of what waits is so old, or so many tubes wait; the last takes the rest when
    the day is over (rules T1, T2, T4)."""
    times: list[float] = []
    oldest, tubes = 0.0, 0
    for first_swab, more in (*day.swabs, (day.ended, 0)):
        due = oldest + rules.pick_up_min * 60
        if tubes and rules.pick_up_min and due <= min(first_swab, closing_s):
            times.append(due)
            tubes = 0
        oldest = oldest if tubes else first_swab
        tubes += more
        if tubes and tubes >= (rules.pick_up_tubes or tubes + 1):
            times.append(first_swab)
            tubes = 0
    return [float(round(time)) for time in ([*times, day.ended] if tubes else times)]


def _quarters(through: Sequence[Passage]) -> list[Slice]:
    who_came: dict[int, list[Passage]] = {}
    for who in through:
        who_came.setdefault(int(who.person.arrives // 900), []).append(who)
    last = max(who_came, default=-1)
    return [Slice(len(who_came.get(n, [])), Waits.of(who_came.get(n, []))) for n in range(last + 1)]
