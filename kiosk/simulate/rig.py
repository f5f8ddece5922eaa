"""A whole site on one machine: the unmodified daemon as its own process, simulated devices on pseudo-terminals and
sockets, and, where wanted, a real broker and the receiver."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from PIL import Image

from kiosk import config_file, data_folder, seal
from kiosk.config import Config, HidCode, HidKeypad, NoDevice, SerialCode, TsplPrinter
from kiosk.domain import Person
from kiosk.drivers.code_hid.sim import HidScannerSim
from kiosk.drivers.code_serial.sim import SerialScannerSim
from kiosk.drivers.idcard.sim import SimCard, SimReader
from kiosk.drivers.keypad.sim import KeypadSim
from kiosk.drivers.panel_socket.sim import SimPanel
from kiosk.drivers.printer.languages import AnyPrinter
from kiosk.drivers.printer.sim import SimPrinter
from kiosk.facts import Entry
from kiosk.health import STATUS_NAME
from kiosk.journal import Journal
from kiosk.panel import Panel

COLOURS = {"0": "green", "1": "yellow", "2": "red"}
_DEMO = "^HC1:(?P<colour>[012]):(?P<token>[A-Za-z0-9_-]+)(?::(?P<phone>1[3-9][0-9]{9}))?$"
FORMATS = (
    {"name": "demo", "pattern": _DEMO, "colours": COLOURS},
    {"name": "named", "pattern": "^HC2:(?P<colour>[012]):(?P<id>[0-9]{17}[0-9X])$", "colours": COLOURS},
    {"name": "asked", "pattern": "^HC3:(?P<token>[A-Za-z0-9_-]+)$", "ask": True},
    {"name": "registration", "pattern": "^HC4:(?P<id>[0-9]{17}[0-9X]):(?P<phone>[0-9]{11})$", "kind": "registration"},
)
"""The second one names its holder, the third one's colour only the command post knows."""
WAITING = ("off", "held", "full", "help", "alarm", "storage")
"""Tones that are no answer to what a person has shown."""


class StartError(Exception):
    """The daemon did not come up; its log says why."""


class Rig:
    """``tables`` overrides the configuration: {"policy": {"pool_size": 5}, "devices.printer": {"driver": "zpl"}}.
    ``python``: arguments of the interpreter before ``-m kiosk``, for a daemon with a fault in it. An async context
    manager; what it started is killed at the end."""

    def __init__(
        self,
        folder: Path,
        tables: Mapping[str, Mapping[str, Any]] | None = None,
        *,
        mqtt_port: int | None = None,
        env: Mapping[str, str] | None = None,
        command: tuple[str, ...] = ("-m", "kiosk"),
    ) -> None:
        self.folder = folder
        self.config_path = folder / "kiosk.toml"
        self.labels: list[Image.Image] = []
        self.kiosk: subprocess.Popen[bytes] | None = None
        self.hub: subprocess.Popen[bytes] | None = None
        self.env = dict(env or {})
        self._command = command
        self._mqtt_port = mqtt_port
        folder.mkdir(parents=True, exist_ok=True)
        self.keys = folder / "keys"
        public = seal.write_pair(self.keys).line() if not self.keys.exists() else (self.keys / "public.key").read_text()
        self._write_config(public.strip(), tables or {})
        self.config: Config = config_file.load(self.config_path)
        self.reader = SimReader(folder / "card")
        self.scanner = _scanner(self.config.devices.code)
        keypad = self.config.devices.keypad
        self.keypad = KeypadSim(Path(keypad.device)) if isinstance(keypad, HidKeypad) else None
        self.printer = SimPrinter(self.label_printer, self.labels.append)
        self.panel = SimPanel(folder / "run" / "panel.sock")

    @property
    def label_printer(self) -> AnyPrinter:
        """Where there is none, one that stays in its box."""
        printer = self.config.devices.printer
        return printer if isinstance(printer, AnyPrinter) else TsplPrinter(port="")

    def _write_config(self, public: str, tables: Mapping[str, Mapping[str, Any]]) -> None:
        at = self.folder
        data: dict[str, dict[str, Any]] = {
            "site": {"code": "360481", "name": "朝阳门社区 03号点"},
            "kiosk": {"number": 1, "data_dir": str(at / "data"), "runtime_dir": str(at / "run"), "beacon": False},
            "policy": {},
            "devices.card": {"driver": "sdt", "port": str(at / "card"), "poll_s": 0.05, "same_card_s": 0.5},
            "devices.code": {"driver": "serial", "port": str(at / "code")},
            "devices.printer": {"driver": "tspl", "port": str(at / "printer")},
            "devices.panel": {"driver": "socket", "path": str(at / "run" / "panel.sock")},
            "seal": {"public_key": public, "digest_key": "file"},
        }
        if self._mqtt_port is not None:
            data["mqtt"] = {"host": "127.0.0.1", "port": self._mqtt_port}
        for name, values in tables.items():
            data[name] = {**({} if "driver" in values else data.get(name, {})), **values}
        text = "".join(f"[{name}]\n{_toml(table)}\n" for name, table in data.items())
        text += "".join(f"[[health_code_formats]]\n{_toml(each)}\n" for each in FORMATS)
        self.config_path.write_text(text, "utf-8")

    async def __aenter__(self) -> Self:
        self._stack = contextlib.AsyncExitStack()
        await self._stack.enter_async_context(self.reader)
        await self._stack.enter_async_context(self.panel)
        port = urlsplit(self.label_printer.port)
        if port.scheme:
            self.printer.listen(port.port or 9100)
        else:
            self.printer.plug(self.folder / "printer")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.kill()
        await self.stop_hub(signal.SIGKILL)
        self.printer.unplug()
        for plugged in (self.scanner, self.keypad):
            if plugged is not None:
                plugged.unplug()
        await self._stack.aclose()

    # Processes ----------------------------------------------------------------------------------------------------

    async def start(self, *, within: float = 30.0) -> None:
        """Starts the daemon and waits until people may scan. Raises StartError when it ends instead."""
        await self.panel.wait_online(False)
        since = len(self.panel.history)
        self.kiosk = self._spawn(*self._command, "run", "--config", str(self.config_path), log="kiosk.log")
        ended = asyncio.create_task(exit_of(self.kiosk))
        ready = asyncio.create_task(
            self.panel.wait_for(lambda panel: panel.lamps["stop"] == "off", since=since, within=within)
        )
        try:
            await asyncio.wait((ended, ready), return_when=asyncio.FIRST_COMPLETED)
            if not ready.done():
                raise StartError(f"the kiosk ended with status {ended.result()} instead of starting")
            await ready
        finally:
            ended.cancel()
            ready.cancel()
            await asyncio.gather(ended, ready, return_exceptions=True)

    async def kill(self) -> None:
        """kill -9."""
        await _end(self.kiosk, signal.SIGKILL)

    async def stop(self) -> int | None:
        """SIGTERM; returns the exit status."""
        return await _end(self.kiosk, signal.SIGTERM)

    async def start_hub(self) -> None:
        private = str(self.keys / "private.key")
        broker = ("--host", "127.0.0.1", "--port", str(self._mqtt_port))
        self.hub = self._spawn(
            "-m", "hub", "run", "--db", str(self.hub_db), "--private-key", private, *broker, log="hub.log"
        )

    async def stop_hub(self, number: signal.Signals = signal.SIGTERM) -> None:
        await _end(self.hub, number)

    @property
    def hub_db(self) -> Path:
        return self.folder / "hub.db"

    def _spawn(self, *arguments: str, log: str) -> subprocess.Popen[bytes]:
        """In one step that nobody can cancel: none is started that is not known here."""
        with (self.folder / log).open("ab") as output:
            return subprocess.Popen(
                [sys.executable, *arguments], stdout=output, stderr=output, env=os.environ | self.env
            )

    # What a person does -------------------------------------------------------------------------------------------

    async def visit(
        self, card: Person | SimCard | None = None, code: str | None = None, *, within: float = 30.0
    ) -> Panel:
        """Somebody shows a card, a code or both, and waits for the answer, which is returned."""
        async with self.presented(card, code) as answer:
            async with asyncio.timeout(within):
                return await answer

    @contextlib.asynccontextmanager
    async def presented(self, card: Person | SimCard | None, code: str | None) -> AsyncIterator["asyncio.Task[Panel]"]:
        """The same in two parts: inside, the card lies on the reader and the task brings the answer."""
        since, before = len(self.panel.history), self.panel.state.signal if self.panel.state else 0
        answered = self.panel.wait_for(
            lambda panel: panel.signal != before and panel.buzzer not in WAITING, since=since, within=3600
        )
        answer = asyncio.create_task(answered)
        try:
            if card is not None:
                self.reader.place(card)
            if code is not None and self.scanner is not None:
                await self.scanner.scan(code)
            yield answer
        finally:
            answer.cancel()
            await asyncio.gather(answer, return_exceptions=True)
            self.reader.remove()

    async def release(self, *, held_ms: int = 350) -> None:
        """A volunteer waits for the lamp and presses until the group has gone."""
        await self.panel.wait_for(lambda panel: panel.lamps["release"] == "blink")
        since = len(self.panel.history)
        await self.panel.press("release", held_ms)
        await self.panel.wait_for(lambda panel: panel.buzzer == "released", since=since)

    # What there is to see -----------------------------------------------------------------------------------------

    def status(self) -> dict[str, Any]:
        """The status file; {} before there is one."""
        try:
            status: dict[str, Any] = json.loads((self.folder / "run" / STATUS_NAME).read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return status

    def entries(self, after: int = 0) -> list[Entry]:
        """Every fact of the journal after this sequence number, in order."""
        with Journal.open_readonly(data_folder.journal(self.config.kiosk.data_dir)) as journal:
            return [entry for _, entry in journal.entries(after)]


def _scanner(config: SerialCode | HidCode | NoDevice) -> SerialScannerSim | HidScannerSim | None:
    match config:
        case SerialCode():
            return SerialScannerSim(Path(config.port))
        case HidCode():
            return HidScannerSim(Path(config.device))
        case NoDevice():
            return None


async def _end(process: subprocess.Popen[bytes] | None, number: signal.Signals) -> int | None:
    if process is None:
        return None
    process.send_signal(number)
    return await exit_of(process)


async def exit_of(process: subprocess.Popen[bytes]) -> int:
    if process.poll() is None:
        ended, handle = asyncio.Event(), os.pidfd_open(process.pid)
        asyncio.get_running_loop().add_reader(handle, ended.set)
        try:
            await ended.wait()
        finally:
            asyncio.get_running_loop().remove_reader(handle)
            os.close(handle)
    return process.wait()


def _toml(table: Mapping[str, Any]) -> str:
    return "".join(f"{key} = {_value(value)}\n" for key, value in table.items())


def _value(value: object) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(key)} = {_value(each)}" for key, each in value.items()) + " }"
    return json.dumps(value, ensure_ascii=False)
