"""What runs in place of a daemon that cannot: the lamps and the status say so, and nobody is registered.

Nothing here depends on what may have broken: no configuration that can be used is needed, no room on the card, no
panel. The journal is not opened; a stick takes the records all the same (systemd/system/kiosk-export@.service).
"""

import asyncio
import contextlib
import logging
import os
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from kiosk import config_file, devices, health, issue_folder
from kiosk.config import ConfigError, Devices, GpioPanel, Kiosk, NoDevice, SocketPanel
from kiosk.events import DeviceOffline, DeviceOnline, Event
from kiosk.logs import redact
from kiosk.machine import Machine
from kiosk.panel import SAFE_MODE

log = logging.getLogger(__name__)
T = TypeVar("T")

STEP_S = 1.0
MAX_REASON = 300
"""Characters of a reason; of a longer one the end counts, where an exception has its name."""
DAEMON = "kiosk.service"


class Rest(NamedTuple):
    """What of a configuration can be used. ``fault``: why the whole cannot, or ""."""

    panel: GpioPanel | SocketPanel | NoDevice
    data_dir: Path
    runtime_dir: Path
    fault: str


def rest_of(path: Path) -> Rest:
    """The configuration; of one that cannot be used each table that can, and the defaults in place of the others. Never
    raises."""
    tables: dict[str, Any] = {}
    try:
        tables = config_file.read(path)
        config = config_file.check(tables, path)
    except ConfigError as error:
        kiosk = _salvaged(_table(tables, "kiosk"), Kiosk, {"number": 1})
        panel = {"panel": _table(tables, "devices").get("panel")}
        hardware = _salvaged(panel, Devices, {"panel": {"driver": "gpio"}})
        return Rest(hardware.panel, kiosk.data_dir, kiosk.runtime_dir, str(error))
    return Rest(config.devices.panel, config.kiosk.data_dir, config.kiosk.runtime_dir, "")


def _table(tables: dict[str, Any], name: str) -> dict[str, Any]:
    found = tables.get(name)
    return found if isinstance(found, dict) else {}


def _salvaged(data: dict[str, Any], kind: type[T], default: dict[str, Any]) -> T:
    try:
        return config_file.convert(data, kind, "")
    except ConfigError:
        return config_file.convert(default, kind, "")


def reason(rest: Rest, environ: Mapping[str, str] = os.environ) -> str:
    """Why the daemon does not run, as far as that can be known."""
    if rest.fault:
        return f"the configuration cannot be used: {rest.fault}"
    said = _last_words()
    return f"the program failed again and again ({_how_it_ended(environ)})" + (f"; it said: {said}" if said else "")


def _how_it_ended(environ: Mapping[str, str]) -> str:
    """The service manager hands it to whom OnFailure= starts (systemd.exec(5))."""
    code, status = environ.get("MONITOR_EXIT_CODE", ""), environ.get("MONITOR_EXIT_STATUS", "")
    if environ.get("MONITOR_SERVICE_RESULT") == "watchdog":
        return "it stopped answering"
    if code == "exited":
        return f"exit status {status}"
    return f"ended by signal {status}" if code else "its last start is in the log"


def _last_words(command: str = "journalctl") -> str:
    """The daemon's last line in the log of this boot; "" where there is none, or no log."""
    lines = [command, "--quiet", "--boot", "--output=cat", "--lines=1"]
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        said = subprocess.run(
            [*lines, f"_SYSTEMD_UNIT={DAEMON}", "_TRANSPORT=stdout"],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=20,
            check=True,
        )
        return redact(said.stdout.strip().rpartition(" | ")[2][-MAX_REASON:])
    return ""


class Safe:
    """``run`` works until SIGTERM or SIGINT."""

    def __init__(self, rest: Rest, why: str) -> None:
        self._machine = Machine(rest.data_dir)
        self._told = rest.runtime_dir.parent / issue_folder.NAME
        what_now = "correct it, then switch off and on again; an export stick takes the records all the same"
        self._safe_mode = {"safe-mode": f"nobody is registered: {why}; {what_now}"}
        self._devices: dict[str, bool] = {}
        self._issues = health.Issues()
        self._status = health.StatusFile(rest.runtime_dir / health.STATUS_NAME)
        self._panel = None
        with contextlib.suppress(OSError):
            rest.runtime_dir.mkdir(parents=True, exist_ok=True)
        try:
            self._panel = devices.panel(rest.panel, self._post)
        except Exception:  # what the panel needs is broken: the status is what is left
            log.exception("panel: no driver")
        if self._panel is not None:
            self._devices["panel"] = False

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        work = [] if self._panel is None else [asyncio.create_task(self._panel.run())]
        try:
            while not stop.is_set():
                self._tell()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(STEP_S):
                        await stop.wait()
        finally:
            for task in work:
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)

    def _post(self, event: Event) -> None:
        """Buttons do nothing here."""
        if isinstance(event, DeviceOnline | DeviceOffline):
            self._devices[event.device] = isinstance(event, DeviceOnline)

    def _tell(self) -> None:
        look = self._machine.look()
        vitals = health.Vitals(
            devices=dict(self._devices),
            disk_free=look.disk_free,
            written=look.written,
            machine=look.issues | issue_folder.read(self._told),
        )
        found = self._safe_mode | health.check(vitals)
        self._status.write(health.status(vitals, self._issues.update(found, time.time_ns() // 1_000_000)))
        if self._panel is not None:
            self._panel.show(SAFE_MODE, time.monotonic_ns() // 1_000_000)


def run(path: Path) -> None:
    """The command ``kiosk safe``: returns when it is told to stop."""
    rest = rest_of(path)
    asyncio.run(Safe(rest, reason(rest)).run())
