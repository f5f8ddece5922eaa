"""What we decided, for ever. A fact is never changed or deleted; a correction is another fact.

Encoded as a msgpack map with the tag under "t". A new field gets a default and an old tag is never reused, so that
every journal ever written can be read (tests/journals holds old ones).
"""

import msgspec

from kiosk.domain import (
    Category,
    Colour,
    Coverage,
    Do,
    DocumentKind,
    Field,
    Handover,
    Listed,
    Private,
    Reason,
    Role,
    Specimen,
    Stamp,
    Subject,
    Trouble,
)
from kiosk.events import CardPresented, CodePresented, ContactPresented


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
    """One person is accepted. ``person`` counts from 1 without gaps within the journal. ``missing``: what is not known
    of them (G8); ``contact``: where the phone number came from elsewhere; ``by``: badge of the registrar at the desk
    (G7); ``guardian``: digest of whose child this is, which has no document (F6)."""

    person: int
    subject: Subject
    source: str  # "card" | "code" | "both" | "typed" | "paper" | "guardian"
    colour: Colour
    document: DocumentKind | None = None
    code: Subject | None = None
    expired: bool = False
    apart: bool = False  # goes into a tube of their own
    category: Category = Category.GENERAL
    specimen: Specimen = Specimen.THROAT
    listed: Listed | None = None
    visit: bool = False  # at home (rule P5)
    missing: tuple[Field, ...] = ()
    contact: Subject | None = None
    by: int = 0
    guardian: bytes = b""


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


class VerdictAsked(Fact, frozen=True, tag="verdict-asked"):
    """The command post is asked about a code, until it answers."""

    code: Subject


class VerdictTaken(Fact, frozen=True, tag="verdict-taken"):
    """The command post answered about a code. ``person``: whom it was shown for, 0 for nobody; ``holder``: digest of
    whose it is, where that is known. ``in_time``: whoever showed it was still at the desk, and what the desk decided is
    a fact of its own."""

    code: bytes
    colour: Colour
    holder: bytes = b""
    person: int = 0
    in_time: bool = False


class ContactGiven(Fact, frozen=True, tag="contact-given"):
    """What was missing of a registered person came later. ``contact``: sealed; ``has``: what it tells."""

    person: int
    contact: Subject
    has: tuple[Field, ...] = ()


class PaperCardMade(Fact, frozen=True, tag="paper-card-made"):
    """A code card was made. ``holder``: digest of whose it is, the person registered just before; b"": of whoever
    shows it, and nothing else is known of them."""

    card: Subject
    holder: bytes = b""


class Withdrawn(Fact, frozen=True, tag="withdrawn"):
    """A registered person is taken back: the code they showed afterwards was red or yellow. ``late``: so the command
    post said when they had left the desk."""

    person: int
    reason: Reason
    late: bool = False


class IncidentRaised(Fact, frozen=True, tag="incident-raised"):
    """Something a person must deal with. ``incident`` counts from 1."""

    incident: int
    kind: Trouble
    digest: bytes = b""
    card: Subject | None = None
    code: Subject | None = None
    person: int = 0  # the number of a person who was registered before
    tube: str = ""  # that was lost or leaked


class IncidentAcknowledged(Fact, frozen=True, tag="incident-acknowledged"):
    """Staff at the desk have seen it. ``by``: the badge that was shown within the minute."""

    incident: int
    by: int = 0


class TubeOpened(Fact, frozen=True, tag="tube-opened"):
    """``day`` and ``serial`` are the parts of the number, 0 where the tube came with a barcode of its own; ``size`` is
    the number of people it is for; ``household``: all of them live in one; ``isolation``: from the isolation lane;
    ``instead``: the tube some or all of whose people it gets by a correction."""

    tube: str
    day: int
    serial: int
    size: int
    apart: bool = False
    household: bool = False
    specimen: Specimen = Specimen.THROAT
    isolation: bool = False
    instead: str = ""


class Bound(Fact, frozen=True, tag="bound"):
    """This person's swab goes into this tube, as number ``position`` of its size."""

    tube: str
    person: int
    position: int


class Unbound(Fact, frozen=True, tag="unbound"):
    """The place is free again. ``late``: the tube's group had been released: the swab was never taken, and the label
    stays as it is."""

    tube: str
    person: int
    position: int
    late: bool = False


class TubeClosed(Fact, frozen=True, tag="tube-closed"):
    """Nobody else goes into this tube. ``members`` < ``size`` is marked 不足 on the label. ``labelled``: it needs none
    now, because it had one when it was opened."""

    tube: str
    members: int
    size: int
    apart: bool = False
    digest: bytes = b""  # of the one member of a single tube, whose name the label shows
    household: bool = False
    specimen: Specimen = Specimen.THROAT
    isolation: bool = False
    labelled: bool = False


class TubeVoided(Fact, frozen=True, tag="tube-voided"):
    """Everybody has left this closed tube: it is not to be labelled, released or sent."""

    tube: str


class LabelWanted(Fact, frozen=True, tag="label-wanted"):
    """The label is to be printed when its tube opens, or again under the same number. ``members`` and ``size`` as it
    will show them; ``at`` as it will; ``digest``: of the person it names; ``attempt``: of the next try."""

    tube: str
    members: int
    size: int
    at: Stamp
    attempt: int = 1
    digest: bytes = b""
    household: bool = False
    specimen: Specimen = Specimen.THROAT
    isolation: bool = False


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
    """These people go forward together, with the tubes opened for them. ``short``: by order of staff, who hear it; a
    change of round is not told at the desk. ``ahead``: the tube of the one person who goes before the others (rule
    Q10); the group that is being formed goes on without them."""

    group: int
    members: int
    short: bool = False
    ahead: str = ""


class GroupReleased(Fact, frozen=True, tag="group-released"):
    """``table``: the name of the sampling table (采样台) they were sent to, or ""."""

    group: int
    members: int
    table: str = ""


class StaffOrdered(Fact, frozen=True, tag="staff-ordered"):
    """The holder of a badge ordered something with a command code. ``people``: digests of the cards shown for it, in
    order; ``tubes``: the tube numbers scanned for it; ``text``: the code's own argument; ``supervised``: the holder has
    too few drills to do it alone, and ``second`` is the badge of who stood by, where the order needed one."""

    do: Do
    badge: int
    role: Role
    people: tuple[bytes, ...] = ()
    tubes: tuple[str, ...] = ()
    text: str = ""
    supervised: bool = False
    second: int = 0


class KeyTaken(Fact, frozen=True, tag="key-taken"):
    """A badge brought the digest key of this round. ``key``: 8 bytes that name it; digests are equal only under one."""

    key: bytes


class Corrected(Fact, frozen=True, tag="corrected"):
    """Staff put right who is in which tube. ``do`` is the reason; ``people``: their numbers; ``tubes``: where they
    were, and for a wrong tube the right one ("" for one with a new number); ``late``: after the release; ``text``: the
    order's own argument."""

    do: Do
    badge: int
    people: tuple[int, ...] = ()
    tubes: tuple[str, ...] = ()
    late: bool = False
    text: str = ""


class DrillBegun(Fact, frozen=True, tag="drill-begun"):
    """What comes now is practice, and in a journal of its own. ``number`` counts from 1."""

    number: int


class DrillEnded(Fact, frozen=True, tag="drill-ended"):
    """``people``: registered in it; ``badges``: of those who ordered something in it (rule P12)."""

    number: int
    people: int
    badges: tuple[int, ...] = ()


class ConsignmentOpened(Fact, frozen=True, tag="consignment-opened"):
    """A courier takes over the ``tubes`` closed tubes that are here: from now on labels are scanned into bags.
    ``consignment`` counts from 1; ``lab``: where it goes, if there is only one."""

    consignment: int
    courier: int
    tubes: int
    lab: str = ""


class ConsignmentAddressed(Fact, frozen=True, tag="consignment-addressed"):
    """To which laboratory it goes (T11) and by which vehicle (T10), as far as that is known now."""

    consignment: int
    lab: str = ""
    vehicle: str = ""


class TubePacked(Fact, frozen=True, tag="tube-packed"):
    """``bag`` counts from 1 in each consignment; ``full``: nothing more goes into it."""

    tube: str
    bag: int
    full: bool = False


class ManifestClosed(Fact, frozen=True, tag="manifest-closed"):
    """All that was expected was scanned and goes away (T6). ``courier`` and ``witness``: the badges of both
    sign-offs (T9)."""

    consignment: int
    tubes: int
    bags: int
    courier: int
    witness: int
    lab: str = ""
    vehicle: str = ""


class DayReported(Fact, frozen=True, tag="day-reported"):
    """The figures of a day (rule D1), as `kiosk.figures` counts them. ``day``: since 1970-01-01, local; ``trusted``:
    the clock could be believed all day; ``late``: the day was over before they were told; ``coverage``: of the roster
    in use then."""

    day: int
    counts: dict[str, int]
    waits: dict[int, int] = {}
    pace: dict[int, int] = {}
    trusted: bool = True
    late: bool = False
    coverage: Coverage | None = None


class TubeLost(Fact, frozen=True, tag="tube-lost"):
    """``kind``: "lost" or "leaked"; ``people``: who must be sampled again (R3), and may."""

    tube: str
    kind: str
    people: tuple[int, ...]


class Preflight(Fact, frozen=True, tag="preflight"):
    """A technician has tried the devices: names of what works and of what does not."""

    passed: tuple[str, ...]
    failed: tuple[str, ...]
    seconds: int


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
    | VerdictAsked
    | VerdictTaken
    | ContactGiven
    | PaperCardMade
    | Withdrawn
    | IncidentRaised
    | IncidentAcknowledged
    | TubeOpened
    | Bound
    | Unbound
    | TubeClosed
    | TubeVoided
    | LabelWanted
    | LabelPrinted
    | LabelFailed
    | GroupClosed
    | GroupReleased
    | StaffOrdered
    | Corrected
    | KeyTaken
    | DrillBegun
    | DrillEnded
    | Preflight
    | ConsignmentOpened
    | ConsignmentAddressed
    | TubePacked
    | ManifestClosed
    | TubeLost
    | DayReported
    | CommandTaken
    | CommandEnded
)


JOURNAL_FORMAT = 2
"""Of the file that holds the facts; an older program does not open a newer one."""
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


class VerdictAwaited(Note, frozen=True):
    """Card and code, or a code alone, wait for what the command post says; it was asked at ``since`` (monotonic ms).
    ``sure``: the card was there first."""

    code: CodePresented
    since: int
    card: CardPresented | None = None
    sure: bool = False


class CodeJudged(Note, frozen=True):
    """The verdict about the code that waits for its card is in."""

    code: CodePresented


class ContactHeld(Note, frozen=True):
    """A phone number waits for its person."""

    contact: ContactPresented


class PhoneWanted(Note, frozen=True):
    """The person just registered has no phone number on record."""


class GuardianHeld(Note, frozen=True):
    """Whose child is registered next."""

    guardian: Subject


class BadgeHeld(Note, frozen=True):
    """A valid badge was shown: for a minute its holder may order. ``supervised``: they have too few drills; ``key``:
    the name of the digest key it brought."""

    badge: int
    role: Role
    supervised: bool = False
    key: bytes = b""


class OrderHeld(Note, frozen=True):
    """An order waits for the cards or tubes it is about. ``second``: the badge of who stands by."""

    do: Do
    text: str = ""
    second: int = 0


class OrderFed(Note, frozen=True):
    """One of them was shown, more are to come."""

    person: bytes = b""
    tube: str = ""


class OrderDropped(Note, frozen=True):
    """What the order needs did not come in time."""


class TubeHeld(Note, frozen=True):
    """A tube with a barcode of its own was scanned: the next person who needs one gets it."""

    tube: str


class DeskCleared(Note, frozen=True):
    """Nothing waits any more."""


class ButtonDenied(Note, frozen=True):
    """The button cannot do that now."""


class NumberHeard(Note, frozen=True):
    """Another kiosk has this one's number, or has it no more."""

    taken: bool


class NothingToDo(Note, frozen=True):
    """What was scanned is of no use here."""


class PackingRefused(Note, frozen=True):
    """A tube that was scanned does not go into the bag. ``why``: "twice", "foreign" (of another kiosk) or "unexpected"
    (handed over before, lost, void, still being filled, or its label is no longer right)."""

    why: str


class TubeGone(Note, frozen=True):
    """A correction is about a tube that a courier has: what it presumes to be at the desk is not there."""


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
    household: bool = False
    specimen: Specimen = Specimen.THROAT
    isolation: bool = False


class PrintManifest(Order, frozen=True):
    """Box label, signed manifest and list of a consignment."""

    handover: Handover


class PrintMissing(Order, frozen=True):
    """Why the consignment cannot go: ``tubes`` that were not scanned, ``needs`` of what else is missing: "lab",
    "vehicle", "witness", "tubes" (nothing is packed)."""

    consignment: int
    tubes: tuple[str, ...]
    needs: tuple[str, ...] = ()


class UseKey(Order, frozen=True):
    """From now on digests are made with the key of this name, which a badge has brought; b"": with none, nobody can be
    registered before a badge brings one."""

    key: bytes


class AskVerdict(Order, frozen=True):
    """Ask the command post about a code."""

    code: Subject


class MintCard(Order, frozen=True):
    """Make a new code card."""


class PrintCard(Private, Order, frozen=True):
    """Print a code card."""

    text: str


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
