"""The journal: one step one transaction, a chain, and a file that is believed only when it is whole."""

import os
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import apsw
import msgspec
import pytest

from kiosk import journal_file
from kiosk.domain import Reason, Stamp
from kiosk.facts import Entry, Refused
from kiosk.frames import genesis, link
from kiosk.journal import FORMAT, Journal, JournalTooNewError, StorageFault
from tests.support.shim.disk import SECTOR

Rows = list[tuple[bytes, bytes]]


def rows(first: int, count: int = 1, size: int = 0) -> Rows:
    """Facts under ids made from their numbers."""
    return [
        (n.to_bytes(16), msgspec.msgpack.encode(Entry(1, Stamp(n, n), Refused(Reason.REPEAT, b"%d" % n + bytes(size)))))
        for n in range(first, first + count)
    ]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    with Journal.open(path) as journal:
        yield journal


def fill(path: Path, steps: int = 8, size: int = 0) -> None:
    with Journal.open(path) as journal:
        for step in range(steps):
            journal.append(rows(1 + 3 * step, 3, size))


# Writing and reading --------------------------------------------------------------------------------------------------


def test_what_is_appended_is_read_in_order(journal: Journal) -> None:
    assert (journal.head, journal.tip) == (0, genesis(journal.epoch))
    assert journal.append(rows(1, 2)) == 2
    assert journal.append(rows(3)) == 3
    chain = genesis(journal.epoch)
    for row, (id_, body) in zip(journal.read(0), rows(1, 3), strict=True):
        chain = link(chain, id_, body)
        assert (row.id, row.body, row.chain) == (id_, body, chain)
    assert journal.tip == chain
    assert [entry.fact.digest for _, entry in journal.entries(1)] == [b"2", b"3"]


def test_read_is_bounded_by_rows_and_bytes(journal: Journal) -> None:
    journal.append(rows(1, 10, size=1000))
    assert [row.seq for row in journal.read(2, 3)] == [3, 4, 5]
    assert [row.seq for row in journal.read(0, 100, 2500)] == [1, 2]
    assert [row.seq for row in journal.read(0, 100, 10)] == [1], "one is always read"
    assert journal.read(10) == []


def test_it_is_found_as_it_was_left(path: Path) -> None:
    with Journal.open(path) as journal:
        journal.append(rows(1, 5))
        journal.set_mark("acked", b"3")
        epoch, tip = journal.epoch, journal.tip
    assert [each.name for each in path.parent.iterdir()] == ["journal.db"]
    with Journal.open(path) as journal:
        assert (journal.epoch, journal.head, journal.tip) == (epoch, 5, tip)
        assert (journal.mark("acked"), journal.mark("other")) == (b"3", None)
        assert (journal.set_aside, journal.kept) == ([], 0)


def test_a_step_is_there_as_a_whole_or_not_at_all(journal: Journal) -> None:
    journal.append(rows(1))
    with pytest.raises(StorageFault):
        journal.append([*rows(2, 2), rows(1)[0]])
    assert journal.head == 1
    assert journal.append(rows(2, 2)) == 3


def test_the_same_step_again_is_in_it_once(journal: Journal) -> None:
    journal.append(rows(1, 3))
    assert journal.append(rows(1, 3)) == 3
    with pytest.raises(StorageFault):
        journal.append([(rows(1)[0][0], b"something else under an id that is used")])
    assert [row.seq for row in journal.read(0)] == [1, 2, 3]


@pytest.mark.parametrize("statement", ["UPDATE facts SET body = x'00'", "DELETE FROM facts WHERE seq = 1"])
def test_facts_are_never_changed_or_deleted(journal: Journal, statement: str) -> None:
    journal.append(rows(1))
    with pytest.raises(apsw.ConstraintError, match="facts are never"):
        journal._db.execute(statement)


def test_every_commit_is_synced(journal: Journal) -> None:
    assert (journal._db.pragma("journal_mode"), journal._db.pragma("synchronous")) == ("wal", 2)


def test_an_sqlite_with_the_wal_reset_bug_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apsw, "sqlite_lib_version", lambda: "3.40.1")
    with pytest.raises(StorageFault, match=r"3\.40\.1"):
        Journal.open(path)
    assert not path.exists()


def test_a_snapshot_is_used_when_it_is_whole_and_of_this_schema(path: Path) -> None:
    with Journal.open(path) as journal:
        journal.append(rows(1, 4))
        journal.save_snapshot(3, 7, b"state")
        journal.save_snapshot(9, 7, b"of a fact that is not there")
        assert journal.snapshot(7) == (3, b"state")
        assert journal.snapshot(8) is None
        journal._db.execute("UPDATE snapshot SET state = ?", (b"stale",))
        assert journal.snapshot(7) is None
    with Journal.open(path) as journal:
        assert journal.head == 4


def test_others_may_read_beside_it(path: Path, journal: Journal) -> None:
    journal.append(rows(1, 2))
    with Journal.open_readonly(path) as reader:
        assert reader.head == 2
        journal.append(rows(3))
        assert [seq for seq, _ in reader.entries()] == [1, 2, 3]
        with pytest.raises(StorageFault):
            reader.append(rows(4))


def test_a_reader_does_not_keep_it_from_starting(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(path)
    monkeypatch.setattr("kiosk.journal.BUSY_MS", 50)
    with Journal.open_readonly(path) as reader:
        reading = reader.entries()
        next(reading)
        with Journal.open(path) as journal:
            assert journal.append(rows(25)) == 25
    with Journal.open(path) as journal:
        assert (journal.head, journal.kept) == (25, 0)


def test_a_reader_never_makes_or_mends_anything(path: Path) -> None:
    with pytest.raises(StorageFault):
        Journal.open_readonly(path)
    path.write_bytes(b"no journal")
    with pytest.raises(StorageFault):
        Journal.open_readonly(path)
    assert [each.name for each in path.parent.iterdir()] == ["journal.db"]


def test_what_a_crash_left_of_making_it_is_no_journal(path: Path) -> None:
    path.with_name("journal.db.new").write_bytes(b"half of it")
    with Journal.open(path) as journal:
        assert (journal.head, journal.kept) == (0, 0)
    assert [each.name for each in path.parent.iterdir()] == ["journal.db"]


def test_reading_what_cannot_be_read_is_a_storage_fault(journal: Journal) -> None:
    journal._db.close()
    for read in (
        lambda: journal.read(0),
        lambda: list(journal.entries()),
        lambda: journal.mark("any"),
        lambda: journal.snapshot(1),
        lambda: journal.save_snapshot(1, 1, b""),
        lambda: journal.set_mark("any", b""),
    ):
        with pytest.raises(StorageFault):
            read()
    assert journal.probe() == 0, "and over once it can be opened again"


# Another journal's program --------------------------------------------------------------------------------------------


def test_a_newer_format_is_refused_and_not_touched(path: Path) -> None:
    fill(path)
    db = apsw.Connection(str(path))
    db.pragma("user_version", FORMAT + 1)
    db.close()
    before = path.read_bytes()
    for _ in range(2):
        with pytest.raises(JournalTooNewError, match=f"format {FORMAT + 1}"):
            Journal.open(path)
    assert path.read_bytes() == before
    assert journal_file.kept(path) == 0


@pytest.mark.parametrize(
    ("version", "fact", "why"),
    [
        (1, {"t": "teleported", "person": 1}, "fact 2 is of a kind this version does not know"),
        (2, {"t": "refused", "reason": "repeat"}, "fact 2 is written in version 2"),
    ],
)
def test_a_newer_fact_is_refused_and_stays(path: Path, version: int, fact: dict[str, object], why: str) -> None:
    with Journal.open(path) as journal:
        body = msgspec.msgpack.encode([version, Stamp(1, 1), fact])
        journal.append([*rows(1), (b"newer", body)])
        with pytest.raises(JournalTooNewError, match=why):
            list(journal.entries())
    with Journal.open(path) as journal:
        assert journal.read(1)[0].body == body


# Damaged and foreign files --------------------------------------------------------------------------------------------


def crashed(path: Path, steps: int = 8, size: int = 0) -> None:
    """A journal as a kill leaves it, the last facts in its -wal."""
    live = path.with_name("live") / path.name
    live.parent.mkdir(parents=True)
    with Journal.open(live) as journal:
        for step in range(steps):
            journal.append(rows(1 + 3 * step, 3, size))
        shutil.copy(live, path)
        shutil.copy(journal_file.wal(live), journal_file.wal(path))
    shutil.rmtree(live.parent)


def _foreign(path: Path) -> None:
    path.unlink()
    db = apsw.Connection(str(path))
    db.execute("CREATE TABLE photos(taken TEXT)")
    db.close()


def _of_another_program(path: Path) -> None:
    db = apsw.Connection(str(path))
    db.pragma("application_id", 7)
    db.close()


def _without_table(path: Path) -> None:
    path.unlink()
    db = apsw.Connection(str(path))
    db.pragma("application_id", 0x4B494F53)
    db.pragma("user_version", FORMAT)
    db.execute("CREATE TABLE meta(epoch)")
    db.close()


DAMAGES: dict[str, Callable[[Path], object]] = {
    "random bytes": lambda path: path.write_bytes(random.Random(1).randbytes(40_000)),
    "text": lambda path: path.write_text("hello"),
    "empty": lambda path: path.write_bytes(b""),
    "main file missing": lambda path: path.unlink(),
    "wal missing": lambda path: journal_file.wal(path).unlink(),
    "wal empty of another time": lambda path: (path.unlink(), path.write_bytes(b"")),
    "header only": lambda path: os.truncate(path, 100),
    "half": lambda path: os.truncate(path, path.stat().st_size // 2),
    "zeros in the middle": lambda path: _overwrite(path, path.stat().st_size // 2, bytes(4096)),
    "wal header": lambda path: _overwrite(journal_file.wal(path), 4, b"\xff" * 20),
    "wal middle": lambda path: _overwrite(journal_file.wal(path), journal_file.wal(path).stat().st_size // 2, b"\xff"),
    "foreign database": _foreign,
    "of another program": _of_another_program,
    "without its tables": _without_table,
}


def _overwrite(path: Path, at: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(data)


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_cannot_be_used_is_set_aside_and_never_deleted(
    path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    for number in (1, 2):
        crashed(path)
        DAMAGES[damage](path)
        before = {
            each.name: each.read_bytes() for each in path.parent.glob("journal.db*") if "damaged" not in each.name
        }
        with Journal.open(path) as journal:
            assert (journal.head, journal.kept) == (0, number)
            assert journal.set_aside[-1].name == f"journal.db.damaged-{number}"
            journal.append(rows(1))
        for name, data in before.items():
            assert path.with_name(name.replace("journal.db", f"journal.db.damaged-{number}")).read_bytes() == data
        assert f"is kept as journal.db.damaged-{number}" in caplog.text
        with Journal.open(path) as journal:
            assert (journal.head, journal.kept) == (1, number)
        path.unlink()


def test_a_set_aside_journal_that_was_carried_away_keeps_its_number(path: Path) -> None:
    for _ in range(2):
        path.write_bytes(b"damaged")
        Journal.open(path).close()
    path.with_name("journal.db.damaged-1").unlink()
    path.write_bytes(b"damaged")
    with Journal.open(path) as journal:
        assert journal.kept == 3


def _opened(path: Path) -> tuple[int, bytes, list[bytes]]:
    """How often set aside, epoch, bodies; the folder is cleaned up."""
    try:
        with Journal.open(path) as journal:
            return journal.kept, journal.epoch, [row.body for row in journal.read(0, 1000, 1 << 30)]
    finally:
        for each in path.parent.glob("journal.db*"):
            each.unlink()


def _whole_or_set_aside(path: Path, make: Callable[[Path], None], damage: Callable[[random.Random], None]) -> int:
    """Damages many copies. Returns how many were set aside; all others are what they were."""
    make(path)
    with Journal.open_readonly(path) as journal:
        epoch, good = journal.epoch, [body for _, body in rows(1, 24, 50)]
    originals = {each: each.read_bytes() for each in path.parent.glob("journal.db*") if not each.name.endswith("-shm")}
    aside = 0
    for seed in range(150):
        for each in path.parent.glob("journal.db*"):
            each.unlink()
        for each, data in originals.items():
            each.write_bytes(data)
        damage(random.Random(seed))
        try:
            kept, found, bodies = _opened(path)
        except JournalTooNewError:
            continue
        aside += kept
        if not kept:
            assert found == epoch, f"seed {seed}"
            assert bodies in (good, good[:-3]), f"seed {seed}: damage was not seen"
            assert bodies == good or make is crashed_full, f"seed {seed}: facts are missing"
    return aside


def filled(path: Path) -> None:
    fill(path, size=50)


def crashed_full(path: Path) -> None:
    crashed(path, size=50)


def test_no_flipped_byte_of_the_file_goes_unseen(path: Path) -> None:
    def flip(chance: random.Random) -> None:
        at = chance.randrange(path.stat().st_size)
        _overwrite(path, at, bytes([path.read_bytes()[at] ^ (1 << chance.randrange(8))]))

    assert _whole_or_set_aside(path, filled, flip) > 15, "most of the file is free space or indexes"


def test_no_cut_of_the_file_goes_unseen(path: Path) -> None:
    def cut(chance: random.Random) -> None:
        os.truncate(path, chance.randrange(path.stat().st_size // SECTOR) * SECTOR)

    assert _whole_or_set_aside(path, filled, cut) > 120, "the end of the last page may be free space"


def test_a_flipped_byte_of_the_wal_costs_the_last_step_at_most(path: Path) -> None:
    """The last step cannot be told from one that a power cut has torn, of which nobody was told."""
    wal = journal_file.wal(path)

    def flip(chance: random.Random) -> None:
        at = chance.randrange(wal.stat().st_size)
        _overwrite(wal, at, bytes([wal.read_bytes()[at] ^ (1 << chance.randrange(8))]))

    assert _whole_or_set_aside(path, crashed_full, flip) > 75
