"""A kiosk that was not told who it is says so, and takes codes from its scanner until it knows.

It runs as the kiosk's own user, with the unmodified drivers. What the codes say goes to `apply`, which is root and
believes the signature alone.
"""

import asyncio
import logging
import time
from collections.abc import Sequence

import msgspec

from kiosk import config_file, devices, files
from kiosk.config import ConfigError, Devices, HidCode, SerialCode
from kiosk.drivers.base import Driver
from kiosk.events import ButtonPressed, CodeFailed, CodeScanned, Event
from kiosk.provision import apply, codes, lamps
from kiosk.provision.lamps import Answer, Setup
from kiosk.provision.merge import profile
from kiosk.provision.reasons import AGAIN, TITLE, print_once, refusal

log = logging.getLogger(__name__)

STEP_S = 0.1
DONE_S = 1.5
"""The last tone is heard before the lamps go dark."""
SCANNERS: tuple[SerialCode | HidCode, ...] = (
    SerialCode(port="/dev/kiosk-code"),
    HidCode(device="/dev/input/kiosk-code", gap_s=5.0),
)
"""Whichever the scanner is. These codes are long, and each has a check of its own: a slow scanner is not cut short."""

UNTOLD = (
    "把 kiosk-provision.toml 放到卡的 KIOSK 分区，或出示配置码",
    "Put kiosk-provision.toml on the card's KIOSK partition, or show the provisioning codes",
)


def standard_devices(at: apply.Places) -> Devices:
    """Those of the standard profile: nobody has said yet what this kiosk really has. Raises ConfigError."""
    tables = profile("standard", "provision wait", at.profiles)
    return config_file.convert(tables.get("devices", {}), Devices, "standard.toml")


class Waiting:
    """``run`` returns once the request of a whole and right provisioning lies in /run."""

    def __init__(
        self, at: apply.Places, hardware: Devices, scanners: Sequence[SerialCode | HidCode] = SCANNERS
    ) -> None:
        self._at = at
        self._inbox: asyncio.Queue[Event] = asyncio.Queue(100)
        self._collector = codes.Collector()
        self._setup = Setup()
        self._panel = devices.panel(hardware.panel, self._post)
        self._printer = devices.printer(hardware.printer, self._post)
        self._hardware = hardware
        readers = [devices.code(scanner, self._post) for scanner in scanners]
        self._drivers: list[Driver] = [
            driver for driver in (self._panel, self._printer, *readers) if driver is not None
        ]

    async def run(self) -> None:
        tasks = [asyncio.create_task(driver.run()) for driver in self._drivers]
        try:
            self._say_why()
            while self._setup.answer != "complete":
                self._show()
                try:
                    async with asyncio.timeout(STEP_S):
                        event = await self._inbox.get()
                except TimeoutError:
                    continue
                self._hear(event)
            self._show()
            await asyncio.sleep(DONE_S)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _post(self, event: Event) -> None:
        if isinstance(event, CodeScanned | CodeFailed | ButtonPressed) and not self._inbox.full():
            self._inbox.put_nowait(event)

    def _show(self) -> None:
        if self._panel is not None:
            self._panel.show(lamps.show(self._setup, now := _now()), now)

    def _hear(self, event: Event) -> None:
        match event:
            case CodeScanned():
                self._code(event.text)
            case CodeFailed():
                self._answer("damaged")
            case ButtonPressed():
                self._answer("refused")

    def _code(self, text: str) -> None:
        try:
            progress = self._collector.feed(text)
        except codes.DamagedError as error:
            log.warning("%s", error)
            self._answer("damaged")
        except codes.CodeError as error:
            log.warning("%s", error)
            self._answer("refused")
            if text.upper().startswith("KP"):
                self._print("配置码有误 Code refused", [str(error), *AGAIN])
        else:
            self._setup = msgspec.structs.replace(self._setup, have=progress.have, total=progress.total)
            self._answer("anew" if progress.anew else "taken")
            if progress.data:
                self._whole(progress.data)

    def _whole(self, envelope: bytes) -> None:
        try:
            apply.read_code(self._at, envelope)
            files.put(self._at.runtime / apply.REQUEST, envelope, 0o600)
        except (ConfigError, OSError) as error:
            log.warning("%s", error)
            self._collector = codes.Collector()
            self._setup = msgspec.structs.replace(self._setup, have=0)
            self._answer("refused")
            self._print("配置码有误 Code refused", [str(error), *AGAIN])
        else:
            self._answer("complete")

    def _answer(self, answer: Answer) -> None:
        number = self._setup.answers + 1
        self._setup = msgspec.structs.replace(self._setup, answer=answer, answer_at=_now(), answers=number)

    def _say_why(self) -> None:
        if reason := refusal(self._at.run):
            self._print(TITLE, [reason, *AGAIN])
        else:
            self._print("未配置 Not provisioned", UNTOLD)

    def _print(self, title: str, lines: Sequence[str]) -> None:
        print_once(self._at.runtime, self._printer, self._hardware, title, lines)


def _now() -> int:
    return time.monotonic_ns() // 1_000_000
