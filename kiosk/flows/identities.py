"""Code cards of paper for those without a phone (rule F7), and what is missing of a person and comes from elsewhere."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from kiosk.domain import Do, Field, Stamp
from kiosk.events import CardMinted, ContactPresented, Event
from kiosk.facts import (
    ContactGiven,
    ContactHeld,
    Fact,
    MintCard,
    Note,
    NothingToDo,
    Order,
    PaperCardMade,
    PhoneWanted,
    PrintCard,
    Registered,
    StaffOrdered,
)
from kiosk.staff import BADGE_MS

if TYPE_CHECKING:
    from kiosk.site import Site


class Identities(msgspec.Struct, frozen=True):
    """``missing``: how often each checked field (rule G8) is on no record; ``last``: the person registered last and
    their digest."""

    missing: dict[Field, int] = {}
    last: tuple[int, bytes] = (0, b"")


def evolve(slice_: Identities, change: Fact | Note) -> Identities:
    match change:
        case Registered():
            return Identities(_added(slice_.missing, change.missing, 1), (change.person, change.subject.digest))
        case ContactGiven():
            return msgspec.structs.replace(slice_, missing=_added(slice_.missing, change.has, -1))
    return slice_


def _added(counts: dict[Field, int], fields: tuple[Field, ...], step: int) -> dict[Field, int]:
    return counts | {field: counts.get(field, 0) + step for field in fields} if fields else counts


def react(site: "Site", item: Event | Fact, at: Stamp) -> Iterator[Fact | Note | Order]:
    match item:
        case ContactPresented():
            yield from _contact(site, item, at)
        case Registered() if site.setup.policy.require_phone and Field.PHONE in item.missing:
            yield PhoneWanted()
        case StaffOrdered(do=Do.PAPER_CARD):
            yield MintCard()
        case CardMinted():
            recent = site.desk.last == site.identities.last[0] and at.mono - site.desk.last_at < BADGE_MS
            yield PaperCardMade(item.subject, site.identities.last[1] if recent else b"")
            yield PrintCard(item.text)


def _contact(site: "Site", contact: ContactPresented, at: Stamp) -> Iterator[Fact | Note]:
    """It belongs to whoever is at the desk; to the person registered just before; to whoever comes next."""
    desk, window = site.desk, site.setup.policy.pair_window_s * 1000
    person, digest = site.identities.last
    known = tuple(field for field in desk.lacks if field in contact.has)
    if desk.awaits is not None:
        yield NothingToDo()
    elif desk.card is not None or desk.code is not None or desk.pair is not None:
        yield ContactHeld(contact)
    elif known and desk.last == person and at.mono - desk.last_at < window and contact.holder in (None, digest):
        yield ContactGiven(person, contact.subject, known)
    else:
        yield ContactHeld(contact)
