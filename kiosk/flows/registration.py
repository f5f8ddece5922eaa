"""Registration (登记): one person at the desk. Card, code and policy make a Registered, or a reason why not."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from kiosk.domain import Colour, Reason, Stamp
from kiosk.events import CardPresented, CodePresented, Event, Tick, Unusable
from kiosk.facts import (
    CardHeld,
    CodeHeld,
    CodeShown,
    DeskCleared,
    Fact,
    Note,
    Order,
    Refused,
    Registered,
    RoundStarted,
    Withdrawn,
)
from kiosk.growing import GrowingMap

if TYPE_CHECKING:
    from kiosk.site import Site

Said = Iterator[Fact | Note | Order]

_BARRING = {Colour.RED: Reason.RED, Colour.YELLOW: Reason.YELLOW}


class Registration(msgspec.Struct, frozen=True):
    """``seen``: digest to person number, of this round; ``barred``: digest to colour, who showed red or yellow with
    their own card and has not shown green since; ``withdrawn``: people who were taken back."""

    people: int = 0
    seen: GrowingMap = GrowingMap()
    barred: dict[bytes, Colour] = {}
    refused: dict[Reason, int] = {}
    withdrawn: int = 0


def evolve(slice_: Registration, change: Fact | Note) -> Registration:
    replace = msgspec.structs.replace
    match change:
        case Registered():
            barred = {digest: colour for digest, colour in slice_.barred.items() if digest != change.subject.digest}
            seen = slice_.seen.add(change.subject.digest, change.person)
            return replace(slice_, people=change.person, seen=seen, barred=barred)
        case Refused():
            refused = slice_.refused | {change.reason: slice_.refused.get(change.reason, 0) + 1}
            barred = slice_.barred
            if change.sure and change.digest and change.reason in _BARRING.values():
                barred = barred | {change.digest: Colour(change.reason.value)}
            return replace(slice_, refused=refused, barred=barred)
        case Withdrawn():
            return replace(slice_, withdrawn=slice_.withdrawn + 1)
        case RoundStarted():
            return replace(slice_, seen=GrowingMap(), barred={})
    return slice_


def react(site: "Site", item: Event | Fact, at: Stamp) -> Said:
    match item:
        case CardPresented():
            yield from _card(site, item)
        case CodePresented():
            yield from _code(site, item)
        case Unusable():
            yield Refused(item.reason)
        case Tick():
            yield from _waited(site, at)


def _card(site: "Site", card: CardPresented) -> Said:
    held, code = site.desk.card, site.desk.code
    if held is not None and held.subject.digest == card.subject.digest:
        return
    if held is not None:
        yield from _settle_card(site, held)
    if code is not None:
        yield DeskCleared()
        yield from _admit(site, card, code)
    elif site.setup.policy.health_code == "off" or _obstacle(site, card.subject.digest) is not None:
        yield from _admit(site, card, None)
    else:
        yield CardHeld(card)


def _code(site: "Site", code: CodePresented) -> Said:
    card, held = site.desk.card, site.desk.code
    if site.setup.policy.health_code == "off":
        yield Refused(Reason.NOT_NEEDED)
    elif card is not None:
        yield DeskCleared()
        yield from _admit(site, card, code)
    elif held is None:
        yield CodeHeld(code)
    elif held.subject.digest != code.subject.digest:
        yield from _settle_code(site, held)
        yield CodeHeld(code)


def _waited(site: "Site", at: Stamp) -> Said:
    """Ends the wait for a partner that did not come."""
    policy, desk = site.setup.policy, site.desk
    card_s = policy.card_alone_after_s if policy.health_code == "optional" else policy.pair_window_s
    if desk.card is not None and at.mono - desk.since >= card_s * 1000:
        yield from _settle_card(site, desk.card)
    elif desk.code is not None and at.mono - desk.since >= policy.pair_window_s * 1000:
        yield from _settle_code(site, desk.code)


def _settle_card(site: "Site", card: CardPresented) -> Said:
    yield DeskCleared()
    if site.setup.policy.health_code == "required":
        yield Refused(Reason.NO_CODE, card.subject.digest)
    else:
        yield from _admit(site, card, None)


def _settle_code(site: "Site", code: CodePresented) -> Said:
    """No card came: the code is that of the person just registered by card alone, or stands for a person itself."""
    yield DeskCleared()
    person = _shown_late(site, code)
    reason = _BARRING.get(code.colour)
    if person and reason is not None:
        yield Withdrawn(person, reason)
    elif person:
        yield CodeShown(person, code.colour, code.subject)
    elif reason is not None:
        yield Refused(reason, code.holder or b"", code=code.subject, sure=code.holder is not None)
    elif site.setup.policy.health_code == "optional" and code.colour is Colour.GREEN:
        yield from _admit(site, None, code)
    else:
        yield Refused(Reason.UNKNOWN_CODE if code.colour is Colour.UNKNOWN else Reason.NO_CARD)


def _shown_late(site: "Site", code: CodePresented) -> int:
    """The number of the registered person whose code this must be; 0 when it is nobody's."""
    if code.holder is not None:
        return site.registration.seen.get(code.holder) or 0
    soon = site.desk.since - site.desk.alone_at <= site.setup.policy.pair_window_s * 1000
    return site.desk.alone if soon else 0


def _obstacle(site: "Site", digest: bytes) -> Reason | None:
    """Why this person cannot be registered, whatever code they show."""
    if digest in site.registration.seen:
        return Reason.REPEAT
    if site.release.unlabelled_groups >= site.setup.policy.unlabelled_groups:
        return Reason.PRINTER
    return None


def _admit(site: "Site", card: CardPresented | None, code: CodePresented | None) -> Said:
    """The decision about one person, by card, code or both."""
    colour = code.colour if code is not None else Colour.NONE
    presented = card or code
    if presented is None:
        return
    subject = presented.subject
    digest = subject.digest
    if card is not None and code is not None and code.holder not in (None, digest):
        yield Refused(Reason.MISMATCH, digest)
        return
    reason = _BARRING.get(colour)
    if reason is None and colour is not Colour.GREEN:
        reason = _BARRING.get(site.registration.barred.get(digest, colour))
    if reason is not None:
        own = card is site.desk.card or (code is not None and code.holder == digest)
        shown = (card.subject if card is not None else None, code.subject if code is not None else None)
        yield Refused(reason, digest, *shown, sure=own)
    elif (obstacle := _obstacle(site, digest)) is not None:
        yield Refused(obstacle, digest)
    elif colour is Colour.UNKNOWN and site.setup.policy.unknown_code == "refuse":
        yield Refused(Reason.UNKNOWN_CODE, digest)
    else:
        yield Registered(
            person=site.registration.people + 1,
            subject=subject,
            source="card" if code is None else "code" if card is None else "both",
            colour=colour,
            document=card.document if card is not None else None,
            code=code.subject if card is not None and code is not None else None,
            expired=card is not None and card.expired,
            apart=colour is Colour.UNKNOWN and site.setup.policy.unknown_code == "single",
        )
