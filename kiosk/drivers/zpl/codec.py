"""ZPL II: ^GFA with Z64 data (zlib, base64, CRC-16) and the host status ~HS. Pure.

Source: Zebra, "ZPL II Programming Guide". ~HS answers three strings, each between STX and ETX.
"""

import base64
import binascii
import re
import zlib

from PIL import Image

from kiosk.config import ZplPrinter
from kiosk.drivers.printer import UNKNOWN, Status, raster

QUERY = b"~HS"

_STRINGS = re.compile(rb"\x02([^\x02\x03]*)\x03")


class Zpl:
    """The codec for one printer's settings."""

    queries = (QUERY,)

    def __init__(self, config: ZplPrinter) -> None:
        self._copies = config.copies
        self._darkness = config.darkness

    def job(self, image: Image.Image) -> bytes:
        width_bytes, rows = raster(image, black_is_one=True)
        packed = base64.b64encode(zlib.compress(rows, 6))
        field = f"^GFA,{len(rows)},{len(rows)},{width_bytes},:Z64:{packed.decode()}:{binascii.crc_hqx(packed, 0):04X}"
        head = f"~SD{self._darkness:02}^XA^PW{image.width}^LL{image.height}^LH0,0^FO0,0"
        return f"{head}{field}^FS^PQ{self._copies}^XZ\r\n".encode()

    def resync(self, _image_bytes: int, /) -> bytes:
        return b"^FS^XZ~JA"  # ends the label that was cut off, empty, and forgets what still waits

    def complete(self, answer: bytes) -> bool:
        return len(_STRINGS.findall(answer)) >= 3

    def status(self, answers: tuple[bytes, ...]) -> Status:
        if not answers:
            return UNKNOWN
        try:
            first, second = ([int(part) for part in text.split(b",")] for text in _STRINGS.findall(answers[0])[:2])
            faults = {
                "paused": first[2],
                "head too cold": first[10],
                "head too hot": first[11],
                "ribbon out": second[3],
            }
            waiting = first[4] or first[5] or second[8]
            paper_out, head_open = bool(first[1]), bool(second[2])
        except (ValueError, IndexError):
            return UNKNOWN
        if paper_out or head_open:
            del faults["paused"]  # it pauses by itself then
        fault = ", ".join(name for name, on in faults.items() if on)
        return Status(paper_out=paper_out, head_open=head_open, fault=fault, busy=bool(waiting))

    def replies(self, status: Status) -> dict[bytes, bytes]:
        paper, pause, head = (int(bool(on)) for on in (status.paper_out, status.fault, status.head_open))
        first = f"030,{paper},{pause},0240,{int(status.busy):03},0,0,0,000,0,0,0"
        second = f"000,0,{head},0,0,2,4,0,00000000,1,000"
        return {QUERY: "".join(f"\x02{text}\x03\r\n" for text in (first, second, "1234,0")).encode()}
