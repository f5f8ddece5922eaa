"""What a registration writes to the card, counted in the journal's own write calls: -wal, main file and all."""

from pathlib import Path

from kiosk.journal import Journal
from tests.faults.test_file_operations import Bench

PEOPLE = 400
"""Enough for the -wal to be copied into the main file more than once."""
BOUND = 40.0


def test_bytes_to_the_card_are_bounded_by_those_of_the_facts(tmp_path: Path) -> None:
    with Bench(tmp_path) as bench:
        assert bench.run(people=PEOPLE).status == 0
        writes = [each for each in bench.shim.operations() if each.kind == "w"]
        with Journal.open_readonly(bench.folder / "journal.db") as journal:
            rows = journal.read(0, 1 << 30, 1 << 40)
    facts = sum(len(row.id) + len(row.chain) + len(row.body) for row in rows)
    in_wal = sum(len(each.data) for each in writes if each.name.endswith("-wal"))
    in_main = sum(len(each.data) for each in writes) - in_wal
    assert in_main > 2 * 4096 * PEOPLE / 10, "it was copied"
    ratio = (in_wal + in_main) / facts
    assert 5 < ratio < BOUND, f"{ratio:.1f} bytes on the card for each byte of a fact"
    assert (tmp_path / "data/journal.db").stat().st_size < 3 * facts, "nothing piles up"
