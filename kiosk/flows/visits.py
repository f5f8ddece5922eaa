"""Home visits (上门): between two command codes of a registrar there is no gate, since there is no crowd (rule P5).

The tubes go on in the same series. `pooling` and `release` ask here: both codes close what is open, so that nobody of
the site shares a tube or group with somebody at home, and a group goes as soon as its tube is closed and labelled.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from kiosk.domain import Do, Stamp
from kiosk.events import Event
from kiosk.facts import Fact, Note, NothingToDo, Order, StaffOrdered

if TYPE_CHECKING:
    from kiosk.site import Site


class Visits(msgspec.Struct, frozen=True):
    """``since``: when the team left, or None while they are at the site."""

    since: Stamp | None = None

    @property
    def on(self) -> bool:
        return self.since is not None


def evolve(slice_: Visits, change: Fact | Note, at: Stamp) -> Visits:
    match change:
        case StaffOrdered(do=Do.VISIT_START):
            return Visits(slice_.since or at)
        case StaffOrdered(do=Do.VISIT_END):
            return Visits()
    return slice_


def react(site: "Site", item: Event | Fact, at: Stamp) -> Iterator[Fact | Note | Order]:
    match item:
        case StaffOrdered(do=Do.VISIT_START) if site.visits.since != at:  # they are out already
            yield NothingToDo()
