"""Custody (转运交接): every tube from its first swab until a courier has it, and what is lost on the way.

A courier's badge and "collect" open a consignment; from then on the labels are scanned into bags. It closes by a badge
of the table's own and "packed", when all that was expected is scanned (rules T6, T9 to T11).
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, TypeVar

import msgspec

from kiosk.consignments import Consignment, Held, Trip
from kiosk.domain import Do, Handover, PackedTube, Stamp
from kiosk.events import Event, TubeScanned
from kiosk.facts import (
    Bound,
    ClockStepped,
    ConsignmentAddressed,
    ConsignmentOpened,
    Fact,
    ManifestClosed,
    Note,
    NothingToDo,
    Order,
    PackingRefused,
    PrintManifest,
    PrintMissing,
    RoundStarted,
    StaffOrdered,
    TubeClosed,
    TubeLost,
    TubeOpened,
    TubePacked,
    TubeVoided,
    Unbound,
)

if TYPE_CHECKING:
    from kiosk.site import Site

Said = Iterator[Fact | Note | Order]
V = TypeVar("V")

MOST_HERE = 5000
"""Tubes that are remembered at a table nobody ever collects from; the oldest are forgotten."""
MOST_OPEN = 20
"""Tubes that are being filled at one time, at most, with those that were put away."""
IN_FLIGHT_MS = 8 * 3_600_000
"""For so long a tube is on its way or in the laboratory: its result is due by then (rule T5)."""

_LOSSES = {Do.LOST_TUBE: "lost", Do.LEAKED_TUBE: "leaked"}


class Custody(msgspec.Struct, frozen=True):
    """``open``: tubes being filled; ``here``: closed, packed or not; ``gone`` and ``gone_before``: those that left us
    in this round and the one before, with their people by position; ``lost``: those of them that are lost or void;
    ``last``: what was handed over last; ``trips``: of the last hours."""

    open: dict[str, Held] = {}
    here: dict[str, Held] = {}
    packing: Consignment | None = None
    consignments: int = 0
    last: Handover | None = None
    gone: dict[str, dict[int, int]] = {}
    gone_before: dict[str, dict[int, int]] = {}
    lost: frozenset[str] = frozenset()
    trips: tuple[Trip, ...] = ()

    def is_away(self, tube: str) -> bool:
        """It is not at the desk any more: in the courier's box, on its way, or lost."""
        boxed = self.packing is not None and tube in self.packing.packed
        return boxed or tube in self.gone


def evolve(slice_: Custody, change: Fact | Note, at: Stamp) -> Custody:
    replace = msgspec.structs.replace
    match change:
        case TubeOpened():
            before = slice_.here.get(change.instead) or slice_.open.get(change.instead)
            since = before.since if before is not None else None
            held = Held(change.size, change.household, change.specimen, since)
            return replace(slice_, open=_in_use(slice_.open) | {change.tube: held})
        case Bound() | Unbound():
            return _seated(slice_, change, at)
        case TubeClosed() if change.tube in slice_.open:
            left = _without(slice_.open, change.tube)
            here = slice_.here | {change.tube: slice_.open[change.tube]}
            return replace(slice_, open=left, here=here if len(here) <= MOST_HERE else _without(here, next(iter(here))))
        case TubeLost() | TubeVoided():
            return _gone(slice_, change)
        case ClockStepped():
            return replace(slice_, open=_dated(slice_.open, at), here=_dated(slice_.here, at))
        case RoundStarted():
            gone = slice_.gone
            return replace(slice_, gone={}, gone_before=gone, lost=slice_.lost & gone.keys())
    return _packed(slice_, change, at)


def _packed(slice_: Custody, change: Fact | Note, at: Stamp) -> Custody:
    replace, packing = msgspec.structs.replace, slice_.packing
    match change:
        case ConsignmentOpened():
            opened = Consignment(change.consignment, change.courier, tuple(slice_.here), lab=change.lab)
            return replace(slice_, packing=opened, consignments=change.consignment)
        case StaffOrdered(do=Do.COLLECT) if packing is not None:
            return replace(slice_, packing=replace(packing, courier=change.badge, stopped=True))
        case StaffOrdered(do=Do.PACKED) if packing is not None:
            return replace(slice_, packing=replace(packing, stopped=True))
        case ConsignmentAddressed() if packing is not None:
            return replace(slice_, packing=replace(packing, lab=change.lab, vehicle=change.vehicle))
        case TubePacked() if packing is not None:
            packed = packing.packed | {change.tube: change.bag}
            return replace(slice_, packing=replace(packing, packed=packed, full=change.full, stopped=False))
        case ManifestClosed() if packing is not None:
            handover = contents(slice_, change, at)
            away = {tube: held.people for tube, held in slice_.here.items() if tube in packing.packed}
            trips = tuple(trip for trip in slice_.trips if at.since(trip.at) < IN_FLIGHT_MS)
            return replace(
                slice_,
                here={tube: held for tube, held in slice_.here.items() if tube not in packing.packed},
                packing=None,
                last=handover,
                gone=slice_.gone | away,
                trips=(*trips, Trip(change.lab, change.tubes, at)),
            )
    return slice_


def contents(custody: Custody, closed: ManifestClosed, at: Stamp) -> Handover:
    """What goes away by this fact, in the order it was packed. ``custody``: before it."""
    packing = custody.packing or Consignment(closed.consignment, closed.courier)
    tubes = tuple(
        PackedTube(tube, bag, held.since or at, held.size, len(held.people), held.household, held.specimen, held.absent)
        for tube, bag in packing.packed.items()
        if (held := custody.here.get(tube)) is not None
    )
    left = len([tube for tube in packing.due if tube in custody.here and tube not in packing.packed])
    return Handover(closed.consignment, at, closed.lab, closed.vehicle, closed.courier, closed.witness, tubes, left)


def _seated(slice_: Custody, change: Bound | Unbound, at: Stamp) -> Custody:
    """Also where a record is put right whose tube has left us."""
    replace = msgspec.structs.replace
    for where in ("open", "here"):
        tubes: dict[str, Held] = getattr(slice_, where)
        if (held := tubes.get(change.tube)) is not None:
            if isinstance(change, Bound):
                held = held.joined(change.position, change.person, at)
            else:
                held = held.left(change.position, at, late=change.late)
            return replace(slice_, **{where: tubes | {change.tube: held}})
    for where in ("gone", "gone_before"):
        left: dict[str, dict[int, int]] = getattr(slice_, where)
        if change.tube in left:
            people = {place: who for place, who in left[change.tube].items() if place != change.position}
            if isinstance(change, Bound):
                people[change.position] = change.person
            return replace(slice_, **{where: left | {change.tube: people}})
    return slice_


def _in_use(tubes: dict[str, Held]) -> dict[str, Held]:
    """Without those that were opened, put away empty and never closed."""
    return tubes if len(tubes) < MOST_OPEN else {tube: held for tube, held in tubes.items() if held.people}


def _gone(slice_: Custody, lost: TubeLost | TubeVoided) -> Custody:
    replace, packing = msgspec.structs.replace, slice_.packing
    if packing is not None:
        packing = replace(packing, packed=_without(packing.packed, lost.tube), stopped=False)
    people = dict(enumerate(lost.people, 1)) if isinstance(lost, TubeLost) else {}
    return replace(
        slice_,
        open=_without(slice_.open, lost.tube),
        here=_without(slice_.here, lost.tube),
        packing=packing,
        gone=slice_.gone | {lost.tube: people},
        lost=slice_.lost | {lost.tube},
    )


def _without(tubes: dict[str, V], gone: str) -> dict[str, V]:
    return {tube: value for tube, value in tubes.items() if tube != gone}


def _dated(tubes: dict[str, Held], at: Stamp) -> dict[str, Held]:
    return {tube: held.dated(at) for tube, held in tubes.items()}


def react(site: "Site", item: Event | Fact, at: Stamp) -> Said:
    packing = site.custody.packing
    match item:
        case TubeScanned() if packing is not None and site.desk.awaits is None:
            yield from _scanned(site, packing, item.tube)
        case StaffOrdered(do=Do.COLLECT) if packing is None:
            yield from _open(site, item)
        case StaffOrdered(do=Do.COLLECT | Do.PACKED) if packing is not None:
            yield from _close(site, packing, item, at)
        case StaffOrdered(do=Do.PACKED) if site.custody.last is not None:
            yield PrintManifest(site.custody.last)
        case StaffOrdered(do=Do.LAB | Do.VEHICLE) if packing is not None:
            yield from _address(site, packing, item)
        case StaffOrdered(do=Do.LOST_TUBE | Do.LEAKED_TUBE):
            yield from _lose(site, item.tubes[0], _LOSSES[item.do])
        case StaffOrdered(do=Do.MISSING_LOST) if packing is not None and packing.stopped and missing(site):
            for tube in missing(site):
                yield from _lose(site, tube, "lost")
        case StaffOrdered(do=Do.PACKED | Do.LAB | Do.VEHICLE | Do.MISSING_LOST):
            yield NothingToDo()


def missing(site: "Site") -> tuple[str, ...]:
    """The tubes that must still be scanned before the consignment can close."""
    custody, packing = site.custody, site.custody.packing
    if packing is None:
        return ()
    return tuple(
        tube
        for tube in packing.due
        if tube in custody.here and tube not in packing.packed and tube not in site.labelling.wanted
    )


def _scanned(site: "Site", packing: Consignment, tube: str) -> Said:
    custody = site.custody
    if tube in packing.packed:
        yield PackingRefused("twice")
    elif tube in custody.here and tube not in site.labelling.wanted:
        bag = packing.bag
        inside = sum(other == bag for other in packing.packed.values()) + 1
        yield TubePacked(tube, bag, full=inside >= site.setup.rules.bag_size)
    elif _is_known(site, tube):
        yield PackingRefused("unexpected")
    else:
        yield PackingRefused("foreign")


def _is_known(site: "Site", tube: str) -> bool:
    custody = site.custody
    known = (custody.here, custody.open, custody.gone, custody.gone_before)
    return any(tube in those for those in known) or tube.startswith(f"{site.setup.site}{site.setup.kiosk:02}")


def _open(site: "Site", order: StaffOrdered) -> Said:
    here, labs = site.custody.here, site.setup.rules.labs
    if here:
        lab = labs[0] if len(labs) == 1 else ""
        yield ConsignmentOpened(site.custody.consignments + 1, order.badge, len(here), lab)
    else:
        yield NothingToDo()


def _address(site: "Site", packing: Consignment, order: StaffOrdered) -> Said:
    rules = site.setup.rules
    known, key = (rules.labs, "lab") if order.do is Do.LAB else (rules.permits, "vehicle")
    if not order.text or (known and order.text not in known):
        yield NothingToDo()
    else:
        told = {"lab": packing.lab, "vehicle": packing.vehicle} | {key: order.text}
        yield ConsignmentAddressed(packing.number, **told)


def _close(site: "Site", packing: Consignment, order: StaffOrdered, at: Stamp) -> Said:
    tubes, needs = missing(site), _needs(site, packing, order)
    if tubes or needs:
        yield NothingToDo()
        yield PrintMissing(packing.number, tubes, needs)
        return
    closed = ManifestClosed(
        packing.number,
        len(packing.packed),
        len(set(packing.packed.values())),
        packing.courier,
        order.badge,
        packing.lab,
        packing.vehicle,
    )
    yield closed
    yield PrintManifest(contents(site.custody, closed, at))


def _needs(site: "Site", packing: Consignment, order: StaffOrdered) -> tuple[str, ...]:
    rules = site.setup.rules
    checks = {
        "tubes": not packing.packed,
        "lab": bool(rules.labs) and not packing.lab,
        "vehicle": bool(rules.permits) and not packing.vehicle,
        "witness": order.do is Do.COLLECT,
    }
    return tuple(need for need, lacks in checks.items() if lacks)


def _lose(site: "Site", tube: str, kind: str) -> Said:
    custody = site.custody
    held = custody.here.get(tube)
    people = held.people if held is not None else custody.gone.get(tube) or custody.gone_before.get(tube)
    if not people or tube in custody.lost:
        yield NothingToDo()
    else:
        yield TubeLost(tube, kind, tuple(people[place] for place in sorted(people)))
