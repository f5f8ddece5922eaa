"""The day's figures go up by 24:00 (rule D1)."""

from kiosk.domain import Coverage, Covered, Trust
from kiosk.events import Tick
from kiosk.facts import DayReported, Fact
from tests.support.desk_story import DAY_S, NOON, Story

AT = 23 * 60 + 30
HOUR = 3600


def story(**how: object) -> Story:
    return Story(pool_size=5, group_size=5, setup={"report_at": AT}, **how)


def reports(facts: list[Fact]) -> list[DayReported]:
    return [fact for fact in facts if isinstance(fact, DayReported)]


def test_they_go_up_once_at_the_time_that_is_configured() -> None:
    desk = story()
    desk.crowd(*range(7))
    assert not reports(desk.tick(11.4 * HOUR))
    [told] = reports(desk.tick(0.2 * HOUR))
    assert (told.day, told.late, told.trusted) == (NOON // DAY_S, False, True)
    assert (told.counts["registered"], told.counts["tubes.5"]) == (7, 1)
    assert not reports(desk.tick(600))
    assert not reports(desk.tick(HOUR))


def test_how_many_of_the_roster_came_goes_with_them() -> None:
    desk = story()
    desk.crowd(*range(3))
    assert [fact.coverage for fact in reports(desk.tick(11.6 * HOUR))] == [None]
    desk.crowd(*range(10, 12))
    desk.wall += HOUR * 1000
    coverage = Coverage(1_640_000_000_000, Covered(20, 5, 1), (Covered(12, 5, 0), Covered(8, 0, 1)))
    assert [fact.coverage for fact in reports(desk.happens(Tick(coverage)))] == [coverage]


def test_what_came_after_goes_up_when_the_day_is_over() -> None:
    desk = story()
    desk.crowd(*range(3))
    assert reports(desk.tick(11.6 * HOUR))
    desk.crowd(*range(10, 14))
    [told] = reports(desk.tick(HOUR))
    assert (told.counts["registered"], told.late, told.day) == (7, False, NOON // DAY_S)


def test_a_day_that_was_slept_through_is_reported_late() -> None:
    desk = story()
    desk.crowd(*range(3))
    desk.wall += 14 * HOUR * 1000
    desk.restart(reboot=True)
    [told] = reports(desk.tick(1))
    assert (told.late, told.counts["registered"], told.day) == (True, 3, NOON // DAY_S)
    desk.crowd(*range(20, 22))
    assert desk.site.reporting.tally.today.counts["registered"] == 2


def test_a_day_on_which_nothing_happened_is_not_reported() -> None:
    desk = story()
    assert not reports(desk.tick(3 * DAY_S))


def test_a_clock_that_nobody_believes_marks_the_day() -> None:
    desk = story(trust=Trust.NONE)
    desk.crowd(*range(3))
    desk.clock_jump(0, Trust.NTP)
    desk.crowd(*range(10, 12))
    [told] = reports(desk.tick(11.9 * HOUR))
    assert not told.trusted


def test_a_drill_reports_nothing() -> None:
    desk = Story(setup={"report_at": AT, "drill": 1, "kiosk": 0})
    desk.crowd(*range(3))
    assert not reports(desk.tick(13 * HOUR))


def test_a_report_is_late_when_it_has_not_reached_the_command_post_by_the_end_of_its_day() -> None:
    desk = story()
    desk.crowd(*range(3))
    desk.tick(11.6 * HOUR)
    assert not desk.site.reporting.is_late(desk.at, unsent_ms=12 * HOUR * 1000)
    desk.tick(HOUR)
    assert desk.site.reporting.is_late(desk.at, unsent_ms=12 * HOUR * 1000)
    assert not desk.site.reporting.is_late(desk.at, unsent_ms=0)
    assert not desk.site.reporting.is_late(desk.at, unsent_ms=HOUR * 1000 // 2)


def test_the_report_outlives_a_restart() -> None:
    desk = story()
    desk.crowd(*range(3))
    assert reports(desk.tick(11.6 * HOUR))
    desk.restart(reboot=True)
    assert not reports(desk.tick(60))
