"""What must hold of every journal, checked fact by fact and apart from the code that wrote it."""

from kiosk.config import Policy
from kiosk.domain import Category, Colour, Do, Specimen
from kiosk.facts import (
    Bound,
    CodeShown,
    ConsignmentOpened,
    Corrected,
    Fact,
    GroupClosed,
    GroupReleased,
    IncidentAcknowledged,
    IncidentRaised,
    LabelFailed,
    LabelPrinted,
    LabelWanted,
    ManifestClosed,
    Registered,
    RoundStarted,
    StaffOrdered,
    TubeClosed,
    TubeLost,
    TubeOpened,
    TubePacked,
    TubeVoided,
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
        self.before = 0  # the last person before this round
        self.came: dict[int, int] = {}  # person to round
        self.persons: dict[int, Registered] = {}
        self.household = 0  # 0 while no household is being registered
        self.households: dict[int, int] = {}  # person to household
        self.out: set[int] = set()  # not sampled, as staff said
        self.correcting = False
        self.voided: set[str] = set()
        self.away: set[str] = set()  # opened, left by everybody and never closed
        self.late: dict[str, int] = {}  # tube to how many were found not sampled after its release
        self.shows: dict[str, int] = {}  # tube to the count on its newest label
        self.digests: dict[int, bytes] = {}
        self.withdrawn: set[int] = set()
        self.place: dict[int, str] = {}  # person to tube, now
        self.in_round: dict[bytes, int] = {}  # digest to the person bound in this round
        self.allowed: set[bytes] = set()  # whom staff let come once again
        self.codes: dict[bytes, int] = {}  # digest of a code shown in this round to the person
        self.tubes: dict[str, TubeOpened] = {}
        self.members: dict[str, dict[int, int]] = {}  # tube to position to person
        self.open: set[str] = set()
        self.waiting: list[str] = []  # closed tubes of the group that is being formed
        self.labelled: set[str] = set()
        self.packed: set[str] = set()  # and those that were lost
        self.in_box: set[str] = set()
        self.due: set[str] = set()
        self.groups: dict[int, list[str]] = {}
        self.released: dict[int, set[int]] = {}
        self.ahead: set[int] = set()  # groups of one person who goes before the others
        self.from_open: set[str] = set()  # tubes that took over people of one that was being filled
        self.incidents: dict[int, bytes] = {}
        self.raised = 0

    def step(self, facts: list[Fact]) -> None:
        self.correcting = False
        for fact in facts:
            self._fact(fact)
        self._settled()

    def _settled(self) -> None:
        """What must hold between two steps, where nothing is half done."""
        for number in range(1, self.people + 1):
            in_open = self.place.get(number) in self.open
            assert number in self.place or number in self.withdrawn | self.out, f"person {number} has no tube"
            assert not (number in self.withdrawn and in_open), f"person {number} was taken back and keeps the place"
        filling = [self.tubes[tube].household for tube in self.open if self.members[tube]]
        assert len(filling) == len(set(filling)), "two tubes are being filled"
        for tube in self.members:
            empty = tube not in self.open and not self.members[tube]
            assert empty is (tube in self.voided | self.away), f"tube {tube} was closed with nobody in it"
            if tube in self.labelled & self.shows.keys() - self.open - self.voided:
                assert self.shows[tube] == len(self.members[tube]) + self._late(tube), f"the label of {tube} is wrong"
            assert len(self.members[tube]) < self.tubes[tube].size or tube not in self.open, f"tube {tube} is full"

    def _fact(self, fact: Fact) -> None:
        match fact:
            case RoundStarted():
                assert fact.round == self.round + 1
                self.round, self.in_round, self.codes, self.before = fact.round, {}, {}, self.people
                self.allowed = set()
            case Registered():
                assert fact.person == self.people + 1
                isolated = fact.colour is Colour.YELLOW and fact.category is Category.YELLOW and fact.apart
                fine = fact.colour in (Colour.GREEN, Colour.UNKNOWN, Colour.NONE)
                assert fine or isolated, "a bad colour was registered"
                if fact.subject.digest in self.allowed:
                    self.in_round.pop(fact.subject.digest, None)
                    self.allowed.discard(fact.subject.digest)
                assert fact.subject.digest not in self.in_round, "registered twice in a round"
                assert fact.source != "code" or fact.subject.digest not in self.codes, "a code stood for two people"
                self.people, self.digests[fact.person] = fact.person, fact.subject.digest
                self.persons[fact.person], self.households[fact.person] = fact, self.household
                self.came[fact.person] = self.round
                if fact.code is not None:
                    self.codes[fact.code.digest] = fact.person
            case CodeShown():
                self.codes[fact.code.digest] = fact.person
            case StaffOrdered(do=Do.OVERRIDE):
                self.allowed |= set(fact.people)
            case StaffOrdered(do=Do.HOUSEHOLD_START | Do.HOUSEHOLD_END):
                self.household = self.people + 1 if fact.do is Do.HOUSEHOLD_START else 0
                left = {tube for tube in self.open if self.tubes[tube].household and not self.members[tube]}
                self.open, self.away = self.open - left, self.away | left
            case Corrected():
                self.correcting = True
            case Withdrawn():
                assert 1 <= fact.person <= self.people
                assert fact.person not in self.withdrawn, "taken back twice"
                self.withdrawn.add(fact.person)
            case IncidentRaised():
                assert fact.incident == self.raised + 1
                assert not fact.digest or fact.digest not in self.incidents.values(), "raised again while open"
                self.raised, self.incidents[fact.incident] = fact.incident, fact.digest
            case IncidentAcknowledged():
                del self.incidents[fact.incident]
            case _:
                self._about_tubes(fact)

    def _about_tubes(self, fact: Fact) -> None:
        match fact:
            case TubeOpened():
                self._opened(fact)
            case Bound():
                self._bound(fact)
            case Unbound():
                assert fact.person in self.withdrawn or self.correcting, "taken out by nobody"
                assert self.members[fact.tube].pop(fact.position) == fact.person
                gone = any(fact.tube in self.groups[group] for group in self.released)
                assert not fact.late or gone or fact.tube in self.packed, "late before the release"
                if fact.late:
                    self.late[fact.tube] = self._late(fact.tube) + 1
                assert self.correcting or not gone, "somebody left a tube that has gone"
                del self.place[fact.person]
                self.out.add(fact.person)
                for people in self.released.values():
                    people.discard(fact.person)
                self.in_round = {digest: who for digest, who in self.in_round.items() if who != fact.person}
                self.codes = {digest: who for digest, who in self.codes.items() if who != fact.person}
            case TubeClosed():
                members = self.members[fact.tube]
                assert fact.tube in self.open
                assert (fact.members, fact.size) == (len(members), self.tubes[fact.tube].size)
                assert fact.members > 0
                assert fact.digest == (self.digests[members[1]] if fact.size == 1 else b"")
                self.open.discard(fact.tube)
                if not self.tubes[fact.tube].instead or fact.tube in self.from_open:
                    self.waiting.append(fact.tube)
                if not fact.labelled:
                    self.shows[fact.tube] = fact.members
            case TubeVoided():
                assert fact.tube not in self.open
                assert not self.members[fact.tube]
                self.voided.add(fact.tube)
                self.in_box.discard(fact.tube)
                for tubes in (self.waiting, *self.groups.values()):
                    if fact.tube in tubes:
                        tubes.remove(fact.tube)
            case _:
                self._about_labels(fact)

    def _about_labels(self, fact: Fact) -> None:
        match fact:
            case LabelWanted():
                assert self.tubes[fact.tube].serial, "a label for a tube that brought its own"
                closed = fact.tube not in self.open
                assert fact.members == (len(self.members[fact.tube]) if closed else fact.size)
                self.shows[fact.tube] = fact.members
                self.late.pop(fact.tube, None)
                self.labelled.discard(fact.tube)
            case LabelPrinted() | LabelFailed():
                assert fact.tube in self.tubes
                assert fact.tube in self.shows, "a label for a tube that is being filled"
                assert fact.tube not in self.labelled, "a label nobody waits for"
                if isinstance(fact, LabelPrinted) and fact.confirmed:
                    self.labelled.add(fact.tube)
            case GroupClosed():
                assert fact.group == len(self.groups) + 1
                going = [fact.ahead] if fact.ahead else self.waiting
                assert fact.members == sum(len(self.members[tube]) for tube in going) > 0
                if fact.ahead:
                    self.ahead.add(fact.group)
                else:
                    assert not any(self.members[tube] for tube in self.open), "somebody of the group is in an open tube"
                self.groups[fact.group] = going
                self.waiting = [tube for tube in self.waiting if tube not in going]
            case GroupReleased():
                tubes = self.groups[fact.group]
                before = {group for group in self.groups if group < fact.group} - self.ahead
                assert fact.group in self.ahead or before <= self.released.keys(), "a group overtook another"
                assert fact.group not in self.released
                assert set(tubes) <= self.labelled, "released without labels"
                people = {person for tube in tubes for person in self.members[tube].values()}
                assert len(people) == fact.members
                assert not any(people & others for others in self.released.values())
                self.released[fact.group] = people
            case TubeLost():
                assert fact.tube in self.members
                assert fact.tube not in self.open, "a tube was lost while it was being filled"
                self.packed.add(fact.tube)
                self.in_box.discard(fact.tube)
                self.in_round = {digest: who for digest, who in self.in_round.items() if who not in fact.people}
                self.codes = {digest: who for digest, who in self.codes.items() if who not in fact.people}
            case TubePacked():
                assert fact.tube in self.labelled, "a tube without label was packed"
                assert fact.tube not in self.packed | self.voided | self.open, "packed twice, void or open"
                self.packed.add(fact.tube)
                self.in_box.add(fact.tube)
            case ConsignmentOpened():
                self.due = self.members.keys() - self.open - self.packed - self.voided - self.away
            case ManifestClosed():
                assert fact.tubes == len(self.in_box) > 0
                lacking = (self.due & self.labelled) - self.packed - self.voided
                assert not lacking, f"a box went without {lacking}"
                self.in_box = set()

    def _late(self, tube: str) -> int:
        return self.late.get(tube, 0)

    def _opened(self, fact: TubeOpened) -> None:
        if fact.serial:
            number = TubeNumber.parse(fact.tube)
            assert (number.site, number.kiosk, number.day, number.serial) == (SITE, KIOSK, fact.day, fact.serial)
        else:
            self.labelled.add(fact.tube)
        assert fact.tube not in self.tubes, "a tube number was used twice"
        self.tubes[fact.tube], self.members[fact.tube] = fact, {}
        self.open.add(fact.tube)
        if fact.instead in self.open:
            self.from_open.add(fact.tube)
        elif fact.instead:
            for tubes in (self.waiting, *(self.groups[group] for group in self.groups if group not in self.released)):
                if fact.instead in tubes:
                    tubes.append(fact.tube)
        left = {tube for tube in self.open if self._is_left(tube, fact)}
        self.open, self.away = self.open - left, self.away | left

    def _is_left(self, tube: str, opened: TubeOpened) -> bool:
        """An empty tube is put away when another of its kind is opened."""
        same = not opened.apart and self.tubes[tube].household is opened.household
        return same and tube != opened.tube and not self.members[tube]

    def _bound(self, fact: Bound) -> None:
        tube, digest = self.tubes[fact.tube], self.digests[fact.person]
        person, household = self.persons[fact.person], self.households[fact.person]
        single = person.apart or person.category in Policy().single_for or person.specimen is Specimen.NASAL
        assert not single or (tube.apart and tube.size == 1), "somebody of 1:1 in a pool"
        assert person.specimen is tube.specimen, "a tube with two kinds of specimen"
        beside = {self.households[who] for who in self.members[fact.tube].values()}
        assert not tube.household or beside <= {household}, "two households in a tube"
        assert tube.household or tube.apart or not household, "a household in the pool"
        assert {self.came[who] for who in self.members[fact.tube].values()} <= {self.came[fact.person]}, (
            "a tube of two rounds"
        )
        self.out.discard(fact.person)
        assert fact.tube in self.open or self.correcting, "bound to a closed tube"
        assert fact.person not in self.place, "one person in two tubes"
        assert fact.person <= self.before or digest not in self.in_round, "bound twice in a round"
        assert 1 <= fact.position <= tube.size, "a tube was over-filled"
        assert fact.position not in self.members[fact.tube], "two people at one position"
        self.members[fact.tube][fact.position] = fact.person
        self.place[fact.person] = fact.tube
        for group in self.released:
            if fact.tube in self.groups[group]:
                self.released[group].add(fact.person)
        if fact.person > self.before:
            self.in_round[digest] = fact.person
