"""Registration (登记): one person at the desk. Card, code and policy make a Registered, or a reason why not."""

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from kiosk.domain import Category, Colour, Reason, Signal, Specimen, Stamp
from kiosk.events import CardPresented, CodePresented, Event, Tick, TubeScanned, Unusable
from kiosk.facts import (
    Bound,
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
    TubeLost,
    Unbound,
    Withdrawn,
)
from kiosk.growing import GrowingMap

if TYPE_CHECKING:
    from kiosk.flows.desk import Desk
    from kiosk.site import Site

Said = Iterator[Fact | Note | Order]

STILL_THERE_MS = 5000
"""A phone that stays before the scanner is not answered again for this long."""

RETRY_MS = 2000
"""For so long the desk asks for another try."""

_BARRING = {Colour.RED: Reason.RED, Colour.YELLOW: Reason.YELLOW}


class Registration(msgspec.Struct, frozen=True):
    """All of this round, but for the counts ``people`` and ``refused``.

    ``seen``: digest to person number; ``codes``: digest of each code somebody showed, to their number; ``barred``:
    digest to colour, who showed red or yellow with their own card and has not shown green since; ``withdrawn``: number
    to colour of people who were taken back; ``freed``: those of them who left their place, and so may come again.
    """

    people: int = 0
    seen: GrowingMap[bytes, int] = GrowingMap()
    codes: GrowingMap[bytes, int] = GrowingMap()
    barred: dict[bytes, Colour] = {}
    refused: dict[Reason, int] = {}
    withdrawn: dict[int, Colour] = {}
    freed: frozenset[int] = frozenset()

    def person(self, digest: bytes) -> int:
        """Who is registered as this; 0: nobody."""
        person = self.seen.get(digest) or 0
        return 0 if person in self.freed else person

    def owner(self, code: bytes) -> int:
        """Whose code this is: they stand for it, or showed it; 0: nobody's yet."""
        person = self.codes.get(code) or 0
        return self.person(code) or (0 if person in self.freed else person)

    def digests(self, people: Collection[int]) -> dict[int, bytes]:
        """Who these numbers are. Looks at everybody: for rare occasions."""
        return {person: digest for digest, person in self.seen.items() if person in people} if any(people) else {}

    def bar(self, digest: bytes) -> Reason | None:
        """Why this person must show green first."""
        colour = self.barred.get(digest) or self.withdrawn.get(self.seen.get(digest) or 0)
        return _BARRING[colour] if colour is not None else None


def evolve(slice_: Registration, change: Fact | Note) -> Registration:
    replace = msgspec.structs.replace
    match change:
        case Registered():
            barred = {digest: colour for digest, colour in slice_.barred.items() if digest != change.subject.digest}
            seen = slice_.seen.add(change.subject.digest, change.person)
            code = change.subject if change.source == "code" else change.code
            codes = slice_.codes.add(code.digest, change.person) if code is not None else slice_.codes
            return replace(slice_, people=change.person, seen=seen, codes=codes, barred=barred)
        case CodeShown():
            return replace(slice_, codes=slice_.codes.add(change.code.digest, change.person))
        case Refused():
            refused = slice_.refused | {change.reason: slice_.refused.get(change.reason, 0) + 1}
            barred = slice_.barred
            if change.sure and change.digest and change.reason in _BARRING.values():
                barred = barred | {change.digest: Colour(change.reason.value)}
            return replace(slice_, refused=refused, barred=barred)
        case Withdrawn():
            return replace(slice_, withdrawn=slice_.withdrawn | {change.person: Colour(change.reason.value)})
        case Unbound():
            return replace(slice_, freed=slice_.freed | {change.person})
        case Bound() if change.person in slice_.freed:  # into another place
            return replace(slice_, freed=slice_.freed - {change.person})
        case TubeLost():
            return replace(slice_, freed=slice_.freed | set(change.people))
        case RoundStarted():
            return Registration(people=slice_.people, refused=slice_.refused)
    return slice_


def react(site: "Site", item: Event | Fact, at: Stamp) -> Said:
    match item:
        case CardPresented() | CodePresented() if site.desk.awaits == "person":
            return
        case CardPresented():
            yield from _card(site, item)
        case CodePresented():
            yield from _code(site, item, at)
        case TubeScanned() if site.pooling.used.get(item.tube) and _takes_tubes(site):
            yield Refused(Reason.TUBE_SEEN)
        case Unusable() if not _still_retrying(site.desk, item, at):
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
    elif site.setup.policy.health_code == "off" or _obstacle(site, card, None) is not None:
        yield from _admit(site, card, None)
    else:
        yield CardHeld(card)


def _code(site: "Site", code: CodePresented, at: Stamp) -> Said:
    card, held, digest = site.desk.card, site.desk.code, code.subject.digest
    if site.setup.policy.health_code == "off":
        yield Refused(Reason.NOT_NEEDED)
    elif _still_there(site.desk, code, at):
        return
    elif card is None and code.colour not in _BARRING and _lacks_tube(site, apart=False):
        yield Refused(Reason.BAD_TUBE if code.colour is Colour.UNKNOWN else Reason.NOT_A_TUBE)
    elif card is not None:
        yield DeskCleared()
        yield from _admit(site, card, code)
    elif held is None and (site.registration.owner(digest) or not site.setup.reads_cards):
        yield from _settle_code(site, code)
    elif held is None:
        yield CodeHeld(code)
    elif held.subject.digest != digest:
        yield from _settle_code(site, held)
        yield CodeHeld(code)


def _still_there(desk: "Desk", code: CodePresented, at: Stamp) -> bool:
    same = desk.answered == code.subject.digest and desk.barring == (code.colour in _BARRING)
    return same and at.mono - desk.answered_at < STILL_THERE_MS


def _still_retrying(desk: "Desk", item: Unusable, at: Stamp) -> bool:
    """Noise on a line is no crowd: while the desk asks for another try, it does not ask and write again."""
    asks = desk.signal is Signal.RETRY and at.mono - desk.signal_at < RETRY_MS
    return asks and item.reason is Reason.UNREADABLE


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
    """No card came: the code is that of somebody registered before, or stands for a person itself."""
    yield DeskCleared()
    digest, person = code.subject.digest, _shown_late(site, code)
    reason = _BARRING.get(code.colour)
    if reason is not None and person and person not in site.registration.withdrawn:
        yield Withdrawn(person, reason)
    elif reason is None and person and site.registration.codes.get(digest) == person:
        yield Refused(Reason.REPEAT, digest)
    elif reason is None and person:
        yield CodeShown(person, code.colour, code.subject)
    elif reason is not None:
        yield Refused(reason, code.holder or b"", code=code.subject, sure=code.holder is not None)
    elif site.setup.policy.health_code == "optional" and code.colour is Colour.GREEN:
        yield from _admit(site, None, code)
    else:
        yield Refused(Reason.UNKNOWN_CODE if code.colour is Colour.UNKNOWN else Reason.NO_CARD)


def _shown_late(site: "Site", code: CodePresented) -> int:
    """The number of the registered person whose code this must be; 0 when it is nobody's."""
    owner = site.registration.owner(code.subject.digest)
    if owner or code.holder is not None:
        return owner
    soon = site.desk.since - site.desk.alone_at <= site.setup.policy.pair_window_s * 1000
    return site.desk.alone if soon else 0


def _obstacle(site: "Site", card: CardPresented | None, code: CodePresented | None) -> Reason | None:
    """Why this person cannot be registered, whatever the colour."""
    if site.setup.key_from_badge and not site.staff.key:  # a digest of the last round's key
        return Reason.NO_BADGE
    if any(site.registration.person(shown.subject.digest) for shown in (card, code) if shown is not None):
        return Reason.REPEAT
    if site.release.unlabelled_groups >= site.setup.policy.unlabelled_groups:
        return Reason.PRINTER
    if site.release.is_full(site.setup.queue.waiting_cap):
        return Reason.QUEUE_FULL
    listed = card.listed if card is not None else None
    if listed is not None and not listed.slot and site.setup.policy.slot == "refuse":
        return Reason.SLOT
    if _lacks_tube(site, apart=_kind(site, card, code).apart):
        return Reason.NO_TUBE
    return None


def _takes_tubes(site: "Site") -> bool:
    return site.desk.awaits is None and site.custody.packing is None


def _lacks_tube(site: "Site", *, apart: bool) -> bool:
    return site.pooling.lacks_tube(site.setup.policy, site.desk.tube, apart=apart)


class Kind(NamedTuple):
    """What kind of tube somebody needs."""

    category: Category
    specimen: Specimen
    apart: bool


def _kind(site: "Site", card: CardPresented | None, code: CodePresented | None) -> Kind:
    """What staff said of the next person, else the roster (rules G3, G12)."""
    said, policy = site.pooling, site.setup.policy
    colour = code.colour if code is not None else Colour.NONE
    listed = card.listed.category if card is not None and card.listed is not None else Category.GENERAL
    category = listed if said.next_category is Category.GENERAL else said.next_category
    if colour is Colour.YELLOW:
        category = Category.YELLOW
    unknown = colour is Colour.UNKNOWN and policy.unknown_code == "single"
    nasal = said.next_specimen is Specimen.NASAL
    apart = said.next_apart or nasal or unknown or category in policy.single_for
    return Kind(category, said.next_specimen, apart)


def _admit(site: "Site", card: CardPresented | None, code: CodePresented | None) -> Said:
    """The decision about one person, by card, code or both."""
    colour = code.colour if code is not None else Colour.NONE
    presented = card or code
    if presented is None:
        return
    subject = presented.subject
    digest = subject.digest
    if card is not None and code is not None and code.holder not in (None, digest):
        if colour in _BARRING:
            yield from _settle_code(site, code)
        yield Refused(Reason.MISMATCH, digest)
        return
    reason = _BARRING.get(colour)
    if reason is None and colour is not Colour.GREEN:
        reason = site.registration.bar(digest)
    if reason is not None:
        own = card is site.desk.card or (code is not None and code.holder == digest)
        shown = (card.subject if card is not None else None, code.subject if code is not None else None)
        yield Refused(reason, digest, *shown, sure=own)
    elif (obstacle := _obstacle(site, card, code)) is not None:
        yield Refused(obstacle, digest)
    elif colour is Colour.UNKNOWN and site.setup.policy.unknown_code == "refuse":
        yield Refused(Reason.UNKNOWN_CODE, digest)
    else:
        kind = _kind(site, card, code)
        yield Registered(
            person=site.registration.people + 1,
            subject=subject,
            source="card" if code is None else "code" if card is None else "both",
            colour=colour,
            document=card.document if card is not None else None,
            code=code.subject if card is not None and code is not None else None,
            expired=card is not None and card.expired,
            listed=card.listed if card is not None else None,
            category=kind.category,
            specimen=kind.specimen,
            apart=kind.apart,
        )
