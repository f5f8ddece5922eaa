"""Safe mode: whatever broke, the lamps and the status say it, and nobody is registered."""

import asyncio
import contextlib
import os
import signal
import stat
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from kiosk import cli, health, safe
from kiosk.config import GpioPanel, NoDevice, SocketPanel
from kiosk.drivers.panel_socket.sim import SimPanel
from kiosk.panel import SAFE_MODE, Physical
from kiosk.safe import Rest, Safe, reason, rest_of

GOOD = """
[site]
code = "360481"
name = "朝阳门社区"
[kiosk]
number = 1
data_dir = "{folder}/data"
runtime_dir = "{folder}/run/kiosk"
[seal]
public_key = "{key}"
[devices.panel]
driver = "socket"
path = "{folder}/panel.sock"
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    from kiosk.seal import write_pair

    path = tmp_path / "kiosk.toml"
    path.write_text(GOOD.format(folder=tmp_path, key=write_pair(tmp_path / "keys").line()), "utf-8")
    return path


@contextlib.asynccontextmanager
async def started(config: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """`kiosk safe` as its unit starts it."""
    program = [sys.executable, "-m", "kiosk", "safe", "--config", str(config)]
    process = await asyncio.create_subprocess_exec(*program, stderr=asyncio.subprocess.PIPE)
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


async def status(folder: Path, devices: dict[str, str] | None = None) -> dict[str, Any]:
    """The status file, once it says this of the devices."""
    async with asyncio.timeout(60):
        while True:
            with contextlib.suppress(health.StatusError):
                found = health.read_status(folder / "run/kiosk" / health.STATUS_NAME)
                if found["state"] == "running" and devices in (None, found["devices"]):
                    return found
            await asyncio.sleep(0.02)


def hints(found: dict[str, Any]) -> dict[str, str]:
    return {issue["code"]: issue["hint"] for issue in found["issues"]}


async def test_lamps_and_status_of_a_kiosk_with_a_wrong_configuration(config: Path, tmp_path: Path) -> None:
    config.write_text(config.read_text().replace('code = "360481"', 'code = "36"'))
    async with SimPanel(tmp_path / "panel.sock") as lamps, started(config) as process:
        assert await lamps.wait_for(lambda panel: panel == SAFE_MODE)
        found = await status(tmp_path, {"panel": "online"})
        assert found["ready"] is False
        hint = hints(found)["safe-mode"]
        assert "site.code: found" in hint, "the very line that `kiosk check` prints"
        assert "nobody is registered" in hint
        await lamps.press("release", held_ms=10)
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
    assert not (tmp_path / "data").exists(), "nothing is made in a place that may be the wrong one"


async def test_a_configuration_that_is_right_is_not_what_is_wrong(config: Path, tmp_path: Path) -> None:
    async with started(config):
        assert "the program failed again and again" in hints(await status(tmp_path))["safe-mode"]


async def test_a_missing_panel_is_an_issue_and_no_hindrance(config: Path, tmp_path: Path) -> None:
    config.write_text(config.read_text().replace('driver = "socket"', 'driver = "gpio"').split("path =")[0])
    async with started(config):
        found = await status(tmp_path)
        assert {"safe-mode", "panel-offline"} <= hints(found).keys()


async def test_a_full_card_is_said(config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.statvfs", lambda _: os.statvfs_result((4096, 4096, 100, 1, 1, 9, 9, 9, 0, 255)))
    running = asyncio.create_task(Safe(rest_of(config), "a reason").run())
    try:
        assert {"safe-mode", "disk-full"} <= hints(await status(tmp_path)).keys()
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_a_panel_whose_library_is_broken_leaves_the_status(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ImportError("half a library")

    monkeypatch.setattr("kiosk.devices.panel", broken)
    rest = Rest(GpioPanel(), tmp_path / "data", tmp_path / "run/kiosk", "")
    running = asyncio.create_task(Safe(rest, "a reason").run())
    try:
        found = await status(tmp_path)
        assert found["devices"] == {}
        assert "a reason" in hints(found)["safe-mode"]
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_the_pins_burn(tmp_path: Path) -> None:
    rest = Rest(GpioPanel(factory="mock"), tmp_path / "data", tmp_path / "run/kiosk", "")
    kiosk = Safe(rest, "a reason")
    running = asyncio.create_task(kiosk.run())
    try:
        await status(tmp_path, {"panel": "online"})
        pins, where = kiosk._panel.factory, GpioPanel()  # type: ignore[union-attr]
        async with asyncio.timeout(60):
            while not (pins.pin(where.stop).state and pins.pin(where.fault).state):
                await asyncio.sleep(0.01)
        assert not pins.pin(where.go).state
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def test_stop_is_steady_and_fault_flashes() -> None:
    physical = Physical()
    seen = [physical.step(SAFE_MODE, now) for now in range(0, 10_000, 50)]
    assert all(step.lamps["stop"] for step in seen)
    assert {step.lamps["fault"] for step in seen} == {True, False}
    assert not any(step.buzzer or any(step.bar) or step.lamps["go"] or step.lamps["wait"] for step in seen)


# What is left of a configuration ----------------------------------------------------------------------------------


def test_all_of_a_right_one(config: Path, tmp_path: Path) -> None:
    panel = SocketPanel(path=f"{tmp_path}/panel.sock")
    assert rest_of(config) == Rest(panel, tmp_path / "data", tmp_path / "run/kiosk", "")


def test_no_panel_in_a_right_one_is_none(config: Path) -> None:
    config.write_text(config.read_text().split("[devices.panel]")[0])
    assert rest_of(config).panel == NoDevice()


def spoilt() -> Iterator[tuple[str, str, str]]:
    """What to replace, by what, and a word of the reason."""
    yield 'code = "360481"', 'code = "36"', "site.code"
    yield "[site]", "[sites]", "sites"
    yield "[seal]", "[seal", "not valid TOML"
    yield '[kiosk]\nnumber = 1\ndata_dir = "', 'kiosk = 1\n#"', "kiosk"
    yield "[devices.panel]", "[devices]\npanel = 1\n[devices.card]", "devices"
    yield "[devices.panel]", "[[devices]]", "devices"


@pytest.mark.parametrize(("found", "put", "said"), [*spoilt()])
def test_what_is_wrong_is_said_and_something_usable_is_left(config: Path, found: str, put: str, said: str) -> None:
    assert found in config.read_text()
    config.write_text(config.read_text().replace(found, put))
    rest = rest_of(config)
    assert said in rest.fault
    assert isinstance(rest.panel, GpioPanel | SocketPanel)
    assert rest.runtime_dir.name == "kiosk"


def test_a_wrong_table_costs_no_other(config: Path, tmp_path: Path) -> None:
    config.write_text(config.read_text().replace("number = 1", "number = 0"))
    rest = rest_of(config)
    assert rest.panel == SocketPanel(path=f"{tmp_path}/panel.sock")
    assert rest.data_dir == Path("/var/lib/kiosk"), "the table with the wrong number is not trusted"


@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe\x00", b"a" * 100_000, b"[" * 5000])
def test_anything_may_be_in_the_file(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "kiosk.toml"
    if content is not None:
        path.write_bytes(content)
    rest = rest_of(path)
    assert rest.fault
    assert rest.panel == GpioPanel()
    assert rest.runtime_dir == Path("/run/kiosk")


# Why -----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A journalctl that prints what is in this file, or fails when there is none."""
    said = tmp_path / "said"
    program = tmp_path / "bin/journalctl"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\necho \"$@\" >'{said}.asked'\nexec cat '{said}'\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    return said


WELL = Rest(NoDevice(), Path("/var/lib/kiosk"), Path("/run/kiosk"), "")


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({}, "its last start is in the log"),
        (
            {"MONITOR_SERVICE_RESULT": "exit-code", "MONITOR_EXIT_CODE": "exited", "MONITOR_EXIT_STATUS": "1"},
            "status 1",
        ),
        ({"MONITOR_SERVICE_RESULT": "signal", "MONITOR_EXIT_CODE": "killed", "MONITOR_EXIT_STATUS": "SEGV"}, "SEGV"),
        (
            {"MONITOR_SERVICE_RESULT": "watchdog", "MONITOR_EXIT_CODE": "dumped", "MONITOR_EXIT_STATUS": "ABRT"},
            "it stopped answering",
        ),
    ],
)
def test_how_the_daemon_ended(log: Path, told: dict[str, str], said: str) -> None:
    assert said in reason(WELL, told)


def test_the_last_words_of_the_daemon(log: Path) -> None:
    assert "it said" not in reason(WELL, {})
    log.write_text("kiosk: uncaught exception | Traceback (most recent call last): | " + 400 * "x " + "| OSError: no\n")
    assert reason(WELL, {}).endswith("; it said: OSError: no")
    assert "_SYSTEMD_UNIT=kiosk.service" in Path(f"{log}.asked").read_text()


def test_nobodys_data_is_in_the_reason(log: Path) -> None:
    log.write_text("ValueError: 11010519491231002X 张三\n")
    assert "1101" not in reason(WELL, {})
    assert "张三" not in reason(WELL, {})


def test_no_log_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    assert "it said" not in reason(WELL, {})


def test_the_configuration_is_reason_enough(log: Path) -> None:
    log.write_text("something else\n")
    told = reason(WELL._replace(fault="kiosk.toml: site.code: found 1"), {})
    assert told == "the configuration cannot be used: kiosk.toml: site.code: found 1"


def test_the_command_hands_over_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(safe, "run", asked.append)
    assert cli.main(["safe", "--config", "/nowhere/kiosk.toml"]) == 0
    assert asked == [Path("/nowhere/kiosk.toml")]
