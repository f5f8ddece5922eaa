"""Machine-readable zones whose lines a scanner sends as codes of their own: put together, or told as unreadable. Pure.

A scanner that reads a zone ends each of its lines with Enter. A line alone names nobody, and must not pass for a code
that nobody knows.
"""

from collections.abc import Iterator

from kiosk import mrz
from kiosk.events import CodeFailed, CodeScanned, Event

PATIENCE_S = 3.0
"""A scanner sends the lines at once; whoever scans them one by one has so long for the next."""

HALF = "a part of a document's zone: scan all of its lines, from the first one"


class ZoneLines:
    """Takes what a codec delivers; times are monotonic seconds. It holds lines until a zone is whole or given up."""

    def __init__(self) -> None:
        self._held: list[str] = []
        self._until = 0.0

    def waits(self, now: float) -> float | None:
        """Seconds until `idle` is due; None: nothing is held."""
        return max(0.0, self._until - now) if self._held else None

    def idle(self, now: float) -> Iterator[Event]:
        """Gives up what has waited too long."""
        if self._held and now >= self._until:
            yield self._give_up()

    def feed(self, event: Event, now: float) -> Iterator[Event]:
        """A code of another kind breaks a zone off; what could not be read does so by itself."""
        yield from self.idle(now)
        text = event.text if isinstance(event, CodeScanned) else ""
        if self._held and mrz.follows(text, self._held[0]):
            self._hold(text, now)
            if len(self._held) == mrz.LINES[len(text)]:
                zone, self._held = "".join(self._held), []
                yield CodeScanned(zone)
            return
        if self._held:
            failed = self._give_up()
            if not isinstance(event, CodeFailed):
                yield failed
        if mrz.is_first(text):
            self._hold(text, now)
        else:
            yield CodeFailed(HALF) if mrz.is_line(text) else event

    def _hold(self, line: str, now: float) -> None:
        self._held.append(line)
        self._until = now + PATIENCE_S

    def _give_up(self) -> CodeFailed:
        self._held = []
        return CodeFailed(HALF)
