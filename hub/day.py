"""A day of all kiosks, summed up (rules D1, D3): who has reported, and who must be asked (D4)."""

import csv
import io
from collections.abc import Iterator, Sequence
from datetime import date

import msgspec

from hub.entries import entries
from hub.store import Store
from kiosk.domain import Coverage
from kiosk.facts import DayReported
from kiosk.figures import Figures, run

COLUMNS = ("registered", "refused", "released", "tubes", "short", "handed over", "incidents", "withdrawn", "corrected")
_WAITS = ("wait p50 s", "wait p95 s", "wait worst s")


class KioskDay(msgspec.Struct):
    """``reported``: "in time", "late" or "no"; ``figures``: of the facts that are here; ``coverage``: of the roster, as
    each of its journals that knew one reported it last."""

    site: str
    kiosk: int
    figures: Figures
    reported: str = "no"
    coverage: tuple[Coverage, ...] = ()


def days(store: Store, day: int) -> list[KioskDay]:
    """Every kiosk that has something of this day (since 1970-01-01), by its number; two journals of one kiosk are
    summed."""
    found: dict[tuple[str, int], KioskDay] = {}
    for journal, site, kiosk in store.rows("SELECT journal, site, kiosk FROM journal ORDER BY site, kiosk, journal"):
        told, reported, coverage = Figures(day), "no", None
        for entry, now in run(entry for entry, _ in entries(store, journal)):
            told = now.today if now.today.day == day else told
            if isinstance(entry.fact, DayReported) and entry.fact.day == day:
                coverage = entry.fact.coverage
                if reported == "no":
                    reported = "late" if entry.fact.late else "in time"
        if not told.counts:
            continue
        here = found.setdefault((site, kiosk), KioskDay(site, kiosk, Figures(day)))
        here.figures = here.figures.plus(told)
        here.reported = reported if reported != "no" else here.reported
        here.coverage += (coverage,) if coverage is not None else ()
    return list(found.values())


def total(kiosks: Sequence[KioskDay], day: int) -> Figures:
    told = Figures(day)
    for each in kiosks:
        told = told.plus(each.figures)
    return told


def table(kiosks: Sequence[KioskDay], day: int) -> str:
    """CSV: a line for each kiosk, and one for all."""
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(("day", "site", "kiosk", "reported", "clock", *COLUMNS, *_WAITS, "on roster", "came"))
    for each in kiosks:
        rows.writerow((day_name(day), each.site, each.kiosk, each.reported, *_numbers(each.figures), *_covered([each])))
    rows.writerow((day_name(day), "all", len(kiosks), "", *_numbers(total(kiosks, day)), *_covered(kiosks)))
    return out.getvalue()


def _numbers(figures: Figures) -> Iterator[object]:
    yield "" if figures.trusted else "not set"
    yield from (figures.of(name) for name in COLUMNS)
    yield from (figures.wait_s(share) for share in (0.5, 0.95, 1))


def _covered(kiosks: Sequence[KioskDay]) -> tuple[object, object]:
    """People on the rosters, each counted once, and how many came; blank where no roster was in use."""
    found = [(each.site, coverage) for each in kiosks for coverage in each.coverage]
    listed = {(site, coverage.roster): coverage.all.total for site, coverage in found}
    return (sum(listed.values()), sum(coverage.all.came for _, coverage in found)) if found else ("", "")


def calendar_day(text: str) -> int:
    """Days since 1970-01-01 of such as 2026-11-27. Raises ValueError."""
    return (date.fromisoformat(text) - date(1970, 1, 1)).days


def day_name(day: int) -> str:
    return date.fromordinal(date(1970, 1, 1).toordinal() + day).isoformat()
