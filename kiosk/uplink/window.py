"""Which facts are on their way: a sliding window over the journal, from the watermark onward.

Pure; times are seconds of a monotonic clock.
"""

from dataclasses import dataclass, field

from kiosk.frames import Ack

FRAMES = 8
"""Frames on their way at once. A broker commonly allows 20 unacknowledged messages."""

_PATIENCE_S = (5.0, 120.0)
_WAIT_S = (1.0, 120.0)


@dataclass(slots=True, eq=False)
class Flight:
    """A frame that was sent and that the receiver has not acknowledged."""

    first: int
    last: int
    data: bytes
    sent: float
    again: bool = False


@dataclass(slots=True)
class Window:
    """``mark``: the receiver has all facts to here; ``hub``: the receiver's epoch that said so; ``cursor``: the last
    fact sent; ``not_before``: nothing is sent earlier."""

    mark: int = 0
    hub: bytes = b""
    cursor: int = 0
    not_before: float = 0.0
    flights: list[Flight] = field(default_factory=list)
    _since: float = 0.0
    _frames: int = 2
    _round_trip: float = 0.0
    _stalls: int = 0

    def room(self, now: float) -> bool:
        return len(self.flights) < self._frames and now >= self.not_before

    def sent(self, flight: Flight) -> None:
        if not self.flights:
            self._since = flight.sent
        self.flights.append(flight)
        self.cursor = flight.last

    @property
    def patience(self) -> float:
        """Seconds without progress after which what is on its way counts as lost. Grows until a slow line keeps up."""
        least, most = _PATIENCE_S
        return float(min(most, max(least, 4 * self._round_trip) * 2**self._stalls))

    @property
    def stalls_at(self) -> float | None:
        return self._since + self.patience if self.flights else None

    def stall(self, now: float, spread: float) -> None:
        """What is on its way is lost: back to the watermark after a wait, longer each time. ``spread``: 0.5 to 1."""
        least, most = _WAIT_S
        self.restart()
        self.not_before = now + spread * min(most, least * 2**self._stalls)
        self._stalls = min(self._stalls + 1, 10)
        self._frames = 1

    def restart(self) -> None:
        """Nothing is on its way, as after a fresh connection."""
        self.flights.clear()
        self.cursor = self.mark
        self.not_before = 0.0

    def heard(self, ack: Ack, now: float) -> list[Flight]:
        """Takes an acknowledgement of this journal. Returns the flights to send once more.

        A lower mark is believed only from a receiver with another epoch: it was restored and asks again.
        """
        self.not_before = 0.0
        asks_again = ack.hub != self.hub and ack.upto < self.mark
        self.hub = ack.hub
        if asks_again:
            self.mark = ack.upto
            self.restart()
            return []
        if ack.upto > self.mark:
            self._progress(ack.upto, now)
        return self._lost(ack, now)

    def _progress(self, upto: int, now: float) -> None:
        for flight in self.flights:
            if flight.last <= upto and not flight.again:
                sample = now - flight.sent
                self._round_trip = 0.8 * self._round_trip + 0.2 * sample if self._round_trip else sample
        self.flights = [f for f in self.flights if f.last > upto]
        self.mark = upto
        self.cursor = max(self.cursor, upto)
        self._since = now
        self._stalls = 0
        self._frames = min(self._frames + 1, FRAMES)

    def _lost(self, ack: Ack, now: float) -> list[Flight]:
        """Flights the receiver lacks although it has a later one: the order is kept on the way, so they got lost."""
        if not ack.missing:
            return []
        arrived = ack.missing[-1][1] + 1  # it is missing up to here because it has this one
        later, lost = False, list[Flight]()
        for flight in reversed(self.flights):
            if any(flight.first <= b and a <= flight.last for a, b in ack.missing):
                if later:
                    lost.insert(0, flight)
            elif flight.first <= arrived:
                later = True
        for flight in lost:
            self.flights.remove(flight)
            flight.sent, flight.again = now, True
        self.flights += lost
        return lost
