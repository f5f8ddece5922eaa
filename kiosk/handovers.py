"""What the journal tells of boxes that went away, and of who is in a tube. Pure."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from kiosk.domain import Handover, Stamp
from kiosk.facts import Bound, Entry, ManifestClosed, Registered, Unbound
from kiosk.flows.custody import Custody, contents, evolve


class Member(NamedTuple):
    """``at``: when they were registered."""

    position: int
    person: int
    digest: bytes
    at: Stamp


def handovers(entries: Iterable[tuple[int, Entry]]) -> Iterator[Handover]:
    """Each box, in the order they went."""
    custody = Custody()
    for _, entry in entries:
        if isinstance(entry.fact, ManifestClosed):
            yield contents(custody, entry.fact, entry.at)
        custody = evolve(custody, entry.fact, entry.at)


def members(entries: Iterable[tuple[int, Entry]], tube: str) -> list[Member]:
    """Who is in this tube, by position."""
    registered: dict[int, tuple[bytes, Stamp]] = {}
    there: dict[int, int] = {}
    for _, entry in entries:
        match entry.fact:
            case Registered() as fact:
                registered[fact.person] = fact.subject.digest, entry.at
            case Bound() as fact if fact.tube == tube:
                there[fact.position] = fact.person
            case Unbound() as fact if fact.tube == tube:
                there.pop(fact.position, None)
    return [Member(place, person, *registered[person]) for place, person in sorted(there.items())]
