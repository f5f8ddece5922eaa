"""The words of the field, without any I/O: people, documents, subjects, stamps, reasons."""

from enum import IntEnum, StrEnum

import msgspec


class Private:
    """Mixin for values that carry personal data: their text form tells the type and nothing else."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__} withheld>"

    __str__ = __repr__


class DocumentKind(StrEnum):
    """Which card was read; the type flag at offset 248 of the card's text decides."""

    RESIDENT = "resident"  # resident ID card, GB 11643
    PERMIT = "permit"  # residence permit for Hong Kong, Macao and Taiwan residents, flag J
    FOREIGNER_2017 = "foreigner-2017"  # permanent residence card, 15 characters, flag I
    FOREIGNER_2023 = "foreigner-2023"  # permanent residence card, 18 digits from 9, flag Y
    PASSPORT = "passport"  # or another travel document, by its machine-readable zone, ICAO 9303
    PAPER = "paper"  # a code card of paper that a kiosk has made, without any name (F7)


class Field(StrEnum):
    """What is to be checked of everybody (rule G8)."""

    NAME = "name"
    NUMBER = "number"
    PHONE = "phone"


class Person(Private, msgspec.Struct, frozen=True, repr_omit_defaults=True):
    """What an ID card says of its holder. In clear only in RAM, and only until it is sealed.

    ``sex`` is GB/T 2261.1 (0 unknown, 1 male, 2 female, 9 not stated); ``nation`` is GB/T 3304 or "" where the card
    has none; dates are YYYYMMDD; ``valid_to`` is "" for 长期 (no end).
    """

    document: DocumentKind
    number: str
    name: str
    birth: str
    sex: str = "0"
    nation: str = ""
    nationality: str = ""
    latin_name: str = ""
    address: str = ""
    newest_address: str = ""
    authority: str = ""
    valid_from: str = ""
    valid_to: str = ""
    permit_number: str = ""

    __repr__ = Private.__repr__
    __str__ = Private.__repr__


class Subject(msgspec.Struct, frozen=True, array_like=True):
    """A person as the journal knows them.

    ``digest``: 16 bytes, keyed, equal for the same document number under one key; ``box``: the personal data, sealed
    to the command post's public key.
    """

    digest: bytes
    box: bytes

    def __repr__(self) -> str:
        return f"Subject({self.digest.hex()[:6]}…)"


class Colour(StrEnum):
    """The state of a health code. ``UNKNOWN`` is a state of its own and never counts as green."""

    GREEN = "green"
    YELLOW = "yellow"
    RED = "red"
    UNKNOWN = "unknown"
    NONE = "none"  # no code was shown


class Reason(StrEnum):
    """Why somebody was not registered; each has a signal at the desk and a count in the report."""

    RED = "red"
    YELLOW = "yellow"
    REPEAT = "repeat"  # already registered in this round
    ELSEWHERE = "elsewhere"  # the same, at another kiosk of the site
    NUMBER_TAKEN = "number-taken"  # another kiosk of the site has this one's number: tubes would be alike
    MISMATCH = "mismatch"  # the code names another person than the card
    NO_CODE = "no-code"  # a health code is required and none was shown in time
    NO_CARD = "no-card"  # a code alone is not enough here
    UNKNOWN_CODE = "unknown-code"  # the policy refuses unknown codes
    BAD_NUMBER = "bad-number"  # the card's number fails its check digit
    UNREADABLE = "unreadable"  # the card or code could not be read
    PRINTER = "printer"  # two full groups wait for labels
    NO_BADGE = "no-badge"  # the round's digest key comes with a badge, and none was shown
    NO_TUBE = "no-tube"  # the tube's own barcode must be scanned first
    NOT_A_TUBE = "not-a-tube"  # a health code in the tube's place
    BAD_TUBE = "bad-tube"  # a barcode that lacks a digit, or is no tube's
    TUBE_SEEN = "tube-seen"  # the tube was used before
    SLOT = "slot"  # it is not the hour that their building or village was asked to come
    QUEUE_FULL = "queue-full"  # as many people wait as may (rule Q1)
    NOT_NEEDED = "not-needed"  # nothing at this desk uses what was scanned


class Signal(StrEnum):
    """What the desk answers. Lamps and buzzer are computed from it, each with a rhythm of its own."""

    NONE = "none"
    ACCEPTED = "accepted"  # go
    FLAGGED = "flagged"  # accepted with an unknown code, or with a hint of the roster: never green
    HELD = "held"  # the first of card and code was read: show the other
    REPEAT = "repeat"  # already registered in this round
    REFUSED = "refused"  # ask a volunteer
    RETRY = "retry"  # could not be read: once more
    CLOSED = "closed"  # the group is closed
    RELEASED = "released"  # the group may go
    DENIED = "denied"  # the button cannot do that now
    TUBE = "tube"  # scan a tube first, or another one
    ACKNOWLEDGED = "acknowledged"


class Category(StrEnum):
    """What a person is to the plan; the policy decides which of them never share a tube (rules G3, Q10)."""

    GENERAL = "general"
    KEY = "key"  # 重点人群
    CONTACT = "contact"  # 密接、次密接
    RETURNEE = "returnee"  # from abroad or a high-risk area
    RECOVERED = "recovered"  # infected before
    YELLOW = "yellow"  # yellow code, in the isolation lane


class Listed(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the roster says of a person, without their name. ``place``: building or village; ``early``: their next
    sampling is not due yet; ``slot``: this is the hour their place was asked to come; ``here``: they are to come to
    this site; ``hold``: a driver without a result of the last seven days, who waits for this one (rule P9)."""

    category: Category = Category.GENERAL
    place: str = ""
    early: bool = False
    slot: bool = True
    here: bool = True
    hold: bool = False

    @property
    def hint(self) -> bool:
        """The desk is to know something of this person: they are accepted, and not with plain green."""
        return self.early or not self.slot or not self.here or self.hold


class Covered(msgspec.Struct, frozen=True, array_like=True):
    """How many people are on a roster, have come, and are away and have not come."""

    total: int
    came: int
    away: int

    @property
    def missing(self) -> int:
        return self.total - self.came - self.away

    @property
    def percent(self) -> int:
        """Of those who are not away, rounded down: 100 only when nobody is missing (rule P1)."""
        expected = self.total - self.away
        return 100 * self.came // expected if expected else 100


class Coverage(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who of a roster has come to this kiosk, in numbers alone (rules P1, R7). ``roster``: when it was made, ms since
    1970 UTC; ``places``: in the order of the roster, without those at which nobody is expected here; empty where they
    are too many to be buildings."""

    roster: int
    all: Covered
    places: tuple[Covered, ...] = ()


class Specimen(StrEnum):
    """Where the swab is taken; they are never mixed in a tube (rule G12)."""

    THROAT = "throat"  # 咽拭子
    NASAL = "nasal"  # 鼻咽拭子


class Role(StrEnum):
    """What a badge allows (rule G14)."""

    REGISTRAR = "registrar"
    SAMPLER = "sampler"
    COURIER = "courier"
    TECHNICIAN = "technician"


class Do(StrEnum):
    """What a command code asks for. What it needs to know besides is in `kiosk.staff.TAKES`."""

    POOL = "pool"  # 1, 5, 10 or 20 people a tube from now on
    GROUP = "group"  # 5 or 10 people go forward together from now on (rule G2)
    CLOSE_POOL = "close-pool"
    SINGLE_NEXT = "single-next"
    NASAL_NEXT = "nasal-next"
    CATEGORY_NEXT = "category-next"
    HOUSEHOLD_START = "household-start"
    HOUSEHOLD_END = "household-end"
    REPRINT = "reprint"
    VOID_LAST = "void-last"
    VOID = "void"
    NO_SHOW = "no-show"
    REFUSED = "refused"
    LEFT = "left"
    MOVE = "move"
    SWAP = "swap"
    WRONG_TUBE = "wrong-tube"
    SPLIT = "split"
    OVERRIDE = "override"
    ROUND_START = "round-start"
    ROUND_END = "round-end"
    DRILL_ON = "drill-on"
    DRILL_OFF = "drill-off"
    SHIFT_ON = "shift-on"
    SHIFT_OFF = "shift-off"
    CALL_STAFF = "call-staff"
    CALL_SUPPLIES = "call-supplies"
    CALL_SECURITY = "call-security"
    COLLECT = "collect"
    PACKED = "packed"
    VEHICLE = "vehicle"
    LAB = "lab"
    MISSING_LOST = "missing-lost"
    LOST_TUBE = "lost-tube"
    LEAKED_TUBE = "leaked-tube"
    GUARDIAN = "guardian"
    PAPER_CARD = "paper-card"
    VISIT_START = "visit-start"
    VISIT_END = "visit-end"
    STOCK = "stock"  # how many labels or tubes are there, as "labels 1000"


class Drilled(msgspec.Struct, frozen=True):
    """What a drill comes to: how many were registered, and the badges of those who ordered something."""

    people: int
    badges: tuple[int, ...] = ()


class Trouble(StrEnum):
    """Why an incident was raised."""

    RED = "red"
    YELLOW = "yellow"
    STAFF = "staff"
    SUPPLIES = "supplies"
    SECURITY = "security"
    TUBE_LOST = "tube-lost"
    TUBE_LEAKED = "tube-leaked"


class Trust(IntEnum):
    """How far the wall clock can be believed."""

    NONE = 0
    RESTORED = 1  # carried over from the last shutdown
    RTC = 2
    NTP = 3
    OPERATOR = 4


class Stamp(msgspec.Struct, frozen=True, array_like=True):
    """One reading of the clocks. Nothing is ordered or de-duplicated by ``wall``.

    ``wall``: milliseconds since 1970 UTC; ``mono``: milliseconds since this boot; ``boot``: 8 random bytes per boot;
    ``zone``: seconds east of UTC.
    """

    wall: int
    mono: int
    boot: bytes = b"\0" * 8
    trust: Trust = Trust.NONE
    zone: int = 8 * 3600

    def since(self, earlier: "Stamp") -> int:
        """Milliseconds passed; over a reboot only the wall clocks tell."""
        passed = self.mono - earlier.mono if self.boot == earlier.boot else self.wall - earlier.wall
        return max(0, passed)

    @property
    def day(self) -> int:
        """Days since 1970-01-01 in local time."""
        return (self.wall // 1000 + self.zone) // 86400


class PackedTube(msgspec.Struct, frozen=True):
    """A tube as it goes to the laboratory. ``since``: when its first swab was registered; ``members``: swabs in it, of
    ``size``; ``household``: of people who live together; ``absent``: not sampled, but on its label."""

    tube: str
    bag: int
    since: Stamp
    size: int
    members: int
    household: bool = False
    specimen: Specimen = Specimen.THROAT
    absent: int = 0


class Handover(msgspec.Struct, frozen=True):
    """One box on its way (T9): number ``number`` of this journal, closed at ``at``. ``courier`` and ``witness``: badges
    of who took it and who gave it; ``left``: closed tubes that stay because they have no label."""

    number: int
    at: Stamp
    lab: str
    vehicle: str
    courier: int
    witness: int
    tubes: tuple[PackedTube, ...]
    left: int = 0

    @property
    def bags(self) -> int:
        return len({tube.bag for tube in self.tubes})
