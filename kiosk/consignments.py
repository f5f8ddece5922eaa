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
