"""A sampling site around the board: the command post with broker and receiver, the devices, and the people."""

import asyncio
import contextlib
import json
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator, Awaitable, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from kiosk import seal
from kiosk.config import TsplPrinter
from kiosk.domain import Person
from kiosk.drivers.idcard.sim import SimReader
from kiosk.drivers.printer.sim import SimPrinter
from kiosk.people import person
from tests.appliance.board import BOOT_S, PRINTER, READER, RELEASE_BUTTON, Board
from tests.appliance.card import TECHNICIAN, Card
from tests.support.mosquitto import Mosquitto
from tests.support.vm import VmError, until

STOP, GO, RELEASE, FAULT = 17, 22, 23, 25
BAR = (4, 5, 6, 7, 8, 9, 10, 11, 12, 13)
PROVISION = "kiosk-provision.toml"
SITE, NUMBER = "360481", 1
GREEN_S, PATIENCE = 10.0, 30
"""So long a green is waited for before the status is asked, and how often."""
PRESSES, PRESS_SEEN_S = 10, 30.0
_BY_ID = "/dev/serial/by-id/usb-QEMU_QEMU_USB_SERIAL_{}-if00-port0"


class Site:
    """``folder`` keeps everything; ``card`` is in the kiosk at each start."""

    def __init__(self, folder: Path, card: Card) -> None:
        self.folder, self.card = folder, card
        self.labels: list[Image.Image] = []
        self.keys = folder / "keys"
        self.public = seal.write_pair(self.keys)
        self.broker = Mosquitto(folder)
        self.reader = SimReader(folder / "reader")
        self.printer = SimPrinter(TsplPrinter(port="", baud=115200), self.labels.append)
        self.greens: list[Person] = []
        self._next = 0
        self._hub: asyncio.subprocess.Process | None = None

    def provisioning(self, *, number: int = NUMBER, policy: str = "", public: str | None = None) -> str:
        """kiosk-provision.toml for this site."""
        return f"""version = 1
profile = "standard"
time_zone = "Asia/Shanghai"
[site]
code = "{SITE}"
name = "朝阳门社区 03号点"
[kiosk]
number = {number}
[seal]
public_key = "{self.public.line() if public is None else public}"
[uplink]
host = "10.0.2.2"
port = {self.broker.port}
tls = false
username = "kiosk"
password = "{SECRET}"
[policy]
card_alone_after_s = 0.3
{policy}
[devices.card]
port = "{_BY_ID.format(READER)}"
same_card_s = 0.5
[devices.code]
driver = "hid"
device = "/dev/input/kiosk-code"
gap_s = 30.0
[devices.printer]
port = "{_BY_ID.format(PRINTER)}"
timeout_s = 120.0
"""

    def provision(self, text: str | bytes | None = None) -> None:
        """What a technician does with the card in a laptop."""
        content = text if isinstance(text, bytes) else (text or self.provisioning()).encode()
        self.card.write(TECHNICIAN, PROVISION, content)

    @contextlib.asynccontextmanager
    async def power(self, *, tryboot: bool = False, extra: Sequence[str] = ()) -> AsyncIterator[Board]:
        """Inside, the kiosk has power; after it, the plug is pulled."""
        async with self.reader:
            self.printer.plug(self.folder / "printer")
            try:
                board = Board(
                    self.card, self.folder, self.reader.path, self.folder / "printer", tryboot=tryboot, extra=extra
                )
                async with board:
                    yield board
            finally:
                self.printer.unplug()

    # The command post ---------------------------------------------------------------------------------------------

    @property
    def database(self) -> Path:
        return self.folder / "hub.db"

    async def open_post(self) -> None:
        self.broker.start()
        command = [sys.executable, "-m", "hub", "run", "--db", str(self.database)]
        command += ["--private-key", str(self.keys / "private.key")]
        command += ["--host", "127.0.0.1", "--port", str(self.broker.port)]
        with (self.folder / "hub.log").open("ab") as log:
            self._hub = await asyncio.create_subprocess_exec(*command, stdout=log, stderr=log)

    async def close_post(self) -> None:
        if self._hub is not None:
            self._hub.send_signal(signal.SIGTERM)
            await self._hub.wait()
            self._hub = None
        self.broker.stop()

    def stored(self) -> int:
        """How many facts the receiver has."""
        with contextlib.closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)) as database:
            return int(database.execute("SELECT count(*) FROM fact").fetchone()[0])

    # People -------------------------------------------------------------------------------------------------------

    async def green(self, board: Board) -> Person:
        """The next person shows an ID card and sees green; only then it counts. Two seconds of green can pass between
        two looks at a board that is slow; then the status tells."""
        visitor = person(self._next)
        self._next += 1
        before = (await status(board))["people"]
        self.reader.place(visitor)
        for _ in range(PATIENCE):
            with contextlib.suppress(VmError):
                await until(lambda: board.lamp(GO), "green", within=GREEN_S)
                break
            if (await status(board))["people"] > before:
                break
        else:
            raise VmError("nobody sees green")
        self.greens.append(visitor)
        self.reader.remove()
        await until(lambda: _not(board.lamp(GO)), "green goes out")
        return visitor

    async def accepting(self, board: Board) -> None:
        """Waits until people may scan: stop is dark, and the next place of the bar pulses."""
        await until(lambda: board.lamp(BAR[0]), "the kiosk accepts people", within=BOOT_S)
        await board.devices_there()

    async def release(self, board: Board) -> None:
        """Waits for the lamp and presses as long as a person does, by the kiosk's own clock. A board that is slow may
        feel that as too short or too long, and somebody presses again."""
        before = (await status(board))["groups_released"]

        async def released() -> bool:
            return bool((await status(board))["groups_released"] > before)

        await until(lambda: board.lamp(RELEASE), "the release lamp")
        for _ in range(PRESSES):
            await board.set_pin(RELEASE_BUTTON, high=False)
            await board.shell("sleep 0.6")
            await board.set_pin(RELEASE_BUTTON, high=True)
            with contextlib.suppress(VmError):
                return await until(released, "the group is released", within=PRESS_SEEN_S)
        raise VmError(f"{PRESSES} presses and no group went")


SECRET = "pässwort-im-FAT"


async def _not(seen: Awaitable[bool]) -> bool:
    return not await seen


async def status(board: Board) -> dict[str, Any]:
    """The status of the daemon as its status file has it; {} before there is one."""
    text = await board.shell("cat /run/kiosk/status.json 2>/dev/null || true")
    try:
        told: dict[str, Any] = json.loads(text[text.index("{") : text.rindex("}") + 1])
    except ValueError:
        return {}
    return told
