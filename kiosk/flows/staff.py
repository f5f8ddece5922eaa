"""Staff without a screen: a badge opens a minute in which command codes count.

An order that needs cards or tubes waits for them; whoever shows a card then is not registered. What an order means is
up to the flow whose business it is: all hear StaffOrdered. A badge may bring the digest key of the round; a round has
one key, since whom it has seen is known by digests.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from kiosk.domain import Do, Role, Stamp, Trust
from kiosk.events import BadgePresented, CardPresented, CodePresented, Event, OrderScanned, Tick, TubeScanned, TubeTyped
from kiosk.facts import (
    BadgeHeld,
    CommandTaken,
    DrillEnded,
    Fact,
    KeyTaken,
    Note,
    NothingToDo,
    Order,
    OrderDropped,
    OrderFed,
    OrderHeld,
    RoundStarted,
    StaffOrdered,
    UseKey,
)
from kiosk.staff import BADGE_MS, DRILLS, FORGOTTEN_MS, RIGHTS, SECONDED, TAKES

if TYPE_CHECKING:
    from kiosk.flows.desk import Badge
    from kiosk.site import Site


class Shift(msgspec.Struct, frozen=True):
    """``since``: when its holder signed on; ``supervised``: with too few drills."""

    role: Role
    since: Stamp
    supervised: bool


class Staff(msgspec.Struct, frozen=True):
    """``revoked``: badges out of use. ``shifts``: badge to its shift; ``drills``: badge to how many drills its holder
    took part in at this kiosk; ``key``: the name of this round's digest key, b"" until a badge brings one; a drill
    begins with that of the round it interrupts."""

    revoked: frozenset[int] = frozenset()
    shifts: dict[int, Shift] = {}
    drills: dict[int, int] = {}
    key: bytes = b""

    def on_shift(self, at: Stamp) -> dict[int, tuple[Shift, int]]:
        """Badge to its shift and the ms it lasts; without those who forgot to sign off."""
        lasting = {badge: (shift, at.since(shift.since)) for badge, shift in self.shifts.items()}
        return {badge: each for badge, each in lasting.items() if each[1] < FORGOTTEN_MS}


def evolve(slice_: Staff, change: Fact | Note, at: Stamp) -> Staff:
    replace = msgspec.structs.replace
    match change:
        case CommandTaken() if change.revoked:
            shifts = {badge: shift for badge, shift in slice_.shifts.items() if badge not in change.revoked}
            return replace(slice_, revoked=slice_.revoked | set(change.revoked), shifts=shifts)
        case StaffOrdered(do=Do.SHIFT_ON):
            shift = Shift(change.role, at, change.supervised)
            return replace(slice_, shifts=slice_.shifts | {change.badge: shift})
        case StaffOrdered(do=Do.SHIFT_OFF):
            shifts = {badge: shift for badge, shift in slice_.shifts.items() if badge != change.badge}
            return replace(slice_, shifts=shifts)
        case DrillEnded():
            drilled = {badge: slice_.drills.get(badge, 0) + 1 for badge in change.badges}
            return replace(slice_, drills=slice_.drills | drilled)
        case RoundStarted() if change.why != "first":
            return replace(slice_, key=b"")
        case KeyTaken():
            return replace(slice_, key=change.key)
    return slice_


def react(site: "Site", item: Event | Fact, at: Stamp) -> Iterator[Fact | Note | Order]:
    match item:
        case BadgePresented() if _is_valid(site, item, at):
            yield BadgeHeld(item.badge, item.role, _is_supervised(site, item), item.key)
            yield from _key(site, item.key)
        case BadgePresented():
            yield NothingToDo()
        case OrderScanned():
            yield from _ordered(site, item, at)
        case CardPresented() | CodePresented() if site.desk.awaits == "person":
            yield from _fed(site, OrderFed(person=item.subject.digest))
        case TubeTyped() if site.desk.awaits != "tube":
            yield NothingToDo()
        case TubeScanned() | TubeTyped() if site.desk.awaits == "tube":
            yield from _fed(site, OrderFed(tube=item.tube))
        case Tick() if site.desk.order is not None and at.mono - site.desk.order.since >= BADGE_MS:
            yield OrderDropped()
        case RoundStarted() if site.setup.key_from_badge and item.why != "first":
            badge = _counts(site, site.desk.badge, at)
            yield UseKey(b"")
            yield from _key(site, badge.key if badge is not None else b"")


def _key(site: "Site", brought: bytes) -> Iterator[Fact | Order]:
    """Another key than that of the round is of no use: under it nobody seen so far would be known."""
    if site.setup.key_from_badge and brought and site.staff.key in (b"", brought):
        if not site.staff.key:
            yield KeyTaken(brought)
        yield UseKey(brought)


def _is_valid(site: "Site", badge: BadgePresented, at: Stamp) -> bool:
    """A clock that nobody believes closes no table: then only a revoked badge is refused."""
    in_time = at.trust < Trust.RTC or badge.since <= at.wall < badge.until
    return in_time and badge.badge not in site.staff.revoked


def _is_supervised(site: "Site", badge: BadgePresented) -> bool:
    drills = badge.drills + site.staff.drills.get(badge.badge, 0)
    return badge.role is Role.REGISTRAR and drills < DRILLS


def _counts(site: "Site", badge: "Badge | None", at: Stamp) -> "Badge | None":
    """The badge, if it was shown within the minute and is in use still."""
    if badge is None or at.mono - badge.since >= BADGE_MS or badge.badge in site.staff.revoked:
        return None
    return badge


def _ordered(site: "Site", order: OrderScanned, at: Stamp) -> Iterator[Fact | Note]:
    badge, second = _counts(site, site.desk.badge, at), 0
    if badge is None or order.do not in RIGHTS[badge.role]:
        yield NothingToDo()
        return
    practising = bool(site.setup.drill) and order.do is not Do.DRILL_OFF
    if badge.supervised and order.do in SECONDED and not practising:
        leader = _counts(site, site.desk.leader, at)
        if leader is None or leader.badge == badge.badge:
            yield NothingToDo()
            return
        second = leader.badge
    if order.do in TAKES:
        yield OrderHeld(order.do, order.text, second)
    else:
        yield StaffOrdered(
            order.do, badge.badge, badge.role, text=order.text, supervised=badge.supervised, second=second
        )


def _fed(site: "Site", shown: OrderFed) -> Iterator[Fact | Note]:
    order, badge = site.desk.order, site.desk.badge
    if order is None or badge is None:
        return
    order = order.fed(shown)
    if order.awaits is not None:
        yield shown
    else:
        what = (order.people, order.tubes, order.text)
        yield StaffOrdered(order.do, badge.badge, badge.role, *what, badge.supervised, order.second)
