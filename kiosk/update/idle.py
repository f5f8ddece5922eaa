"""When nobody stands at the desk, so that a restart keeps nobody waiting."""

import time
from collections.abc import Callable
from pathlib import Path

from kiosk import health

QUIET_S = 600.0
"""Nobody came for so long, and no group waits."""
VERY_QUIET_S = 7200.0
"""Nobody came for so long: the rest of a group has gone home."""
_LOOK_S = 5.0


def wait_until_idle(
    runtime: Path, now: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
) -> None:
    """Returns when a restart disturbs nobody; at once where no daemon works."""
    people, since = -1, now()
    while True:
        try:
            status = health.read_status(runtime / health.STATUS_NAME)
        except health.StatusError:
            return
        if status["state"] != "running":
            return
        if status["people"] != people:
            people, since = status["people"], now()
        quiet = now() - since
        if quiet >= (VERY_QUIET_S if status["group"]["members"] or status["waiting"] else QUIET_S):
            return
        sleep(_LOOK_S)
