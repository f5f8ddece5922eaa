"""What we decided, for ever. A fact is never changed or deleted; a correction is another fact.

Encoded as a msgpack map with the tag under "t". A new field gets a default and an old tag is never reused, so that
every journal ever written can be read (tests/journals holds old ones).
"""

import msgspec

from kiosk.domain import Category, Colour, Do, DocumentKind, Private, Reason, Role, Specimen, Stamp, Subject, Trouble
from kiosk.events import CardPresented, CodePresented


class Fact(msgspec.Struct, frozen=True, tag_field="t", omit_defaults=True):
    """Base of all facts."""


class Started(Fact, frozen=True, tag="started"):
    """The daemon came up. ``kept``: journals set aside here because they were damaged; the numbers they used are not
    known any more."""

    version: str
    kept: int = 0


class ClockStepped(Fact, frozen=True, tag="clock-stepped"):
    """The wall clock jumped by ``by_ms`` against the monotonic clock, or can be believed from now on: the round keeps,
    its day is re-based, and by the stamp of this fact the earlier ones of the same boot can be corrected."""

    by_ms: int


class RoundStarted(Fact, frozen=True, tag="round-started"):
    """From here on everybody may come once again. ``day``: days since 1970-01-01, local."""

    round: int
    day: int
    why: str  # "first" | "daily" | "manual"


class Registered(Fact, frozen=True, tag="registered"):
    """One person is accepted. ``person`` counts from 1 without gaps within the journal."""

    person: int
    subject: Subject
    source: str  # "card" | "code" | "both"
    colour: Colour
    document: DocumentKind | None = None
    code: Subject | None = None
    expired: bool = False
    apart: bool = False  # goes into a tube of their own
    category: Category = Category.GENERAL
    specimen: Specimen = Specimen.THROAT


class Refused(Fact, frozen=True, tag="refused"):
    """Somebody was turned away at the desk. ``card`` and ``code`` are kept for red and yellow only; ``sure``: the code
    was shown by the holder of the card, not perhaps by somebody before them."""

    reason: Reason
    digest: bytes = b""
    card: Subject | None = None
    code: Subject | None = None
    sure: bool = False


class CodeShown(Fact, frozen=True, tag="code-shown"):
    """A person already registered showed a code afterwards."""

    person: int
    colour: Colour
    code: Subject


class Withdrawn(Fact, frozen=True, tag="withdrawn"):
    """A registered person is taken back: the code they showed afterwards was red or yellow."""

    person: int
    reason: Reason


class IncidentRaised(Fact, frozen=True, tag="incident-raised"):
    """Something a person must deal with. ``incident`` counts from 1."""

    incident: int
    kind: Trouble
    digest: bytes = b""
    card: Subject | None = None
    code: Subject | None = None
    person: int = 0  # the number of a person who was registered before


class IncidentAcknowledged(Fact, frozen=True, tag="incident-acknowledged"):
    """Staff at the desk have seen it."""

    incident: int


class TubeOpened(Fact, frozen=True, tag="tube-opened"):
    """``day`` and ``serial`` are the parts of the number; ``size`` is the number of people it is for; ``household``:
    all of them live in one."""

    tube: str
    day: int
    serial: int
    size: int
    apart: bool = False
    household: bool = False
    specimen: Specimen = Specimen.THROAT


class Bound(Fact, frozen=True, tag="bound"):
    """This person's swab goes into this tube, as number ``position`` of its size."""

    tube: str
    person: int
    position: int


class Unbound(Fact, frozen=True, tag="unbound"):
    """The place is free again."""

    tube: str
    person: int
    position: int


class TubeClosed(Fact, frozen=True, tag="tube-closed"):
    """Nobody else goes into this tube. ``members`` < ``size`` is marked 不足 on the label."""

    tube: str
    members: int
    size: int
    apart: bool = False
    digest: bytes = b""  # of the one member of a single tube, whose name the label shows


class LabelPrinted(Fact, frozen=True, tag="label-printed"):
    """``attempt`` > 1 is a reprint under the same number. ``proof``: "status" (the printer said so), "sent" (it took
    all bytes) or "scan" (a volunteer scanned it). Only ``confirmed`` counts for the release."""

    tube: str
    attempt: int
    proof: str
    confirmed: bool = True


class LabelFailed(Fact, frozen=True, tag="label-failed"):
    tube: str
    attempt: int
    why: str


class GroupClosed(Fact, frozen=True, tag="group-closed"):
    """These people go forward together, with the tubes opened for them."""

    group: int
    members: int
    short: bool = False


class GroupReleased(Fact, frozen=True, tag="group-released"):
    group: int
    members: int


class StaffOrdered(Fact, frozen=True, tag="staff-ordered"):
    """The holder of a badge ordered something with a command code. ``people``: digests of the cards shown for it, in
    order; ``tubes``: the tube numbers scanned for it; ``text``: the code's own argument."""

    do: Do
    badge: int
    role: Role
    people: tuple[bytes, ...] = ()
    tubes: tuple[str, ...] = ()
    text: str = ""


class CommandTaken(Fact, frozen=True, tag="command-taken"):
    """An order of the command post that will be obeyed. ``to``: 0 where it was for every kiosk of the site; ``n``: its
    number; ``until``: ms since 1970 UTC; ``via``: "uplink", "code" or "file"; ``envelope`` as it came; ``revoked``:
    badges out of use from now on."""

    to: int
    n: int
    do: str
    until: int
    via: str
    digest: bytes
    envelope: bytes
    revoked: tuple[int, ...] = ()


class CommandEnded(Fact, frozen=True, tag="command-ended"):
    """``outcome``: "done" or "failed"."""

    to: int
    n: int
    outcome: str
    text: str = ""


AnyFact = (
    Started
    | ClockStepped
    | RoundStarted
    | Registered
    | Refused
    | CodeShown
    | Withdrawn
    | IncidentRaised
    | IncidentAcknowledged
    | TubeOpened
    | Bound
    | Unbound
    | TubeClosed
    | LabelPrinted
    | LabelFailed
    | GroupClosed
    | GroupReleased
    | StaffOrdered
    | CommandTaken
    | CommandEnded
)


ENTRY_VERSION = 1
"""Raised when an old program must not read what this one writes; it then refuses the whole journal."""


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """The body of one journal row: encoding version, stamp, fact."""

    version: int
    at: Stamp
    fact: AnyFact


class Note(msgspec.Struct, frozen=True):
    """A change of what lies on the desk right now. Folded like a fact, never written down: a restart forgets it."""


class CardHeld(Note, frozen=True):
    """A card waits for its code."""

    card: CardPresented


class CodeHeld(Note, frozen=True):
    """A code waits for its card."""

    code: CodePresented


class BadgeHeld(Note, frozen=True):
    """A valid badge was shown: for a minute its holder may order."""

    badge: int
    role: Role


class OrderHeld(Note, frozen=True):
    """An order waits for the cards or tubes it is about."""

    do: Do
    text: str = ""


class OrderFed(Note, frozen=True):
    """One of them was shown, more are to come."""

    person: bytes = b""
    tube: str = ""


class OrderDropped(Note, frozen=True):
    """What the order needs did not come in time."""


class DeskCleared(Note, frozen=True):
    """Nothing waits any more."""


class ButtonDenied(Note, frozen=True):
    """The button cannot do that now."""


class NothingToDo(Note, frozen=True):
    """What was scanned is of no use here."""


class PieceHeld(Note, frozen=True):
    """A part of what is shown in several codes is in."""


class Order(msgspec.Struct, frozen=True):
    """Something the runner must do after the commit."""


class PrintLabel(Order, frozen=True):
    """``name_of``: digest of the person whose name goes on a single tube; b"" on a pool."""

    tube: str
    members: int
    size: int
    at: Stamp
    attempt: int = 1
    name_of: bytes = b""


class Obey(Order, frozen=True):
    """Hand a verified command to who carries it out."""

    do: str
    envelope: bytes


class TellResult(Order, frozen=True):
    """Tell the command post what became of a command. ``outcome``: "accepted", "done", "failed" or "refused"."""

    to: int
    n: int
    outcome: str
    text: str


class Provision(Private, Order, frozen=True):
    """Hand a provisioning that our command post has signed to root, who makes this kiosk's configuration of it."""

    envelope: bytes
