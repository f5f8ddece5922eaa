"""Seating: the part of `pooling` that says which tube and place n/N people get, and what becomes of both when staff put
it right. Tubes that bring no barcode get their number here.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from kiosk.domain import Category, Do, Stamp
from kiosk.facts import Bound, Corrected, Fact, Registered, TubeClosed, TubeOpened, TubeVoided, Unbound, Withdrawn
from kiosk.tube import TubeNumber
from kiosk.tubes import Kind, Tube

if TYPE_CHECKING:
    from kiosk.site import Site


def fill(site: "Site", person: Registered, at: Stamp) -> Iterator[Fact]:
    """A tube of their own, the next place of the one being filled, or the first of another."""
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
            yield closed(site, tube.tube, len(tube.members) + 1, tube.kind)
    elif kind.size == 1:
        yield from _single(site, kind, at, person.person, person.subject.digest)
    else:
        opened = _open(site, kind, at)
        yield opened
        yield Bound(opened.tube, person.person, 1)


def _single(site: "Site", kind: Kind, at: Stamp, person: int, digest: bytes, instead: str = "") -> Iterator[Fact]:
    opened = _open(site, kind, at, instead=instead)
    yield opened
    yield Bound(opened.tube, person, 1)
    yield closed(site, opened.tube, 1, kind, digest, fresh=True)


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


def closed(
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


def withdrawn(site: "Site", change: Withdrawn) -> Iterator[Fact]:
    """Who must not be swabbed leaves the tube, unless the group or the tube has gone."""
    tube = site.pooling.holding(change.person)
    if tube is None or site.custody.is_away(tube.tube):
        return
    if tube.at is None or site.release.host(tube.tube) is not None:
        yield Unbound(tube.tube, change.person, tube.place(change.person))
        yield from _voided(tube, leaving=1)


def _voided(tube: Tube, leaving: int) -> Iterator[Fact]:
    if tube.at is not None and leaving == len(tube.members):
        yield TubeVoided(tube.tube)


def corrected(site: "Site", change: Corrected, at: Stamp) -> Iterator[Fact]:
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


def _swapped(one: Tube, other: Tube, first: int, second: int) -> Iterator[Fact]:
    yield Unbound(one.tube, first, one.place(first))
    yield Unbound(other.tube, second, other.place(second))
    yield Bound(other.tube, first, other.place(second))
    yield Bound(one.tube, second, one.place(first))


def _exchanged(one: Tube, other: Tube) -> Iterator[Fact]:
    yield from _leave(one)
    yield from _leave(other)
    for tube, members in ((one, other.members), (other, one.members)):
        for place, person in members.items():
            yield Bound(tube.tube, person, place)


def _replaced(site: "Site", tube: Tube, number: str, at: Stamp) -> Iterator[Fact]:
    yield from _leave(tube)
    opened = _open(site, tube.kind, at, instead=tube.tube, number=number)
    yield opened
    for place, person in tube.members.items():
        yield Bound(opened.tube, person, place)
    if tube.at is not None:
        digest = site.registration.digests(tube.members.values()).get(tube.members.get(1, 0), b"")
        yield closed(site, opened.tube, len(tube.members), tube.kind, digest, fresh=True)
        yield TubeVoided(tube.tube)


def _halved(site: "Site", tube: Tube, at: Stamp) -> Iterator[Fact]:
    """The second half goes into another tube of the same kind."""
    moving = sorted(tube.members.items())[-(len(tube.members) // 2) :]
    yield from (Unbound(tube.tube, person, place) for place, person in moving)
    opened = _open(site, tube.kind, at, instead=tube.tube)
    yield opened
    for place, (_, person) in enumerate(moving, 1):
        yield Bound(opened.tube, person, place)
    yield closed(site, opened.tube, len(moving), tube.kind, fresh=True)


def _parted(site: "Site", tube: Tube, people: tuple[int, ...], at: Stamp) -> Iterator[Fact]:
    """These people get a tube of their own each."""
    digests = site.registration.digests(people)
    kind = Kind(1, apart=True, specimen=tube.kind.specimen, isolation=tube.kind.isolation)
    for skip, person in enumerate(people):
        yield Unbound(tube.tube, person, tube.place(person))
        opened = _open(site, kind, at, skip=skip, instead=tube.tube)
        yield opened
        yield Bound(opened.tube, person, 1)
        yield closed(site, opened.tube, 1, kind, digests.get(person, b""), fresh=True)
    yield from _voided(tube, leaving=len(people))
