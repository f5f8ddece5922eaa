"""What is overdue or running out (rules D1, F18, Q16)."""

from kiosk.domain import Do
from kiosk.health import Issue, desk_faults
from kiosk.reports.due import issues
from tests.support.desk_story import Story

HOUR = 3600


def test_a_report_that_did_not_arrive_is_an_issue_at_the_desk() -> None:
    desk = Story(setup={"report_at": 23 * 60 + 30})
    desk.crowd(*range(3))
    desk.tick(11.6 * HOUR)
    desk.tick(HOUR)
    unsent = 24 * HOUR * 1000
    assert set(issues(desk.site, desk.at, unsent, 60)) == {"report-late"}
    assert issues(desk.site, desk.at, 0, 60) == {}
    assert desk_faults((Issue("report-late", 0, ""),)) == ("report-late",)


def test_stock_that_will_not_do_is_named_with_its_number() -> None:
    desk = Story(pool_size=5, group_size=5)
    desk.ordered(Do.STOCK, text="5 2")
    desk.crowd(*range(6))
    [hint] = issues(desk.site, desk.at, 0, 60).values()
    assert "0 5混管" in hint
    assert "1,000" not in hint
