"""What lies on the desk right now and what was last answered. RAM only: a restart clears the desk."""

import msgspec

from kiosk.domain import Colour, Do, Reason, Role, Signal, Stamp
from kiosk.events import CardPresented, CodePresented
from kiosk.facts import (
    BadgeHeld,
    ButtonDenied,
    CardHeld,
    CodeHeld,
    CodeShown,
    CommandTaken,
    DeskCleared,
    Fact,
    GroupClosed,
    GroupReleased,
    IncidentAcknowledged,
    LabelPrinted,
    Note,
    NothingToDo,
    OrderDropped,
    OrderFed,
    OrderHeld,
    PieceHeld,
    Refused,
    Registered,
    StaffOrdered,
    Started,
    Withdrawn,
)
from kiosk.staff import TAKES, Thing


class Badge(msgspec.Struct, frozen=True):
    """The badge shown last, and when (monotonic ms)."""

    badge: int
    role: Role
    since: int


class Pending(msgspec.Struct, frozen=True):
    """An order that waits for what it is about, since ``since`` (monotonic ms)."""

    do: Do
    text: str
    since: int
    people: tuple[bytes, ...] = ()
    tubes: tuple[str, ...] = ()


class Desk(msgspec.Struct, frozen=True):
    """``since``: monotonic ms of what is held. ``alone``: number of the person last registered by card alone, at
    ``alone_at``, as long as nobody else was and no code of theirs came. ``answered``: digest of the code that was last
    answered, at ``answered_at``; ``barring``: it was red or yellow. ``signal`` was given at ``signal_at`` and is number
    ``signals``."""

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
    badge: Badge | None = None
    order: Pending | None = None

    @property
    def awaits(self) -> Thing | None:
        """What is shown next belongs to an order of staff."""
        if self.order is None:
            return None
        return TAKES[self.order.do][len(self.order.people) + len(self.order.tubes)]


_REASONS = {Reason.REPEAT: Signal.REPEAT, Reason.UNREADABLE: Signal.RETRY, Reason.BAD_NUMBER: Signal.RETRY}


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
        case DeskCleared():
            return msgspec.structs.replace(slice_, card=None, code=None)
        case Registered():
            signal = Signal.FLAGGED if change.colour is Colour.UNKNOWN else Signal.ACCEPTED
            alone = change.person if change.source == "card" else 0
            code = change.subject if change.source == "code" else change.code
            about = _about(code.digest if code is not None else b"", at)
            return _answer(slice_, at, signal, alone=alone, alone_at=at.mono, **about)
        case CodeShown() | Withdrawn():
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
    return _ordered(slice_, change, at)


def _ordered(slice_: Desk, change: Fact | Note, at: Stamp) -> Desk:
    """What staff show."""
    match change:
        case BadgeHeld():
            badge = Badge(change.badge, change.role, at.mono)
            return _answer(slice_, at, Signal.ACKNOWLEDGED, badge=badge, order=None)
        case OrderHeld():
            return _answer(slice_, at, Signal.HELD, order=Pending(change.do, change.text, at.mono))
        case OrderFed() if slice_.order is not None:
            people = (*slice_.order.people, change.person) if change.person else slice_.order.people
            tubes = (*slice_.order.tubes, change.tube) if change.tube else slice_.order.tubes
            order = msgspec.structs.replace(slice_.order, people=people, tubes=tubes)
            return _answer(slice_, at, Signal.HELD, order=order)
        case OrderDropped():
            return _answer(slice_, at, Signal.DENIED, order=None)
        case StaffOrdered():
            return _answer(slice_, at, Signal.ACKNOWLEDGED, order=None)
    return slice_


def _answer(desk: Desk, at: Stamp, signal: Signal, **changes: object) -> Desk:
    return msgspec.structs.replace(desk, signal=signal, signal_at=at.mono, signals=desk.signals + 1, **changes)


def _about(code: bytes, at: Stamp, *, barring: bool = False) -> dict[str, object]:
    return {"answered": code, "answered_at": at.mono, "barring": barring}
