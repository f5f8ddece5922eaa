"""The figures of the day (rule D1): they go up by 24:00, and again when more happened after that."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from kiosk.domain import Coverage, Stamp
from kiosk.events import Event, Tick
from kiosk.facts import DayReported, Fact, Note, Order
from kiosk.figures import Figures, Tally, tally

if TYPE_CHECKING:
    from kiosk.site import Site

GRACE_MS = 300_000
"""So long the uplink may take."""


class Reporting(msgspec.Struct, frozen=True):
    """``over``: the figures of a day that is over, not reported as they are. ``day``: reported last, with ``counts``,
    at ``since``."""

    tally: Tally = Tally()
    over: Figures | None = None
    day: int = 0
    counts: dict[str, int] = {}
    since: Stamp | None = None

    def is_late(self, at: Stamp, unsent_ms: int) -> bool:
        """The last report is of a day that is over, and has not reached the command post. ``unsent_ms``: age of the
        oldest fact that has not."""
        age = at.since(self.since) if self.since is not None else 0
        return at.day > self.day and GRACE_MS < age <= unsent_ms


def evolve(slice_: Reporting, change: Fact | Note, at: Stamp) -> Reporting:
    replace = msgspec.structs.replace
    if isinstance(change, DayReported):
        over = None if slice_.over is not None and slice_.over.day == change.day else slice_.over
        return replace(slice_, over=over, day=change.day, counts=change.counts, since=at)
    told = tally(slice_.tally, change, at)
    if told is slice_.tally:
        return slice_
    before = slice_.tally.today
    ended = told.today.day != before.day and before.counts and not _is_reported(slice_, before)
    return replace(slice_, tally=told, over=before if ended else slice_.over)


def react(site: "Site", item: Event | Fact, at: Stamp) -> Iterator[Fact | Note | Order]:
    report_at = site.setup.report_at
    if not isinstance(item, Tick) or report_at is None or site.setup.drill:
        return
    now = site.reporting
    today = now.tally.today
    if now.over is not None:
        yield _reported(now, now.over, item.coverage, late=True)
    elif not today.counts or _is_reported(now, today):
        return
    elif at.day != today.day:
        yield _reported(now, today, item.coverage, late=True)
    elif (at.wall // 1000 + at.zone) % 86_400 >= report_at * 60 and now.day != today.day:
        yield _reported(now, today, item.coverage, late=False)


def _is_reported(now: Reporting, figures: Figures) -> bool:
    return now.day == figures.day and now.counts == figures.counts


def _reported(now: Reporting, figures: Figures, coverage: Coverage | None, *, late: bool) -> DayReported:
    """``late``: the day is over; who was reported in time is not late with what came after."""
    return DayReported(
        day=figures.day,
        counts=figures.counts,
        waits=figures.waits,
        pace=figures.pace,
        trusted=figures.trusted,
        late=late and now.day != figures.day,
        coverage=coverage,
    )
