"""Pooling (混采): people into tubes, each at a position n/N, under numbers that come from the journal.

One queue serves every policy: whoever shares goes into the pool or into their household's tube, whoever must not gets
a tube of their own beside it. Who is in which tube is kept for the round, so that staff can put it right. The round
changes between two tubes: what is being filled then is closed short.
"""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import msgspec

from kiosk.config import Policy
from kiosk.domain import Category, Do, Specimen, Stamp
from kiosk.events import ButtonPressed, Event, TubeScanned
from kiosk.facts import (
    Bound,
    Corrected,
    Fact,
    LabelWanted,
    Note,
    NothingToDo,
    Order,
    Registered,
    RoundStarted,
    StaffOrdered,
    Started,
    TubeClosed,
    TubeHeld,
    TubeOpened,
    Unbound,
    Withdrawn,
)
from kiosk.flows import seating
from kiosk.flows.presses import is_long
from kiosk.growing import GrowingMap
from kiosk.tube import Serials
from kiosk.tubes import Kind, Tube

if TYPE_CHECKING:
    from kiosk.site import Site

SIZES = ("1", "5", "10", "20")
"""People a pool may hold, as staff order it."""


class Pooling(msgspec.Struct, frozen=True):
    """``open``: the tubes that are being filled: the pool, a household's. ``tubes``: those closed in this round;
    ``used``: every tube that came with a barcode of its own. ``size``: of a pool as staff have ordered it, 0: as
    configured. ``next_…``: what staff said of the next person."""

    serials: Serials = Serials()
    open: dict[str, Tube] = {}
    tubes: GrowingMap[str, Tube] = GrowingMap()
    used: GrowingMap[str, bool] = GrowingMap()
    closed: int = 0
    size: int = 0
    at_home: bool = False
    next_apart: bool = False
    next_specimen: Specimen = Specimen.THROAT
    next_category: Category = Category.GENERAL

    @property
    def pool(self) -> Tube | None:
        return next((tube for tube in self._current if not tube.kind.household and not tube.kind.apart), None)

    @property
    def home(self) -> Tube | None:
        """The tube of the household that is being registered."""
        return next((tube for tube in self._current if tube.kind.household), None)

    @property
    def _current(self) -> Iterator[Tube]:
        return (tube for tube in self.open.values() if not tube.past)

    @property
    def filling(self) -> bool:
        """Somebody is in an open tube."""
        return any(tube.members for tube in self.open.values())

    def tube(self, number: str) -> Tube | None:
        return self.open.get(number) or self.tubes.get(number)

    def holding(self, person: int) -> Tube | None:
        """The tube of this person; None: they are in none, or were registered in another round."""
        everywhere = (*self.open.values(), *(tube for _, tube in self.tubes.items()))
        return next((tube for tube in everywhere if person in tube.members.values()), None)

    def lacks_tube(self, policy: Policy, at_hand: str, *, apart: bool) -> bool:
        """A tube must be scanned before this person can be accepted. ``at_hand``: one that was scanned already."""
        if policy.tube_source == "print" or at_hand:
            return False
        tube = self.home if self.at_home else self.pool
        return apart or tube is None or (not tube.members and tube.kind.size != self.wanted(policy))

    def pool_size(self, policy: Policy) -> int:
        """People for whom a pool is now."""
        return self.size or policy.pool_size

    def wanted(self, policy: Policy) -> int:
        """People for whom the next tube is."""
        return policy.household_size if self.at_home else self.pool_size(policy)


def evolve(slice_: Pooling, change: Fact | Note, at: Stamp) -> Pooling:
    replace = msgspec.structs.replace
    match change:
        case Started():
            return replace(slice_, serials=slice_.serials.above(change.kept))
        case Registered():
            nothing = Pooling()
            return replace(
                slice_,
                next_apart=nothing.next_apart,
                next_specimen=nothing.next_specimen,
                next_category=nothing.next_category,
            )
        case TubeOpened():
            return _opened(slice_, change)
        case Bound() | Unbound() if (tube := slice_.tube(change.tube)) is not None:
            members = {place: person for place, person in tube.members.items() if place != change.position}
            if isinstance(change, Bound):
                members = members | {change.position: change.person}
            return _kept(slice_, replace(tube, members=members))
        case TubeClosed() if (tube := slice_.open.get(change.tube)) is not None:
            rest = {number: each for number, each in slice_.open.items() if number != change.tube}
            shown = tube.shown if change.labelled else tube.showing
            tubes = slice_.tubes.add(change.tube, replace(tube, at=at, shown=shown))
            return replace(slice_, open=rest, tubes=tubes, closed=slice_.closed + 1)
        case LabelWanted() if (tube := slice_.tube(change.tube)) is not None:
            return _kept(slice_, replace(tube, shown=tube.showing if tube.at is not None else change.members))
        case RoundStarted():
            past = {number: replace(tube, past=bool(tube.members)) for number, tube in slice_.open.items()}
            return replace(slice_, open=past, tubes=GrowingMap())
        case StaffOrdered():
            return _ordered(slice_, change)
    return slice_


def _opened(slice_: Pooling, change: TubeOpened) -> Pooling:
    """An empty tube of the same kind is out of use when another is opened."""
    kind = Kind(change.size, change.apart, change.household, change.specimen, change.isolation)
    tube = Tube(change.tube, kind)
    same = {each.tube for each in slice_.open.values() if not each.members and each.kind.household is kind.household}
    rest = {number: each for number, each in slice_.open.items() if kind.apart or number not in same}
    serials, used = slice_.serials, slice_.used
    if change.serial:
        serials = serials.used(change.day, change.serial)
    else:
        used = used.add(change.tube, True)
    return msgspec.structs.replace(slice_, serials=serials, used=used, open={tube.tube: tube} | rest)


def _kept(slice_: Pooling, tube: Tube) -> Pooling:
    if tube.tube in slice_.open:
        return msgspec.structs.replace(slice_, open=slice_.open | {tube.tube: tube})
    return msgspec.structs.replace(slice_, tubes=slice_.tubes.add(tube.tube, tube))


def _ordered(slice_: Pooling, order: StaffOrdered) -> Pooling:
    replace = msgspec.structs.replace
    match order.do:
        case Do.POOL if order.text in SIZES:
            return replace(slice_, size=int(order.text))
        case Do.SINGLE_NEXT:
            return replace(slice_, next_apart=True)
        case Do.NASAL_NEXT:
            return replace(slice_, next_specimen=Specimen.NASAL)
        case Do.CATEGORY_NEXT if order.text in set(Category):
            return replace(slice_, next_category=Category(order.text))
        case Do.HOUSEHOLD_START | Do.HOUSEHOLD_END:
            rest = {number: tube for number, tube in slice_.open.items() if tube.members or not tube.kind.household}
            return replace(slice_, at_home=order.do is Do.HOUSEHOLD_START, open=rest)
    return slice_


def react(site: "Site", item: Event | Fact, at: Stamp) -> Iterator[Fact | Note | Order]:
    match item:
        case Registered():
            yield from seating.fill(site, item, at)
        case Withdrawn():
            yield from seating.withdrawn(site, item)
        case Corrected():
            yield from seating.corrected(site, item, at)
        case ButtonPressed() if is_long(item):
            yield from _close(site, site.pooling.open.values())
        case StaffOrdered():
            yield from _obeyed(site, item)
        case RoundStarted() | Started():
            yield from _close(site, (tube for tube in site.pooling.open.values() if _is_done(site, tube)))
        case TubeScanned() if _takes_tubes(site) and site.pooling.used.get(item.tube) is None:
            yield TubeHeld(item.tube)


def _takes_tubes(site: "Site") -> bool:
    """A tube that is scanned now is one for the next people."""
    return site.setup.policy.tube_source == "preprinted" and site.unclaimed


def _is_done(site: "Site", tube: Tube) -> bool:
    """It is of a round that is over, or a pool of the size that was configured before."""
    return tube.past or (not tube.kind.household and tube.kind.size != site.pooling.pool_size(site.setup.policy))


def _obeyed(site: "Site", order: StaffOrdered) -> Iterator[Fact | Note]:
    pool, home = site.pooling.pool, site.pooling.home
    match order.do:
        case Do.POOL if order.text not in SIZES:
            yield NothingToDo()
        case Do.POOL if pool is not None and pool.members and pool.kind.size != site.pooling.size:
            yield seating.closed(site, pool.tube, len(pool.members), pool.kind)
        case Do.CATEGORY_NEXT if order.text not in set(Category):
            yield NothingToDo()
        case Do.HOUSEHOLD_START | Do.HOUSEHOLD_END if home is not None:
            yield seating.closed(site, home.tube, len(home.members), home.kind)
        case Do.CLOSE_POOL if not site.pooling.filling:
            yield NothingToDo()
        case Do.CLOSE_POOL | Do.COLLECT | Do.VISIT_START | Do.VISIT_END | Do.ROUND_END:
            yield from _close(site, site.pooling.open.values())


def _close(site: "Site", tubes: Iterable[Tube]) -> Iterator[Fact]:
    for tube in tubes:
        if tube.members:
            yield seating.closed(site, tube.tube, len(tube.members), tube.kind)
