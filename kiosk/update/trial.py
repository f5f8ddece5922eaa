"""The first start of a freshly written slot: it stays only when the kiosk is well in it.

The firmware tries a slot once; whatever goes wrong there, up to a kernel that does not start, the next start is the
slot of before. `begin` runs before the daemon at every start, `judge` beside it.
"""

import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from kiosk import __version__, health
from kiosk.update.attempt import FAILED, TRIAL, Attempt, Places
from kiosk.update.slots import Card, other

WITHIN_S = 300.0
STEADY_S = 20.0
"""So long all must be well without a restart of the daemon."""
_LOOK_S = 1.0
_BLOCK = 1 << 20
_FATAL = ("storage", "safe-mode", "journal-set-aside")
"""Issues with which a new version is not kept."""


class Times(NamedTuple):
    """``now`` in monotonic seconds."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


_REAL = Times()


def begin(card: Card, at: Places) -> bool:
    """Whether this start is a trial. Notes what the daemon must know; tidies up after an update that is over. Raises
    OSError, SlotError."""
    attempt, running = at.attempt(), card.running()
    if card.is_trial():
        at.trial.parent.mkdir(parents=True, exist_ok=True)
        at.trial.touch()
        at.issue(TRIAL, f"version {__version__} runs on trial in slot {running}: nobody is registered until it is kept")
        return True
    if attempt is None or attempt.kept:
        return False
    if attempt.slot == running:  # kept, and the power went before that was noted
        at.keep(msgspec.structs.replace(attempt, kept=True))
        return False
    if not attempt.failed:
        why = "it did not come up, or the power went before it was kept"
        attempt = msgspec.structs.replace(attempt, failed=why)
        at.keep(attempt)
    at.issue(FAILED, f"version {attempt.version} was given up: {attempt.failed}; version {__version__} goes on")
    return False


def judge(at: Places, *, within: float = WITHIN_S, steady: float = STEADY_S, times: Times = _REAL) -> str:
    """Watches the daemon in a trial. Returns why it cannot be kept, "" when it can."""
    attempt = at.attempt()
    end = times.now() + within
    well_since: float | None = None
    process = 0
    while True:
        status = _status(at.runtime)
        why = _wrong(status, attempt)
        now = times.now()
        if why or status.get("pid") != process:
            well_since, process = None, status.get("pid", 0)
        if not why:
            well_since = now if well_since is None else well_since
            if now - well_since >= steady:
                return ""
        if now >= end:
            return why or "it does not stay up"
        times.sleep(_LOOK_S)


def _status(runtime: Path) -> dict[str, Any]:
    try:
        return health.read_status(runtime / health.STATUS_NAME)
    except health.StatusError as error:
        return {"state": str(error)}


def _wrong(status: dict[str, Any], attempt: Attempt | None) -> str:
    if status["state"] != "running":
        return f"the kiosk does not run ({status['state']})"
    issues = {issue["code"]: issue["hint"] for issue in status["issues"]}
    for code in _FATAL:
        if code in issues:
            return f"{code}: {issues[code]}"
    if attempt is None:
        return ""
    if status["journal"]["seq"] < attempt.facts:
        return f"the journal has {status['journal']['seq']} facts, it had {attempt.facts}"
    silent = [name for name in attempt.devices if status["devices"].get(name) == "offline"]
    return f"no answer from {', '.join(silent)}, which answered before" if silent else ""


def keep(card: Card, at: Places) -> None:
    """The running slot is the default from now on. Raises OSError, SlotError."""
    card.set_default(card.running())
    if (attempt := at.attempt()) is not None:
        at.keep(msgspec.structs.replace(attempt, kept=True))
    at.issue(TRIAL, "")
    at.trial.unlink(missing_ok=True)


def give_up(card: Card, at: Places, why: str) -> None:
    """Remembers why; the next start is the other slot. Raises OSError, SlotError."""
    running = card.running()
    attempt = at.attempt() or Attempt(running, __version__, "", "")
    at.keep(msgspec.structs.replace(attempt, failed=why, told=False, left=False))
    at.issue(TRIAL, f"version {__version__} is given up: {why}; slot {other(running)} starts")


def wait_until_up(at: Places, *, within: float = WITHIN_S, times: Times = _REAL) -> bool:
    """Whether the daemon came up in time."""
    end = times.now() + within
    while _status(at.runtime)["state"] != "running":
        if times.now() >= end:
            return False
        times.sleep(_LOOK_S)
    return True


def damage(root: Path, size: int, sha256: str) -> str:
    """What is wrong with the root of a slot, "" when it is as it was written. Raises OSError."""
    whole, left = hashlib.sha256(), size
    with root.open("rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        while left and (block := file.read(min(_BLOCK, left))):
            whole.update(block)
            left -= len(block)
    if left:
        return f"its partition ends {left} bytes too early"
    return "" if whole.hexdigest() == sha256 else "the root reads otherwise than it was written"
