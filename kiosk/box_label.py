"""What a courier takes along on paper: the label of the box, its signed manifest as codes, and the list of its tubes;
and what is printed while something is missing. Made as notices, so that they always come out."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, TypeVar

from kiosk import manifest
from kiosk.domain import Handover, PackedTube, Stamp

T = TypeVar("T")

TUBES_A_PAGE = 20
_A_ROW = 3
_MISSING_A_PAGE = 12
_NEEDS = {
    "tubes": "还没有装管 nothing is packed",
    "lab": "检测机构 scan the laboratory's code",
    "vehicle": "车辆准运证 scan the vehicle's code",
    "witness": "登记员或采样员签字 sign-off of the table: its badge, then 装袋装箱完毕 packed",
}


class Page(NamedTuple):
    """One notice. ``code``: the text of a QR code, or ""."""

    title: str
    lines: Sequence[str]
    code: str = ""


def pages(handover: Handover, name: str, place: str, signed: bytes, limit_min: int, *, drill: bool) -> Iterator[Page]:
    """Box label, codes and list. ``name``: of the box; ``signed``: its manifest; ``limit_min``: how old a tube may be
    when it reaches the laboratory (rule T3)."""
    mark = "演练 DRILL " if drill else ""
    yield Page(f"{mark}转运箱 Box {name}", list(_box(handover, place, limit_min)), name)
    codes = manifest.pieces(signed)
    for number, code in enumerate(codes, 1):
        title = f"{mark}清单 Manifest {number}/{len(codes)}"
        yield Page(title, [name, f"{len(handover.tubes)} 管 tubes", f"{len(codes)} 个码都要扫 scan all"], code)
    sheets = list(_batches(handover.tubes, TUBES_A_PAGE))
    for number, sheet in enumerate(sheets, 1):
        rows = ["  ".join(_entry(tube) for tube in row) for row in _batches(sheet, _A_ROW)]
        bags = sorted({tube.bag for tube in sheet})
        inside = f"袋 bag {bags[0]}" + (f"-{bags[-1]}" if len(bags) > 1 else "")
        yield Page(f"{mark}清单 List {number}/{len(sheets)}", [f"{name}  {inside}", *rows])


def missing(tubes: Sequence[str], needs: Sequence[str]) -> Iterator[Page]:
    """Why a box cannot go. The numbers are printed in clear alone: a code could be scanned in place of the tube."""
    title = "不能发车 Not yet"
    if needs:
        yield Page(title, [_NEEDS[need] for need in needs])
    for part in _batches(tubes, _MISSING_A_PAGE):
        rows = ["  ".join(row) for row in _batches(part, 2)]
        yield Page(f"{title}: 缺 {len(tubes)} 管 tubes missing", rows)


def _box(handover: Handover, place: str, limit_min: int) -> Iterator[str]:
    yield place
    yield f"{len(handover.tubes)} 管 tubes   {handover.bags} 袋 bags"
    if handover.lab:
        yield f"送 to {handover.lab}"
    if handover.vehicle:
        yield f"车辆 vehicle {handover.vehicle}"
    if handover.tubes:
        oldest = max(handover.tubes, key=lambda tube: handover.at.since(tube.since)).since
        yield f"首采 first swab {_time(oldest)}   送达 by {_time(oldest, limit_min)}"
    yield f"封箱 closed {_time(handover.at)}"
    yield f"转运 courier {handover.courier}   交接 handed over {handover.witness}"
    if handover.left:
        yield f"无标签留下 {handover.left} without label stay"


def _time(at: Stamp, later_min: int = 0) -> str:
    wall = datetime.fromtimestamp(at.wall / 1000 + at.zone, UTC) + timedelta(minutes=later_min)
    return wall.strftime("%m-%d %H:%M")


def _entry(tube: PackedTube) -> str:
    """The part of the number that differs within a site, and how many swabs there are."""
    number = f"{tube.tube[8:11]} {tube.tube[11:]}" if len(tube.tube) == 16 and tube.tube.isdecimal() else tube.tube
    return f"{number} {tube.members}/{tube.size}"


def _batches(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (items[start : start + size] for start in range(0, len(items), size))
