"""Programs of several formats follow each other on one card and are killed at every file operation of their start: what
was told is never lost, and no number is given twice."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest

from kiosk import data_folder, journal
from kiosk.journal import Journal, StorageFault
from tests.support.programs import FORMATS, append
from tests.support.shim.shim import Shim


class Card:
    """``run`` lets a program work on it. What it told may have left the kiosk."""

    def __init__(self, tmp: Path) -> None:
        self.folder = tmp / "data"
        self.shim = Shim(self.folder, tmp / "shim")
        self._told: dict[tuple[str, int], str] = {}  # epoch, sequence to id
        self._numbers: dict[str, int] = {}  # epoch to journals set aside, by which the tubes are numbered
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.programs", str(self.folder)],
            env=os.environ | self.shim.env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def fresh(self) -> None:
        self.shim.reset()
        subprocess.run(["rm", "-rf", self.folder], check=True)
        self.folder.mkdir()
        self._told.clear()
        self._numbers.clear()

    def run(self, format_: int, trial: str = "no", facts: int = 1, *, kill: int = 0) -> int:
        """The exit status; ``kill``: before which file operation."""
        self.shim.reset()
        self.shim.control.kill_before = kill
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{format_} {trial} {facts}\n")
        while not (line := self._process.stdout.readline()).startswith("end "):
            epoch, seq, id_, kept = line.split()
            before = self._told.setdefault((epoch, int(seq)), id_)
            assert before == id_, f"fact {seq} of {epoch} is two facts"
            assert self._numbers.setdefault(epoch, int(kept)) == int(kept), "the tubes' numbers of one journal changed"
        assert len(set(self._numbers.values())) == len(self._numbers), "two journals number their tubes alike"
        return int(line.split()[1])

    def check(self) -> None:
        """Everything told is on the card."""
        there = set()
        for path in data_folder.journals(self.folder, max(FORMATS)):
            with contextlib.suppress(StorageFault), Journal.open_readonly(path) as opened:
                there |= {(opened.epoch.hex(), row.seq, row.id.hex()) for row in opened.read(0, 10_000, 1 << 30)}
        assert {(*key, id_) for key, id_ in self._told.items()} <= there, "a fact is lost"


@pytest.fixture
def card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Card]:
    """In RAM where there is some: a process that is killed needs no sync."""
    monkeypatch.setattr(journal, "FORMAT", max(FORMATS))  # to look into all of them
    ram = Path("/dev/shm")
    with (
        tempfile.TemporaryDirectory(dir=ram if os.access(ram, os.W_OK) else tmp_path) as folder,
        Card(Path(folder)) as made,
    ):
        yield made


Programs = list[tuple[int, str]]
STORIES: dict[str, tuple[Programs, tuple[int, str]]] = {
    "first start": ([], (1, "no")),
    "update": ([(1, "no")], (2, "no")),
    "trial": ([(1, "no")], (2, "given-up")),
    "trial kept": ([(1, "no")], (2, "kept")),
    "another trial": ([(1, "no"), (2, "given-up"), (1, "no")], (2, "kept")),
    "over two formats": ([(1, "no"), (2, "given-up")], (3, "no")),
    "put back": ([(1, "no"), (2, "no")], (1, "no")),
    "put back to what never ran": ([(2, "no")], (1, "no")),
    "and the newer one again": ([(1, "no"), (2, "no"), (1, "no")], (2, "no")),
}


@pytest.mark.parametrize("story", STORIES)
def test_killed_at_every_file_operation(card: Card, story: str) -> None:
    before, killed = STORIES[story]
    kill, status = 0, -signal.SIGKILL
    while status == -signal.SIGKILL:
        kill += 1
        card.fresh()
        for format_, trial in before:
            assert card.run(format_, trial) == 0
        status = card.run(*killed, kill=kill)
        assert card.run(*(killed, (1, "no"), (2, "no"))[kill % 3]) == 0, "it comes up again, or another one does"
        assert card.run(*killed) == 0
        card.check()
    assert kill > 20, "that many operations a start has at least"


def test_killed_while_the_old_layout_is_taken_in(card: Card) -> None:
    kill, status = 0, -signal.SIGKILL
    while status == -signal.SIGKILL:
        kill += 1
        card.fresh()
        with Journal.open(card.folder / "journal.db") as opened:
            opened._db.pragma("user_version", 1)
            ids = [append(opened) for _ in range(3)]
            for part in ("", "-wal"):
                (card.folder / f"left{part}").write_bytes((card.folder / f"journal.db{part}").read_bytes())
        for part in ("", "-wal"):
            (card.folder / f"left{part}").rename(card.folder / f"journal.db{part}")
        status = card.run(1, kill=kill)
        assert card.run(1) == 0
        card.check()
        with Journal.open_readonly(card.folder / "v1/journal.db") as found:
            assert [row.id for row in found.read(0, 3, 1 << 30)] == ids
            assert found.set_aside == []


@pytest.mark.parametrize("seed", range(4))
def test_any_order_of_programs_and_kills(card: Card, seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(3):
        card.fresh()
        for _ in range(12):
            kill = chance.randrange(1, 80) if chance.random() < 0.5 else 0
            card.run(chance.choice(FORMATS), chance.choice(("no", "no", "given-up", "kept")), 2, kill=kill)
            card.check()
        assert card.run(chance.choice(FORMATS)) == 0
