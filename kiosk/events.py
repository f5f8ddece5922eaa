"""What the outside told us. Drivers post the first part; the intake turns persons and codes into the second part,
and only that reaches the flows: personal data in clear ends there."""

import msgspec

from kiosk.domain import (
    Colour,
    Coverage,
    Do,
    DocumentKind,
    Drilled,
    Field,
    Listed,
    Person,
    Private,
    Reason,
    Role,
    Subject,
)


class Event(msgspec.Struct, frozen=True):
    """Base of everything that comes in."""


# From the drivers -----------------------------------------------------------------------------------------------


class CardRead(Private, Event, frozen=True):
    """The reader delivered a whole, well-formed card."""

    person: Person


class CardFailed(Event, frozen=True):
    """A card lies on the reader and cannot be read, after the driver's own retries."""

    why: str


class CodeScanned(Private, Event, frozen=True):
    """The scanner delivered one text, terminator removed."""

    text: str


class NumberTyped(Private, Event, frozen=True):
    """What was typed on the keypad, without the Enter: digits and X."""

    text: str


class CodeFailed(Event, frozen=True):
    """The scanner delivered something that is no code: too long, undecodable, typed in ALT mode."""

    why: str


class ButtonPressed(Event, frozen=True):
    """A debounced press has ended. ``button``: "release" or "ack"."""

    button: str
    held_ms: int


class PrintSucceeded(Event, frozen=True):
    """All bytes of a label were taken. ``confirmed``: the printer itself said it is well afterwards."""

    tube: str
    attempt: int
    confirmed: bool


class PrintFailed(Event, frozen=True):
    """A try to print a label failed; the driver keeps the job and goes on trying."""

    tube: str
    attempt: int
    why: str


class DeviceOnline(Event, frozen=True):
    device: str


class DeviceOffline(Event, frozen=True):
    device: str
    why: str


class RoundRequested(Event, frozen=True):
    """`kiosk round new`."""


class Tick(Event, frozen=True):
    """Time went on; posted a few times a second. ``coverage``: of the roster in use, as counted last."""

    coverage: Coverage | None = None


class PowerOn(Event, frozen=True):
    """The daemon came up, and the journal is folded. ``kept``: journals set aside here because they were damaged;
    ``drilled``: the drill that this journal knows of is over."""

    version: str
    kept: int = 0
    drilled: Drilled | None = None


class PreflightEnded(Event, frozen=True):
    """A technician has tried the devices, while nobody was served: names of what works and of what does not."""

    passed: tuple[str, ...]
    failed: tuple[str, ...]
    seconds: int


class CommandAnswered(Event, frozen=True):
    """Root's own programs have carried out a command, or could not. ``outcome``: "done" or "failed"."""

    to: int
    n: int
    outcome: str
    text: str


# From the intake ------------------------------------------------------------------------------------------------


class NumberClaimed(Event, frozen=True):
    """Another kiosk of the site works under this one's number, or no longer does."""

    taken: bool


class CardPresented(Event, frozen=True):
    """A valid card, sealed. ``expired``: accepted, but its validity has ended. ``listed``: the person is on the
    roster. ``typed``: a volunteer has typed its number. ``elsewhere``: the kiosk that has registered the person
    in this round, or 0. ``has``: what is now known of the person."""

    subject: Subject
    document: DocumentKind
    expired: bool = False
    listed: Listed | None = None
    typed: bool = False
    has: tuple[Field, ...] = (Field.NAME, Field.NUMBER)
    elsewhere: int = 0


class CodePresented(Event, frozen=True):
    """A code, sealed. ``holder``: digest of the person the code names, where its format tells. ``ask``: its colour is
    the command post's to say; ``answers``: who can be asked right now. ``elsewhere``: the kiosk that has registered its
    holder, or who stands for it, in this round; or 0. ``has``: what it tells of its holder."""

    subject: Subject
    colour: Colour
    holder: bytes | None = None
    ask: bool = False
    answers: bool = False
    has: tuple[Field, ...] = ()
    elsewhere: int = 0


class ContactPresented(Event, frozen=True):
    """A registration code or a typed phone number, sealed. ``holder``: digest of whom it names, if it does."""

    subject: Subject
    holder: bytes | None = None
    has: tuple[Field, ...] = (Field.PHONE,)


class VerdictArrived(Event, frozen=True):
    """What the command post says of a code it was asked about. ``code``: its digest; ``holder``: digest of the person
    it belongs to, where that is known."""

    code: bytes
    colour: Colour
    holder: bytes | None = None


class CardMinted(Private, Event, frozen=True):
    """A new code card of paper; ``text`` is to be printed on it."""

    subject: Subject
    text: str


class TubeScanned(Event, frozen=True):
    """A valid tube number was scanned."""

    tube: str


class TubeTyped(Event, frozen=True):
    """A valid tube number was typed: enough to say which one is lost, and no proof that it is here."""

    tube: str


class CommandArrived(Event, frozen=True):
    """An order that the command post has signed. ``to``: the kiosk it is for, 0 for all of ``site``; ``until``: ms
    since 1970 UTC; ``via``: "uplink", "code" or "file"; ``fault``: why this version cannot obey it, or "";
    ``revoked``: badges it puts out of use."""

    site: str
    to: int
    n: int
    until: int
    do: str
    envelope: bytes
    digest: bytes
    via: str
    fault: str = ""
    revoked: tuple[int, ...] = ()


class BadgePresented(Event, frozen=True):
    """A staff badge that the command post has signed for this site. ``since`` and ``until``: ms since 1970 UTC;
    ``drills``: sessions the command post attests; ``key``: the name of the digest key it brought, which the intake has;
    b"": none."""

    badge: int
    role: Role
    since: int
    until: int
    drills: int = 3
    key: bytes = b""


class OrderScanned(Event, frozen=True):
    """A command code that the command post has signed. It counts only after a badge. ``text``: its own argument."""

    do: Do
    text: str = ""


class Unusable(Event, frozen=True):
    """What was presented can register nobody."""

    reason: Reason


class ProvisioningShown(Private, Event, frozen=True):
    """A code of a provisioning is in. ``envelope``: the whole, signed by our command post, once all are; else b""."""

    envelope: bytes
