"""What a kiosk remembers of an update from the writing of a slot until it is judged: one small file on the data
partition, which both slots see. And how the rest of the kiosk gets to know what became of it."""

import contextlib
from collections.abc import Sequence
from pathlib import Path

import msgspec

from kiosk import control, files, issue_folder
from kiosk.update.slots import Slot

NAME = "update.json"
FAILED, TRIAL, DAMAGED = "update-failed", "update-trial", "slot-damaged"
"""Codes of issues."""


class Attempt(msgspec.Struct, frozen=True):
    """``slot`` holds ``version`` and is to be tried; ``root``: SHA-256 of its root, in hex, by which the bundle is
    known again. ``before``: the version that wrote it. ``devices`` answered and the journal held ``facts`` then.
    ``kept``: it is the default now; ``failed``: why it was given up, "" so far; ``told``: a label has said so;
    ``left``: a text on the stick has."""

    slot: Slot
    version: str
    root: str
    before: str
    devices: tuple[str, ...] = ()
    facts: int = 0
    kept: bool = False
    failed: str = ""
    told: bool = False
    left: bool = False


class Places(msgspec.Struct, frozen=True):
    """``etc``: on the data partition; ``run``: in RAM; ``runtime``: the daemon's folder in it."""

    etc: Path = Path("/etc/kiosk")
    run: Path = Path("/run")
    runtime: Path = Path("/run/kiosk")

    @property
    def trial(self) -> Path:
        """While this file is there, the daemon registers nobody."""
        return self.run / "kiosk-trial"

    def attempt(self) -> Attempt | None:
        """The last one; None also where the file is damaged."""
        with contextlib.suppress(OSError, msgspec.MsgspecError):
            return msgspec.json.decode((self.etc / NAME).read_bytes(), type=Attempt)
        return None

    def keep(self, attempt: Attempt | None) -> None:
        """None: it is over. Raises OSError."""
        if attempt is None:
            files.remove(self.etc / NAME)
        else:
            files.put(self.etc / NAME, msgspec.json.encode(attempt), 0o644)

    def issue(self, code: str, hint: str) -> None:
        """Tells the daemon; "" takes it back. Never raises: a machine without room in RAM has worse faults."""
        folder = self.run / issue_folder.NAME
        if not hint:
            issue_folder.take_back(folder, code)
            return
        with contextlib.suppress(OSError):
            issue_folder.tell(folder, code, hint)

    def print_notice(self, title: str, lines: Sequence[str]) -> bool:
        """A label for whoever stands there. Whether the daemon took it."""
        wanted = {"kind": "update", "title": title, "lines": list(lines), "code": ""}
        try:
            return "ok" in control.ask(self.runtime / control.NAME, "print-notice", wanted)
        except control.NotRunningError:
            return False
