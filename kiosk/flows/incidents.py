"""Incidents: red and yellow codes, lost tubes, calls for help; raised at once and lit until staff at the desk
acknowledge them. The uplink repeats each to the command post until that has it."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from kiosk.domain import Colour, Do, Stamp, Subject, Trouble
from kiosk.events import ButtonPressed, CodePresented, Event, VerdictArrived
from kiosk.facts import (
    Fact,
    IncidentAcknowledged,
    IncidentRaised,
    Note,
    Order,
    StaffOrdered,
    TubeLost,
    VerdictTaken,
    Withdrawn,
)
from kiosk.staff import BADGE_MS

if TYPE_CHECKING:
    from kiosk.site import Site

_ALARMING = {Colour.RED: Trouble.RED, Colour.YELLOW: Trouble.YELLOW}
_CALLS = {
    Do.CALL_STAFF: Trouble.STAFF,
    Do.CALL_SUPPLIES: Trouble.SUPPLIES,
    Do.CALL_SECURITY: Trouble.SECURITY,
}
"""Rule R2."""


class Incidents(msgspec.Struct, frozen=True):
    """``open``: number to code digest of each incident nobody has acknowledged."""

    raised: int = 0
    open: dict[int, bytes] = {}


def evolve(slice_: Incidents, change: Fact | Note) -> Incidents:
    match change:
        case IncidentRaised():
            return Incidents(change.incident, slice_.open | {change.incident: change.digest})
        case IncidentAcknowledged():
            kept = {number: digest for number, digest in slice_.open.items() if number != change.incident}
            return Incidents(slice_.raised, kept)
    return slice_


def react(site: "Site", item: Event | Fact, at: Stamp) -> Iterator[Fact | Note | Order]:
    match item:
        case CodePresented() if item.colour in _ALARMING and site.setup.policy.health_code != "off":
            card = site.desk.card.subject if site.desk.card is not None else None
            yield from _code(site, item.colour, item.subject.digest, card, item.subject)
        case VerdictArrived() if item.colour in _ALARMING:
            yield from _judged(site, item)
        case VerdictTaken(person=0, in_time=False) if item.colour in _ALARMING:
            yield from _code(site, item.colour, item.code)
        case Withdrawn():
            yield IncidentRaised(site.incidents.raised + 1, Trouble(item.reason.value), person=item.person)
        case StaffOrdered() if item.do in _CALLS:
            yield IncidentRaised(site.incidents.raised + 1, _CALLS[item.do])
        case TubeLost():
            kind = Trouble.TUBE_LOST if item.kind == "lost" else Trouble.TUBE_LEAKED
            yield IncidentRaised(site.incidents.raised + 1, kind, tube=item.tube)
        case ButtonPressed(button="ack"):
            badge = site.desk.badge
            by = badge.badge if badge is not None and at.mono - badge.since < BADGE_MS else 0
            for number in site.incidents.open:
                yield IncidentAcknowledged(number, by)


def _judged(site: "Site", verdict: VerdictArrived) -> Iterator[IncidentRaised]:
    """Somebody stands there with the code; of others, `VerdictTaken` and `Withdrawn` tell."""
    pair, code = site.desk.pair, site.desk.code
    if pair is not None and pair.code.subject.digest == verdict.code:
        card = pair.card.subject if pair.card is not None else None
        yield from _code(site, verdict.colour, verdict.code, card, pair.code.subject)
    elif code is not None and code.subject.digest == verdict.code:
        yield from _code(site, verdict.colour, verdict.code, None, code.subject)


def _code(
    site: "Site", colour: Colour, digest: bytes, card: Subject | None = None, code: Subject | None = None
) -> Iterator[IncidentRaised]:
    if digest not in site.incidents.open.values():
        yield IncidentRaised(site.incidents.raised + 1, _ALARMING[colour], digest, card, code)
