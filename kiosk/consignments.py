"""What custody keeps of a tube, of the box that is being packed, and of those on their way."""

import msgspec

from kiosk.domain import Specimen, Stamp


class Held(msgspec.Struct, frozen=True):
    """A tube of ours. ``since``: the stamp of its first swab, by the clock as it is known now; ``people``: position to
    person; ``emptied``: when the last of them left; ``absent``: were never sampled, though the label counts them."""

    size: int
    household: bool = False
    specimen: Specimen = Specimen.THROAT
    since: Stamp | None = None
    people: dict[int, int] = {}
    emptied: Stamp | None = None
    absent: int = 0

    def joined(self, position: int, person: int, at: Stamp) -> "Held":
        """Who comes in within the step that emptied it has only changed on paper: its swabs are as old as before."""
        same = self.since is not None and self.emptied in (None, at)
        people = self.people | {position: person}
        return msgspec.structs.replace(self, people=people, since=self.since if same else at, emptied=None)

    def left(self, position: int, at: Stamp, *, late: bool) -> "Held":
        people = {place: person for place, person in self.people.items() if place != position}
        emptied = None if people else at
        return msgspec.structs.replace(self, people=people, emptied=emptied, absent=self.absent + late)

    def dated(self, at: Stamp) -> "Held":
        """By a clock that can be believed at least as far, the first swab of the same boot is dated anew."""
        since = self.since
        if since is None or since.boot != at.boot or since.trust > at.trust:
            return self
        wall = at.wall - (at.mono - since.mono)
        since = msgspec.structs.replace(since, wall=wall, trust=at.trust, zone=at.zone)
        return msgspec.structs.replace(self, since=since)


class Consignment(msgspec.Struct, frozen=True):
    """``due``: the tubes that were closed when it opened; ``packed``: tube to bag; ``full``: the last bag is;
    ``stopped``: it was to close and could not, and nothing has changed since."""

    number: int
    courier: int
    due: tuple[str, ...] = ()
    packed: dict[str, int] = {}
    full: bool = False
    lab: str = ""
    vehicle: str = ""
    stopped: bool = False

    @property
    def bag(self) -> int:
        """Where the next tube goes."""
        last = max(self.packed.values(), default=0)
        return last + 1 if self.full or not last else last


class Trip(msgspec.Struct, frozen=True):
    lab: str
    tubes: int
    at: Stamp
