"""The figures of a day as tables with names, Chinese first."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import msgspec

from kiosk.domain import Covered
from kiosk.figures import QUARTER_S, Figures
from kiosk.reports.due import NAMES
from kiosk.reports.xlsx import Cell, Rows

_FAMILIES = {
    "category": "人员类别 category",
    "source": "登记方式 registered by",
    "colour": "健康码 health code",
    "missing": "缺项 missing",
    "refused": "未予登记 turned away",
    "tubes": "采样管 tubes",
    "corrected": "更正 corrected",
    "incidents": "事件 incidents",
}
_COUNTS = {
    "registered": "登记人数 registered",
    "refused": "未予登记 turned away",
    "released": "放行人数 released",
    "groups": "放行组数 groups released",
    "tubes": "采样管 tubes",
    "short": "不足管 short tubes",
    "tubes voided": "作废管 tubes voided",
    "tubes lost": "丢失管 tubes lost",
    "tubes leaked": "渗漏管 tubes leaked",
    "labels": "已打标签 labels printed",
    "labels again": "补打标签 labels printed again",
    "labels failed": "打印失败 labels failed",
    "handed over": "已交接管 tubes handed over",
    "consignments": "交接批次 consignments",
    "withdrawn": "撤回人数 withdrawn",
    "voided": "作废人数 voided",
    "corrected": "更正次数 corrections",
    "incidents": "事件 incidents",
}

_PLACE = ("序号 place", "应到 on it", "已到 came", "外出 away", "未到 missing")


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """``here``: tubes that are closed and not handed over (R6); ``left``: stock, as far as staff have counted it, and
    ``minutes`` for which it does, by item; ``coverage``: of the roster, as the status has it, None without;
    ``places``: the same of each of its places, in its order, as the day was reported."""

    site: str
    kiosk: int
    day: int
    figures: Figures
    here: int = 0
    left: dict[str, int] = {}
    minutes: dict[str, int] = {}
    coverage: dict[str, Any] | None = None
    places: tuple[Covered, ...] = ()

    @property
    def date(self) -> str:
        return date_of(self.day)


def date_of(day: int) -> str:
    """Of days since 1970-01-01."""
    return (date(1970, 1, 1) + timedelta(day)).isoformat()


def sheets(report: Report) -> dict[str, Rows]:
    """Sheet name to rows: the day, its details, its course, and where a roster is in use, the places of that."""
    told: dict[str, Rows] = {
        "日报 day": [("", report.date), *summary(report)],
        "明细 details": [("项目 item", "内容 what", "数量 count"), *_details(report.figures)],
        "进度 course": [("时间 from", "登记人数 registered"), *_course(report.figures)],
    }
    if report.places:
        told["花名册 roster"] = [_PLACE, *_places(report.places)]
    return told


def summary(report: Report) -> Iterator[tuple[str, Cell]]:
    day = report.figures
    yield "采样点 site", report.site
    yield "终端 kiosk", report.kiosk
    if not day.trusted:
        yield "时钟 clock", "未校准，时间可能有误 not set: times may be wrong"
    for name, title in _COUNTS.items():
        yield title, day.of(name)
    yield "等候中位 wait p50, min", round(day.wait_s(0.5) / 60, 1)
    yield "等候p95 wait p95, min", round(day.wait_s(0.95) / 60, 1)
    yield "等候最长 wait worst, min", round(day.wait_s(1) / 60, 1)
    yield "每小时登记 registered an hour", round(day.an_hour)
    for kind, count in day.family("acknowledged").items():
        seconds = day.of(f"acknowledged after s.{kind}")
        yield f"事件确认用时 {kind} acknowledged after, s (mean)", round(seconds / count)
    yield "作废率 undo rate, %", round(day.undo_rate * 100, 2)
    yield "手工输入率 typed in, %", round(day.typed_share * 100, 2)
    yield "待转运管 tubes waiting for a courier", report.here
    for item, left in report.left.items():
        yield f"库存 {NAMES[item]}", left
        if item in report.minutes:
            yield f"可用分钟 {NAMES[item]}, min left", report.minutes[item]
    for name, value in (report.coverage or {}).items():
        yield f"花名册 roster {name}", value


def _places(places: Sequence[Covered]) -> Iterator[tuple[int, ...]]:
    for number, each in enumerate(places, 1):
        yield number, each.total, each.came, each.away, each.missing


def _details(day: Figures) -> Iterator[tuple[str, str, int]]:
    for family, title in _FAMILIES.items():
        for name, count in sorted(day.family(family).items()):
            yield title, name, count


def _course(day: Figures) -> Iterator[tuple[str, int]]:
    for quarter in range(min(day.pace, default=0), max(day.pace, default=-1) + 1):
        minutes = quarter * QUARTER_S // 60
        yield f"{minutes // 60:02}:{minutes % 60:02}", day.pace.get(quarter, 0)


def told(report: Report) -> str:
    lines = [f"{report.date}", *(f"{title:<40} {value}" for title, value in summary(report))]
    lines += [f"  {title:<38} {name:<18} {count}" for title, name, count in _details(report.figures)]
    return "\n".join(lines)


def as_builtins(report: Report) -> Mapping[str, Any]:
    """For programs."""
    day = report.figures
    known: dict[str, Any] = msgspec.to_builtins(report)
    waits = {"p50": day.wait_s(0.5), "p95": day.wait_s(0.95), "worst": day.wait_s(1)}
    rates = {"undo": day.undo_rate, "typed": day.typed_share, "an_hour": day.an_hour}
    return {"date": report.date} | known | {"waits_s": waits, "rates": rates}
