"""Programs of older and newer formats that follow each other on one card."""

import errno
import shutil
from pathlib import Path

import pytest

from kiosk import data_folder, journal
from kiosk.data_folder import NOT_YET, PUT_BACK, SUPERSEDED
from kiosk.journal import Journal, JournalTooNewError
from tests.support.programs import append, open_as, prepare


@pytest.fixture(autouse=True)
def formats(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "FORMAT", journal.FORMAT)  # what `open_as` changes comes back


def at_work(folder: Path, format_: int, *, trial: bool = False, facts: int = 3) -> tuple[bytes, list[bytes], int]:
    """A program starts, writes and ends: the epoch, all ids in its journal, the journals set aside."""
    place = prepare(folder, format_, trial=trial)
    with open_as(place.journal, format_) as opened:
        for _ in range(facts):
            append(opened)
        return opened.epoch, [row.id for row in opened.read(0, 10_000, 1 << 30)], opened.kept


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and path.suffix != ".db-shm"}


def test_a_new_card(tmp_path: Path) -> None:
    assert data_folder.journals(tmp_path) == []
    place = data_folder.prepare(tmp_path)
    assert place == (tmp_path / f"v{journal.FORMAT}" / "journal.db", None, {})
    assert data_folder.journal(tmp_path) == place.journal
    assert data_folder.journals(tmp_path) == []


def test_the_same_program_again(tmp_path: Path) -> None:
    epoch, first, _ = at_work(tmp_path, 1)
    again, both, kept = at_work(tmp_path, 1)
    assert (again, both[:3], kept) == (epoch, first, 0)
    assert data_folder.journals(tmp_path) == [tmp_path / "v1/journal.db"]


# The old layout -------------------------------------------------------------------------------------------------------


def old_layout(folder: Path) -> list[bytes]:
    """As a kill leaves it: with a -wal, and one that was set aside before."""
    journal.FORMAT = 1
    with Journal.open(folder / "journal.db") as opened:
        ids = [append(opened) for _ in range(3)]
        for part in ("", "-wal"):
            shutil.copy(folder / f"journal.db{part}", folder / f"left{part}")
    (folder / "journal.db").unlink()
    for part in ("", "-wal"):
        (folder / f"left{part}").rename(folder / f"journal.db{part}")
    (folder / "journal.db.damaged-1").write_bytes(b"older still")
    return ids


def test_a_journal_of_the_old_layout_is_taken_in(tmp_path: Path) -> None:
    ids = old_layout(tmp_path)
    assert data_folder.journal(tmp_path) == tmp_path / "journal.db", "for those who read before the first start"
    _, found, kept = at_work(tmp_path, 1, facts=0)
    assert (found, kept) == (ids, 1)
    assert names(tmp_path) == {"v1/journal.db", "v1/journal.db.damaged-1"}


def test_taking_it_in_goes_on_where_the_power_went(tmp_path: Path) -> None:
    ids = old_layout(tmp_path)
    (tmp_path / "v1").mkdir()
    (tmp_path / "journal.db-wal").rename(tmp_path / "v1/journal.db-wal")
    assert at_work(tmp_path, 1, facts=0)[1:] == (ids, 1)


def test_one_that_belongs_nowhere_stays_and_can_be_exported(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    at_work(tmp_path, 1)
    old_layout(tmp_path)
    at_work(tmp_path, 1)
    assert "belongs nowhere" in caplog.text
    assert data_folder.journal(tmp_path) == tmp_path / "v1/journal.db"
    assert tmp_path / "journal.db" in data_folder.journals(tmp_path)


# A newer program ------------------------------------------------------------------------------------------------------


def test_a_newer_program_goes_on_with_a_copy(tmp_path: Path) -> None:
    epoch, first, _ = at_work(tmp_path, 1)
    before = (tmp_path / "v1/journal.db").read_bytes()
    again, both, kept = at_work(tmp_path, 2)
    assert (again, both[:3], len(both), kept) == (epoch, first, 6, 0)
    assert (tmp_path / "v1/journal.db").read_bytes() == before
    assert (tmp_path / "v1" / SUPERSEDED).read_text() == "v2\n"
    assert data_folder.journal(tmp_path, 2) == tmp_path / "v2/journal.db"
    with pytest.raises(JournalTooNewError):
        open_as(tmp_path / "v2/journal.db", 1)


def test_the_copy_has_what_was_in_the_wal(tmp_path: Path) -> None:
    ids = old_layout(tmp_path)
    assert at_work(tmp_path, 3, facts=0)[1:] == (ids, 1)
    assert (tmp_path / "v3/journal.db").stat().st_mode & 0o777 == 0o600


def test_a_damaged_journal_is_taken_over_as_damaged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    at_work(tmp_path, 1)
    (tmp_path / "v1/journal.db").write_bytes(b"this is no journal")
    _, ids, kept = at_work(tmp_path, 2)
    assert (len(ids), kept) == (3, 1)
    assert (tmp_path / "v2/journal.db.damaged-1").read_bytes() == b"this is no journal"
    assert "it stays there, a new one begins" in caplog.text


def test_a_full_card_leaves_the_older_one_its_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at_work(tmp_path, 1)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(journal.journal_file, "sync", full)
        with pytest.raises(OSError, match="No space"):
            prepare(tmp_path, 2)
    assert [path.name for path in tmp_path.iterdir()] == ["v1"]
    assert len(at_work(tmp_path, 1)[1]) == 6


# On trial -------------------------------------------------------------------------------------------------------------


def test_a_program_on_trial_does_not_count(tmp_path: Path) -> None:
    epoch, first, _ = at_work(tmp_path, 1)
    for _ in range(2):  # it was restarted
        assert len(at_work(tmp_path, 2, trial=True)[1]) == 6
    assert not (tmp_path / "v1" / SUPERSEDED).exists()
    again, both, kept = at_work(tmp_path, 1)
    assert (again, both[:3], len(both), kept) == (epoch, first, 6, 0), "given up: the older one goes on"
    assert data_folder.journal(tmp_path) == tmp_path / "v1/journal.db"
    _, ids, kept = at_work(tmp_path, 2)
    assert (ids[:6], kept) == (both, 0), "the next try begins with what the older one has now"
    assert names(tmp_path) == {"v1/journal.db", f"v1/{SUPERSEDED}", "v2/journal.db"}


def test_what_is_kept_takes_over(tmp_path: Path) -> None:
    at_work(tmp_path, 1)
    place = prepare(tmp_path, 2, trial=True)
    assert place.older == tmp_path / "v1"
    place.take_over()
    assert (tmp_path / "v1" / SUPERSEDED).read_text() == "v2\n"
    assert not (tmp_path / "v2" / NOT_YET).exists()
    assert prepare(tmp_path, 2) == (tmp_path / "v2/journal.db", None, {})


def test_a_trial_of_the_same_format_shares_the_folder(tmp_path: Path) -> None:
    _, first, _ = at_work(tmp_path, 1)
    assert prepare(tmp_path, 1, trial=True).older is None
    assert at_work(tmp_path, 1, trial=True)[1][:3] == first


def test_a_third_format_passes_over_a_second_that_was_given_up(tmp_path: Path) -> None:
    at_work(tmp_path, 1)
    at_work(tmp_path, 2, trial=True)
    _, first, _ = at_work(tmp_path, 1)
    assert at_work(tmp_path, 3)[1][:6] == first


# Put back -------------------------------------------------------------------------------------------------------------


def test_an_older_program_that_comes_back_begins_anew(tmp_path: Path) -> None:
    epoch, _, _ = at_work(tmp_path, 1)
    _, newer, _ = at_work(tmp_path, 2)
    back, ids, kept = at_work(tmp_path, 1)
    assert back != epoch
    assert (len(ids), kept) == (3, 1)
    assert set(ids).isdisjoint(newer)
    with open_as(tmp_path / "v2/journal.db", 2) as untouched:
        assert [row.id for row in untouched.read(0, 100, 1 << 30)] == newer
    place = prepare(tmp_path, 1)
    assert list(place.issues) == ["journal-rolled-back"]
    assert "what the newer one wrote is in v2" in place.issues["journal-rolled-back"]
    assert at_work(tmp_path, 1)[0] == back, "only once"


def test_and_the_newer_one_again(tmp_path: Path) -> None:
    at_work(tmp_path, 1)
    at_work(tmp_path, 2)
    back, older, _ = at_work(tmp_path, 1)
    again, ids, kept = at_work(tmp_path, 2)
    assert (again, ids[:3], kept) == (back, older, 1)
    assert prepare(tmp_path, 2).issues == {}
    kept_there = tmp_path / "v2.kept-1/journal.db"
    assert kept_there in data_folder.journals(tmp_path, 2)
    assert data_folder.journals(tmp_path, 2)[0] == tmp_path / "v2/journal.db"
    assert at_work(tmp_path, 1)[2] == 2, "put back once more: numbers nobody has used"
    assert (tmp_path / "v1" / PUT_BACK).read_text() == "v2\n"


def test_numbers_of_journals_the_newer_one_set_aside_are_not_used_again(tmp_path: Path) -> None:
    at_work(tmp_path, 1)
    for expected in (1, 2):
        at_work(tmp_path, 2)
        (tmp_path / "v2/journal.db").write_bytes(b"no journal")
        assert at_work(tmp_path, 2)[2] == expected
    assert at_work(tmp_path, 1)[2] == 3


def test_a_card_that_begins_with_the_newer_one(tmp_path: Path) -> None:
    at_work(tmp_path, 2)
    assert at_work(tmp_path, 1)[2] == 1
    assert list(prepare(tmp_path, 1).issues) == ["journal-rolled-back"]


def test_other_folders_are_left_alone(tmp_path: Path) -> None:
    for name in ("v", "vx", "v1.old", "w1"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "journal.db").write_bytes(b"x")
    assert at_work(tmp_path, 1)[2] == 1, "what may have numbers counts"
    assert all((tmp_path / name / "journal.db").read_bytes() == b"x" for name in ("v", "vx", "v1.old", "w1"))
