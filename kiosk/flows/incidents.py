"""Incidents: red and yellow codes, raised at once and lit until staff at the desk acknowledge them."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from kiosk.domain import Colour, Stamp, Trouble
from kiosk.events import ButtonPressed, CodePresented, Event
from kiosk.facts import Fact, IncidentAcknowledged, IncidentRaised, Note, Order, Withdrawn

if TYPE_CHECKING:
    from kiosk.site import Site

_ALARMING = {Colour.RED: Trouble.RED, Colour.YELLOW: Trouble.YELLOW}


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
            if item.subject.digest not in site.incidents.open.values():
                card = site.desk.card.subject if site.desk.card is not None else None
                kind = _ALARMING[item.colour]
                yield IncidentRaised(site.incidents.raised + 1, kind, item.subject.digest, card, item.subject)
        case Withdrawn():
            yield IncidentRaised(site.incidents.raised + 1, Trouble(item.reason.value), person=item.person)
        case ButtonPressed(button="ack"):
            for number in site.incidents.open:
                yield IncidentAcknowledged(number)
