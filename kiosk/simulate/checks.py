"""Does everything hold? Each check compares sources that know nothing of each other: what the residents were told by
lamps and tones, the kiosk's journal, the command post's database, the labels' pictures. All pure.

A check yields one line for each thing that is wrong. The lines name residents by their number in the simulation.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator

from kiosk.facts import (
    Bound,
    GroupClosed,
    GroupReleased,
    LabelPrinted,
    LabelWanted,
    Refused,
    Registered,
    TubeClosed,
    TubeOpened,
    Unbound,
)
from kiosk.simulate.evidence import Evidence

GREEN = ("accepted", "flagged")
"""Tones that tell somebody: you are registered."""

Check = Callable[[Evidence], Iterator[str]]


def answers(evidence: Evidence) -> Iterator[str]:
    """Everybody was told what they should be told."""
    for told in evidence.told:
        if told.answer != told.expected:
            yield f"resident {told.visitor.number} was told {told.answer!r}, expected {told.expected!r}"


def journal_has_everybody(evidence: Evidence) -> Iterator[str]:
    """Whoever was told so is in the journal, once, and nobody else is."""
    yield from _compare(evidence, evidence.in_journal, "the journal")


def post_has_everybody(evidence: Evidence) -> Iterator[str]:
    """Whoever was told so is at the command post, once, and nobody else is."""
    yield from _compare(evidence, evidence.at_post, "the command post")


def _compare(evidence: Evidence, people: Iterable[str], where: str) -> Iterator[str]:
    numbers = {told.identity: f"resident {told.visitor.number}" for told in evidence.told}
    green = Counter(told.identity for told in evidence.told if told.answer in GREEN)
    there = Counter(people)
    for identity in green | there:
        who = numbers.get(identity, "somebody who never came")
        if green[identity] > 1:
            yield f"{who} was told {green[identity]} times to be registered"
        if not there[identity]:
            yield f"{who} saw green and is not in {where}"
        elif not green[identity]:
            yield f"{who} is in {where} without having been told"
        if there[identity] > 1:
            yield f"{who} is in {where} {there[identity]} times"


def refusals(evidence: Evidence) -> Iterator[str]:
    """Everybody turned away is in the journal with the right reason."""
    wanted = Counter(told.reason for told in evidence.told if told.reason is not None)
    found = Counter(entry.fact.reason for entry in evidence.entries if isinstance(entry.fact, Refused))
    for reason in wanted | found:
        if wanted[reason] != found[reason]:
            yield f"refused for {reason.value!r}: {wanted[reason]} came for it, {found[reason]} in the journal"


def facts_arrived(evidence: Evidence) -> Iterator[str]:
    """Every fact is at the command post, byte for byte, once, and acknowledged."""
    yield from evidence.complaints
    here, there = Counter(evidence.journal), Counter(evidence.received)
    if lost := (here - there).total():
        yield f"{lost} facts of the journal are not at the command post as they are"
    if extra := (there - here).total():
        yield f"{extra} facts at the command post are not in the journal, or are there twice"
    if len({record.id for record in evidence.journal}) != len(evidence.journal):
        yield "two facts have the same id"
    if [record.seq for record in evidence.journal] != list(range(1, len(evidence.journal) + 1)):
        yield "the numbers of the journal have gaps"
    if evidence.acked != len(evidence.journal):
        yield f"{len(evidence.journal)} facts in the journal, {evidence.acked} acknowledged"


def tubes_hold(evidence: Evidence) -> Iterator[str]:
    """Everybody is in one tube, at a place of their own; no tube is over-filled or numbered twice."""
    places: dict[str, dict[int, int]] = defaultdict(dict)
    sizes: dict[str, int] = {}
    tubes: dict[int, str] = {}
    closed: set[str] = set()
    registered: list[int] = []
    for entry in evidence.entries:
        match entry.fact:
            case Registered(person=person):
                registered.append(person)
            case TubeOpened(tube=tube, size=size):
                if tube in sizes:
                    yield f"two tubes have the number {tube}"
                sizes[tube] = size
            case Bound(tube=tube, person=person, position=position):
                if person in tubes:
                    yield f"person {person} is in two tubes"
                if position in places[tube] or not 1 <= position <= sizes.get(tube, 0) or tube in closed:
                    yield f"tube {tube} has no place {position} left"
                places[tube][position] = person
                tubes[person] = tube
            case Unbound(tube=tube, person=person, position=position):
                tubes.pop(person, None)
                places[tube].pop(position, None)
            case TubeClosed(tube=tube, members=members):
                if members != len(places[tube]):
                    yield f"tube {tube} was closed with {members} people and holds {len(places[tube])}"
                closed.add(tube)
    for person in set(registered) ^ set(tubes):
        yield f"person {person} is registered or in a tube, not both"
    for tube in places.keys() - closed:
        yield f"tube {tube} was never closed"


def labels_match(evidence: Evidence) -> Iterator[str]:
    """Every tube has its label, the number read back from the file; they came out in order, none twice without need."""
    facts = [entry.fact for entry in evidence.entries]
    closed = [fact.tube for fact in facts if isinstance(fact, TubeClosed)]
    wanted = [fact.tube for fact in facts if isinstance(fact, LabelPrinted)]
    printed: list[str] = []
    for label in evidence.labels:
        if len(label.reads) != 1:
            yield f"{label.path.name}: the barcode reader finds {len(label.reads)} numbers"
        printed += label.reads
    for tube, count in Counter(printed).items():
        if tube not in closed:
            yield f"a label has the number {tube}, which is no closed tube's"
        elif count > wanted.count(tube):
            yield f"tube {tube} has {count} labels"
    yield from (f"tube {tube} has no label" for tube in closed if tube not in printed)
    if printed != wanted and Counter(printed) == Counter(wanted):
        yield "the labels came out in another order than they were asked for"


def labels_tell(evidence: Evidence) -> Iterator[str]:
    """Every label of a pool shows, dot for dot, what the journal tells of its tube, and no name."""
    for label in evidence.labels:
        for tube in label.reads:
            if tube in evidence.drawn and label.picture not in evidence.drawn[tube]:
                yield f"{label.path.name} does not show what the journal tells of tube {tube}"


def groups_went(evidence: Evidence) -> Iterator[str]:
    """Every group was released once, in order, with all its labels printed before."""
    unlabelled: set[str] = set()
    forming: set[str] = set()
    waiting: list[tuple[int, set[str], int]] = []
    people = left = 0
    for entry in evidence.entries:
        match entry.fact:
            case Registered():
                people += 1
            case TubeClosed(tube=tube, labelled=labelled):
                forming.add(tube)
                unlabelled |= set() if labelled else {tube}
            case LabelWanted(tube=tube):
                unlabelled.add(tube)
            case LabelPrinted(tube=tube, confirmed=True):
                unlabelled.discard(tube)
            case GroupClosed(group=group, members=members):
                waiting.append((group, forming, members))
                forming = set()
            case GroupReleased(group=group, members=members):
                left += members
                if not waiting or (waiting[0][0], waiting[0][2]) != (group, members):
                    yield f"group {group} was released out of order"
                elif waiting.pop(0)[1] & unlabelled:
                    yield f"group {group} was released without its labels"
    yield from (f"group {group} was never released" for group, _, _ in waiting)
    if left != people:
        yield f"{people} people were registered and {left} released"


def resumed(evidence: Evidence) -> Iterator[str]:
    """After each kill -9 the bar stood where it had been."""
    for before, after in evidence.restarts:
        if before != after:
            yield f"the bar stood at {before} before and at {after} after"


def nothing_leaked(evidence: Evidence) -> Iterator[str]:
    """No name, document number or code in clear in any file, nor in what the printer was sent."""
    yield from (f"personal data in clear: {where}" for where in evidence.leaks)


def stopped_in_order(evidence: Evidence) -> Iterator[str]:
    """The daemon ended by itself when it was asked to."""
    if evidence.exit_status != 0:
        yield f"its exit status was {evidence.exit_status}"


CHECKS: tuple[Check, ...] = (
    answers,
    journal_has_everybody,
    post_has_everybody,
    refusals,
    tubes_hold,
    labels_match,
    labels_tell,
    groups_went,
    facts_arrived,
    resumed,
    nothing_leaked,
    stopped_in_order,
)


def judge(evidence: Evidence) -> list[tuple[str, list[str]]]:
    """Each check's sentence and what is wrong with it; it holds when there is nothing."""
    return [((check.__doc__ or "").rstrip("."), list(check(evidence))) for check in CHECKS]
