"""`kiosk provision apply` at every file operation: killed before and after it, and the power cut there. What was on the
card is then still there whole, or the kiosk has it; and no secret stays on the card."""

import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kiosk.provision import card
from kiosk.provision.apply import Outcome, Places, apply
from tests.support.provisioning import SECRETS, places, put, text
from tests.support.shim.disk import Disk
from tests.support.shim.shim import Operation, Shim

FOLDERS = ("boot", "etc/kiosk")
"""The two partitions that outlive the power."""


class Bench:
    """A kiosk that was never provisioned, with a file on its card and a stale reason beside it."""

    def __init__(self, tmp: Path) -> None:
        self.folder = tmp / "kiosk"
        self.at = places(self.folder)
        self.shim = Shim(self.folder, tmp / "shim", log=True)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.provisioning", str(self.folder)],
            env=os.environ | self.shim.env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            bufsize=1,
        )

    def fresh(self) -> None:
        shutil.rmtree(self.folder)
        places(self.folder)
        put(self.at, "# a comment that makes the file longer than a sector\n" * 12 + text())
        put(self.at, "stale", card.ERROR)
        self.shim.reset()

    def run(self) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\n")
        return int(self._process.stdout.readline().split()[1])

    def close(self) -> None:
        self._process.communicate()


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    bench = Bench(tmp_path_factory.mktemp("bench"))
    yield bench
    bench.close()


def complete(at: Places) -> bytes:
    """The kiosk is provisioned and the card clean; returns the configuration."""
    assert sorted(path.name for path in at.boot.iterdir()) == [card.DONE]
    left = (at.boot / card.DONE).read_bytes()
    assert not any(secret in left for secret in SECRETS), "a secret stayed on the card"
    return (at.etc / "kiosk.toml").read_bytes()


@pytest.fixture(scope="module")
def clean(bench: Bench) -> tuple[list[Operation], bytes]:
    bench.fresh()
    assert bench.run() == 0
    return bench.shim.operations(), complete(bench.at)


@pytest.mark.parametrize("when", ["kill_before", "kill_after"])
def test_killed_at_every_operation(bench: Bench, clean: tuple[list[Operation], bytes], when: str) -> None:
    operations, wanted = clean
    for at in range(1, len(operations) + 1):
        bench.fresh()
        setattr(bench.shim.control, when, at)
        assert bench.run() == -signal.SIGKILL
        bench.shim.reset()
        assert bench.run() == 0, f"{when} {at}"
        assert complete(bench.at) == wanted, f"{when} {at}"


def test_killed_again_at_every_operation_of_the_next_start(bench: Bench, clean: tuple[list[Operation], bytes]) -> None:
    operations, wanted = clean
    chance = random.Random(1)
    for first in range(1, len(operations) + 1, 3):
        bench.fresh()
        bench.shim.control.kill_before = first
        bench.run()
        bench.shim.reset()
        bench.shim.control.kill_before = chance.randint(1, len(operations) - first + 1)
        bench.run()
        bench.shim.reset()
        assert bench.run() == 0
        assert complete(bench.at) == wanted, f"killed at {first} and again"


class Partitions:
    """A disk for each partition; what goes to another folder is in RAM, and gone."""

    def __init__(self, at: Places, file: bytes) -> None:
        self._disks = {folder: Disk() for folder in FOLDERS}
        self._at = at
        for name, data in ((card.NAME, file), (card.ERROR, b"stale")):
            for kind in "cws":
                self.feed(Operation(kind, False, f"boot/{name}", "", 0, data if kind == "w" else b""))
        self.feed(Operation("s", False, "boot", "", 0, b""))

    def feed(self, operation: Operation) -> None:
        for folder, disk in self._disks.items():
            if operation.name == folder:
                disk.feed(operation._replace(name=""))
            elif operation.name.startswith(f"{folder}/"):
                inside = len(folder) + 1
                disk.feed(operation._replace(name=operation.name[inside:], other=operation.other[inside:]))

    def cut(self, keeps: Callable[[], bool]) -> None:
        shutil.rmtree(self._at.run.parent)
        places(self._at.run.parent)
        for folder, disk in self._disks.items():
            disk.cut(self._at.run.parent / folder, keeps)


def test_power_cut_at_every_operation(bench: Bench, clean: tuple[list[Operation], bytes], tmp_path: Path) -> None:
    operations, wanted = clean
    bench.fresh()
    file = (bench.at.boot / card.NAME).read_bytes()
    at, chance = places(tmp_path / "cut"), random.Random(2)
    partitions = Partitions(at, file)
    for number, operation in enumerate(operations):
        partitions.feed(operation)
        for keeps in (lambda: False, lambda: True, *[lambda: chance.random() < 0.5] * 4):
            partitions.cut(keeps)
            assert apply(at) == Outcome(True, ()), f"power cut after operation {number}: {operation[:4]}"
            assert complete(at) == wanted, f"power cut after operation {number}"
