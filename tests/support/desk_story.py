"""A desk without devices: the pure state, virtual clocks, and the words in which the field tells a story."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import TypeVar

import msgspec

from kiosk.config import Policy
from kiosk.domain import Colour, Do, DocumentKind, Listed, Reason, Role, Signal, Stamp, Subject, Trust
from kiosk.events import (
    BadgePresented,
    ButtonPressed,
    CardPresented,
    CodePresented,
    Event,
    OrderScanned,
    PowerOn,
    PrintFailed,
    PrintSucceeded,
    RoundRequested,
    Tick,
    TubeScanned,
    Unusable,
    VerdictArrived,
)
from kiosk.facts import Bound, Entry, Fact, PrintLabel, Refused, Registered, TubeClosed, Unbound
from kiosk.flows.labelling import resume
from kiosk.site import Setup, Site, decide, refold

SITE, KIOSK = "360481", 1
DAY_S = 86_400
NOON = 19_000 * DAY_S + 4 * 3600  # 12:00 of that day in China, seconds since 1970
PRESSES = {"release": 500, "long": 3500}
F = TypeVar("F", bound=Fact)


def digest(word: str) -> bytes:
    return hashlib.blake2b(word.encode(), digest_size=16).digest()


def subject(word: str) -> Subject:
    """The same person or code under one word; the box is of no concern here."""
    return Subject(digest(word), b"box of " + word.encode())


def person(who: object) -> bytes:
    """The digest of a person's document number."""
    return digest(f"person {who}")


class Story:
    """Keyword arguments are those of the policy, ``setup`` holds the rest of the setup. Everything that happens returns
    its facts; ``journal`` keeps them."""

    def __init__(
        self,
        *,
        by_scan: bool = False,
        reads_cards: bool = True,
        trust: Trust = Trust.NTP,
        start: float = NOON,
        setup: Mapping[str, object] | None = None,
        **policy: object,
    ):
        self.journal: list[tuple[Stamp, Fact]] = []
        self.printer: list[PrintLabel] = []  # labels that wait in the printer's queue
        self.labels: list[PrintLabel] = []  # labels that came out
        self.answers: list[Signal] = []
        self.orders: list[object] = []  # all that was ordered
        self.by_scan, self.reads_cards, self.policy, self.setup = by_scan, reads_cards, policy, setup or {}
        self.wall, self.mono, self.trust, self.boots = int(start * 1000), 5_000, trust, 1
        self.site = Site(self._setup())
        self.happens(PowerOn("0"))

    def _setup(self) -> Setup:
        setup = Setup(SITE, KIOSK, msgspec.convert(self.policy, Policy), self.by_scan, self.reads_cards)
        return msgspec.structs.replace(setup, **self.setup)

    @property
    def at(self) -> Stamp:
        return Stamp(self.wall, self.mono, self.boots.to_bytes(8, "big"), self.trust)

    def happens(self, event: Event) -> list[Fact]:
        given = self.site.desk.signals
        self.site, facts, orders = decide(self.site, event, self.at)
        if not isinstance(event, PowerOn) and self.site.desk.signals > given:
            self.answers.append(self.site.desk.signal)
        self.journal += [(self.at, fact) for fact in facts]
        self._submit(orders)
        return facts

    def _submit(self, orders: Sequence[object]) -> None:
        self.orders += orders
        for label in orders:
            if isinstance(label, PrintLabel):
                waiting = [each.tube for each in self.printer]
                if label.tube not in waiting:
                    self.printer.append(label)
                else:  # another picture of a tube takes the place of one that has not begun to print
                    self.printer[waiting.index(label.tube)] = label

    # At the desk ---------------------------------------------------------------------------------------------------

    def card(self, who: object, *, expired: bool = False, listed: Listed | None = None) -> list[Fact]:
        return self.happens(CardPresented(subject(f"person {who}"), DocumentKind.RESIDENT, expired, listed))

    def code(self, colour: str = "green", of: object = "", *, named: bool = False) -> list[Fact]:
        """``named``: the code tells whose it is, so it has the digest of the person; else it only has its own."""
        shown = subject(f"person {of}" if named else f"{colour} code {of}")
        return self.happens(CodePresented(shown, Colour(colour), shown.digest if named else None))

    def opaque(self, of: object, *, answers: bool = True) -> list[Fact]:
        """A code whose colour only the command post knows; ``answers``: it can be asked now."""
        code = CodePresented(subject(f"opaque code {of}"), Colour.UNKNOWN, ask=True, answers=answers)
        return self.happens(code)

    def verdict(self, colour: str, of: object, holder: object = None) -> list[Fact]:
        """The command post answers about that code; ``holder``: whose it says it is."""
        owner = person(holder) if holder is not None else None
        return self.happens(VerdictArrived(digest(f"opaque code {of}"), Colour(colour), owner))

    def both(self, who: object, colour: str = "green") -> list[Fact]:
        return self.card(who) + self.code(colour, who)

    def alone(self, who: object) -> list[Fact]:
        """A card without a code, waited for."""
        return self.card(who) + self.tick(2)

    def crowd(self, *people: object) -> None:
        for who in people:
            self.both(who)
            self.tick(1)

    def unusable(self, reason: Reason) -> list[Fact]:
        return self.happens(Unusable(reason))

    def press(self, how: str | int = "release") -> list[Fact]:
        """``how``: "release", "long", "ack", or for how many ms the release button was held."""
        if how == "ack":
            return self.happens(ButtonPressed("ack", 200))
        return self.happens(ButtonPressed("release", how if isinstance(how, int) else PRESSES[how]))

    def badge(
        self,
        number: int = 7,
        role: Role = Role.REGISTRAR,
        *,
        drills: int = 3,
        key: bytes = b"",
        hours: tuple[float, float] = (-1, 11),
    ) -> list[Fact]:
        """``hours``: from when to when it is valid, from now by the kiosk's clock."""
        since, until = (self.wall + round(each * 3_600_000) for each in hours)
        return self.happens(BadgePresented(number, role, since, until, drills, key))

    def order(self, do: Do, text: str = "") -> list[Fact]:
        return self.happens(OrderScanned(do, text))

    def ordered(self, do: Do, *things: object, text: str = "") -> list[Fact]:
        """A registrar shows badge and command code, then what it needs: tube numbers and people."""
        facts = self.badge() + self.order(do, text)
        for thing in things:
            facts += self.scan_label(str(thing)) if self.site.desk.awaits == "tube" else self.card(thing)
        return facts

    def new_round(self) -> list[Fact]:
        return self.happens(RoundRequested())

    # The printer ---------------------------------------------------------------------------------------------------

    def printed(self, count: int | None = None, *, confirmed: bool = True) -> list[Fact]:
        """The next labels come out, all of them by default."""
        facts: list[Fact] = []
        for _ in range(len(self.printer) if count is None else min(count, len(self.printer))):
            label = self.printer.pop(0)
            self.labels.append(label)
            facts += self.happens(PrintSucceeded(label.tube, label.attempt, confirmed))
        return facts

    def paper_out(self, why: str = "out of paper") -> list[Fact]:
        """The try to print the next label fails; the driver keeps the job and counts."""
        if not self.printer:
            return []
        label = self.printer[0]
        self.printer[0] = msgspec.structs.replace(label, attempt=label.attempt + 1)
        return self.happens(PrintFailed(label.tube, label.attempt, why))

    def scan_label(self, tube: str) -> list[Fact]:
        return self.happens(TubeScanned(tube))

    # Time ----------------------------------------------------------------------------------------------------------

    def tick(self, seconds: float) -> list[Fact]:
        """Time goes on, with a tick every half second, or one at the end of a long time."""
        facts: list[Fact] = []
        left = round(seconds * 1000)
        while left > 0:
            step = left if seconds > 30 else min(left, 500)
            left -= step
            self.wall += step
            self.mono += step
            facts += self.happens(Tick())
        return facts

    def clock_jump(self, seconds: float, trust: Trust | None = None) -> list[Fact]:
        """The wall clock alone is set, and a tick notices."""
        self.wall += round(seconds * 1000)
        self.trust = self.trust if trust is None else trust
        return self.happens(Tick())

    def restart(
        self, *, reboot: bool = False, jump: float = 0, trust: Trust | None = None, **policy: object
    ) -> list[Fact]:
        """The daemon starts again from its journal; ``reboot``: the machine too; ``jump``: seconds the clock is off."""
        self.policy |= policy
        self.wall += 1000 + round(jump * 1000)
        self.mono += 1000
        if reboot:
            self.boots, self.mono = self.boots + 1, 4_000
        self.trust = self.trust if trust is None else trust
        self.site = refold(Site(self._setup()), self.entries())
        facts = self.happens(PowerOn("0"))
        self.printer = list(resume(self.site))
        return facts

    # What is told --------------------------------------------------------------------------------------------------

    def entries(self) -> list[tuple[int, Entry]]:
        return [(seq, Entry(1, at, fact)) for seq, (at, fact) in enumerate(self.journal, 1)]

    @property
    def signal(self) -> Signal:
        return self.site.desk.signal

    def told(self, kind: type[F]) -> list[F]:
        return [fact for _, fact in self.journal if isinstance(fact, kind)]

    @property
    def people(self) -> int:
        return len(self.told(Registered))

    @property
    def refusals(self) -> list[Reason]:
        return [fact.reason for fact in self.told(Refused)]

    @property
    def places(self) -> list[tuple[int, str, int]]:
        """Who is where now: (person, tube, position), in the order they came."""
        now: dict[int, tuple[int, str, int]] = {}
        for _, fact in self.journal:
            if isinstance(fact, Bound):
                now[fact.person] = (fact.person, fact.tube, fact.position)
            elif isinstance(fact, Unbound):
                del now[fact.person]
        return list(now.values())

    @property
    def closed(self) -> list[TubeClosed]:
        return self.told(TubeClosed)
