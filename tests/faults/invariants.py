"""What must hold of a journal and of what people were told, whatever has happened."""

from collections import Counter
from collections.abc import Collection, Iterable
from itertools import groupby
from pathlib import Path

from kiosk.facts import Entry, Registered, Started
from kiosk.journal import Journal
from tests.support.desk_audit import Audit


def audit(entries: Iterable[Entry]) -> Audit:
    """The rules of the field, step by step; a step has one stamp."""
    audit = Audit()
    for _, step in groupby(entries, key=lambda entry: entry.at):
        audit.step([entry.fact for entry in step])
    return audit


def registered(entries: Iterable[Entry]) -> Counter[bytes]:
    """How often each person was registered."""
    return Counter(entry.fact.subject.digest for entry in entries if isinstance(entry.fact, Registered))


def check_journal(path: Path, green: Collection[bytes]) -> list[Entry]:
    """Opens it as a start does, which proves pages and chain. Everybody told green is in it, nobody is in it twice,
    every step is whole, sequence numbers have no gap, and it was never set aside. Returns the entries."""
    with Journal.open(path) as journal:
        assert journal.set_aside == [], "a journal that was well was set aside"
        numbered = list(journal.entries())
    assert [seq for seq, _ in numbered] == list(range(1, len(numbered) + 1))
    entries = [entry for _, entry in numbered]
    assert not entries or isinstance(entries[0].fact, Started)
    audit(entries)
    people = registered(entries)
    assert set(green) <= people.keys(), "somebody was told green and is not in the journal"
    assert max(people.values(), default=1) == 1, "somebody is in the journal twice"
    return entries
