"""Drill (演练, rule Q18): what is practised goes into a journal of its own, under numbers of kiosk 0.

The journal proper says that a drill has begun, the drill's own one that it is over; each is one fact, so there is no
moment in which it is unclear which of the two is written. Once the drill is over the journal proper says so too.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from kiosk.domain import Do, Stamp
from kiosk.events import Event, PowerOn
from kiosk.facts import DrillBegun, DrillEnded, Fact, Note, NothingToDo, Order, StaffOrdered

if TYPE_CHECKING:
    from kiosk.site import Site


class Drill(msgspec.Struct, frozen=True):
    """``number``: of the last drill, from 1; ``on``: it goes on; ``badges``: those that ordered something in it, as far
    as this journal knows."""

    number: int = 0
    on: bool = False
    badges: frozenset[int] = frozenset()


def evolve(slice_: Drill, change: Fact | Note) -> Drill:
    match change:
        case DrillBegun():
            return Drill(change.number, on=True)
        case DrillEnded():
            return Drill(change.number, badges=frozenset(change.badges))
        case StaffOrdered() if slice_.on:
            return msgspec.structs.replace(slice_, badges=slice_.badges | {change.badge})
    return slice_


def react(site: "Site", item: Event | Fact, at: Stamp) -> Iterator[Fact | Note | Order]:
    drill, practising = site.drill, site.setup.drill
    match item:
        case PowerOn() if practising and not drill.on:
            yield DrillBegun(practising)
        case PowerOn() if item.drilled is not None and drill.on:
            yield DrillEnded(drill.number, item.drilled.people, item.drilled.badges)
        case StaffOrdered(do=Do.DRILL_ON):
            yield NothingToDo() if practising or _is_busy(site) else DrillBegun(drill.number + 1)
        case StaffOrdered(do=Do.DRILL_OFF):
            badges = tuple(sorted(drill.badges))
            yield DrillEnded(practising, site.registration.people, badges) if practising else NothingToDo()


def _is_busy(site: "Site") -> bool:
    """Those who wait, and the labels that are owed, come first."""
    return site.release.waiting > 0 or bool(site.labelling.wanted)
