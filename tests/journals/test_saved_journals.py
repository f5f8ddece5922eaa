"""Every journal that was ever written can be read, and tells the same."""

import json
import shutil
from pathlib import Path

import pytest

from kiosk.facts import Fact
from kiosk.journal import Journal
from kiosk.site import Site, refold
from tests.journals.make import FOLDER, NAME, setup, summary

SAVED = sorted(FOLDER.glob("*.db"))


@pytest.mark.parametrize("saved", SAVED, ids=lambda path: path.stem)
def test_a_saved_journal_folds_to_what_it_told(saved: Path, tmp_path: Path) -> None:
    for part in FOLDER.glob(f"{saved.name}*"):
        shutil.copy(part, tmp_path / part.name.replace(saved.name, "journal.db"))
    for _ in range(2):
        with Journal.open(tmp_path / "journal.db") as journal:
            assert journal.set_aside == [], "its chain is whole"
            entries = list(journal.entries())
            assert [seq for seq, _ in entries] == list(range(1, journal.head + 1))
    told = json.loads(json.dumps(summary(refold(Site(setup()), entries))))
    assert told == json.loads(saved.with_suffix(".json").read_text("utf-8"))


def test_the_present_format_is_saved_with_every_kind_of_fact(tmp_path: Path) -> None:
    saved = [path for path in SAVED if path.name.startswith(NAME)]
    assert saved, "the format has changed: add saved journals with tests/journals/make.py"
    shutil.copy(saved[0], tmp_path / "journal.db")
    with Journal.open(tmp_path / "journal.db") as journal:
        entries = list(journal.entries())
    assert {type(entry.fact) for _, entry in entries} == set(Fact.__subclasses__())
