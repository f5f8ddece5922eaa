"""Checks, issues, the status file, and what systemd is told."""

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys

import msgspec
import pytest

from kiosk.domain import Trust
from kiosk.health import (
    DISK_FULL,
    DISK_LOW,
    LAG_MS,
    Issue,
    Issues,
    StatusError,
    StatusFile,
    Vitals,
    check,
    desk_faults,
    format_status,
    read_status,
    status,
)
from kiosk.notify import Notifier

WELL = Vitals(
    ready=True,
    people=34,
    members=4,
    waiting=14,
    tubes_closed=3,
    unlabelled=1,
    groups_released=2,
    journal_seq=120,
    journal_acked=100,
    devices={"card": True, "printer": True, "panel": True},
    uplink="online",
    disk_free=2**33,
    written=5 << 20,
)


def but(**changes: object) -> Vitals:
    return msgspec.structs.replace(WELL, **changes)


# Checks -------------------------------------------------------------------------------------------------------------


def test_a_kiosk_that_is_well_has_no_issue():
    assert check(WELL) == {}


@pytest.mark.parametrize(
    ("changes", "code", "at_the_desk"),
    [
        ({"storage_fault": "disk full"}, "storage", True),
        ({"devices": {"card": False}}, "card-offline", True),
        ({"printer_needs": "no paper"}, "printer-help", True),
        ({"panel_fault": "button stuck: release"}, "panel-button", True),
        ({"oldest_wait_s": 900, "wait_limit_s": 900}, "wait-long", False),
        ({"uplink_issue": "not authorized"}, "uplink-refused", True),
        ({"uplink": "offline"}, "uplink-offline", False),
        ({"oldest_unacked_ms": LAG_MS + 1}, "uplink-lag", True),
        ({"disk_free": DISK_LOW - 1}, "disk-low", True),
        ({"disk_free": DISK_FULL - 1}, "disk-full", True),
        ({"machine": {"under-voltage": "stronger supply"}}, "under-voltage", True),
        ({"machine": {"data-set-aside": "put in a new card"}}, "data-set-aside", True),
        ({"machine": {"nobody-thought-of-it": "?"}}, "nobody-thought-of-it", True),
        ({"machine": {"board-moved": "look at lamps and buttons"}}, "board-moved", False),
        ({"machine": {"shell-open": "until 18:00"}}, "shell-open", False),
        ({"trust": Trust.RESTORED}, "clock-untrusted", False),
        ({"clock_step_ms": -86_400_000}, "clock-stepped", False),
        ({"digest_key_in_file": True}, "digest-key-file", False),
        ({"set_aside": "journal.db.damaged-1"}, "journal-set-aside", False),
    ],
)
def test_each_check(changes, code, at_the_desk):
    found = check(but(**changes))
    assert list(found) == [code]
    assert found[code]
    assert desk_faults(Issues().update(found, 0)) == ((code,) if at_the_desk else ())


def test_what_is_no_issue():
    assert check(but(uplink="off", oldest_unacked_ms=10 * LAG_MS)) == {}
    assert check(but(clock_step_ms=1500, disk_free=None)) == {}
    assert list(check(but(devices={"printer": False}, printer_needs="no paper"))) == ["printer-offline"]


def test_issues_keep_the_time_they_began():
    issues = Issues()
    issues.update({"storage": "disk full"}, 1000)
    issues.update({"storage": "disk still full", "disk-full": "0 MB"}, 2000)
    assert issues.now == (Issue("storage", 1000, "disk still full"), Issue("disk-full", 2000, "0 MB"))
    issues.update({"disk-full": "0 MB"}, 3000)
    issues.update({"storage": "again", "disk-full": "0 MB"}, 4000)
    assert {issue.code: issue.since for issue in issues.now} == {"storage": 4000, "disk-full": 2000}


def test_issues_are_logged_once_at_each_change(caplog):
    caplog.set_level("INFO")
    issues = Issues()
    for found in ({"storage": "full"}, {"storage": "full"}, {}, {}):
        issues.update(found, 0)
    assert [record.getMessage() for record in caplog.records] == [
        "issue raised: storage: full",
        "issue cleared: storage",
    ]


# Status -------------------------------------------------------------------------------------------------------------


def test_the_keys_others_rely_on():
    queue = {"waiting_cap": 130, "door_closed": True, "pace": (410, 390), "proposed_group": 10}
    issue = Issue("card-offline", 1_660_000_000_000, "check the cable")
    found = status(but(devices={"card": False, "printer": True}, oldest_wait_s=380, **queue), (issue,))
    assert found == {
        "ready": True,
        "people": 34,
        "group": {"members": 4, "size": 10},
        "waiting": 14,
        "waiting_cap": 130,
        "door": "closed",
        "oldest_wait_s": 380,
        "pace_per_hour": {"came": 410, "went": 390},
        "proposed_group": 10,
        "tubes_closed": 3,
        "unlabelled": 1,
        "groups_released": 2,
        "journal": {"seq": 120, "acked": 100},
        "devices": {"card": "offline", "printer": "online"},
        "uplink": "online",
        "clock": "ntp",
        "card": {"free": 2**33, "written": 5 << 20},
        "issues": [{"code": "card-offline", "since": 1_660_000_000_000, "hint": "check the cable"}],
        "drill": 0,
        "visit": False,
        "shift": [],
        "roster": None,
        "custody": None,
    }
    text = format_status(found | {"state": "running"})
    for piece in (
        "ready",
        "34",
        "4 of 10",
        "14 people, the first for 6 min, the door is closed (at most 130)",
        "410 people an hour come, 390 go",
        "20 to send",
        "8192 MB free, 5 MB written",
        "card offline, printer online",
        "check the cable",
    ):
        assert piece in text
    text = format_status(status(but(pace=(90, 80), proposed_group=5), ()) | {"state": "running"})
    assert "90 people an hour come, 80 go, suggests groups of 5" in text
    text = format_status(status(but(disk_free=None, written=None), ()) | {"state": "running"})
    assert "none" in text
    assert "? free, ? written" in text


def test_the_file_is_replaced_only_on_change(tmp_path):
    path = tmp_path / "status.json"
    file = StatusFile(path)
    file.write(status(WELL, ()))
    first = path.stat().st_ino
    file.write(status(WELL, ()))
    assert path.stat().st_ino == first
    file.write(status(but(people=35), ()))
    assert read_status(path)["people"] == 35
    assert list(tmp_path.iterdir()) == [path]


def test_a_status_that_cannot_be_written_is_logged_once_and_comes_back(tmp_path, caplog):
    file = StatusFile(tmp_path / "run" / "status.json")
    file.write(status(WELL, ()))
    file.write(status(WELL, ()))
    assert len(caplog.records) == 1
    (tmp_path / "run").mkdir()
    file.write(status(WELL, ()))
    assert read_status(tmp_path / "run" / "status.json")["state"] == "running"


def test_running_stalled_stopped(tmp_path, monkeypatch):
    path = tmp_path / "status.json"
    StatusFile(path).write(status(WELL, ()))
    written = json.loads(path.read_text())
    assert (read_status(path)["state"], read_status(path)["ready"]) == ("running", True)
    path.write_text(json.dumps(written | {"written": written["written"] - 60_000}))
    assert (read_status(path)["state"], read_status(path)["ready"]) == ("stalled", False)
    path.write_text(json.dumps(written | {"started": written["started"] - 1}))  # the pid belongs to somebody else now
    assert (read_status(path)["state"], read_status(path)["ready"]) == ("stopped", False)


def test_a_killed_daemon_is_stopped(tmp_path):
    path = tmp_path / "status.json"
    program = (
        "import os, pathlib, signal, sys; from kiosk.health import *; "
        "StatusFile(pathlib.Path(sys.argv[1])).write(status(Vitals(ready=True), ())); "
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", program, path], check=False)
    assert read_status(path)["state"] == "stopped"
    assert "NOT READY" in format_status(read_status(path))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"pid": "x", "started": 1, "written": 2', "\x00"])
def test_a_file_that_is_no_status_is_said(tmp_path, text):
    (tmp_path / "status.json").write_text(text)
    with pytest.raises(StatusError, match="no status of a kiosk"):
        read_status(tmp_path / "status.json")


def test_no_file_is_said(tmp_path):
    with pytest.raises(StatusError, match="not started"):
        read_status(tmp_path / "status.json")
    with pytest.raises(StatusError, match="directory"):
        read_status(tmp_path)


# systemd ------------------------------------------------------------------------------------------------------------


@pytest.fixture(params=["path", "abstract"])
def manager(request, tmp_path):
    name = f"@kiosk-test-{os.getpid()}" if request.param == "abstract" else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind("\0" + name[1:] if name.startswith("@") else name)
        listener.settimeout(30)
        yield name, listener


def test_what_systemd_hears(manager):
    name, listener = manager
    notifier = Notifier({"NOTIFY_SOCKET": name})
    notifier.ready("34 people")
    notifier.status("two\nlines")
    notifier.stopping()
    assert [listener.recv(500) for _ in range(3)] == [b"READY=1\nSTATUS=34 people", b"STATUS=two lines", b"STOPPING=1"]


def test_without_a_manager_nothing_happens(tmp_path):
    Notifier({}).ready()
    Notifier({"NOTIFY_SOCKET": str(tmp_path / "missing")}).ready()


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_watchdog_interval(environ, seconds):
    assert Notifier(environ).watchdog_s == seconds


async def test_a_heartbeat_passes_only_after_an_answer(manager):
    name, listener = manager
    listener.setblocking(False)
    loop = asyncio.get_running_loop()
    answers: asyncio.Queue[Exception | None] = asyncio.Queue()

    async def answer() -> None:
        if (error := await answers.get()) is not None:
            raise error

    notifier = Notifier({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "30000"})
    task = asyncio.create_task(notifier.heartbeat(answer))
    async with asyncio.timeout(30):
        await answers.put(None)
        assert await loop.sock_recv(listener, 100) == b"WATCHDOG=1"
        await answers.put(OSError("journal stands still"))
        while not answers.empty():
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.05)  # several heartbeats long
        with pytest.raises(BlockingIOError):
            listener.recv(100)
        await answers.put(None)
        assert await loop.sock_recv(listener, 100) == b"WATCHDOG=1"
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_no_heartbeat_is_wanted():
    async def never() -> None:
        raise AssertionError

    await Notifier({}).heartbeat(never)
