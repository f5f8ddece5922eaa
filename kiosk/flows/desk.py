"""What lies on the desk right now and what was last answered. RAM only: a restart clears the desk."""

import msgspec

from kiosk.domain import Category, Colour, Do, Field, Reason, Role, Signal, Stamp, Subject
from kiosk.events import CardPresented, CodePresented, ContactPresented
from kiosk.facts import (
    BadgeHeld,
    ButtonDenied,
    CardHeld,
    CodeHeld,
    CodeJudged,
    CodeShown,
    CommandTaken,
    ConsignmentAddressed,
    ContactGiven,
    ContactHeld,
    DeskCleared,
    Fact,
    GroupClosed,
    GroupReleased,
    GuardianHeld,
    IncidentAcknowledged,
    LabelPrinted,
    ManifestClosed,
    Note,
    NothingToDo,
    NumberHeard,
    OrderDropped,
    OrderFed,
    OrderHeld,
    PackingRefused,
    PhoneWanted,
    PieceHeld,
    Refused,
    Registered,
    StaffOrdered,
    Started,
    TubeGone,
    TubeHeld,
    TubeOpened,
    TubePacked,
    VerdictAwaited,
    Withdrawn,
)
from kiosk.staff import LEADERS, TAKES, Thing


class Badge(msgspec.Struct, frozen=True):
    """A badge that was shown, and when (monotonic ms); the rest is that of BadgeHeld."""

    badge: int
    role: Role
    since: int
    supervised: bool = False
    key: bytes = b""


class Pending(msgspec.Struct, frozen=True):
    """An order that waits for what it is about, since ``since`` (monotonic ms)."""

    do: Do
    text: str
    since: int
    people: tuple[bytes, ...] = ()
    tubes: tuple[str, ...] = ()
    second: int = 0

    def fed(self, shown: OrderFed) -> "Pending":
        """With one thing more of what it is about."""
        people = (*self.people, shown.person) if shown.person else self.people
        tubes = (*self.tubes, shown.tube) if shown.tube else self.tubes
        return msgspec.structs.replace(self, people=people, tubes=tubes)

    @property
    def awaits(self) -> Thing | None:
        """What must be shown next; None: all is there."""
        needed, there = TAKES[self.do], len(self.people) + len(self.tubes)
        return needed[there] if there < len(needed) else None


class Pair(msgspec.Struct, frozen=True):
    """Waits for the verdict on ``code``, asked for at ``since`` (monotonic ms). ``sure``: the card was there first."""

    code: CodePresented
    since: int
    card: CardPresented | None = None
    sure: bool = False


class Desk(msgspec.Struct, frozen=True):
    """``since``: monotonic ms of what is held. ``alone``: number of the person last registered by card alone, at
    ``alone_at``, as long as nobody else was and no code of theirs came. ``answered``: digest of the code that was
    last answered, at ``answered_at``; ``barring``: it was red or yellow. ``signal`` was given at ``signal_at`` and
    is number ``signals``; ``of_tube``: it is about a tube, and not for a
    resident. ``badge``: the one shown last; ``leader``: the last of somebody who may stand by a
    supervised one. ``tube``: its own barcode was scanned, and it is for the next who needs one.
    ``contact``, shown at ``contact_at``, waits for its person. ``last``: who was registered last, at ``last_at``, and
    what ``lacks`` of them. ``guardian``: whose card was shown last for a child. ``number_taken``: by
    another kiosk of the site."""

    card: CardPresented | None = None
    code: CodePresented | None = None
    since: int = 0
    alone: int = 0
    alone_at: int = 0
    answered: bytes = b""
    answered_at: int = 0
    barring: bool = False
    signal: Signal = Signal.NONE
    signal_at: int = 0
    signals: int = 0
    of_tube: bool = False
    badge: Badge | None = None
    leader: Badge | None = None
    order: Pending | None = None
    tube: str = ""
    pair: Pair | None = None
    contact: ContactPresented | None = None
    contact_at: int = 0
    last: int = 0
    last_at: int = 0
    lacks: tuple[Field, ...] = ()
    guardian: Subject | None = None
    number_taken: bool = False

    def waits_with(self, code: bytes) -> bool:
        """Somebody is there with the code of this digest."""
        shown = (self.code, self.pair.code if self.pair is not None else None)
        return any(each is not None and each.subject.digest == code for each in shown)

    @property
    def awaits(self) -> Thing | None:
        """What is shown next belongs to an order of staff."""
        return self.order.awaits if self.order is not None else None


_REFUSED_TUBES = {"twice": Signal.REPEAT, "foreign": Signal.REFUSED, "unexpected": Signal.DENIED}
_REASONS = {
    Reason.REPEAT: Signal.REPEAT,
    Reason.ELSEWHERE: Signal.REPEAT,
    Reason.UNREADABLE: Signal.RETRY,
    Reason.BAD_NUMBER: Signal.RETRY,
    Reason.BAD_TUBE: Signal.RETRY,
    Reason.NO_TUBE: Signal.TUBE,
    Reason.NOT_A_TUBE: Signal.TUBE,
    Reason.TUBE_SEEN: Signal.TUBE,
}


def evolve(slice_: Desk, change: Fact | Note, at: Stamp) -> Desk:
    match change:
        case Started():
            return Desk()
        case CardHeld():
            return _answer(slice_, at, Signal.HELD, card=change.card, since=at.mono)
        case CodeHeld():
            return _answer(slice_, at, Signal.HELD, code=change.code, since=at.mono)
        case PieceHeld():
            return _answer(slice_, at, Signal.HELD)
        case TubeHeld():
            return _answer(slice_, at, Signal.HELD, tube=change.tube)
        case TubeOpened(serial=0):
            return msgspec.structs.replace(slice_, tube="")
        case NumberHeard():
            return msgspec.structs.replace(slice_, number_taken=change.taken)
        case DeskCleared():
            return msgspec.structs.replace(slice_, card=None, code=None, pair=None)
        case Registered():
            hinted = change.listed is not None and change.listed.hint
            isolated = change.category is Category.YELLOW
            flagged = change.colour is Colour.UNKNOWN or hinted or isolated
            code = change.code or (change.subject if change.source == "code" else None)
            alone = change.person if code is None and not change.guardian else 0
            about = _about(code.digest if code is not None else b"", at, barring=change.colour is Colour.YELLOW)
            last = {"last": change.person, "last_at": at.mono, "lacks": change.missing, "contact": None}
            signal = Signal.FLAGGED if flagged else Signal.ACCEPTED
            return _answer(slice_, at, signal, alone=alone, alone_at=at.mono, **last, **about)
        case CodeShown() | Withdrawn(late=False):
            signal = Signal.REPEAT if isinstance(change, CodeShown) else Signal.REFUSED
            about = _about(change.code.digest if isinstance(change, CodeShown) else b"", at)
            alone = 0 if change.person == slice_.alone else slice_.alone
            return _answer(slice_, at, signal, alone=alone, **about)
        case Refused():
            signal, barring = _REASONS.get(change.reason, Signal.REFUSED), change.code is not None
            digest = change.digest if change.reason is Reason.REPEAT else b""
            about = _about(change.code.digest if change.code is not None else digest, at, barring=barring)
            return _answer(slice_, at, signal, **about)
        case GroupClosed():
            return _answer(slice_, at, Signal.CLOSED) if change.short else slice_
        case GroupReleased():
            return _answer(slice_, at, Signal.RELEASED)
        case IncidentAcknowledged() | LabelPrinted(proof="scan") | CommandTaken(via="code"):
            return _answer(slice_, at, Signal.ACKNOWLEDGED)
        case ButtonDenied() | NothingToDo():
            return _answer(slice_, at, Signal.DENIED)
    return _waiting(slice_, change, at) or _ordered(slice_, change, at)


def _waiting(slice_: Desk, change: Fact | Note, at: Stamp) -> Desk | None:
    """What waits for a verdict or for its person; None for another change."""
    match change:
        case CodeJudged():
            return msgspec.structs.replace(slice_, code=change.code)
        case VerdictAwaited():
            pair = Pair(change.code, change.since, change.card, change.sure)
            return _answer(slice_, at, Signal.HELD, pair=pair)
        case ContactHeld():
            return _answer(slice_, at, Signal.HELD, contact=change.contact, contact_at=at.mono)
        case ContactGiven():
            lacks = () if change.person == slice_.last else slice_.lacks
            return _answer(slice_, at, Signal.ACKNOWLEDGED, lacks=lacks)
        case PhoneWanted():
            return _answer(slice_, at, Signal.FLAGGED)
        case GuardianHeld():
            return msgspec.structs.replace(slice_, guardian=change.guardian)
        case Withdrawn(late=True):
            return msgspec.structs.replace(slice_, alone=0 if change.person == slice_.alone else slice_.alone)
    return None


def _ordered(slice_: Desk, change: Fact | Note, at: Stamp) -> Desk:
    """What staff show."""
    match change:
        case BadgeHeld():
            badge = Badge(change.badge, change.role, at.mono, change.supervised, change.key)
            leader = badge if change.role in LEADERS and not change.supervised else slice_.leader
            return _answer(slice_, at, Signal.ACKNOWLEDGED, badge=badge, leader=leader, order=None)
        case OrderHeld():
            order = Pending(change.do, change.text, at.mono, second=change.second)
            return _answer(slice_, at, Signal.HELD, order=order)
        case OrderFed() if slice_.order is not None:
            return _answer(slice_, at, Signal.HELD, order=slice_.order.fed(change))
        case TubePacked():
            return _answer(slice_, at, Signal.CLOSED if change.full else Signal.ACKNOWLEDGED)
        case PackingRefused():
            return _answer(slice_, at, _REFUSED_TUBES[change.why], of_tube=True)
        case TubeGone():
            return _answer(slice_, at, Signal.TUBE)
        case ConsignmentAddressed():
            return _answer(slice_, at, Signal.ACKNOWLEDGED)
        case ManifestClosed():
            return _answer(slice_, at, Signal.RELEASED)
        case OrderDropped():
            return _answer(slice_, at, Signal.DENIED, order=None)
        case StaffOrdered():
            return _answer(slice_, at, Signal.ACKNOWLEDGED, order=None)
    return slice_


def _answer(desk: Desk, at: Stamp, signal: Signal, **changes: object) -> Desk:
    answer: dict[str, object] = {"signal": signal, "signal_at": at.mono, "signals": desk.signals + 1, "of_tube": False}
    return msgspec.structs.replace(desk, **(answer | changes))


def _about(code: bytes, at: Stamp, *, barring: bool = False) -> dict[str, object]:
    return {"answered": code, "answered_at": at.mono, "barring": barring}
