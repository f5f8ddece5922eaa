"""Stages are made once for the same inputs, and count only when they are complete."""

from pathlib import Path

import pytest
import stages


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KIOSK_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def make(folder: Path) -> None:
    (folder / "made").touch()


def fail(folder: Path) -> None:
    make(folder)
    raise OSError("no room left")


def never(_: Path) -> None:
    raise AssertionError


def test_a_stage_is_made_once(capsys: pytest.CaptureFixture[str]) -> None:
    first = stages.stage("root", "one", make)
    assert (first / "made").exists()
    assert stages.stage("root", "one", never) == first
    assert capsys.readouterr().out.splitlines() == ["root     … 0 s", "root     cached"]


def test_a_new_one_replaces_the_old_one_of_its_name_only() -> None:
    old, other = stages.stage("root", "one", make), stages.stage("builder", "one", make)
    new = stages.stage("root", "two", make)
    assert (old.exists(), other.exists(), new.exists()) == (False, True, True)


def test_a_failed_stage_says_what_to_do_and_is_made_again() -> None:
    with pytest.raises(stages.StageError, match="stage root: no room left\nmake room"):
        stages.stage("root", "one", fail, "make room")
    assert (stages.stage("root", "one", make) / "made").exists()


def test_the_old_one_stays_while_the_new_one_fails() -> None:
    old = stages.stage("root", "one", make)
    with pytest.raises(stages.StageError):
        stages.stage("root", "two", fail)
    assert stages.stage("root", "one", never) == old


def test_a_fingerprint_knows_contents_names_and_rights(tmp_path: Path) -> None:
    folder, seen = tmp_path / "folder", set()
    folder.mkdir()
    (folder / "a").write_text("1")

    def now() -> str:
        found = stages.fingerprint(folder, ["x", 1])
        seen.add(found)
        return found

    before = now()
    (folder / "a").touch()
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__/a.pyc").touch()
    assert now() == before
    (folder / "a").write_text("2")
    now()
    (folder / "a").chmod(0o755)
    now()
    (folder / "a").rename(folder / "b")
    now()
    assert len(seen) == 4
    assert stages.fingerprint("ab", "c") != stages.fingerprint("a", "bc")
