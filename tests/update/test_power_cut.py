"""Wherever the power goes during an update, the slot of the next start is whole; and the update can be done again."""

import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from kiosk.update import bundle, install, slots, trial
from tests.support.shim.disk import Disk
from tests.support.shim.shim import Operation, Shim
from tests.support.updates import KEYS, fill, holds, make, runs
from tests.support.updating import MUTANTS, SMALL, card_of

SEED = 20_261_126


@pytest.fixture(scope="module", autouse=True)
def _small_chunks() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bundle, "CHUNK", SMALL)
        yield


@pytest.fixture
def in_ram(tmp_path: Path) -> Iterator[Path]:
    ram = Path("/dev/shm")
    folder = ram / f"kiosk-update-{os.getpid()}" if os.access(ram, os.W_OK) else tmp_path / "ram"
    folder.mkdir()
    yield folder
    shutil.rmtree(folder)


class Bench:
    """``path``: the bundle; ``same``: what a partition of a slot held before."""

    def __init__(self, tmp: Path, ram: Path) -> None:
        self.tmp, self.folder, self.cut, self.beside = tmp, ram / "card", ram / "cut", tmp / "beside"
        self.path = make(tmp / "bundle", chunk=SMALL)
        self.cut.mkdir()
        self.shim = Shim(self.folder, tmp / "shim", log=True)
        before, _ = card_of(tmp / "before", self.beside)
        before.devices.mkdir()
        fill(before, SMALL)
        self._before = before

    def run(self, mutant: str = "") -> int:
        words = [str(each) for each in (self.folder, self.beside, self.path, self.shim.log)]
        command = [sys.executable, "-m", "tests.support.updating", *words, mutant]
        return subprocess.run(command, env=os.environ | self.shim.env, capture_output=True).returncode

    def check(self, folder: Path, *, kept: bool) -> None:
        """What the firmware finds in ``folder``. ``kept``: whoever waited has been told so."""
        card, _ = card_of(folder, self.beside)
        default = card.default()
        if kept:
            assert default == "B", "it was kept and is not the default"
        if default == "A":
            for partition in (card.boot_partition("A"), card.root_partition("A")):
                before = self._before.devices / partition.name
                assert partition.read_bytes() == before.read_bytes(), "slot A is not what it was"
        else:
            assert holds(card, "B", self.path), "slot B is the default and not whole"

    def heal(self, folder: Path) -> None:
        """The next start in the default slot, and the same update once more."""
        card, at = card_of(folder, self.beside)
        runs(card, default := card.default())
        assert not trial.begin(card, at)
        with self.path.open("rb") as file:
            attempt = install.install(file, KEYS.public.verify, card, at, again=True)
        assert attempt.slot == slots.other(default)
        assert holds(card, attempt.slot, self.path)
        assert card.default() == default


def sweep(bench: Bench, operations: Sequence[Operation]) -> int:
    """Cuts the power after every operation: of what was not synced nothing was written, all, or any part."""
    disk, chance, began, kept, cuts = Disk(), random.Random(SEED), False, False, 0
    for number, operation in enumerate(operations):
        if operation.kind == "m":
            began, kept = True, kept or operation.data == b"kept"
        else:
            disk.feed(operation)
        if not began:
            continue
        for keeps in (lambda: False, lambda: True, *[lambda: chance.random() < 0.5] * 3):
            disk.cut(bench.cut, keeps)
            try:
                bench.check(bench.cut, kept=kept)
                bench.heal(bench.cut)
            except (AssertionError, OSError) as error:
                raise AssertionError(f"seed {SEED}, power cut after operation {number}: {error}") from error
            cuts += 1
    return cuts


def test_power_cut_at_every_operation(tmp_path: Path, in_ram: Path) -> None:
    bench = Bench(tmp_path, in_ram)
    assert bench.run() == 0
    assert sweep(bench, bench.shim.operations()) > 100
    bench.check(bench.folder, kept=True)


def test_killed_at_every_operation(tmp_path: Path, in_ram: Path) -> None:
    bench = Bench(tmp_path, in_ram)
    bench.run()
    everything = bench.shim.operations()
    first = next(place for place, each in enumerate(everything) if each.kind == "m") + 1
    count = bench.shim.control.count
    for at in range(first, count + 1, 3):
        shutil.rmtree(bench.folder)
        bench.folder.mkdir()
        bench.shim.reset()
        bench.shim.control.kill_after = at
        assert bench.run() != 0
        bench.check(bench.folder, kept=False)
        bench.heal(bench.folder)


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_mutant_is_caught(tmp_path: Path, in_ram: Path, mutant: str) -> None:
    bench = Bench(tmp_path, in_ram)
    bench.run(mutant)
    with pytest.raises(AssertionError, match="power cut after"):
        sweep(bench, bench.shim.operations())
