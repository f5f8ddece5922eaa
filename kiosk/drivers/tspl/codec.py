"""TSPL: the ten commands every clone knows, and the status query ESC ! ?. Pure.

Source: TSC, "TSPL/TSPL2 Programming Language". Clones drop a whole job, silently, if it holds a command they do not
know, so nothing outside SIZE GAP DIRECTION REFERENCE SPEED DENSITY CLS BITMAP PRINT is sent.
"""

from PIL import Image

from kiosk.config import TsplPrinter
from kiosk.drivers.printer import UNKNOWN, Status, raster

QUERY = b"\x1b!?"  # no CR LF behind it

STATES = {
    0x00: Status(paper_out=False, head_open=False),
    0x01: Status(paper_out=False, head_open=True),
    0x02: Status(paper_out=False, head_open=False, fault="paper jam"),
    0x03: Status(paper_out=False, head_open=True, fault="paper jam"),
    0x04: Status(paper_out=True, head_open=False),
    0x05: Status(paper_out=True, head_open=True),
    0x08: Status(paper_out=False, head_open=False, fault="ribbon out"),
    0x09: Status(paper_out=False, head_open=True, fault="ribbon out"),
    0x0A: Status(paper_out=False, head_open=False, fault="ribbon out, paper jam"),
    0x0B: Status(paper_out=False, head_open=True, fault="ribbon out, paper jam"),
    0x0C: Status(paper_out=True, head_open=False, fault="ribbon out"),
    0x0D: Status(paper_out=True, head_open=True, fault="ribbon out"),
    0x10: Status(paper_out=False, head_open=False, fault="paused"),
    0x20: Status(paper_out=False, head_open=False, busy=True),
}
"""A table, not a bit mask: a clone answers 07 with only its lid open. What is not listed is a fault by number."""


class Tspl:
    """The codec for one printer's settings."""

    queries = (QUERY,)

    def __init__(self, config: TsplPrinter) -> None:
        width, height = config.label_mm
        setup = (
            f"SIZE {width} mm,{height} mm",
            f"GAP {config.gap_mm:g} mm,0 mm",
            "DIRECTION 1",
            "REFERENCE 0,0",
            f"SPEED {config.speed}",
            f"DENSITY {config.density}",
            "CLS",
        )
        self._head = "".join(f"{line}\r\n" for line in setup).encode()
        self._tail = f"\r\nPRINT 1,{config.copies}\r\n".encode()
        self._mode = config.mode
        self._invert = config.invert

    def job(self, image: Image.Image) -> bytes:
        width_bytes, rows = raster(image, black_is_one=self._invert)  # by the manual a 0 bit burns
        bitmap = f"BITMAP 0,0,{width_bytes},{image.height},{self._mode},".encode()
        return self._head + bitmap + rows + self._tail

    def resync(self, image_bytes: int, /) -> bytes:
        blank = b"\x00" if self._invert else b"\xff"
        return blank * image_bytes + b"\r\nCLS\r\n"  # completes a BITMAP that was cut off, then forgets it

    def complete(self, answer: bytes) -> bool:
        return len(answer) >= 1

    def status(self, answers: tuple[bytes, ...]) -> Status:
        if not answers:
            return UNKNOWN
        code = answers[0][0]
        return STATES.get(code) or Status(fault=f"fault 0x{code:02X}")

    def replies(self, status: Status) -> dict[bytes, bytes]:
        return {QUERY: next((bytes((code,)) for code, state in STATES.items() if state == status), b"\x80")}
