"""Corrections: who was counted where they should not be, put right by staff. Each is a fact with its reason, and holds
for records long since sent: nothing is deleted.

Here it is only found out who and which tube is meant, and whether that can be done; `pooling` does it, labels and
groups follow.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from kiosk.domain import Do, Stamp
from kiosk.events import Event
from kiosk.facts import Corrected, Fact, Note, NothingToDo, Order, StaffOrdered, TubeGone
from kiosk.tubes import Tube

if TYPE_CHECKING:
    from kiosk.site import Site

TAKEN_OUT = frozenset({Do.VOID_LAST, Do.VOID, Do.NO_SHOW, Do.REFUSED, Do.LEFT})
"""After these the person has no place, and may come again."""

AT_HAND = frozenset({Do.MOVE, Do.WRONG_TUBE, Do.SPLIT})
"""These put people, or their label, onto another tube: the tube they are about must be there."""

CORRECTIONS = TAKEN_OUT | AT_HAND | {Do.SWAP}


def react(site: "Site", item: Event | Fact, at: Stamp) -> Iterator[Fact | Note | Order]:
    if isinstance(item, StaffOrdered) and item.do in CORRECTIONS:
        corrected = _decided(site, item)
        if corrected is None:
            yield NothingToDo()
        elif _lacks_tube(site, corrected):
            yield TubeGone()
        else:
            yield corrected


def _lacks_tube(site: "Site", corrected: Corrected) -> bool:
    """A courier has a tube that this would change. Two people of pools may be exchanged all the same: neither label
    nor list says who they are."""
    gone = [number for number in corrected.tubes if site.custody.is_away(number)]
    names = any((tube := site.pooling.tube(number)) is not None and tube.kind.size == 1 for number in gone)
    return bool(gone) and (corrected.do in AT_HAND or (corrected.do is Do.SWAP and names))


def _decided(site: "Site", order: StaffOrdered) -> Corrected | None:
    match order.do:
        case Do.WRONG_TUBE:
            return _wrong_tube(site, order)
        case Do.SPLIT:
            return _split(site, order)
    last = (site.registration.people,)
    people = last if order.do is Do.VOID_LAST else tuple(site.registration.person(each) for each in order.people)
    tubes = [tube for person in people if person and (tube := site.pooling.holding(person)) is not None]
    if len(tubes) != len(people) or len(set(people)) != len(people):
        return None
    if order.do is Do.SWAP and not _may_swap(*tubes):
        return None
    if order.do is Do.MOVE and (tubes[0].kind.size == 1 or not _has_numbers(site)):
        return None
    late = order.do in TAKEN_OUT and _is_late(site, tubes[0])
    return Corrected(order.do, order.badge, people, tuple(tube.tube for tube in tubes), late)


def _is_late(site: "Site", tube: Tube) -> bool:
    """The label is out of reach: its group has been released, or a courier has it."""
    return tube.at is not None and (site.release.host(tube.tube) is None or site.custody.is_away(tube.tube))


def _may_swap(one: Tube, other: Tube) -> bool:
    """Nobody may come into a tube of another kind by it, nor into that of another household."""
    return one.tube == other.tube or (one.kind == other.kind and not one.kind.household)


def _has_numbers(site: "Site") -> bool:
    return site.setup.policy.tube_source == "print" or bool(site.desk.tube)


def _wrong_tube(site: "Site", order: StaffOrdered) -> Corrected | None:
    """The second tube is an unused one, or one of ours, with which the people are exchanged. Where tubes are labelled
    here, the same one twice asks for a new number."""
    wrong, right = order.tubes
    one, other = site.pooling.tube(wrong), site.pooling.tube(right)
    if one is None or not one.members:
        return None
    if other is not None and wrong != right:
        closed = one.at is not None and other.at is not None
        if not closed or one.kind != other.kind or not other.members:
            return None
        people = (*one.members.values(), *other.members.values())
        return Corrected(order.do, order.badge, people, (wrong, right))
    printed = site.setup.policy.tube_source == "print"
    if printed is not (wrong == right) or site.pooling.used.get(right):
        return None
    return Corrected(order.do, order.badge, tuple(one.members.values()), (wrong, "" if printed else right))


def _may_part(site: "Site", tube: Tube) -> bool:
    """Each needs a number, and a name on the label: who came before the round began is not known here any more."""
    known = site.registration.digests(tube.members.values())
    return site.setup.policy.tube_source == "print" and len(known) == len(tube.members)


def _split(site: "Site", order: StaffOrdered) -> Corrected | None:
    """Into two with the text "2", else everybody gets a tube of their own."""
    [number] = order.tubes
    tube = site.pooling.tube(number)
    if tube is None or tube.at is None or len(tube.members) < 2:
        return None
    if not _has_numbers(site) or (order.text != "2" and not _may_part(site, tube)):
        return None
    return Corrected(order.do, order.badge, tuple(tube.members.values()), (number,), text=order.text)
