"""Registration (登记): one person at the desk. Card, code and policy make a Registered, or a reason why not."""

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

import msgspec

from kiosk.domain import Colour, Do, Reason, Signal, Stamp, Subject
from kiosk.events import CardPresented, CodePresented, Event, NumberClaimed, Tick, TubeScanned, Unusable, VerdictArrived
from kiosk.facts import (
    Bound,
    CardHeld,
    CodeHeld,
    CodeJudged,
    CodeShown,
    DeskCleared,
    Fact,
    GuardianHeld,
    Note,
    NothingToDo,
    NumberHeard,
    Order,
    PaperCardMade,
    Refused,
    Registered,
    RoundStarted,
    StaffOrdered,
    TubeLost,
    Unbound,
    VerdictAwaited,
    VerdictTaken,
    Withdrawn,
)
from kiosk.flows import admission
from kiosk.flows.admission import BARRING
from kiosk.growing import GrowingMap

if TYPE_CHECKING:
    from kiosk.flows.desk import Desk, Pair
    from kiosk.site import Site

Said = Iterator[Fact | Note | Order]

STILL_THERE_MS = 5000
"""A phone that stays before the scanner is not answered again for this long."""

RETRY_MS = 2000
"""For so long the desk asks for another try."""


class Registration(msgspec.Struct, frozen=True):
    """All of this round, but for the counts ``people`` and ``refused`` and the ``papers``.

    ``seen``: digest to person number; ``codes``: digest of each code somebody showed, to their number; ``barred``:
    digest to colour, who showed red or yellow with their own card; ``withdrawn``: number to colour of people who were
    taken back; ``freed``: those of them who left their place, and so may come again; ``allowed``: whom staff let come
    once again, whatever was before; ``papers``: digest of a code card of paper to that of its holder.
    """

    people: int = 0
    seen: GrowingMap[bytes, int] = GrowingMap()
    codes: GrowingMap[bytes, int] = GrowingMap()
    barred: dict[bytes, Colour] = {}
    refused: dict[Reason, int] = {}
    withdrawn: dict[int, Colour] = {}
    freed: frozenset[int] = frozenset()
    allowed: frozenset[bytes] = frozenset()
    papers: GrowingMap[bytes, bytes] = GrowingMap()

    def holder(self, digest: bytes) -> bytes:
        """Whose card this is: of paper, or their own."""
        return self.papers.get(digest) or digest

    def person(self, digest: bytes) -> int:
        """Who is registered as this; 0: nobody."""
        digest = self.holder(digest)
        person = self.seen.get(digest) or 0
        return 0 if person in self.freed or digest in self.allowed else person

    def owner(self, code: bytes) -> int:
        """Whose code this is: they stand for it, or showed it; 0: nobody's yet."""
        person = self.codes.get(code) or 0
        return self.person(code) or (0 if person in self.freed else person)

    def digests(self, people: Collection[int]) -> dict[int, bytes]:
        """Who these numbers are. Looks at everybody: for rare occasions."""
        return {person: digest for digest, person in self.seen.items() if person in people} if any(people) else {}

    def bar(self, digest: bytes) -> Reason | None:
        """Why this person is not let in before staff order it."""
        digest = self.holder(digest)
        colour = self.barred.get(digest) or self.withdrawn.get(self.seen.get(digest) or 0)
        return BARRING[colour] if colour is not None and digest not in self.allowed else None


def evolve(slice_: Registration, change: Fact | Note) -> Registration:
    replace = msgspec.structs.replace
    match change:
        case Registered():
            digest = change.subject.digest
            barred = {each: colour for each, colour in slice_.barred.items() if each != digest}
            seen = slice_.seen.add(digest, change.person)
            code = change.code or (change.subject if change.source == "code" else None)
            codes = slice_.codes.add(code.digest, change.person) if code is not None else slice_.codes
            allowed = slice_.allowed - {digest}
            return replace(slice_, people=change.person, seen=seen, codes=codes, barred=barred, allowed=allowed)
        case CodeShown():
            return replace(slice_, codes=slice_.codes.add(change.code.digest, change.person))
        case Refused():
            refused = slice_.refused | {change.reason: slice_.refused.get(change.reason, 0) + 1}
            if change.sure and change.digest and change.reason in BARRING.values():
                return _barred(replace(slice_, refused=refused), change.digest, Colour(change.reason.value))
            return replace(slice_, refused=refused)
        case VerdictTaken(in_time=False) if change.holder and change.colour in BARRING:
            return _barred(slice_, change.holder, change.colour)
        case Withdrawn():
            return replace(slice_, withdrawn=slice_.withdrawn | {change.person: Colour(change.reason.value)})
        case Unbound():
            return replace(slice_, freed=slice_.freed | {change.person})
        case Bound() if change.person in slice_.freed:  # into another place
            return replace(slice_, freed=slice_.freed - {change.person})
        case TubeLost():
            return replace(slice_, freed=slice_.freed | set(change.people))
        case StaffOrdered(do=Do.OVERRIDE):
            return replace(slice_, allowed=slice_.allowed | {slice_.holder(digest) for digest in change.people})
        case PaperCardMade() if change.holder:
            return replace(slice_, papers=slice_.papers.add(change.card.digest, change.holder))
        case RoundStarted():
            return Registration(people=slice_.people, refused=slice_.refused, papers=slice_.papers)
    return slice_


def _barred(slice_: Registration, digest: bytes, colour: Colour) -> Registration:
    """Red stays red when yellow follows."""
    worse = Colour.RED if Colour.RED in (slice_.barred.get(digest), colour) else colour
    barred, allowed = slice_.barred | {digest: worse}, slice_.allowed - {digest}
    return msgspec.structs.replace(slice_, barred=barred, allowed=allowed)


def react(site: "Site", item: Event | Fact, at: Stamp) -> Said:
    match item:
        case CardPresented() | CodePresented() if site.desk.awaits == "person":
            if site.desk.order is not None and site.desk.order.do is Do.GUARDIAN:
                yield GuardianHeld(item.subject)
        case CardPresented():
            yield from _card(site, item, at)
        case CodePresented():
            yield from _code(site, item, at)
        case VerdictArrived():
            yield from _judged(site, item, at)
        case NumberClaimed():
            yield NumberHeard(item.taken)
        case VerdictTaken(in_time=False) if item.colour in BARRING:
            yield from _taken_back(site, item)
        case StaffOrdered(do=Do.GUARDIAN) if site.desk.guardian is not None:
            yield _child(site, site.desk.guardian, at)
        case TubeScanned() if site.pooling.used.get(item.tube) and site.unclaimed:
            yield Refused(Reason.TUBE_SEEN)
        case Unusable() if not _still_retrying(site.desk, item, at):
            yield Refused(item.reason)
        case Tick():
            yield from _waited(site, at)


def _card(site: "Site", card: CardPresented, at: Stamp) -> Said:
    if card.typed and not admission.registrar(site, at):
        yield NothingToDo()
        return
    own = site.registration.holder(card.subject.digest)
    card = msgspec.structs.replace(card, subject=Subject(own, card.subject.box))
    held, code, pair = site.desk.card, site.desk.code, site.desk.pair
    if any(each is not None and each.subject.digest == own for each in (held, pair.card if pair else None)):
        return
    if pair is not None:
        yield from _settle_pair(site, pair, at)
    if held is not None:
        yield from _settle_card(site, held, at)
    if code is not None:
        yield DeskCleared()
        yield from _meet(site, card, code, site.desk.since, at)
    elif site.setup.policy.health_code == "off" or admission.obstacle(site, card, None) is not None:
        yield from _admit(site, card, None, at)
    else:
        yield CardHeld(card)


def _code(site: "Site", code: CodePresented, at: Stamp) -> Said:
    card, held, digest = site.desk.card, site.desk.code, code.subject.digest
    if site.setup.policy.health_code == "off":
        yield Refused(Reason.NOT_NEEDED)
        return
    if _still_there(site.desk, code, at):
        return
    if site.desk.pair is not None:
        if site.desk.pair.code.subject.digest == digest and code.colour not in BARRING:
            return
        yield from _settle_pair(site, site.desk.pair, at)
    if card is None and code.colour not in BARRING and admission.lacks_tube(site, apart=False):
        yield Refused(Reason.BAD_TUBE if code.colour is Colour.UNKNOWN else Reason.NOT_A_TUBE)
    elif card is not None:
        yield DeskCleared()
        yield from _meet(site, card, code, at.mono, at)
    elif held is None and not site.registration.owner(digest) and not site.setup.reads_cards:
        yield from _meet(site, None, code, at.mono, at)
    elif held is None and site.registration.owner(digest):
        yield from _settle_code(site, code, at)
    elif held is None:
        yield CodeHeld(code)
    elif held.subject.digest != digest:
        yield from _settle_code(site, held, at)
        yield CodeHeld(code)
    elif code.colour in BARRING and held.colour is not Colour.RED:  # the same holder: the worse one counts
        yield CodeHeld(code)


def _meet(site: "Site", card: CardPresented | None, code: CodePresented, since: int, at: Stamp) -> Said:
    """All is there that will be. A code that was asked about at ``since`` is given its time to be answered."""
    in_time = at.mono - since < site.setup.policy.verdict_s * 1000
    waits = code.ask and code.answers and in_time and code.holder is None
    if waits and admission.obstacle(site, card, code) is None and admission.bar(site, card, code) is None:
        yield VerdictAwaited(code, since, card, sure=card is not None and card is site.desk.card)
    else:
        yield from _admit(site, card, code, at) if card is not None else _settle_code(site, code, at)


def _judged(site: "Site", verdict: VerdictArrived, at: Stamp) -> Said:
    """The command post's answer about a code whose owner is at the desk."""
    pair, code = site.desk.pair, site.desk.code
    if pair is not None and pair.code.subject.digest == verdict.code:
        yield from _settle_pair(site, msgspec.structs.replace(pair, code=_known(pair.code, verdict)), at)
    elif code is not None and code.subject.digest == verdict.code:
        yield CodeJudged(_known(code, verdict))


def _known(code: CodePresented, verdict: VerdictArrived) -> CodePresented:
    has = admission.with_number(code.has) if verdict.holder else code.has
    return msgspec.structs.replace(code, colour=verdict.colour, holder=verdict.holder, ask=False, has=has)


def _taken_back(site: "Site", verdict: VerdictTaken) -> Said:
    """Red and yellow that were told late."""
    people = {verdict.person, site.registration.person(verdict.holder)} - {0}
    for person in sorted(people - site.registration.withdrawn.keys()):
        yield Withdrawn(person, BARRING[verdict.colour], late=True)


def _child(site: "Site", guardian: Subject, at: Stamp) -> Fact:
    """Somebody who has no document: their guardian answers for them, and can be asked their name (rule F6)."""
    if (reason := admission.obstacle(site, None, None)) is not None:
        return Refused(reason, guardian.digest)
    return admission.child(site, guardian, at)


def _still_there(desk: "Desk", code: CodePresented, at: Stamp) -> bool:
    same = desk.answered == code.subject.digest and desk.barring == (code.colour in BARRING)
    return same and at.mono - desk.answered_at < STILL_THERE_MS


def _still_retrying(desk: "Desk", item: Unusable, at: Stamp) -> bool:
    """Noise on a line is no crowd: while the desk asks for another try, it does not ask and write again."""
    asks = desk.signal is Signal.RETRY and at.mono - desk.signal_at < RETRY_MS
    return asks and item.reason is Reason.UNREADABLE


def _waited(site: "Site", at: Stamp) -> Said:
    """Ends the wait for a partner or a verdict that did not come."""
    policy, desk = site.setup.policy, site.desk
    card_s = policy.card_alone_after_s if policy.health_code == "optional" else policy.pair_window_s
    if desk.pair is not None and at.mono - desk.pair.since >= policy.verdict_s * 1000:
        yield from _settle_pair(site, desk.pair, at)
    if desk.card is not None and at.mono - desk.since >= card_s * 1000:
        yield from _settle_card(site, desk.card, at)
    elif desk.code is not None and at.mono - desk.since >= policy.pair_window_s * 1000:
        yield from _settle_code(site, desk.code, at)


def _settle_pair(site: "Site", pair: "Pair", at: Stamp) -> Said:
    if pair.card is None:
        yield from _settle_code(site, pair.code, at)
    else:
        yield DeskCleared()
        yield from _admit(site, pair.card, pair.code, at, sure=pair.sure)


def _settle_card(site: "Site", card: CardPresented, at: Stamp) -> Said:
    yield DeskCleared()
    if site.setup.policy.health_code == "required" and not card.typed:  # whose number is typed has no phone either: P6
        yield Refused(Reason.NO_CODE, card.subject.digest)
    else:
        yield from _admit(site, card, None, at)


def _settle_code(site: "Site", code: CodePresented, at: Stamp) -> Said:
    """No card came: the code is that of somebody registered before, or stands for a person itself."""
    yield DeskCleared()
    digest, person = code.subject.digest, _shown_late(site, code)
    reason, optional = BARRING.get(code.colour), site.setup.policy.health_code == "optional"
    if reason is not None and person and person not in site.registration.withdrawn:
        yield Withdrawn(person, reason)
    elif reason is None and person and site.registration.codes.get(digest) == person:
        yield Refused(Reason.REPEAT, digest)
    elif reason is None and person:
        yield CodeShown(person, code.colour, code.subject)
    elif reason is not None and not (optional and admission.isolates(site, reason)):
        yield Refused(reason, code.holder or b"", code=code.subject, sure=code.holder is not None)
    elif optional and code.colour is not Colour.UNKNOWN:
        yield from _admit(site, None, code, at)
    else:
        yield Refused(Reason.UNKNOWN_CODE if code.colour is Colour.UNKNOWN else Reason.NO_CARD)


def _shown_late(site: "Site", code: CodePresented) -> int:
    """The number of the registered person whose code this must be; 0 when it is nobody's."""
    owner = site.registration.owner(code.subject.digest)
    if owner or code.holder is not None:
        return owner or site.registration.person(code.holder or b"")
    soon = site.desk.since - site.desk.alone_at <= site.setup.policy.pair_window_s * 1000
    return site.desk.alone if soon else 0


def _admit(
    site: "Site", card: CardPresented | None, code: CodePresented | None, at: Stamp, *, sure: bool = False
) -> Said:
    """The decision about one person, by card, code or both. ``sure``: the card was there before the code."""
    presented = card or code
    if presented is None:
        return
    digest, colour = presented.subject.digest, code.colour if code is not None else Colour.NONE
    if card is not None and code is not None and code.holder not in (None, digest):
        if colour in BARRING:
            yield from _settle_code(site, code, at)
        yield Refused(Reason.MISMATCH, digest)
        return
    reason = admission.bar(site, card, code)
    if reason is not None and not admission.isolates(site, reason):
        own = sure or card is site.desk.card or (code is not None and code.holder == digest)
        shown = (card.subject if card is not None else None, code.subject if code is not None else None)
        yield Refused(reason, digest, *shown, sure=own)
    elif (obstacle := admission.obstacle(site, card, code)) is not None:
        yield Refused(obstacle, digest)
    elif colour is Colour.UNKNOWN and reason is None and site.setup.policy.unknown_code == "refuse":
        yield Refused(Reason.UNKNOWN_CODE, digest)
    else:
        yield admission.registered(site, card, code, at)
