"""One table in virtual time: the real flows of one kiosk, with its desk, printer, gate and samplers around them."""

from collections import Counter, deque
from collections.abc import Callable
from random import Random

import msgspec

from kiosk.domain import Category, DocumentKind, Listed, Reason, Specimen, Stamp, Subject, Trust
from kiosk.events import (
    ButtonPressed,
    CardPresented,
    CodePresented,
    Event,
    PowerOn,
    PrintFailed,
    PrintSucceeded,
    Tick,
    TubeScanned,
)
from kiosk.facts import (
    Bound,
    Fact,
    GroupClosed,
    GroupReleased,
    PrintLabel,
    Refused,
    Registered,
    TubeOpened,
)
from kiosk.plan.assumed import Assumed
from kiosk.plan.people import Person
from kiosk.site import Setup, Site, decide

OPENS = 19_000 * 86_400_000
"""08:00 of a day in China, ms since 1970."""

AGAIN_S = 5.0
"""Whom the desk does not take because labels are missing, or too many wait, is tried again after so long."""

_LATER = (Reason.PRINTER, Reason.QUEUE_FULL)
TUBE_S = 2.0

STAGES = ("registration", "printing", "gate", "sampling")

ACKNOWLEDGED_S = 30.0
SHORT_MS, LONG_MS = 1000, 3500
_BOOT = b"planning"

Later = Callable[[float, Callable[[float], None]], None]
"""Calls back after so many seconds, with the time it is then."""


class Passage:
    """When one person came past what, in seconds since the site opened. ``sampled``: they are through."""

    __slots__ = ("closed", "labelled", "number", "person", "refused", "registered", "released", "sampled", "swabbed")

    def __init__(self, number: int, person: Person) -> None:
        self.number = number
        self.person = person
        self.refused = self.sampled = False
        self.registered = self.closed = self.labelled = self.released = self.swabbed = 0.0

    @property
    def wait(self) -> float:
        """Seconds from the arrival to the swab."""
        return self.swabbed - self.person.arrives


class Group:
    """People who go forward together, by tube."""

    def __init__(self) -> None:
        self.tubes: dict[str, list[Passage]] = {}

    @property
    def people(self) -> list[Passage]:
        return [who for tube in self.tubes.values() for who in tube]


class Table:
    """``work``: seconds in which each of STAGES was at work; sampling: all samplers together, and their reliefs.
    ``opened``: tubes by kind; ``swabs``: for each group the time of its first swab and how many tubes it fills;
    ``through``: called with each person who leaves, sampled or not."""

    def __init__(
        self, setup: Setup, assumed: Assumed, later: Later, through: Callable[[Passage], None], rng: Random
    ) -> None:
        self._assumed, self._later, self._through, self._rng = assumed, later, through, rng
        self._site = Site(setup)
        self.load = 0
        self.work = dict.fromkeys(STAGES, 0.0)
        self.opened: Counter[str] = Counter()
        self.swabs: list[tuple[float, int]] = []
        self.queue: deque[Passage] = deque()
        self._desk: Passage | None = None
        self._last = 0.0
        self._forming = Group()
        self._closed: dict[int, Group] = {}
        self._labelled: set[int] = set()
        self._numbers: dict[int, Passage] = {}
        self._scanned = 0
        self._labels: deque[PrintLabel] = deque()
        self._pressing = False
        self.at_swab: deque[Passage] = deque()
        self._walking = 0
        self._free = list(range(assumed.samplers))
        shift_s = assumed.shift_h * 3600
        self._relief = [shift_s * (each + 1) / assumed.samplers for each in range(assumed.samplers)]
        self._say(PowerOn("plan"), 0.0)

    @property
    def registered(self) -> int:
        """People who stand between the desk and the gate."""
        return self.load - len(self.queue) - len(self.at_swab) - self._walking - (self._desk is not None)

    # The desk -----------------------------------------------------------------------------------------------------

    def arrive(self, who: Passage) -> None:
        self.load += 1
        self.queue.append(who)
        self._next()

    def _next(self) -> None:
        if self._desk is None and self.queue:
            self._desk = self.queue.popleft()
            self.work["registration"] += self._desk.person.scan
            self._later(self._desk.person.scan, self._present)

    def _present(self, now: float) -> None:
        """What the person has is shown. A code alone waits at the desk for a card that does not come."""
        who = self._desk
        if who is None:
            return
        for event in _shown(who, self._site.setup.policy.health_code != "off"):
            if self._answered(self._say(event, now)):
                return
        self._later(1.0, self._wait)

    def _wait(self, now: float) -> None:
        self.work["registration"] += 1.0
        if not self._answered(self._say(Tick(), now)):
            self._later(1.0, self._wait)

    def _answered(self, facts: list[Fact]) -> bool:
        """Whether the desk is done with this person, or will try again."""
        who = self._desk
        for fact in facts:
            if isinstance(fact, Refused) and fact.reason is Reason.NO_TUBE:
                self._scanned += 1
                self._later(TUBE_S, self._scan_tube)
                return True
            if isinstance(fact, Refused) and fact.reason in _LATER:
                self._later(AGAIN_S, self._present)
                return True
            if who is not None and isinstance(fact, Refused | Registered):
                if isinstance(fact, Refused):
                    who.refused = True
                    self._leave(who)
                    self._later(ACKNOWLEDGED_S, self._acknowledge)
                self._desk = None
                self._next()
                return True
        return False

    def _scan_tube(self, now: float) -> None:
        """Where tubes bring their own barcodes the next one is scanned, and the person is tried again."""
        self._say(TubeScanned(f"{self._site.setup.kiosk:02}{self._scanned:08}"), now)
        self._present(now)

    def _acknowledge(self, now: float) -> None:
        self._say(ButtonPressed("ack", SHORT_MS), now)

    def minute(self, now: float) -> None:
        """Time goes on, and a volunteer closes a group that nobody joins any more."""
        self._say(Tick(), now)
        idle = self._desk is None and now - self._last >= self._assumed.idle_close_s
        if idle and self._forming.tubes:
            self._say(ButtonPressed("release", LONG_MS), now)

    # The flows ----------------------------------------------------------------------------------------------------

    def _say(self, event: Event, now: float) -> list[Fact]:
        ms = round(now * 1000)
        self._site, facts, orders = decide(self._site, event, Stamp(OPENS + ms, ms, _BOOT, Trust.NTP))
        for fact in facts:
            self._hear(fact, now)
        if facts:
            self._see_labels(now)
        for order in orders:
            if isinstance(order, PrintLabel):
                self._labels.append(order)
                if len(self._labels) == 1:
                    self._print()
        self._gate()
        return facts

    def _hear(self, fact: Fact, now: float) -> None:
        match fact:
            case Registered() if self._desk is not None:
                self._desk.registered = self._last = now
                self._numbers[fact.person] = self._desk
            case TubeOpened():
                self.opened[_kind(fact)] += 1
            case Bound():
                self._forming.tubes.setdefault(fact.tube, []).append(self._numbers.pop(fact.person))
            case GroupClosed():
                self._close(fact, now)
            case GroupReleased():
                self._walk(self._closed.pop(fact.group), now)

    def _close(self, fact: GroupClosed, now: float) -> None:
        group, rest = self._forming, Group()
        if fact.ahead:
            rest.tubes = {tube: people for tube, people in group.tubes.items() if tube != fact.ahead}
            group.tubes = {fact.ahead: group.tubes[fact.ahead]}
        self._closed[fact.group], self._forming = group, rest
        for who in group.people:
            who.closed = now

    def _see_labels(self, now: float) -> None:
        for group in self._site.release.queue:
            if group.labelled and group.number not in self._labelled:
                self._labelled.add(group.number)
                for who in self._closed[group.number].people:
                    who.labelled = now

    # The printer --------------------------------------------------------------------------------------------------

    def _print(self) -> None:
        self.work["printing"] += self._assumed.label_s
        self._later(self._assumed.label_s, self._printed)

    def _printed(self, now: float) -> None:
        label = self._labels[0]
        if self._rng.random() < self._assumed.paper_out:
            self._labels[0] = msgspec.structs.replace(label, attempt=label.attempt + 1)
            self.work["printing"] += self._assumed.paper_s
            self._say(PrintFailed(label.tube, label.attempt, "out of paper"), now)
            self._later(self._assumed.paper_s, self._printed)
            return
        self._labels.popleft()
        self._say(PrintSucceeded(label.tube, label.attempt, confirmed=True), now)
        if self._site.setup.confirm_by_scan:
            self._say(TubeScanned(label.tube), now)
        if self._labels:
            self._print()

    # The gate and the swab ----------------------------------------------------------------------------------------

    def _gate(self) -> None:
        """A volunteer lets the next group go when its labels are there and few people wait for a swab."""
        few = len(self.at_swab) + self._walking <= 2 * self._assumed.samplers
        if few and not self._pressing and self._site.release.ready is not None:
            self._pressing = True
            self.work["gate"] += self._assumed.gate_s
            self._later(self._assumed.gate_s, self._press)

    def _press(self, now: float) -> None:
        self._pressing = False
        self._say(ButtonPressed("release", SHORT_MS), now)

    def _walk(self, group: Group, now: float) -> None:
        people = group.people
        for who in people:
            who.released = now
        self._walking += len(people)

        def there(then: float) -> None:
            self._walking -= len(people)
            self.at_swab.extend(people)
            self._swab(then)
            self.swabs.append((then, len(group.tubes)))

        self._later(self._assumed.walk_s, there)

    def _swab(self, now: float) -> None:
        while self.at_swab and self._free:
            sampler = self._free.pop()
            if now >= self._relief[sampler]:
                self._relieve(sampler)
                continue
            who = self.at_swab.popleft()
            who.swabbed, who.sampled = now, True
            self._leave(who)
            self.work["sampling"] += who.person.swab
            self._back(sampler, who.person.swab)
            self._gate()

    def _relieve(self, sampler: int) -> None:
        self._relief[sampler] += self._assumed.shift_h * 3600
        self.work["sampling"] += self._assumed.break_min * 60
        self._back(sampler, self._assumed.break_min * 60)

    def _back(self, sampler: int, after_s: float) -> None:
        def free(now: float) -> None:
            self._free.append(sampler)
            self._swab(now)

        self._later(after_s, free)

    def _leave(self, who: Passage) -> None:
        self.load -= 1
        self._through(who)


def _shown(who: Passage, with_code: bool) -> list[Event]:
    person, events = who.person, list[Event]()
    if person.card:
        listed = None if person.category is Category.GENERAL else Listed(person.category)
        card = Subject(b"card" + who.number.to_bytes(12, "big"), b"")
        events.append(CardPresented(card, DocumentKind.RESIDENT, listed=listed))
    if with_code or not person.card:
        code = Subject(b"code" + who.number.to_bytes(12, "big"), b"")
        events.append(CodePresented(code, person.colour))
    return events


def _kind(tube: TubeOpened) -> str:
    kind = "household" if tube.household else str(tube.size)
    return f"{kind} {tube.specimen.value}" if tube.specimen is not Specimen.THROAT else kind
