"""Stock (rules Q16, F18): labels and tubes that are left, counted down from what staff said was there, and for how long
they will do."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from kiosk.domain import Do, Stamp
from kiosk.events import Event
from kiosk.facts import Fact, LabelPrinted, Note, NothingToDo, Order, StaffOrdered, TubeOpened
from kiosk.figures import kind

if TYPE_CHECKING:
    from kiosk.site import Site

LABELS = "labels"
ITEMS = (LABELS, "1", "5", "10", "20", "household", "nasal")
MOST = 100_000
QUARTER_MS = 900_000
QUARTERS = 4
"""The present pace is that of the last hour."""


class Stock(msgspec.Struct, frozen=True):
    """``left``: item to what is left, of those staff have told of; ``used``: item to what was used in the latest
    quarters of an hour (since 1970)."""

    left: dict[str, int] = {}
    used: dict[str, dict[int, int]] = {}

    def minutes(self, item: str, at: Stamp) -> int | None:
        """For how long this will do at the pace of the last hour; None: nothing is used, or nobody said how many."""
        now = at.wall // QUARTER_MS
        recent = {quarter: count for quarter, count in self.used.get(item, {}).items() if 0 <= now - quarter < QUARTERS}
        if item not in self.left or not recent:
            return None
        span = (at.wall - min(recent) * QUARTER_MS) // 60_000
        return self.left[item] * max(span, 1) // sum(recent.values())

    def low(self, at: Stamp, warn_min: int) -> dict[str, int]:
        """Items that will not do for ``warn_min`` minutes, or are used up, to how many are left."""
        return {
            item: left
            for item, left in self.left.items()
            if not left or ((minutes := self.minutes(item, at)) is not None and minutes < warn_min)
        }


def evolve(slice_: Stock, change: Fact | Note, at: Stamp) -> Stock:
    match change:
        case StaffOrdered(do=Do.STOCK) if (told := counted(change.text)) is not None:
            return msgspec.structs.replace(slice_, left=slice_.left | {told[0]: told[1]})
        case LabelPrinted() if change.proof != "scan":
            return _used(slice_, LABELS, at)
        case TubeOpened():
            return _used(slice_, kind(change), at)
    return slice_


def react(site: "Site", item: Event | Fact, at: Stamp) -> Iterator[Fact | Note | Order]:
    if isinstance(item, StaffOrdered) and item.do is Do.STOCK and counted(item.text) is None:
        yield NothingToDo()


def counted(text: str) -> tuple[str, int] | None:
    """Item and number of "labels 1000" or "10 400", as a command code says it; None where it says nothing of use.
    Labels are counted by the tubes they will do for."""
    item, _, number = text.partition(" ")
    if item not in ITEMS or not (number.isascii() and number.isdecimal() and int(number) <= MOST):
        return None
    return item, int(number)


def _used(slice_: Stock, item: str, at: Stamp) -> Stock:
    now = at.wall // QUARTER_MS
    used = {quarter: count for quarter, count in slice_.used.get(item, {}).items() if 0 <= now - quarter < QUARTERS}
    used[now] = used.get(now, 0) + 1
    left = slice_.left
    if item in left:
        left = left | {item: max(0, left[item] - 1)}
    return Stock(left, slice_.used | {item: used})
