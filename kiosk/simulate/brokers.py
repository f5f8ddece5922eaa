"""A broker on loopback for as long as it is needed: mosquitto where there is one, else the embedded one."""

import asyncio
import contextlib
import os
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Literal, Protocol

from kiosk.simulate.broker import Broker

Kind = Literal["mosquitto", "embedded"]

READY_WITHIN_S = 20.0
_SYSTEM_FOLDERS = ("/usr/local/sbin", "/usr/sbin", "/sbin")  # where distributions put mosquitto, not on every PATH

_CONFIG = """\
listener {port} 127.0.0.1
allow_anonymous true
persistence false
set_tcp_nodelay true
connection_messages false
log_dest stderr
log_type error
"""


class BrokerError(Exception):
    """The broker did not come up; the text says why."""


class RunningBroker(Protocol):
    """``port`` stays the same over `stop` and `start`; what was retained does not."""

    @property
    def kind(self) -> Kind: ...

    @property
    def port(self) -> int: ...

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


class Mosquitto:
    """Eclipse Mosquitto as a child process, with a configuration of its own in ``folder``."""

    kind: Kind = "mosquitto"

    def __init__(self, program: str, folder: Path) -> None:
        self.port = _free_port()
        self._program = program
        self._config = folder / "mosquitto.conf"
        self._log = folder / "mosquitto.log"
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Returns once it takes connections. Raises BrokerError when it does not."""
        self._config.write_text(_CONFIG.format(port=self.port))
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                self._program, "-c", str(self._config), stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log
            )
        try:
            async with asyncio.timeout(READY_WITHIN_S):
                while not await self._answers():
                    if self._process.returncode is not None:
                        raise BrokerError(f"mosquitto ended with {self._process.returncode}: {self._last_words()}")
                    await asyncio.sleep(0.02)
        except BaseException as error:
            await self.stop()
            if isinstance(error, TimeoutError):
                raise BrokerError(f"mosquitto took no connection in {READY_WITHIN_S:g} s") from None
            raise

    async def stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(5):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()

    async def _answers(self) -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return False
        writer.close()
        await writer.wait_closed()
        return True

    def _last_words(self) -> str:
        lines = self._log.read_text(errors="replace").split("\n")
        return next((line for line in reversed(lines) if line), "no message")


def find_mosquitto() -> str | None:
    """The path of the program, or None."""
    folders = [*os.environ.get("PATH", "").split(os.pathsep), *_SYSTEM_FOLDERS]
    return shutil.which("mosquitto", path=os.pathsep.join(folders))


@contextlib.asynccontextmanager
async def open_broker(prefer: Kind = "mosquitto") -> AsyncIterator[RunningBroker]:
    """A started broker on a free port of 127.0.0.1, embedded where there is no mosquitto. Raises BrokerError."""
    program = find_mosquitto() if prefer == "mosquitto" else None
    with tempfile.TemporaryDirectory(prefix="kiosk-broker-") as folder:
        broker: RunningBroker = Broker() if program is None else Mosquitto(program, Path(folder))
        await broker.start()
        try:
            yield broker
        finally:
            await broker.stop()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
