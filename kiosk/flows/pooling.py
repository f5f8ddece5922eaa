"""Pooling (混采): people into tubes, each at a position n/N, under numbers that come from the journal."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from kiosk.domain import Stamp
from kiosk.events import ButtonPressed, Event
from kiosk.facts import Bound, Fact, Note, Order, Registered, Started, TubeClosed, TubeOpened, Unbound, Withdrawn
from kiosk.flows.presses import is_long
from kiosk.tube import Serials, TubeNumber

if TYPE_CHECKING:
    from kiosk.site import Site


class OpenTube(msgspec.Struct, frozen=True):
    """``members``: position to person."""

    tube: str
    size: int
    members: dict[int, int] = {}

    @property
    def free(self) -> int:
        """The lowest free position, from 1."""
        return next(n for n in range(1, self.size + 2) if n not in self.members)


class Pooling(msgspec.Struct, frozen=True):
    """``pool``: the tube that is being filled; single tubes open and close within one step."""

    serials: Serials = Serials()
    pool: OpenTube | None = None
    closed: int = 0

    @property
    def filling(self) -> bool:
        """Somebody is in the open tube."""
        return self.pool is not None and bool(self.pool.members)


def evolve(slice_: Pooling, change: Fact | Note) -> Pooling:
    replace = msgspec.structs.replace
    pool = slice_.pool
    match change:
        case Started():
            return replace(slice_, serials=slice_.serials.above(change.kept))
        case TubeOpened():
            serials = slice_.serials.used(change.day, change.serial)
            return replace(slice_, serials=serials, pool=pool if change.apart else OpenTube(change.tube, change.size))
        case Bound() if pool is not None and pool.tube == change.tube:
            return replace(slice_, pool=replace(pool, members=pool.members | {change.position: change.person}))
        case Unbound() if pool is not None and pool.tube == change.tube:
            members = {place: person for place, person in pool.members.items() if place != change.position}
            return replace(slice_, pool=replace(pool, members=members))
        case TubeClosed():
            return replace(slice_, pool=pool if change.apart else None, closed=slice_.closed + 1)
    return slice_


def react(site: "Site", item: Event | Fact, at: Stamp) -> Iterator[Fact | Note | Order]:
    pool = site.pooling.pool
    match item:
        case Registered() if item.apart:
            opened = _open(site, at, 1, apart=True)
            yield opened
            yield Bound(opened.tube, item.person, 1)
            yield TubeClosed(opened.tube, 1, 1, apart=True, digest=item.subject.digest)
        case Registered():
            yield from _fill(site, item, at)
        case Withdrawn() if pool is not None and item.person in pool.members.values():
            place = next(place for place, person in pool.members.items() if person == item.person)
            yield Unbound(pool.tube, item.person, place)
        case ButtonPressed() if is_long(item) and pool is not None and pool.members:
            yield TubeClosed(pool.tube, len(pool.members), pool.size)
        case Started() if pool is not None and pool.size != site.setup.policy.pool_size and pool.members:
            yield TubeClosed(pool.tube, len(pool.members), pool.size)


def _fill(site: "Site", person: Registered, at: Stamp) -> Iterator[Fact]:
    pool = site.pooling.pool
    if pool is None or (not pool.members and pool.size != site.setup.policy.pool_size):
        opened = _open(site, at, site.setup.policy.pool_size)
        yield opened
        pool = OpenTube(opened.tube, opened.size)
    yield Bound(pool.tube, person.person, pool.free)
    if len(pool.members) + 1 >= pool.size:
        digest = person.subject.digest if pool.size == 1 else b""
        yield TubeClosed(pool.tube, len(pool.members) + 1, pool.size, digest=digest)


def _open(site: "Site", at: Stamp, size: int, *, apart: bool = False) -> TubeOpened:
    day, serial = site.pooling.serials.next(at.day % 1000)
    number = TubeNumber(site.setup.site, site.setup.kiosk, day, serial)
    return TubeOpened(str(number), day, serial, size, apart)
