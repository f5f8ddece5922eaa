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
    TubeVoided,
    Unbound,
    Withdrawn,
)
from kiosk.flows.presses import is_long
from kiosk.growing import GrowingMap
from kiosk.tube import Serials, TubeNumber
from kiosk.tubes import Kind, Tube

if TYPE_CHECKING:
    from kiosk.site import Site

Said = Iterator[Fact | Note | Order]

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
            yield from _fill(site, item, at)
        case Withdrawn():
            yield from _withdrawn(site, item)
        case Corrected():
            yield from _corrected(site, item, at)
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
            yield _closed(site, pool.tube, len(pool.members), pool.kind)
        case Do.CATEGORY_NEXT if order.text not in set(Category):
            yield NothingToDo()
        case Do.HOUSEHOLD_START | Do.HOUSEHOLD_END if home is not None:
            yield _closed(site, home.tube, len(home.members), home.kind)
        case Do.CLOSE_POOL if not site.pooling.filling:
            yield NothingToDo()
        case Do.CLOSE_POOL | Do.COLLECT | Do.VISIT_START | Do.VISIT_END | Do.ROUND_END:
            yield from _close(site, site.pooling.open.values())


def _close(site: "Site", tubes: Iterable[Tube]) -> Iterator[Fact]:
    for tube in tubes:
        if tube.members:
            yield _closed(site, tube.tube, len(tube.members), tube.kind)


def _fill(site: "Site", person: Registered, at: Stamp) -> Said:
    if person.apart:
        kind = Kind(1, apart=True, specimen=person.specimen, isolation=person.category is Category.YELLOW)
        yield from _single(site, kind, at, person.person, person.subject.digest)
        return
    now, policy = site.pooling, site.setup.policy
    tube = now.home if now.at_home else now.pool
    kind = Kind(now.wanted(policy), household=now.at_home)
    if tube is not None and (tube.members or tube.kind == kind):
        yield Bound(tube.tube, person.person, tube.free)
        if len(tube.members) + 1 >= tube.kind.size:
            yield _closed(site, tube.tube, len(tube.members) + 1, tube.kind)
    elif kind.size == 1:
        yield from _single(site, kind, at, person.person, person.subject.digest)
    else:
        opened = _open(site, kind, at)
        yield opened
        yield Bound(opened.tube, person.person, 1)


def _single(site: "Site", kind: Kind, at: Stamp, person: int, digest: bytes, instead: str = "") -> Said:
    opened = _open(site, kind, at, instead=instead)
    yield opened
    yield Bound(opened.tube, person, 1)
    yield _closed(site, opened.tube, 1, kind, digest, fresh=True)


def _open(site: "Site", kind: Kind, at: Stamp, *, skip: int = 0, instead: str = "", number: str = "") -> TubeOpened:
    """``skip``: so many numbers are given to others in this step; ``number``: the tube's own barcode."""
    day = serial = 0
    if not number and site.setup.policy.tube_source == "preprinted":
        number = site.desk.tube
    if not number:
        serials = site.pooling.serials
        for _ in range(skip + 1):
            day, serial = serials.next(at.day % 1000)
            serials = serials.used(day, serial)
        number = str(TubeNumber(site.setup.site, site.setup.kiosk, day, serial))
    return TubeOpened(
        tube=number,
        day=day,
        serial=serial,
        size=kind.size,
        apart=kind.apart,
        household=kind.household,
        specimen=kind.specimen,
        isolation=kind.isolation,
        instead=instead,
    )


def _closed(
    site: "Site", tube: str, members: int, kind: Kind, digest: bytes = b"", *, fresh: bool = False
) -> TubeClosed:
    """``fresh``: it was opened in this very step, so nothing was printed for it."""
    policy = site.setup.policy
    return TubeClosed(
        tube=tube,
        members=members,
        size=kind.size,
        apart=kind.apart,
        digest=digest if kind.size == 1 else b"",
        household=kind.household,
        specimen=kind.specimen,
        isolation=kind.isolation,
        labelled=policy.tube_source == "preprinted" or (policy.label_at == "open" and not fresh),
    )


def _withdrawn(site: "Site", change: Withdrawn) -> Said:
    """Who must not be swabbed leaves the tube, unless the group or the tube has gone."""
    tube = site.pooling.holding(change.person)
    if tube is None or site.custody.is_away(tube.tube):
        return
    if tube.at is None or site.release.host(tube.tube) is not None:
        yield Unbound(tube.tube, change.person, tube.place(change.person))
        yield from _voided(tube, leaving=1)


def _voided(tube: Tube, leaving: int) -> Said:
    if tube.at is not None and leaving == len(tube.members):
        yield TubeVoided(tube.tube)


def _corrected(site: "Site", change: Corrected, at: Stamp) -> Said:
    tubes = [tube for number in change.tubes if (tube := site.pooling.tube(number)) is not None]
    match change.do:
        case Do.SWAP:
            yield from _swapped(tubes[0], tubes[-1], *change.people)
        case Do.WRONG_TUBE if len(tubes) == 2:
            yield from _exchanged(*tubes)
        case Do.WRONG_TUBE:
            yield from _replaced(site, tubes[0], change.tubes[1], at)
        case Do.SPLIT if change.text == "2":
            yield from _halved(site, tubes[0], at)
        case Do.SPLIT | Do.MOVE:
            yield from _parted(site, tubes[0], change.people, at)
        case _:
            [person] = change.people
            yield Unbound(tubes[0].tube, person, tubes[0].place(person), late=change.late)
            yield from _voided(tubes[0], leaving=1)


def _leave(tube: Tube) -> Iterator[Fact]:
    return (Unbound(tube.tube, person, place) for place, person in tube.members.items())


def _swapped(one: Tube, other: Tube, first: int, second: int) -> Said:
    yield Unbound(one.tube, first, one.place(first))
    yield Unbound(other.tube, second, other.place(second))
    yield Bound(other.tube, first, other.place(second))
    yield Bound(one.tube, second, one.place(first))


def _exchanged(one: Tube, other: Tube) -> Said:
    yield from _leave(one)
    yield from _leave(other)
    for tube, members in ((one, other.members), (other, one.members)):
        for place, person in members.items():
            yield Bound(tube.tube, person, place)


def _replaced(site: "Site", tube: Tube, number: str, at: Stamp) -> Said:
    yield from _leave(tube)
    opened = _open(site, tube.kind, at, instead=tube.tube, number=number)
    yield opened
    for place, person in tube.members.items():
        yield Bound(opened.tube, person, place)
    if tube.at is not None:
        digest = site.registration.digests(tube.members.values()).get(tube.members.get(1, 0), b"")
        yield _closed(site, opened.tube, len(tube.members), tube.kind, digest, fresh=True)
        yield TubeVoided(tube.tube)


def _halved(site: "Site", tube: Tube, at: Stamp) -> Said:
    """The second half goes into another tube of the same kind."""
    moving = sorted(tube.members.items())[-(len(tube.members) // 2) :]
    yield from (Unbound(tube.tube, person, place) for place, person in moving)
    opened = _open(site, tube.kind, at, instead=tube.tube)
    yield opened
    for place, (_, person) in enumerate(moving, 1):
        yield Bound(opened.tube, person, place)
    yield _closed(site, opened.tube, len(moving), tube.kind, fresh=True)


def _parted(site: "Site", tube: Tube, people: tuple[int, ...], at: Stamp) -> Said:
    """These people get a tube of their own each."""
    digests = site.registration.digests(people)
    kind = Kind(1, apart=True, specimen=tube.kind.specimen, isolation=tube.kind.isolation)
    for skip, person in enumerate(people):
        yield Unbound(tube.tube, person, tube.place(person))
        opened = _open(site, kind, at, skip=skip, instead=tube.tube)
        yield opened
        yield Bound(opened.tube, person, 1)
        yield _closed(site, opened.tube, 1, kind, digests.get(person, b""), fresh=True)
    yield from _voided(tube, leaving=len(people))
