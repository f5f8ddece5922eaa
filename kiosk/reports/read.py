"""From the journal to the figures of a day, read only."""

from collections.abc import Iterable
from typing import Any

import msgspec

from kiosk import data_folder, health
from kiosk.clock import SystemClock
from kiosk.config import Config
from kiosk.domain import Coverage, Stamp
from kiosk.facts import DayReported, Entry
from kiosk.figures import Tally, run
from kiosk.flows import stock
from kiosk.flows.stock import Stock
from kiosk.journal import Journal
from kiosk.reports.day import Report, date_of


def read(config: Config, day: int | None = None) -> Report:
    """``day``: since 1970-01-01; None: the last on which anything was counted. Raises StorageFault, and ValueError for
    a day of which the journal tells nothing."""
    with Journal.open_readonly(data_folder.journal(config.kiosk.data_dir)) as journal:
        report = fold(config, (entry for _, entry in journal.entries()), day)
    return msgspec.structs.replace(report, coverage=_coverage(config, report.day) or report.coverage)


def fold(config: Config, entries: Iterable[Entry], day: int | None) -> Report:
    """Backlog and stock are those after the last fact of the day; coverage is that of its last report."""
    left = Stock()
    found: tuple[Tally, Stock, Stamp] | None = None
    reported: dict[int, Coverage | None] = {}
    for entry, now in run(entries):
        left = stock.evolve(left, entry.fact, entry.at)
        if isinstance(entry.fact, DayReported):
            reported[entry.fact.day] = entry.fact.coverage
        if now.today.counts and day in (None, entry.at.day):
            found = now, left, entry.at
    if found is None:
        what = "nothing yet" if day is None else f"nothing of {date_of(day)}"
        raise ValueError(f"the journal tells {what}: expected a day on which this kiosk was in use")
    now, left, at = found
    coverage = reported.get(now.today.day)
    minutes = {item: left.minutes(item, at) for item in left.left}
    return Report(
        site=f"{config.site.code} {config.site.name}",
        kiosk=config.kiosk.number,
        day=now.today.day,
        figures=now.today,
        here=now.here,
        left=left.left,
        minutes={item: value for item, value in minutes.items() if value is not None},
        coverage=_whole(coverage),
        places=coverage.places if coverage is not None else (),
    )


def _whole(coverage: Coverage | None) -> dict[str, Any] | None:
    """As the status tells it."""
    if coverage is None:
        return None
    whole = coverage.all
    numbers = {"total": whole.total, "done": whole.came, "away": whole.away}
    return numbers | {"missing": whole.missing, "percent": whole.percent}


def _coverage(config: Config, day: int) -> dict[str, Any] | None:
    """Of the roster, as a running kiosk tells it now: of today only."""
    try:
        status = health.read_status(config.kiosk.runtime_dir / health.STATUS_NAME)
    except health.StatusError:
        return None
    today = SystemClock().now().day
    coverage: dict[str, Any] | None = status.get("roster") if day == today else None
    return coverage
