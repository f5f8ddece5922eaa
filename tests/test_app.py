"""The daemon's start and stop: one line when it cannot, one at a time, and what it tells the service manager."""

import asyncio
import functools
import os
import socket
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest

from kiosk import config_file, control, records
from kiosk.app import Kiosk
from kiosk.facts import Started
from kiosk.health import read_status
from kiosk.journal import Journal
from kiosk.notices import read
from kiosk.simulate.brokers import open_broker
from kiosk.simulate.rig import Rig
from tests.support.site_day import open_site, until


async def run(rig: Rig) -> tuple[int | None, list[str]]:
    """`kiosk run` to its end: exit status, and what it said besides warnings."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "kiosk", "run", "--config", str(rig.config_path), stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(30):
        _, said = await process.communicate()
    return process.returncode, [line for line in said.decode().splitlines() if "warning: " not in line]


async def test_a_second_daemon_is_refused_before_it_touches_anything(tmp_path: Path) -> None:
    async with open_site(tmp_path) as day:
        await day.residents(1)
        files = {path: path.stat().st_mtime_ns for path in (tmp_path / "data").iterdir()}
        status, said = await run(day.rig)
        assert status == 1
        assert said == [f"kiosk run: another kiosk is running on {tmp_path / 'data'}: stop it first"]
        assert {path: path.stat().st_mtime_ns for path in (tmp_path / "data").iterdir()} == files
        await day.residents(2)
        assert len(day.told(Started)) == 1


def newer(rig: Rig) -> str:
    data = rig.config.kiosk.data_dir
    data.mkdir()
    Journal.open(data / "journal.db").close()
    database = apsw.Connection(str(data / "journal.db"))
    database.pragma("user_version", 99)
    database.close()
    return "has format 99"


def damaged(name: str) -> Callable[[Rig], str]:
    def make(rig: Rig) -> str:
        rig.config.kiosk.data_dir.mkdir()
        (rig.config.kiosk.data_dir / name).write_text("kg1_broken\n")
        return f"{name} is damaged"

    return make


def file_in_the_way(rig: Rig) -> str:
    rig.config.kiosk.data_dir.write_text("a file")
    return "File exists"


@pytest.mark.parametrize("make", [newer, damaged("digest.key"), damaged("device.key"), file_in_the_way])
async def test_what_keeps_it_from_starting_is_one_line(tmp_path: Path, make: Callable[[Rig], str]) -> None:
    rig = Rig(tmp_path, mqtt_port=1)
    expected = make(rig)
    status, said = await run(rig)
    assert status == 1
    assert len(said) == 1
    assert said[0].startswith("kiosk run: ")
    assert expected in said[0]
    rig.scanner.unplug()


async def test_no_permission_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # the tests may run as root, whom nothing is forbidden
    rig = Rig(tmp_path)
    rig.scanner.unplug()

    def forbidden(path: object, *_: object, **__: object) -> int:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "open", forbidden)
    with pytest.raises(PermissionError, match=r"Permission denied: '.*/data/lock'"):
        await Kiosk.open(config_file.load(rig.config_path))


async def test_the_lock_is_free_after_a_failed_start(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.scanner.unplug()
    key = rig.config.kiosk.data_dir / "digest.key"
    key.parent.mkdir()
    key.write_text("broken")
    with pytest.raises(ValueError, match="is damaged"):
        await Kiosk.open(rig.config)
    key.unlink()
    kiosk = await Kiosk.open(rig.config)
    with pytest.raises(records.AlreadyRunningError):
        records.locked(rig.config.kiosk.data_dir)
    await kiosk._closing.aclose()


async def test_a_damaged_journal_is_set_aside_and_said(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "journal.db").write_bytes(b"this is no journal" * 1000)
    async with open_site(tmp_path) as day:
        await day.residents(1)
        await until(
            lambda: "journal-set-aside" in {issue["code"] for issue in day.rig.status()["issues"]}, "it is said"
        )
        kept = list((tmp_path / "data").glob("v*/*damaged*"))
        assert [path.read_bytes()[:18] for path in kept] == [b"this is no journal"]


async def test_the_service_manager_hears_ready_heartbeats_and_the_stop(tmp_path: Path) -> None:
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.bind(str(tmp_path / "notify"))
    manager.setblocking(False)
    heard: list[str] = []

    def listen() -> list[str]:
        while True:
            try:
                heard.extend(manager.recv(4096).decode().split("\n"))
            except BlockingIOError:
                return heard

    env = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "300000"}
    with manager:
        async with Rig(tmp_path, env=env) as rig:
            await rig.start()
            await until(lambda: listen().count("WATCHDOG=1") >= 3, "heartbeats")
            assert heard.count("READY=1") == 1
            assert await rig.stop() == 0
            assert listen()[-1] == "STOPPING=1"


async def test_what_it_leaves_behind_when_it_stops(tmp_path: Path) -> None:
    async with open_site(tmp_path) as day:
        await day.residents(1)
        assert await day.rig.stop() == 0
        assert read_status(tmp_path / "run" / "status.json")["state"] == "stopped"
        assert not (tmp_path / "run" / control.NAME).exists()
        assert not (tmp_path / "run" / "panel.sock").exists()
        for secret in ("digest.key", "lock"):
            assert stat.S_IMODE((tmp_path / "data" / secret).stat().st_mode) == 0o600
        assert "Traceback" not in (tmp_path / "kiosk.log").read_text("utf-8")


async def test_a_notice_is_printed_for_other_programs(tmp_path: Path) -> None:
    wanted = {"kind": "export", "title": "导出完成 Export done", "lines": ["1-34"], "code": "facts 1 to 34"}
    async with Rig(tmp_path) as rig:
        await rig.start()
        ask = functools.partial(asyncio.to_thread, control.ask, tmp_path / "run" / control.NAME, "print-notice")
        await until(lambda: rig.status().get("devices", {}).get("printer") == "online", "the printer answers")
        assert await ask(wanted) == {"ok": True}
        await until(lambda: rig.labels, "the label is out")
        assert read(rig.labels[0]) == ["facts 1 to 34"]
        assert await ask({"kind": "export"}) == {"error": "args: Object missing required field `title`"}
        rig.printer.unplug()
        await until(lambda: rig.status()["devices"]["printer"] == "offline", "the printer is gone")
        assert (await ask(wanted))["error"].startswith("the printer is off line: ")
    assert len(rig.labels) == 1


async def test_no_printer_no_notice(tmp_path: Path) -> None:
    async with Rig(tmp_path, {"devices.printer": {"driver": "none"}}) as rig:
        await rig.start()
        socket_path = tmp_path / "run" / control.NAME
        reply = await asyncio.to_thread(control.ask, socket_path, "print-notice", {"kind": "export", "title": ""})
    assert reply == {"error": "this kiosk has no printer"}


async def test_nothing_leaves_a_kiosk_on_trial_with_a_copy_of_the_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that brought the records to a newer format may be given up for the one that goes on with the old."""
    (tmp_path / "data" / "v1").mkdir(parents=True)
    with monkeypatch.context() as older:
        older.setattr("kiosk.journal.FORMAT", 1)
        Journal.open(tmp_path / "data" / "v1" / "journal.db").close()
    (tmp_path / "kiosk-trial").touch()
    async with open_broker() as broker, Rig(tmp_path, mqtt_port=broker.port) as rig:
        await rig.start_hub()
        starting = asyncio.create_task(rig.start())
        await until(lambda: rig.status().get("journal", {}).get("seq", 0) >= 2, "it has written that it started")
        assert (tmp_path / "data" / "v2" / "does-not-count").exists()
        assert rig.status()["uplink"] == "offline"
        assert not starting.done()
        (tmp_path / "kiosk-trial").unlink()
        await starting
        await until(lambda: rig.status()["journal"]["acked"] >= 2, "the command post has it")
        assert (tmp_path / "data" / "v1" / "superseded").read_text() == "v2\n"
        assert not (tmp_path / "data" / "v2" / "does-not-count").exists()
