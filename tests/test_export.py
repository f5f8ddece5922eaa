"""Frames as files, and back in at the command post."""

import errno
import os
from pathlib import Path

import pytest

from hub.cli import main
from kiosk import export as module
from kiosk.export import ExportError, export
from kiosk.journal import Journal
from tests.support.post import DEVICE, NUMBER, PRIVATE, SITE, Rows, check


def run(rows: Rows, folder: Path, after: int = 0) -> module.Summary:
    return export(rows, DEVICE, SITE, NUMBER, PRIVATE.public.kid, folder, after)


def importing(folder: Path, tmp_path: Path) -> int:
    key = tmp_path / "private.key"
    key.write_text(PRIVATE.line() + "\n")
    return main(["import", "--db", str(tmp_path / "hub.db"), "--private-key", str(key), str(folder)])


def test_what_is_exported_can_be_imported_again_and_again(tmp_path: Path) -> None:
    rows, stick = Rows(), tmp_path / "stick"
    rows.add(250)
    assert run(rows, stick) == (1, 250, 3, 3)
    assert run(rows, stick) == (1, 250, 3, 0)
    assert sorted(path.name for path in stick.iterdir()) == [
        "360481-1-65706f63682d3031-000000000001.frame",
        "360481-1-65706f63682d3031-000000000101.frame",
        "360481-1-65706f63682d3031-000000000201.frame",
        "360481-1-65706f63682d3031.state",
    ]
    assert importing(stick, tmp_path) == 0
    assert importing(stick, tmp_path) == 0
    rows.add(100)
    assert run(rows, stick) == (1, 350, 4, 2)
    other = tmp_path / "other stick"
    assert run(rows, other, after=237) == (238, 350, 2, 2)
    assert importing(other, tmp_path) == 0
    assert importing(stick, tmp_path) == 0
    check(tmp_path / "hub.db", rows)


def test_a_real_journal(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "journal.db") as journal:
        for number in range(150):
            journal.append([(number.to_bytes(16), b"\x93body %d" % number)])
    with Journal.open_readonly(tmp_path / "journal.db") as journal:
        summary = export(journal, DEVICE, SITE, NUMBER, PRIVATE.public.kid, tmp_path / "stick")
        assert summary == (1, 150, 2, 2)
        assert importing(tmp_path / "stick", tmp_path) == 0
        rows = Rows(journal.epoch)
        rows.rows = journal.read(0, 1000, 10**6)
    check(tmp_path / "hub.db", rows)


def test_nothing_to_export(tmp_path: Path) -> None:
    assert run(Rows(), tmp_path) == (1, 0, 0, 0)
    with pytest.raises(ExportError, match="there are 0 facts, none behind 1"):
        run(Rows(), tmp_path, after=1)


@pytest.mark.parametrize(
    ("error", "says"),
    [(errno.ENOSPC, "no room left"), (errno.EROFS, "write protection"), (errno.EIO, "failed or was pulled out")],
)
@pytest.mark.parametrize("call", range(1, 9))
def test_a_bad_stick_is_told_and_leaves_no_half_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: int, says: str, call: int
) -> None:
    rows, stick, left = Rows(), tmp_path / "stick", call
    rows.add(250)

    def failing(descriptor: int) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise OSError(error, os.strerror(error))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", failing)
        with pytest.raises(ExportError, match=says) as caught:
            run(rows, stick)
    done = 100 * ((call - 1) // 2 - 1)  # of each file and of its folder
    assert (f"facts 1 to {done} are there" if done > 0 else "nothing is there yet") in str(caught.value)
    assert not list(stick.glob("*.new"))
    assert run(rows, stick)[:3] == (1, 250, 3)
    assert importing(stick, tmp_path) == 0
    check(tmp_path / "hub.db", rows)


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ExportError, match="is not a folder"):
        run(Rows(), tmp_path / "file")
