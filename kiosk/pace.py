"""How fast people come and go, counted by the minute from the facts themselves. Pure."""

import msgspec

from kiosk.domain import Stamp

WINDOW_MIN = 15
SLOW_PER_HOUR = 200
"""What one sampler does alone (rule Q8: 200 people an hour each, two samplers a table). Under it a group of five goes
forward as often as a group of ten at a table's full pace: every 90 s (rule G2)."""


class Pace(msgspec.Struct, frozen=True):
    """``minutes``: (monotonic minute of ``boot``, people who came, people who went) of the last quarter of an hour;
    ``since``: the first minute that was counted."""

    boot: bytes = b""
    since: int = 0
    minutes: tuple[tuple[int, int, int], ...] = ()

    def counted(self, at: Stamp, came: int = 0, went: int = 0) -> "Pace":
        minute = at.mono // 60_000
        if at.boot != self.boot:
            return Pace(at.boot, minute, ((minute, came, went),))
        kept = tuple(each for each in self.minutes if minute - WINDOW_MIN <= each[0] < minute)
        last = self.minutes[-1] if self.minutes and self.minutes[-1][0] == minute else (minute, 0, 0)
        return Pace(self.boot, self.since, (*kept, (minute, last[1] + came, last[2] + went)))

    def per_hour(self, at: Stamp) -> tuple[int, int] | None:
        """People who came, and who went, an hour; None until a whole quarter of an hour was counted."""
        minute = at.mono // 60_000
        if at.boot != self.boot or minute - self.since < WINDOW_MIN:
            return None
        window = [each for each in self.minutes if minute - WINDOW_MIN <= each[0] < minute]
        hours = WINDOW_MIN / 60
        return round(sum(each[1] for each in window) / hours), round(sum(each[2] for each in window) / hours)

    def proposed_group(self, pool: int, at: Stamp) -> int:
        """Groups of 5 or of 10, as a whole number of tubes of ``pool`` people; 0: not measured, or nobody goes."""
        pace = self.per_hour(at)
        if pace is None or not pace[1]:
            return 0
        size = 5 if pace[1] < SLOW_PER_HOUR else 10
        return size if size % pool == 0 else 0
