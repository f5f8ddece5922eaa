"""Staff without a screen: a badge opens a minute in which command codes count.

An order that needs cards or tubes waits for them; whoever shows a card then is not registered. What an order means is
up to the flow whose business it is: all hear StaffOrdered.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from kiosk.domain import Stamp, Trust
from kiosk.events import BadgePresented, CardPresented, CodePresented, Event, OrderScanned, Tick, TubeScanned
from kiosk.facts import (
    BadgeHeld,
    CommandTaken,
    Fact,
    Note,
    NothingToDo,
    Order,
    OrderDropped,
    OrderFed,
    OrderHeld,
    StaffOrdered,
)
from kiosk.staff import BADGE_MS, RIGHTS, TAKES

if TYPE_CHECKING:
    from kiosk.site import Site


class Staff(msgspec.Struct, frozen=True):
    """``revoked``: badges out of use."""

    revoked: frozenset[int] = frozenset()


def evolve(slice_: Staff, change: Fact | Note) -> Staff:
    match change:
        case CommandTaken():
            return Staff(slice_.revoked | set(change.revoked))
    return slice_


def react(site: "Site", item: Event | Fact, at: Stamp) -> Iterator[Fact | Note | Order]:
    match item:
        case BadgePresented():
            yield BadgeHeld(item.badge, item.role) if _is_valid(site, item, at) else NothingToDo()
        case OrderScanned():
            yield from _ordered(site, item, at)
        case CardPresented() | CodePresented() if site.desk.awaits == "person":
            yield from _fed(site, OrderFed(person=item.subject.digest))
        case TubeScanned() if site.desk.awaits == "tube":
            yield from _fed(site, OrderFed(tube=item.tube))
        case Tick() if site.desk.order is not None and at.mono - site.desk.order.since >= BADGE_MS:
            yield OrderDropped()


def _is_valid(site: "Site", badge: BadgePresented, at: Stamp) -> bool:
    """A clock that nobody believes closes no table: then only a revoked badge is refused."""
    in_time = at.trust < Trust.RTC or badge.since <= at.wall < badge.until
    return in_time and badge.badge not in site.staff.revoked


def _ordered(site: "Site", order: OrderScanned, at: Stamp) -> Iterator[Fact | Note]:
    badge = site.desk.badge
    if badge is None or at.mono - badge.since >= BADGE_MS or order.do not in RIGHTS[badge.role]:
        yield NothingToDo()
    elif order.do in TAKES:
        yield OrderHeld(order.do, order.text)
    else:
        yield StaffOrdered(order.do, badge.badge, badge.role, text=order.text)


def _fed(site: "Site", shown: OrderFed) -> Iterator[Fact | Note]:
    order, badge = site.desk.order, site.desk.badge
    if order is None or badge is None:
        return
    people = (*order.people, shown.person) if shown.person else order.people
    tubes = (*order.tubes, shown.tube) if shown.tube else order.tubes
    if len(people) + len(tubes) < len(TAKES[order.do]):
        yield OrderFed(shown.person, shown.tube)
    else:
        yield StaffOrdered(order.do, badge.badge, badge.role, people, tubes, order.text)
