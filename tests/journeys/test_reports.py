"""The end of the day: its figures go up by midnight, and staff are told when they do not."""

import contextlib
import csv
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from hub.cli import main as hub_command
from kiosk.domain import Covered
from kiosk.facts import DayReported
from tests.roster.tables import csv as table
from tests.roster.tables import row_of
from tests.support.site_day import SiteDay, open_site, until


class Clocks:
    """Of a kiosk whose day is ``day``: at noon when it starts."""

    def __init__(self, file: Path) -> None:
        self._file = file
        now = datetime.now().astimezone()
        noon = (now + timedelta(1)).replace(hour=12, minute=0, second=0, microsecond=0)
        self.day = noon.strftime("%Y-%m-%d")
        self._ahead = round((noon - now).total_seconds())
        self.go_on()

    def go_on(self, hours: float = 0) -> None:
        self._ahead += round(hours * 3600)
        self._file.write_text(f"{self._ahead} {self._ahead}")


@contextlib.asynccontextmanager
async def open_at_noon(folder: Path) -> AsyncIterator[tuple[SiteDay, Clocks]]:
    clocks = Clocks(folder / "ahead")
    command = ("-m", "tests.support.kiosk_with_own_clock", str(folder / "ahead"))
    async with open_site(folder, line=True, command=command) as day:
        yield day, clocks


def told_at_the_command_post(day: SiteDay, date: str, capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """What `kiosk-hub report` has of the kiosk."""
    capsys.readouterr()
    assert hub_command(["report", "--db", str(day.rig.hub_db), "--day", date]) == 0
    return next(csv.DictReader(capsys.readouterr().out.splitlines()))


def issues(day: SiteDay) -> list[str]:
    return [issue["code"] for issue in day.rig.status()["issues"]]


async def test_the_figures_of_the_day_and_who_of_the_roster_came_are_at_the_command_post_before_midnight(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    people = table(tmp_path / "list.csv", [row_of(1, "1栋"), row_of(2, "2栋"), row_of(3, "2栋")])
    async with open_at_noon(tmp_path) as (day, clocks):
        assert await day.technician("roster", "import", str(people)) == 0
        await day.residents(1, 2)
        clocks.go_on(0.1)
        await until(lambda: (day.rig.status()["roster"] or {}).get("done") == 2, "the coverage is counted")
        assert not day.told(DayReported)
        clocks.go_on(11.5)
        await until(lambda: day.told(DayReported), "the day is reported")
        (report,) = day.told(DayReported)
        assert (report.late, report.counts["registered"]) == (False, 2)
        assert report.coverage is not None
        assert (report.coverage.all, report.coverage.places) == (Covered(3, 2, 0), (Covered(1, 1, 0), Covered(2, 1, 0)))
        await day.all_is_at_the_command_post()
        row = told_at_the_command_post(day, clocks.day, capsys)
        assert [row[name] for name in ("reported", "registered", "on roster", "came")] == ["in time", "2", "3", "2"]
        clocks.go_on(1)
        await until(lambda: day.rig.status()["oldest_wait_s"] > 12 * 3600, "it is the next day")
        assert "report-late" not in issues(day)


async def test_a_report_that_is_not_at_the_command_post_after_midnight_is_an_alarm_until_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with open_at_noon(tmp_path) as (day, clocks):
        await day.rig.stop_hub()
        await day.residents(1, 2)
        clocks.go_on(11.6)
        await until(lambda: day.told(DayReported), "the day is reported")
        assert "report-late" not in issues(day)
        clocks.go_on(1)
        await until(lambda: "report-late" in issues(day), "the report is late")
        await day.lamp("fault", "on")
        await day.rig.start_hub()
        await day.all_is_at_the_command_post()
        await until(lambda: "report-late" not in issues(day), "the report has arrived")
        assert told_at_the_command_post(day, clocks.day, capsys)["registered"] == "2"
