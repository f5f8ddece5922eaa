"""What must hold of every journal, checked fact by fact and apart from the code that wrote it."""

from kiosk.domain import Colour
from kiosk.facts import (
    Bound,
    CodeShown,
    Fact,
    GroupClosed,
    GroupReleased,
    IncidentAcknowledged,
    IncidentRaised,
    LabelFailed,
    LabelPrinted,
    Registered,
    RoundStarted,
    TubeClosed,
    TubeOpened,
    Unbound,
    Withdrawn,
)
from kiosk.tube import TubeNumber
from tests.support.desk_story import KIOSK, SITE


class Audit:
    """Raises AssertionError at the first fact that breaks a rule of the field."""

    def __init__(self) -> None:
        self.round = 0
        self.people = 0
        self.digests: dict[int, bytes] = {}
        self.withdrawn: set[int] = set()
        self.place: dict[int, str] = {}  # person to tube, now
        self.in_round: dict[bytes, int] = {}  # digest to the person bound in this round
        self.codes: dict[bytes, int] = {}  # digest of a code shown in this round to the person
        self.tubes: dict[str, TubeOpened] = {}
        self.members: dict[str, dict[int, int]] = {}  # tube to position to person
        self.open: set[str] = set()
        self.waiting: list[str] = []  # closed tubes of the group that is being formed
        self.labelled: set[str] = set()
        self.groups: dict[int, list[str]] = {}
        self.released: dict[int, set[int]] = {}
        self.incidents: dict[int, bytes] = {}
        self.raised = 0

    def step(self, facts: list[Fact]) -> None:
        for fact in facts:
            self._fact(fact)
        self._settled()

    def _settled(self) -> None:
        """What must hold between two steps, where nothing is half done."""
        for number in range(1, self.people + 1):
            in_open = self.place.get(number) in self.open
            assert number in self.place or number in self.withdrawn, f"person {number} has no tube"
            assert not (number in self.withdrawn and in_open), f"person {number} was taken back and keeps the place"
        assert sum(bool(self.members[tube]) for tube in self.open) <= 1, "two tubes are being filled"
        for tube in self.members:
            assert tube in self.open or self.members[tube], f"tube {tube} was closed with nobody in it"
            assert len(self.members[tube]) < self.tubes[tube].size or tube not in self.open, f"tube {tube} is full"

    def _fact(self, fact: Fact) -> None:
        match fact:
            case RoundStarted():
                assert fact.round == self.round + 1
                self.round, self.in_round, self.codes = fact.round, {}, {}
            case Registered():
                assert fact.person == self.people + 1
                assert fact.colour in (Colour.GREEN, Colour.UNKNOWN, Colour.NONE), "a bad colour was registered"
                assert fact.subject.digest not in self.in_round, "registered twice in a round"
                assert fact.source != "code" or fact.subject.digest not in self.codes, "a code stood for two people"
                self.people, self.digests[fact.person] = fact.person, fact.subject.digest
                if fact.code is not None:
                    self.codes[fact.code.digest] = fact.person
            case CodeShown():
                self.codes[fact.code.digest] = fact.person
            case TubeOpened():
                number = TubeNumber.parse(fact.tube)
                assert (number.site, number.kiosk, number.day, number.serial) == (SITE, KIOSK, fact.day, fact.serial)
                assert fact.tube not in self.tubes, "a tube number was used twice"
                self.tubes[fact.tube], self.members[fact.tube] = fact, {}
                self.open.add(fact.tube)
            case Bound():
                self._bound(fact)
            case Unbound():
                assert fact.tube in self.open
                assert fact.person in self.withdrawn
                assert self.members[fact.tube].pop(fact.position) == fact.person
                del self.place[fact.person]
                self.in_round = {digest: who for digest, who in self.in_round.items() if who != fact.person}
                self.codes = {digest: who for digest, who in self.codes.items() if who != fact.person}
            case Withdrawn():
                assert 1 <= fact.person <= self.people
                assert fact.person not in self.withdrawn, "taken back twice"
                self.withdrawn.add(fact.person)
            case TubeClosed():
                members = self.members[fact.tube]
                assert fact.tube in self.open
                assert (fact.members, fact.size) == (len(members), self.tubes[fact.tube].size)
                assert fact.members > 0
                assert fact.digest == (self.digests[members[1]] if fact.size == 1 else b"")
                self.open.discard(fact.tube)
                self.waiting.append(fact.tube)
            case LabelPrinted() | LabelFailed():
                assert fact.tube in self.tubes
                assert fact.tube not in self.open, "a label for a tube that is being filled"
                assert fact.tube not in self.labelled, "a label nobody waits for"
                if isinstance(fact, LabelPrinted) and fact.confirmed:
                    self.labelled.add(fact.tube)
            case GroupClosed():
                assert fact.group == len(self.groups) + 1
                assert fact.members == sum(len(self.members[tube]) for tube in self.waiting) > 0
                assert not any(self.members[tube] for tube in self.open), "somebody of the group is in an open tube"
                self.groups[fact.group], self.waiting = self.waiting, []
            case GroupReleased():
                tubes = self.groups[fact.group]
                assert fact.group == len(self.released) + 1, "a group overtook another"
                assert set(tubes) <= self.labelled, "released without labels"
                people = {person for tube in tubes for person in self.members[tube].values()}
                assert len(people) == fact.members
                assert not any(people & others for others in self.released.values())
                self.released[fact.group] = people
            case IncidentRaised():
                assert fact.incident == self.raised + 1
                assert not fact.digest or fact.digest not in self.incidents.values(), "raised again while open"
                self.raised, self.incidents[fact.incident] = fact.incident, fact.digest
            case IncidentAcknowledged():
                del self.incidents[fact.incident]

    def _bound(self, fact: Bound) -> None:
        tube, digest = self.tubes[fact.tube], self.digests[fact.person]
        assert fact.tube in self.open, "bound to a closed tube"
        assert fact.person not in self.place, "one person in two tubes"
        assert digest not in self.in_round, "bound twice in a round"
        assert 1 <= fact.position <= tube.size, "a tube was over-filled"
        assert fact.position not in self.members[fact.tube], "two people at one position"
        self.members[fact.tube][fact.position] = fact.person
        self.place[fact.person], self.in_round[digest] = fact.tube, fact.person
