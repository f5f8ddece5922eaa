"""Every file operation of a start, registrations and a stop: killed before and after it, failing once or from then on,
and the power cut at it. The same checks catch journals that are wrong."""

import errno
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path
from typing import NamedTuple, Self

import pytest

from kiosk.people import person
from tests.faults.invariants import check_journal, registered
from tests.support.journal_mutants import MUTANTS
from tests.support.registrations import sealer
from tests.support.shim.disk import Disk
from tests.support.shim.shim import Operation, Shim

PEOPLE = 2
DIGESTS = [sealer().digest(person(number).number) for number in range(10)]
ERRORS = (errno.ENOSPC, errno.EIO, errno.EROFS)


class Said(NamedTuple):
    """``green`` and ``repeat``: whom it was said to."""

    status: int
    green: set[bytes]
    repeat: set[bytes]
    red: int


class Bench:
    """Registrations under the shim, in a folder as it was left or a fresh one."""

    def __init__(self, tmp: Path, mutant: str = "") -> None:
        self.folder, self._copy = tmp / "data", tmp / "copy"
        self.shim = Shim(self.folder, tmp / "shim", log=True)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.registrations", str(self.folder), mutant],
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
        shutil.rmtree(self.folder)
        self.folder.mkdir()

    def run(self, people: int = PEOPLE) -> Said:
        self._process.stdin.write(f"0 {people - 1}\n")
        said = []
        while not said or said[-1][0] != "end":
            line = self._process.stdout.readline()
            assert line, "the process with the registrations ended"
            said.append(line.split())
        people = [(word[0], bytes.fromhex(word[1])) for word in said if word[0] in ("green", "repeat")]
        green, repeat = ({who for it, who in people if it == what and who in DIGESTS} for what in ("green", "repeat"))
        return Said(int(said[-1][1]), green, repeat, sum(word[0] == "red" for word in said))

    def check(self, green: set[bytes]) -> set[bytes]:
        """Checks a copy, so that the files stay as the run left them. Returns who is registered."""
        shutil.rmtree(self._copy, ignore_errors=True)
        shutil.copytree(self.folder, self._copy)
        return set(registered(check_journal(self._copy / "journal.db", green)))


Case = tuple[object, ...]


def sweep(tmp: Path, cases: Sequence[Case], check: Callable[[Bench, Case], None], mutant: str = "") -> None:
    """All cases, on two benches at once. What fails names its case."""

    def work(number: int) -> None:
        with Bench(tmp / str(number), mutant) as bench:
            for case in cases[number::2]:
                bench.fresh()
                try:
                    check(bench, case)
                except AssertionError as error:
                    raise AssertionError(f"case {case}: {error}") from error

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(work, range(2)))


@pytest.fixture(scope="module")
def operations(tmp_path_factory: pytest.TempPathFactory) -> list[Operation]:
    """Of a run without faults, without the marks."""
    with Bench(tmp_path_factory.mktemp("clean")) as bench:
        assert bench.run() == Said(0, set(DIGESTS[:PEOPLE]), set(), 0)
        found = [operation for operation in bench.shim.operations() if operation.kind != "m"]
        assert len(found) == bench.shim.control.count
    return found


def test_a_step_costs_one_sync(tmp_path: Path) -> None:
    with Bench(tmp_path) as bench:
        bench.run(people=8)
        entries = check_journal(bench.folder / "journal.db", DIGESTS[:8])
        done = [f"{each.kind} {each.name}" for each in bench.shim.operations() if each.kind != "m"]
    in_wal = "".join(operation[0] for operation in done if operation.endswith("-wal"))
    steps = in_wal.partition("t")[2]
    others = ["the truncation", "the header", "the closing mark", "before it is copied"]
    assert steps.count("s") - len(others) == len({entry.at for entry in entries}), "one sync for each step, no more"


# Killed ---------------------------------------------------------------------------------------------------------------


def _killed(bench: Bench, case: Case) -> None:
    """In the first start, or with ``again`` in one that finds what a kill has left behind."""
    when, at, again = case
    told: set[bytes] = set()
    if again:
        bench.shim.control.kill_before = again
        told = bench.run().green
        bench.shim.reset()
    setattr(bench.shim.control, when, at)
    said = bench.run()
    assert said.status == -signal.SIGKILL
    told |= said.green
    inside = bench.check(told)
    assert len(inside - told) <= (2 if again else 1), "only who was at the desk may be in it and not know"
    bench.shim.reset()
    after = bench.run()
    assert (after.status, after.red) == (0, 0)
    assert after.repeat == inside, "who is in the journal is known again"
    assert bench.check(told | after.green) == set(DIGESTS[:PEOPLE])


def kills(operations: Sequence[Operation]) -> list[Case]:
    return [(when, at, 0) for when in ("kill_before", "kill_after") for at in range(1, len(operations) + 1)]


def test_killed_at_every_operation(tmp_path: Path, operations: list[Operation]) -> None:
    sweep(tmp_path, kills(operations), _killed)


def test_killed_at_every_operation_of_the_next_start(tmp_path: Path, operations: list[Operation]) -> None:
    first = max(at for at, each in enumerate(operations, 1) if each.kind == "s") - 4  # the -wal is full
    with Bench(tmp_path / "count") as bench:
        bench.shim.control.kill_before = first
        bench.run()
        bench.shim.reset()
        bench.run()
        count = bench.shim.control.count
    sweep(tmp_path, [("kill_before", at, first) for at in range(1, count + 1)], _killed)


# Failing --------------------------------------------------------------------------------------------------------------


def _failing(bench: Bench, case: Case) -> None:
    """An error; from then on: until somebody was told red several times."""
    at, error, stays = case
    bench.shim.fail(error, at=at, stays=stays)
    said = bench.run()
    assert said.status == 0, "it went on without a restart"
    assert said.green | said.repeat == set(DIGESTS[:PEOPLE]), "everybody came through in the end"
    assert bench.check(said.green) == set(DIGESTS[:PEOPLE])


def errors(operations: Sequence[Operation], which: Iterable[int] = ERRORS) -> list[Case]:
    return list(product(range(1, len(operations) + 1), which, (False, True)))


def test_every_error_at_every_operation(tmp_path: Path, operations: list[Operation]) -> None:
    sweep(tmp_path, errors(operations), _failing)


@pytest.mark.parametrize("error", ERRORS, ids=errno.errorcode.get)
def test_red_is_said_while_nothing_can_be_written(tmp_path: Path, operations: list[Operation], error: int) -> None:
    truncated = next(at for at, each in enumerate(operations, 1) if each.kind == "t" and each.name.endswith("-wal"))

    def red(bench: Bench, case: Case) -> None:
        bench.shim.fail(error, at=case[0])
        said = bench.run()
        assert said.red >= 3
        assert said.green == set(DIGESTS[:PEOPLE])

    sweep(tmp_path, [(truncated + 2,)], red)


# The power cut --------------------------------------------------------------------------------------------------------


def _cut(folder: Path, operations: Sequence[Operation], seed: int, only_told: bool = False) -> None:
    """Cuts the power after every operation: nothing unsynced was written, all, or any part."""
    folder.mkdir(exist_ok=True)
    disk, chance, told = Disk(), random.Random(seed), set()
    for number, operation in enumerate(operations):
        if operation.kind == "m":
            if operation.data.startswith(b"green "):
                told.add(bytes.fromhex(operation.data[6:].decode()))
        else:
            disk.feed(operation)
        if only_told and operation.kind != "m":
            continue
        for keeps in _never, _always, *[lambda: chance.random() < 0.5] * 3:
            disk.cut(folder, keeps)
            try:
                check_journal(folder / "journal.db", told)
            except AssertionError as error:
                raise AssertionError(f"seed {seed}, power cut after operation {number}: {error}") from error


def _never() -> bool:
    return False


def _always() -> bool:
    return True


def _run(tmp: Path, people: int, mutant: str = "") -> list[Operation]:
    with Bench(tmp, mutant) as bench:
        bench.run(people)
        return bench.shim.operations()


@pytest.fixture
def in_ram(tmp_path: Path) -> Iterator[Path]:
    """A folder on which a sync costs nothing, where there is one."""
    ram = Path("/dev/shm")
    folder = ram / f"kiosk-{os.getpid()}" if os.access(ram, os.W_OK) else tmp_path / "cut"
    folder.mkdir()
    yield folder
    shutil.rmtree(folder)


def test_power_cut_at_every_operation(tmp_path: Path, in_ram: Path) -> None:
    _cut(in_ram, _run(tmp_path, people=5), seed=1)


def _cut_after_failed_sync(bench: Bench, case: Case, folder: Path) -> None:
    at, error, stays = case
    bench.shim.fail(error, at=at, stays=stays)
    bench.run()
    _cut(folder / bench.folder.parent.name, bench.shim.operations(), seed=at, only_told=True)


def failed_syncs(operations: Sequence[Operation]) -> list[Case]:
    syncs = [at for at, each in enumerate(operations, 1) if each.kind == "s"]
    return list(product(syncs, [errno.EIO], (False, True)))


def test_nobody_is_told_green_by_a_sync_that_failed(tmp_path: Path, in_ram: Path, operations: list[Operation]) -> None:
    sweep(tmp_path, failed_syncs(operations), lambda bench, case: _cut_after_failed_sync(bench, case, in_ram))


# A suite that never fails proves nothing ------------------------------------------------------------------------------


def test_mutant_synchronous_normal_is_caught(tmp_path: Path, in_ram: Path) -> None:
    ran = _run(tmp_path, 5, "synchronous_normal")
    with pytest.raises(AssertionError, match="power cut"):
        _cut(in_ram, ran, seed=1)


def test_mutant_trusting_a_failed_sync_is_caught(tmp_path: Path, in_ram: Path, operations: list[Operation]) -> None:
    with pytest.raises(AssertionError, match="told green and is not in the journal"):
        sweep(
            tmp_path,
            failed_syncs(operations),
            lambda bench, case: _cut_after_failed_sync(bench, case, in_ram),
            "trusts_a_failed_sync",
        )


@pytest.mark.parametrize("mutant", ["new_ids", "no_lookup"])
def test_mutants_that_fail_after_an_error_are_caught(tmp_path: Path, operations: list[Operation], mutant: str) -> None:
    with pytest.raises(AssertionError, match="case"):
        sweep(tmp_path, errors(operations, [errno.EIO]), _failing, mutant)


def test_mutant_with_torn_steps_is_caught(tmp_path: Path, operations: list[Operation]) -> None:
    with pytest.raises(AssertionError, match="case"):
        sweep(tmp_path, kills(operations), _killed, "torn_steps")


def test_every_mutant_is_used() -> None:
    text = Path(__file__).read_text("utf-8")
    assert all(f'"{mutant}"' in text for mutant in MUTANTS)
