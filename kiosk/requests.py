"""What the daemon, which may do little, asks of root, and what root answers.

A request is the signed command itself, in a file named after what it asks for; root believes nothing but the signature
and looks at it again. Root remembers what it has done, so that neither a kill nor a daemon gone mad does a thing twice.
"""

import contextlib
import os
import stat
import time
from pathlib import Path
from typing import NamedTuple

import msgspec

from kiosk import commands, files
from kiosk.commands import Arguments, Command
from kiosk.config import Config
from kiosk.events import CommandAnswered
from kiosk.frames import FrameError
from kiosk.seal import PublicKeys

FOLDER, ANSWERS, LEDGER = "requests", "kiosk-answers", "commands.json"


class RequestError(ValueError):
    """Root does not do this; the text says why."""


class Done(msgspec.Struct, frozen=True):
    """A command that root has taken. ``outcome``: "" while it is at it."""

    to: int
    n: int
    outcome: str = ""
    text: str = ""


class Work(NamedTuple):
    """``resumed``: root was at it before and did not come to an end."""

    command: Command
    arguments: Arguments
    resumed: bool


# The daemon's side ------------------------------------------------------------------------------------------------


def hand_over(runtime: Path, do: str, envelope: bytes) -> None:
    """Asks root. Raises OSError."""
    (runtime / FOLDER).mkdir(mode=0o700, exist_ok=True)
    fresh = runtime / f"{FOLDER}.new"
    fresh.write_bytes(envelope)
    fresh.rename(runtime / FOLDER / do)


def answers(runtime: Path) -> list[CommandAnswered]:
    """What root has answered since the machine came up."""
    found = []
    for path in sorted((runtime.parent / ANSWERS).glob("*.json")):
        with contextlib.suppress(OSError, msgspec.MsgspecError):
            done = msgspec.json.decode(path.read_bytes(), type=Done)
            found.append(CommandAnswered(done.to, done.n, done.outcome, done.text))
    return found


# Root's side ------------------------------------------------------------------------------------------------------


class Root:
    """``etc``: root's own folder on the data partition; ``wall``: ms since 1970 UTC."""

    def __init__(self, config: Config, etc: Path, wall: int | None = None) -> None:
        self._config = config
        self._ledger = etc / LEDGER
        self._answers = config.kiosk.runtime_dir.parent / ANSWERS
        self._wall = time.time_ns() // 1_000_000 if wall is None else wall

    def take(self, do: str) -> Work | None:
        """The request, verified; None when it was answered before, and is again. Raises RequestError, OSError."""
        envelope = self._read(do)
        try:
            command = commands.unpack(envelope, PublicKeys.parse(self._config.seal.public_key).verify)
            arguments = command.arguments()
        except FrameError as error:
            raise RequestError(f"request {do}: {error}") from None
        site, number = self._config.site.code, self._config.kiosk.number
        if command.do != do or command.site != site or command.kiosk not in (commands.EVERYBODY, number):
            raise RequestError(f"request {do}: it is for something or somebody else")
        last = self._last().get(str(command.kiosk))
        if last is not None and command.n < last.n:
            raise RequestError(f"request {do}: n: found {command.n}, expected at least {last.n}")
        if last is not None and command.n == last.n and last.outcome:
            self._tell(last)
            return None
        if command.until <= self._wall and (last is None or last.n != command.n):
            self.answer(command, "failed", "until: it expired before it could be carried out")
            return None
        resumed = last is not None and last.n == command.n
        self._remember(Done(command.kiosk, command.n))
        return Work(command, arguments, resumed)

    def answer(self, command: Command, outcome: str, text: str) -> None:
        """Remembers what became of it, and tells the daemon. Raises OSError."""
        done = Done(command.kiosk, command.n, outcome, text)
        self._remember(done)
        self._tell(done)

    def _read(self, do: str) -> bytes:
        """The folder is the daemon's: nothing in it is trusted to be a file, or short."""
        path = self._config.kiosk.runtime_dir / FOLDER / do
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                    raise RequestError(f"request {do}: is no file")
                return os.read(descriptor, commands.MAX_COMMAND + 1)
            finally:
                os.close(descriptor)
        finally:
            path.unlink(missing_ok=True)

    def _last(self) -> dict[str, Done]:
        with contextlib.suppress(OSError, msgspec.MsgspecError):
            return msgspec.json.decode(self._ledger.read_bytes(), type=dict[str, Done])
        return {}

    def _remember(self, done: Done) -> None:
        files.put(self._ledger, msgspec.json.encode(self._last() | {str(done.to): done}), 0o600)

    def _tell(self, done: Done) -> None:
        files.put(self._answers / f"{done.to}-{done.n}.json", msgspec.json.encode(done), 0o644)
