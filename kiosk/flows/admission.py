"""Who is registered as what: the part of `registration` that looks at one person, their card, code and contact."""

import hashlib
from typing import TYPE_CHECKING, NamedTuple

from kiosk.domain import Category, Colour, DocumentKind, Field, Reason, Role, Specimen, Stamp, Subject
from kiosk.events import CardPresented, CodePresented, ContactPresented
from kiosk.facts import Registered
from kiosk.staff import BADGE_MS

if TYPE_CHECKING:
    from kiosk.site import Site

BARRING = {Colour.RED: Reason.RED, Colour.YELLOW: Reason.YELLOW}


class Kind(NamedTuple):
    """What kind of tube somebody needs."""

    category: Category
    specimen: Specimen
    apart: bool


def obstacle(site: "Site", card: CardPresented | None, code: CodePresented | None) -> Reason | None:
    """Why this person cannot be registered, whatever the colour."""
    if site.setup.key_from_badge and not site.staff.key:  # a digest of the last round's key
        return Reason.NO_BADGE
    shown = [each.subject.digest for each in (card, code) if each is not None]
    if any(map(site.registration.person, [*shown, *([code.holder] if code is not None and code.holder else [])])):
        return Reason.REPEAT
    if site.desk.number_taken:
        return Reason.NUMBER_TAKEN
    if any(each.elsewhere and each.subject.digest not in site.registration.allowed for each in (card, code) if each):
        return Reason.ELSEWHERE
    if site.release.unlabelled_groups >= site.setup.policy.unlabelled_groups:
        return Reason.PRINTER
    if site.release.is_full(site.setup.queue.waiting_cap):
        return Reason.QUEUE_FULL
    if card is not None and card.listed is not None and not card.listed.slot and _keeps_hours(site, card):
        return Reason.SLOT
    if lacks_tube(site, apart=kind(site, card, code).apart):
        return Reason.NO_TUBE
    return None


def _keeps_hours(site: "Site", card: CardPresented) -> bool:
    return site.setup.policy.slot == "refuse" and card.subject.digest not in site.registration.allowed


def lacks_tube(site: "Site", *, apart: bool) -> bool:
    return site.pooling.lacks_tube(site.setup.policy, site.desk.tube, apart=apart)


def bar(site: "Site", card: CardPresented | None, code: CodePresented | None) -> Reason | None:
    """Red and yellow, of this code or shown before: whichever is worse. Green takes nothing back."""
    reasons = {BARRING.get(code.colour)} if code is not None else set()
    reasons |= {site.registration.bar(each.subject.digest) for each in (card, code) if each is not None}
    return next((reason for reason in BARRING.values() if reason in reasons), None)


def isolates(site: "Site", reason: Reason | None) -> bool:
    """Yellow has a lane of its own here."""
    return reason is Reason.YELLOW and site.setup.policy.yellow == "isolate"


def kind(site: "Site", card: CardPresented | None, code: CodePresented | None) -> Kind:
    """What staff said of the next person, else the roster and the document (rules G3, G12)."""
    said, policy = site.pooling, site.setup.policy
    category = said.next_category
    if category is Category.GENERAL and card is not None:
        category = card.listed.category if card.listed is not None else Category.GENERAL
        if category is Category.GENERAL and card.document in policy.single_documents:
            category = Category.RETURNEE
    isolated = isolates(site, bar(site, card, code))
    if isolated:
        category = Category.YELLOW
    unknown = code is not None and code.colour is Colour.UNKNOWN and policy.unknown_code == "single"
    nasal = said.next_specimen is Specimen.NASAL
    apart = said.next_apart or nasal or unknown or isolated or category in policy.single_for
    return Kind(category, said.next_specimen, apart)


def registered(site: "Site", card: CardPresented | None, code: CodePresented | None, at: Stamp) -> Registered:
    """By a card, a code or both."""
    subject, shown = _subject(card, code)
    contact = _contact(site, subject, at)
    what = kind(site, card, code)
    return Registered(
        person=site.registration.people + 1,
        subject=subject,
        source=_source(card, code),
        colour=code.colour if code is not None else Colour.NONE,
        document=card.document if card is not None else None,
        code=shown,
        expired=card is not None and card.expired,
        listed=card.listed if card is not None else None,
        visit=site.visits.on,
        category=what.category,
        specimen=what.specimen,
        apart=what.apart,
        missing=missing(card, code, contact),
        contact=contact.subject if contact is not None else None,
        by=registrar(site, at),
    )


def _subject(card: CardPresented | None, code: CodePresented | None) -> tuple[Subject, Subject | None]:
    """Who it is, and the code where it is not that. A code whose holder the command post has named stands for them."""
    if card is not None:
        return card.subject, code.subject if code is not None else None
    if code is None:
        raise ValueError("neither card nor code")
    if code.holder is None or code.holder == code.subject.digest:
        return code.subject, None
    return Subject(code.holder, code.subject.box), code.subject


def _source(card: CardPresented | None, code: CodePresented | None) -> str:
    if card is None:
        return "code"
    alone = "typed" if card.typed else "paper" if card.document is DocumentKind.PAPER else "card"
    return alone if code is None or alone != "card" else "both"


def _contact(site: "Site", subject: Subject, at: Stamp) -> ContactPresented | None:
    """What was shown for this person before."""
    contact, window = site.desk.contact, site.setup.policy.pair_window_s * 1000
    if contact is None or at.mono - site.desk.contact_at > window or contact.holder not in (None, subject.digest):
        return None
    return contact


def missing(*shown: CardPresented | CodePresented | ContactPresented | None) -> tuple[Field, ...]:
    """What of the three checked fields (rule G8) none of it tells."""
    there = {field for each in shown if each is not None for field in each.has}
    return tuple(field for field in Field if field not in there)


def registrar(site: "Site", at: Stamp) -> int:
    """The badge of who answers for what is entered now (rule G7): shown within the minute, or the only one on shift."""
    badge = site.desk.badge
    if badge is not None and badge.role is Role.REGISTRAR and at.mono - badge.since < BADGE_MS:
        return badge.badge
    on_shift = [number for number, (shift, _) in site.staff.on_shift(at).items() if shift.role is Role.REGISTRAR]
    return on_shift[0] if len(on_shift) == 1 else 0


def with_number(has: tuple[Field, ...]) -> tuple[Field, ...]:
    return (*has, Field.NUMBER) if Field.NUMBER not in has else has


def child(site: "Site", guardian: Subject, at: Stamp) -> Registered:
    """Without a document: under a temporary identifier, with the guardian's data in the box (rule F6)."""
    person, what = site.registration.people + 1, kind(site, None, None)
    digest = hashlib.blake2b(guardian.digest, digest_size=16, key=person.to_bytes(8), person=b"kiosk-child").digest()
    return Registered(
        person=person,
        subject=Subject(digest, guardian.box),
        source="guardian",
        colour=Colour.NONE,
        category=what.category,
        specimen=what.specimen,
        apart=what.apart,
        missing=tuple(Field),
        by=registrar(site, at),
        guardian=guardian.digest,
    )
