"""Label printers: what the three languages have in common. Bitmaps only, one status, one driver, four kinds of port."""

from typing import Protocol

import msgspec
from PIL import Image


class Status(msgspec.Struct, frozen=True):
    """What a printer says of itself. None is "it did not say", which is neither good nor bad.

    ``fault``: anything else that keeps it from printing, in words; ``busy``: labels are still on their way.
    """

    paper_out: bool | None = None
    head_open: bool | None = None
    fault: str = ""
    busy: bool = False

    @property
    def answered(self) -> bool:
        return self != UNKNOWN

    @property
    def trouble(self) -> str:
        """Why it cannot print, or ""."""
        troubles = (self.paper_out and "out of paper", self.head_open and "head open", self.fault)
        return ", ".join(trouble for trouble in troubles if trouble)


UNKNOWN = Status()

_INVERTED = bytes(range(255, -1, -1))


def raster(image: Image.Image, *, black_is_one: bool) -> tuple[int, bytes]:
    """Bytes per row, and the rows from the top, the leftmost dot in the highest bit, filled up with white."""
    width_bytes = (image.width + 7) // 8
    padded = Image.new("1", (width_bytes * 8, image.height), 255)
    padded.paste(image)
    rows = padded.tobytes()
    return width_bytes, rows.translate(_INVERTED) if black_is_one else rows


class Language(Protocol):
    """A printer language: pure functions between pictures, bytes and states."""

    @property
    def queries(self) -> tuple[bytes, ...]:
        """What to send, one after the other, to learn the status. Never while a label is being sent."""

    def job(self, image: Image.Image) -> bytes:
        """A label with all its copies. Raises ValueError for a picture this printer cannot print."""

    def resync(self, image_bytes: int, /) -> bytes:
        """What brings a printer that was cut off within a label back to the start of a command."""

    def complete(self, answer: bytes) -> bool:
        """Whether the answer to one query is all there."""

    def status(self, answers: tuple[bytes, ...]) -> Status:
        """The state told by the answers to `queries`, as many of them as came."""

    def replies(self, status: Status) -> dict[bytes, bytes]:
        """The far side: what a printer in this state answers to each query. For simulators."""
