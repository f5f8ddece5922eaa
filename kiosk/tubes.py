"""Who is in which tube: what a table knows of every tube of the round."""

import msgspec

from kiosk.domain import Specimen, Stamp


class Kind(msgspec.Struct, frozen=True, array_like=True):
    """Whom a tube is for. People change places only between tubes of one kind."""

    size: int
    apart: bool = False
    household: bool = False
    specimen: Specimen = Specimen.THROAT
    isolation: bool = False


class Tube(msgspec.Struct, frozen=True, array_like=True):
    """``members``: position to person. ``at``: when it was closed; ``shown``: how many people its label shows, or the
    one person it names; ``past``: its people are of a round that is over, so nobody else comes in."""

    tube: str
    kind: Kind
    members: dict[int, int] = {}
    at: Stamp | None = None
    shown: int = 0
    past: bool = False

    @property
    def free(self) -> int:
        """The lowest free position, from 1."""
        return next(n for n in range(1, self.kind.size + 2) if n not in self.members)

    @property
    def showing(self) -> int:
        """What ``shown`` must be for the label to be right."""
        return self.members.get(1, 0) if self.kind.size == 1 else len(self.members)

    def place(self, person: int) -> int:
        return next(place for place, who in self.members.items() if who == person)
