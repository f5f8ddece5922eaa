"""Push buttons: from a bouncing contact to one press and its length. Pure; times are monotonic milliseconds."""

from kiosk.events import ButtonPressed

BOUNCE_MS = 30
LOCKOUT_MS = 200
STUCK_MS = 60_000


class Button:
    """Feed it the level at every edge and, since edges get lost, at regular polls as well.

    A level counts once it was stable for ``bounce_ms``, from the moment it began. A press that begins within
    ``lockout_ms`` after the last one is the same finger; one that was there from the start, or lasts longer than
    STUCK_MS, is a jammed button. None of these is reported.
    """

    def __init__(self, name: str, *, bounce_ms: int = BOUNCE_MS, lockout_ms: int = LOCKOUT_MS) -> None:
        self.name = name
        self._bounce_ms = bounce_ms
        self._lockout_ms = lockout_ms
        self._level = False
        self._since = 0  # begin of the raw level
        self._down = False
        self._down_at = 0
        self._up_at: int | None = None
        self._counts = True

    def start(self, down: bool, now: int) -> None:
        """The level found at opening: a press that is already there never counts."""
        self._level = self._down = down
        self._since = self._down_at = now
        self._counts = False

    def feed(self, down: bool, now: int) -> ButtonPressed | None:
        """The level at ``now``; returns the press that has ended, ``bounce_ms`` and one call later at most."""
        press = self._settle(now)
        if down != self._level:
            self._level = down
            self._since = now
        return self._settle(now) or press

    def stuck(self, now: int) -> bool:
        return self._down and now - self._down_at > STUCK_MS

    def _settle(self, now: int) -> ButtonPressed | None:
        if self._level == self._down or now - self._since < self._bounce_ms:
            return None
        self._down = self._level
        if self._down:
            self._counts = self._up_at is None or self._since - self._up_at >= self._lockout_ms
            self._down_at = self._since
            return None
        held = self._since - self._down_at
        self._up_at = self._since
        return ButtonPressed(self.name, held) if self._counts and held <= STUCK_MS else None
