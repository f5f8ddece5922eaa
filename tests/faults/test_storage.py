"""The card is full, cannot be written, is damaged, or its clock is wrong: what the real daemon says and does."""

import asyncio
import contextlib
import errno
import os
import resource
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from kiosk import control, data_folder
from kiosk.facts import Started, TubeClosed
from kiosk.people import person
from kiosk.simulate.brokers import open_broker
from kiosk.simulate.rig import Rig, StartError
from tests.faults.invariants import audit, registered
from tests.support.labels import read
from tests.support.post import until
from tests.support.shim.shim import Shim

FAST = {"poll_s": 0.01, "same_card_s": 0.05}


@contextlib.asynccontextmanager
async def kiosk(folder: Path, shim: Shim | None = None, **options: object) -> AsyncIterator[Rig]:
    tables = {"policy": {"pool_size": 1, "group_size": 1, "unlabelled_groups": 10}, "devices.card": FAST}
    async with Rig(folder, tables, env=shim.env if shim else None, **options) as rig:
        yield rig


async def green(rig: Rig, *people: int) -> None:
    for number in people:
        assert (await rig.visit(person(number), f"HC1:0:phone-{number}")).buzzer == "accepted"


async def red(rig: Rig, number: int) -> None:
    """The first one who comes when nothing can be written sees red, and so does the kiosk's status."""
    since = len(rig.panel.history)
    async with rig.presented(person(number), f"HC1:0:phone-{number}"):
        await rig.panel.wait_for(lambda panel: panel.buzzer == "storage", since=since)
    await until(lambda: [each["code"] for each in rig.status()["issues"]].count("storage") == 1)
    assert rig.status()["ready"] is False
    nobody_saw_green(rig, since)


async def still_red(rig: Rig, number: int) -> None:
    """The next one comes in vain; the answer to the request proves that the card was handled before."""
    since = len(rig.panel.history)
    async with rig.presented(person(number), None):
        await rig.reader.read_once()
        control_socket = rig.config.kiosk.runtime_dir / control.NAME
        for _ in range(3):
            reply = await asyncio.to_thread(control.ask, control_socket, "round-new")
            assert "the journal cannot be written" in reply["error"]
    nobody_saw_green(rig, since)


def nobody_saw_green(rig: Rig, since: int) -> None:
    shown = rig.panel.state
    assert (shown.lamps["stop"], shown.lamps["go"], shown.lamps["fault"]) == ("on", "off", "blink")
    assert not any(each.buzzer == "accepted" for each in rig.panel.history[since:])


async def works_again(rig: Rig) -> None:
    await rig.panel.wait_for(lambda panel: panel.lamps["stop"] == "off")
    await until(lambda: rig.status()["ready"] and "storage" not in str(rig.status()["issues"]))


def labels(rig: Rig) -> list[str]:
    return [number for label in rig.labels for number in read(label)]


def tubes(rig: Rig) -> list[str]:
    return [entry.fact.tube for entry in rig.entries() if isinstance(entry.fact, TubeClosed)]


# Full, read-only, dying -----------------------------------------------------------------------------------------------


class FileSizeLimit:
    """No file may be written behind its first 4000 bytes, the log neither: a limit of the kernel's own, EFBIG. The
    status file is smaller."""

    def __init__(self, rig: Rig, shim: Shim) -> None:
        self._rig = rig

    def set(self) -> None:
        resource.prlimit(self._rig.kiosk.pid, resource.RLIMIT_FSIZE, (4000, resource.RLIM_INFINITY))

    def lift(self) -> None:
        resource.prlimit(self._rig.kiosk.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)


class FullFileSystem:
    """A tmpfs of 1 MiB under the journal, filled up: ENOSPC from the kernel."""

    def __init__(self, rig: Rig, shim: Shim) -> None:
        self._ballast = rig.config.kiosk.data_dir / "ballast"

    def set(self) -> None:
        with self._ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while file.write(bytes(1 << 12)):
                pass

    def lift(self) -> None:
        self._ballast.unlink()


class Error:
    number = 0

    def __init__(self, rig: Rig, shim: Shim) -> None:
        self._shim = shim

    def set(self) -> None:
        self._shim.fail(self.number)

    def lift(self) -> None:
        self._shim.heal()


class Full(Error):
    number = errno.ENOSPC


class ReadOnly(Error):
    number = errno.EROFS


class Dying(Error):
    number = errno.EIO


@pytest.fixture
def small_file_system(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[None]:
    """Mounted where this is allowed (root), else the case is left to the shim's ENOSPC and the limit of file sizes."""
    if request.node.callspec.params["trouble"] is not FullFileSystem:
        yield
        return
    data = tmp_path / "kiosk" / "data"
    data.mkdir(parents=True)
    if os.geteuid() or os.system(f"mount -t tmpfs -o size=1m tmpfs {data} 2>/dev/null"):
        pytest.skip("a small file system needs root: the limit of file sizes and the shim stand in for it")
    yield
    assert os.system(f"umount {data}") == 0


@pytest.mark.parametrize("trouble", [FileSizeLimit, FullFileSystem, Full, ReadOnly, Dying])
@pytest.mark.usefixtures("small_file_system")
async def test_red_until_it_can_be_written_again(tmp_path: Path, trouble: type) -> None:
    shim = Shim(tmp_path / "kiosk" / "data", tmp_path / "shim")
    async with kiosk(tmp_path / "kiosk", shim) as rig:
        await rig.start()
        trouble = trouble(rig, shim)
        await green(rig, 0, 1)
        rig.printer.unplug()
        await until(lambda: rig.status()["devices"]["printer"] == "offline")
        await green(rig, 2)
        before = rig.entries()
        trouble.set()
        await red(rig, 3)
        await still_red(rig, 4)
        rig.printer.plug()  # a label that comes out now cannot be noted, and comes out again
        assert rig.entries() == before, "half a step was written"
        trouble.lift()
        await works_again(rig)
        await until(lambda: set(labels(rig)) == set(tubes(rig)))
        await green(rig, 3, 4)
        assert (await rig.visit(person(2))).buzzer == "repeat"
        await until(lambda: set(labels(rig)) == set(tubes(rig)))
        assert await rig.stop() == 0
        audit(rig.entries())
        assert sorted(registered(rig.entries()).values()) == [1] * 5
        assert set(labels(rig)) == set(tubes(rig))


async def test_a_start_on_a_full_card_is_refused_loudly(tmp_path: Path) -> None:
    shim = Shim(tmp_path / "kiosk" / "data", tmp_path / "shim")
    async with kiosk(tmp_path / "kiosk", shim) as rig:
        await rig.start()
        await green(rig, 0)
        await rig.kill()
        shim.fail(errno.ENOSPC)
        with pytest.raises(StartError, match="status 1"):
            await rig.start()
        assert "kiosk run:" in (rig.folder / "kiosk.log").read_text()
        shim.heal()
        await rig.start()
        await green(rig, 1)
        await until(lambda: rig.status()["people"] == 2)


async def test_a_start_that_cannot_be_written_down_waits(tmp_path: Path) -> None:
    shim = Shim(tmp_path / "kiosk" / "data", tmp_path / "shim")
    async with kiosk(tmp_path / "kiosk", shim) as rig:
        await rig.start()
        await rig.stop()
        shim.reset()
        await rig.start()
        last = shim.control.count  # the sync of the step that notes the start
        await rig.stop()
        shim.reset()
        shim.fail(errno.EIO, at=last)
        start = asyncio.create_task(rig.start())
        await rig.panel.wait_online(False)
        await rig.panel.wait_for(lambda panel: panel.buzzer == "storage")
        await until(lambda: rig.status().get("ready") is False)
        assert not start.done()
        shim.heal()
        await start
        await green(rig, 0)
        assert sum(isinstance(entry.fact, Started) for entry in rig.entries()) in (3, 4)


# Damaged and foreign --------------------------------------------------------------------------------------------------


def _random_bytes(journal: Path) -> None:
    journal.write_bytes(os.urandom(journal.stat().st_size))


def _empty(journal: Path) -> None:
    journal.write_bytes(b"")


def _no_wal(journal: Path) -> None:
    journal.with_name("journal.db-wal").unlink()


def _cut_short(journal: Path) -> None:
    os.truncate(journal, journal.stat().st_size // 2 // 4096 * 4096)


@pytest.mark.parametrize("damage", [_random_bytes, _empty, _no_wal, _cut_short])
async def test_a_damaged_journal_is_kept_and_no_number_comes_twice(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    async with kiosk(tmp_path) as rig:
        journal = data_folder.journal(rig.config.kiosk.data_dir)
        await rig.start()
        await green(rig, 0, 1, 2)
        used = tubes(rig)
        await until(lambda: labels(rig) == used)
        await rig.kill()
        damage(journal)
        damaged = journal.read_bytes()
        for life in (1, 2):
            await rig.start()
            await until(lambda: "journal-set-aside" in [issue["code"] for issue in rig.status()["issues"]])
            assert journal.with_name("journal.db.damaged-1").read_bytes() == damaged
            assert "is kept as journal.db.damaged-1" in (rig.folder / "kiosk.log").read_text()
            await green(rig, 10 * life, 10 * life + 1)
            await until(lambda: set(tubes(rig)) <= set(labels(rig)))
            await rig.kill()
        again = tubes(rig)
        assert len(set(used) | set(again)) == len(used) + len(again) == 7
        assert set(labels(rig)) == set(used) | set(again)
        assert [int(tube[11:15]) for tube in again] == [1001, 1002, 1003, 1004]


# The clock ------------------------------------------------------------------------------------------------------------


YEAR_S = 365 * 86_400


async def test_a_clock_that_jumps_by_years(tmp_path: Path) -> None:
    ahead = tmp_path / "ahead"
    ahead.write_text("0")
    command = ("-m", "tests.support.kiosk_with_own_clock", str(ahead))
    async with open_broker() as broker, kiosk(tmp_path / "kiosk", command=command, mqtt_port=broker.port) as rig:
        await rig.start_hub()
        await rig.start()
        come = 0
        for jump in (20 * YEAR_S, -50 * YEAR_S, 0, -60, 3 * YEAR_S):
            await green(rig, come, come + 1)
            ahead.write_text(str(jump))
            await green(rig, come + 2)
            for known in range(come + 3):
                assert (await rig.visit(person(known))).buzzer == "repeat"
            if jump == -50 * YEAR_S:
                await rig.kill()
                await rig.start()
            come += 3
        await until(lambda: rig.status()["journal"]["acked"] == rig.status()["journal"]["seq"])
        await until(lambda: set(labels(rig)) == set(tubes(rig)))
        entries = rig.entries()
        audit(entries)
        assert len(registered(entries)) == come
        assert len(set(tubes(rig))) == come
        walls = [entry.at.wall for entry in entries]
        assert max(walls) - min(walls) > 69 * YEAR_S * 1000, "the clock did jump"
