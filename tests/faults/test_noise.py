"""Random bytes on every line: nothing crashes, nothing grows, and the next good frame is read."""

import asyncio
import contextlib
import os
import random
import socket
from collections.abc import Callable
from pathlib import Path

from tests.support.site_day import SiteDay, open_site, until

GROWTH_MB = 12
ENDS = b"\r\n\x03"  # what ends a text on the scanner's line


def resident_mb(day: SiteDay) -> float:
    status = Path(f"/proc/{day.rig.kiosk.pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024


async def survives(day: SiteDay, noise: Callable[[], object], who: int) -> None:
    """The daemon is as big as before within some megabytes, and goes on with the next person."""
    await day.residents(who)
    before, pid = resident_mb(day), day.rig.status()["pid"]
    await noise()
    await until(lambda: set(day.rig.status()["devices"].values()) == {"online"}, "every device is back")
    await settle(day)
    await day.residents(who + 1)
    assert day.rig.kiosk.poll() is None
    assert day.rig.status()["pid"] == pid
    assert resident_mb(day) < before + GROWTH_MB


async def settle(day: SiteDay) -> None:
    """Half a code may still wait for its card, and an answer for the person who is no more."""
    await day.rig.panel.wait_for(lambda panel: panel.lamps["wait"] == panel.lamps["stop"] == "off")


async def until_all_is_heard(day: SiteDay) -> None:
    await day.rig.scanner.scan("KC1:that was all")
    await until(lambda: "not-needed" in day.refused, "the line is empty")


async def test_on_the_readers_line(tmp_path: Path) -> None:
    rng = random.Random(1)

    async def noise() -> None:
        for _ in range(600):
            day.rig.reader.noise(rng.randbytes(4096))
            await asyncio.sleep(0.002)

    async with open_site(tmp_path) as day:
        await survives(day, noise, 1)


async def test_on_the_readers_line_while_cards_are_read(tmp_path: Path) -> None:
    """Some noise before, within and behind each answer: every card is read all the same."""
    rng = random.Random(2)

    async def crackle() -> None:
        while True:
            day.rig.reader.noise(rng.randbytes(rng.randrange(1, 40)))
            await asyncio.sleep(rng.uniform(0.05, 0.2))

    async with open_site(tmp_path) as day:
        task = asyncio.create_task(crackle())
        try:
            await day.residents(*range(20))
        finally:
            task.cancel()
        assert day.people == 20


async def test_on_the_scanners_line_without_an_end(tmp_path: Path) -> None:
    rng = random.Random(3)

    async def noise() -> None:
        for _ in range(60):
            await day.rig.scanner.send(rng.randbytes(64 * 1024).translate(None, ENDS))
        await day.rig.scanner.send(b"\r")
        await until_all_is_heard(day)

    async with open_site(tmp_path, pair_window_s=1.5) as day:
        await survives(day, noise, 1)
        assert len(day.rig.entries()) < 40


async def test_on_the_scanners_line_with_thousands_of_ends(tmp_path: Path) -> None:
    """A line at 9600 baud brings 1 KB a second; this is several times as much, and writes next to nothing."""
    rng = random.Random(4)

    async def noise() -> None:
        await day.rig.scanner.send(rng.randbytes(8_000) + b"\r")
        await until_all_is_heard(day)

    async with open_site(tmp_path, pair_window_s=1.5) as day:
        await survives(day, noise, 1)
        assert len(day.rig.entries()) < 30
        assert (tmp_path / "kiosk.log").stat().st_size < 32_000


async def test_a_barcode_of_ten_megabytes(tmp_path: Path) -> None:
    async with open_site(tmp_path) as day:
        log = tmp_path / "kiosk.log"
        said = log.stat().st_size
        barcode = b"0123456789abcdef" * (10 * 1024 * 64) + b"\r"
        await survives(day, lambda: day.rig.scanner.send(barcode), 1)
        assert day.refused == ["unreadable"]
        assert log.stat().st_size < said + 1000
        assert "longer than 512 characters" in log.read_text("utf-8")


async def test_on_the_printers_line(tmp_path: Path) -> None:
    rng = random.Random(5)

    async def noise() -> None:
        (printer, _), end = day.rig.printer._ends, asyncio.get_running_loop().time() + 2
        while asyncio.get_running_loop().time() < end:
            with contextlib.suppress(BlockingIOError):
                os.write(printer, rng.randbytes(4096))
            await asyncio.sleep(0.001)

    async with open_site(tmp_path, {"devices.printer": {"timeout_s": 1.0}}, pool_size=5, group_size=5) as day:
        await survives(day, noise, 1)
        await day.residents(3, 4, 5)
        await day.release_the_group()
        assert await day.labels(1) == [tube.tube for tube in day.tubes]


async def shout(path: Path, data: bytes) -> None:
    """Connects to a socket of the daemon and sends until it is thrown out."""
    with contextlib.suppress(OSError):
        reader, writer = await asyncio.open_unix_connection(str(path))
        try:
            writer.write(data)
            await writer.drain()
            await asyncio.wait_for(reader.read(-1), 0.2)
        finally:
            writer.close()


async def test_on_the_panel_socket_and_the_control_socket(tmp_path: Path) -> None:
    rng = random.Random(6)
    hostile = [
        b"\n" * 1000,
        b'{"button": "release", "edge": "sideways"}\n',
        b'{"do": 7}\n',
        b"[1, 2]\n",
        b"[" * 4000 + b"\n",
        b'{"a":' * 800 + b"\n",
        b"\xff\xfe\n",
        b'{"button": "release", "edge": "up"}\n' * 500,
        b"x" * 2_000_000,
    ]

    async def noise() -> None:
        for name in ("panel.sock", "control.sock"):
            for data in (*hostile, *(rng.randbytes(rng.randrange(20_000)) for _ in range(60))):
                with contextlib.suppress(TimeoutError):
                    await shout(tmp_path / "run" / name, data)

    async with open_site(tmp_path) as day:
        await survives(day, noise, 1)
        assert day.released == []
        assert await day.technician("round", "new") == 0
        log = (tmp_path / "kiosk.log").read_text("utf-8")
        assert "Traceback" not in log
        assert "fault" not in log.replace("devices", "")


async def test_a_peer_of_the_control_socket_that_says_nothing_does_not_keep_the_daemon_from_stopping(
    tmp_path: Path,
) -> None:
    async with open_site(tmp_path) as day:
        with socket.socket(socket.AF_UNIX) as peer:
            peer.connect(str(tmp_path / "run" / "control.sock"))
            await day.residents(1)
            async with asyncio.timeout(20):
                assert await day.rig.stop() == 0
