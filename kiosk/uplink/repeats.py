"""What is said again and again until somebody has heard it. Pure but for the jitter; times are monotonic seconds."""

import random
from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

FIRST_S = 30.0
LONGEST_S = 600.0
MOST = 64
"""Things that are repeated at once; the oldest gives way."""

K = TypeVar("K")


class _Wait(NamedTuple):
    due: float
    wait: float


class Repeats(Generic[K]):
    """Each key is due at once, then after about 30 s, then after ever longer waits up to ten minutes.

    ``jitter``: as random.uniform, for a factor on each wait."""

    def __init__(self, jitter: Callable[[float, float], float] = random.uniform) -> None:
        self._waits: dict[K, _Wait] = {}
        self._jitter = jitter

    def __contains__(self, key: K) -> bool:
        return key in self._waits

    def add(self, key: K) -> list[K]:
        """Returns what gave way."""
        self._waits[key] = _Wait(0.0, FIRST_S)
        gone = list(self._waits)[:-MOST]
        for each in gone:
            self.drop(each)
        return gone

    def drop(self, key: K) -> None:
        self._waits.pop(key, None)

    def keep(self, wanted: Callable[[K], bool]) -> None:
        """Drops all that is not wanted any more."""
        self._waits = {key: wait for key, wait in self._waits.items() if wanted(key)}

    def renew(self) -> None:
        """Everything is due at once: nobody may have heard it."""
        self._waits = dict.fromkeys(self._waits, _Wait(0.0, FIRST_S))

    def due(self, now: float) -> list[K]:
        """What is to be said now, the oldest first. It will be due again later."""
        due = [key for key, wait in self._waits.items() if wait.due <= now]
        for key in due:
            wait = self._waits[key].wait
            self._waits[key] = _Wait(now + self._jitter(0.75, 1.25) * wait, min(LONGEST_S, 2 * wait))
        return due

    @property
    def next_at(self) -> float | None:
        return min((wait.due for wait in self._waits.values()), default=None)
