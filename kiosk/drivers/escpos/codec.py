"""ESC/POS: python-escpos as encoder (GS v 0), DLE EOT as status. Pure but for the late import of python-escpos.

Source: Epson, "ESC/POS Command Reference". A real-time status byte has four fixed bits; nothing else is taken for one.
"""

import contextlib
import io
import logging
import os
import tempfile
from functools import cache
from typing import Any

from PIL import Image

from kiosk.config import EscposPrinter
from kiosk.drivers.printer import UNKNOWN, Status

INITIALIZE = b"\x1b@"
PAPER, OFFLINE_CAUSE, ERROR, PRINTER = (b"\x10\x04" + bytes((n,)) for n in (4, 2, 3, 1))

_FIXED_MASK, _FIXED = 0x93, 0x12


class Escpos:
    """The codec for one printer's settings. Raises ValueError for a profile python-escpos does not have."""

    queries = (PAPER, OFFLINE_CAUSE, ERROR, PRINTER)

    def __init__(self, config: EscposPrinter) -> None:
        self._profile = config.profile
        self._end = bytes.fromhex(config.end_of_label)
        self._copies = config.copies
        try:
            _dummy_class()(profile=config.profile)
        except KeyError:
            raise ValueError(f"python-escpos has no profile {config.profile!r}") from None

    def job(self, image: Image.Image) -> bytes:
        printer = _dummy_class()(profile=self._profile)
        try:
            with contextlib.redirect_stdout(io.StringIO()):  # it prints a remark for a profile without a width
                printer.image(image, impl="bitImageRaster")
        except Exception as error:
            raise ValueError(f"profile {self._profile!r} cannot print {image.width} dots: {error}") from error
        label: bytes = INITIALIZE + printer.output + self._end
        return label * self._copies

    def resync(self, image_bytes: int, /) -> bytes:
        return bytes(image_bytes)  # white for a picture that was cut off, nothing for a printer that waits

    def complete(self, answer: bytes) -> bool:
        return _status_byte(answer) is not None

    def status(self, answers: tuple[bytes, ...]) -> Status:
        codes = [_status_byte(answer) for answer in answers] + [None] * 4
        paper, cause, error, printer = codes[:4]
        if paper is None:
            return UNKNOWN
        paper_out = bool(paper & 0x60)
        head_open = None if cause is None else bool(cause & 0x04)
        faults = []
        if error is not None and error & 0x08:
            faults.append("cutter error")
        if error is not None and error & 0x60:
            faults.append("printer error")
        if printer is not None and printer & 0x08 and not (paper_out or head_open or faults):
            faults.append("off line")
        return Status(paper_out=paper_out, head_open=head_open, fault=", ".join(faults))

    def replies(self, status: Status) -> dict[bytes, bytes]:
        bits = {
            PAPER: 0x60 * bool(status.paper_out),
            OFFLINE_CAUSE: 0x20 * bool(status.paper_out) | 0x04 * bool(status.head_open),
            ERROR: 0x20 * bool(status.fault),
            PRINTER: 0x08 * bool(status.trouble),
        }
        return {query: bytes((_FIXED | bit,)) for query, bit in bits.items()}


def _status_byte(answer: bytes) -> int | None:
    return next((code for code in reversed(answer) if code & _FIXED_MASK == _FIXED), None)


@cache
def _dummy_class() -> Any:
    """python-escpos' printer that only collects bytes.

    Its import takes a third of a second, adds a handler to the root logger and leaves a folder in the temporary
    directory; both are undone here.
    """
    root = logging.getLogger()
    handlers, default, variable = root.handlers[:], tempfile.tempdir, "ESCPOS_CAPABILITIES_PICKLE_DIR"
    before = os.environ.pop(variable, None)
    with tempfile.TemporaryDirectory(prefix="kiosk-") as folder:
        tempfile.tempdir = folder
        try:
            from escpos.printer import Dummy
        finally:
            tempfile.tempdir, root.handlers[:] = default, handlers
            if before is not None:
                os.environ[variable] = before
    return Dummy
