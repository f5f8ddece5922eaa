"""What comes out of a printer: each language read from its manual, apart from the codecs, and turned into pictures.

`feed` takes the bytes of the line in any pieces and returns what they made the printer do: print a picture (mode "1",
black 0, white 255) or answer a query (its bytes). Unknown commands are skipped, as printers do.
"""

import base64
import binascii
import contextlib
import re
import zlib
from collections.abc import Iterator
from typing import ClassVar

from PIL import Image

Deed = Image.Image | bytes


class Paper:
    """An incremental reader. ``_step`` does one command, or returns None when it needs more bytes."""

    def __init__(self) -> None:
        self._line = bytearray()

    def feed(self, data: bytes) -> list[Deed]:
        self._line += data
        deeds: list[Deed] = []
        while self._line and (done := self._step()) is not None:
            used, made = done
            del self._line[:used]
            deeds += made
        return deeds

    def _step(self) -> tuple[int, list[Deed]] | None:
        raise NotImplementedError


class TsplPaper(Paper):
    """Keeps one image buffer of SIZE; BITMAP paints into it, CLS whitens it, PRINT puts it out."""

    _BITMAP = re.compile(rb"BITMAP (\d+),(\d+),(\d+),(\d+),([012]),")
    _HEAD_LIMIT = 64

    def __init__(self, dots_per_mm: float = 8.0, *, black_is_one: bool = False) -> None:
        super().__init__()
        self._scale = dots_per_mm
        self._black_is_one = black_is_one
        self._buffer = Image.new("1", (1, 1), 255)

    def _step(self) -> tuple[int, list[Deed]] | None:
        line = self._line
        if line[0] == 0x1B:
            if len(line) < 3:
                return None
            return (3, [b"\x1b!?"]) if line[:3] == b"\x1b!?" else (1, [])
        if line.startswith(b"BITMAP "):
            return self._bitmap()
        if len(line) < 7 and b"BITMAP ".startswith(line):
            return None
        end = line.find(b"\r\n")
        if end < 0:
            return None
        try:
            return end + 2, self._command(line[:end].decode("latin-1"))
        except ValueError:  # numbers that are none
            return end + 2, []

    def _bitmap(self) -> tuple[int, list[Deed]] | None:
        head = self._BITMAP.match(self._line)
        if head is None:
            return (1, []) if len(self._line) > self._HEAD_LIMIT else None
        x, y, width_bytes, height, _ = map(int, head.groups())
        end = head.end() + width_bytes * height
        if len(self._line) < end:
            return None
        dots = Image.frombytes("1", (width_bytes * 8, height), bytes(self._line[head.end() : end]))
        self._buffer.paste(dots.point(lambda dot: 255 - dot) if self._black_is_one else dots, (x, y))
        return end, []

    def _command(self, text: str) -> list[Deed]:
        name, _, rest = text.partition(" ")
        if name == "SIZE":
            width, height = (float(side.split()[0]) for side in rest.split(","))
            self._buffer = Image.new("1", (int(width * self._scale), int(height * self._scale)), 255)
        elif name == "CLS":
            self._buffer.paste(255, (0, 0, *self._buffer.size))
        elif name == "PRINT":
            sets, _, copies = rest.partition(",")
            return [self._buffer.copy() for _ in range(int(sets) * int(copies or 1))]
        return []


class EscposPaper(Paper):
    """A roll: GS v 0 prints its rows, GS FF and FF feed to the next label and so end one."""

    _LENGTHS: ClassVar = {b"\x1b@": 2, b"\x1dv": 8, b"\x1d\x0c": 2, b"\x10\x04": 3}

    def __init__(self) -> None:
        super().__init__()
        self._bands: list[Image.Image] = []

    def _step(self) -> tuple[int, list[Deed]] | None:
        line = self._line
        if line[0] not in b"\x1b\x1d\x10\x0c":
            return 1, []
        if line[:1] == b"\x0c":
            return 1, self._eject()
        if len(line) < 2:
            return None
        start = bytes(line[:2])
        length = self._LENGTHS.get(start, 1)
        if len(line) < length:
            return None
        if start == b"\x1dv":
            return self._raster()
        if start == b"\x1d\x0c":
            return 2, self._eject()
        return length, [bytes(line[:3])] if start == b"\x10\x04" else []

    def _raster(self) -> tuple[int, list[Deed]] | None:
        width, height = int.from_bytes(self._line[4:6], "little"), int.from_bytes(self._line[6:8], "little")
        end = 8 + width * height
        if len(self._line) < end:
            return None
        burn = Image.frombytes("1", (width * 8, height), bytes(self._line[8:end]))
        self._bands.append(burn.point(lambda dot: 255 - dot))
        return end, []

    def _eject(self) -> list[Deed]:
        if not self._bands:
            return []
        label = Image.new("1", (max(b.width for b in self._bands), sum(b.height for b in self._bands)), 255)
        y = 0
        for band in self._bands:
            label.paste(band, (0, y))
            y += band.height
        self._bands.clear()
        return [label]


class ZplPaper(Paper):
    """A format from ^XA to ^XZ with graphic fields in Z64; prefix commands (~) act at once."""

    def __init__(self) -> None:
        super().__init__()
        self._begin()

    def _begin(self) -> None:
        self._size = [1, 1]
        self._at = (0, 0)
        self._copies = 1
        self._fields: list[tuple[tuple[int, int], Image.Image]] = []

    def _step(self) -> tuple[int, list[Deed]] | None:
        line = self._line
        if line[0] not in b"^~":
            return 1, []
        if len(line) < 3:
            return None
        name = bytes(line[:3])
        if name in (b"~HS", b"~JA"):
            return 3, [b"~HS"] if name == b"~HS" else []
        if name == b"^XA":
            self._begin()
            return 3, []
        if name == b"^XZ":
            return 3, list(self._print())
        after = next((i for i in range(1, len(line)) if line[i] in b"^~"), None)
        if after is None:
            return None
        with contextlib.suppress(ValueError):  # numbers that are none
            self._command(name, line[3:after].decode("latin-1").strip())
        return after, []

    def _command(self, name: bytes, rest: str) -> None:
        if name == b"^PW":
            self._size[0] = int(rest)
        elif name == b"^LL":
            self._size[1] = int(rest)
        elif name == b"^PQ":
            self._copies = int(rest.partition(",")[0])
        elif name == b"^FO":
            x, y = rest.split(",")[:2]
            self._at = (int(x), int(y))
        elif name == b"^GF":
            self._graphic(rest)

    def _graphic(self, rest: str) -> None:
        kind, _, total, width_bytes, data = rest.split(",", 4)
        packed = re.fullmatch(r":Z64:([A-Za-z0-9+/=]+):([0-9A-Fa-f]{4})", data)
        if kind != "A" or packed is None or binascii.crc_hqx(packed[1].encode(), 0) != int(packed[2], 16):
            return
        dots = zlib.decompress(base64.b64decode(packed[1]))
        if len(dots) == int(total):
            size = (int(width_bytes) * 8, int(total) // int(width_bytes))
            self._fields.append((self._at, Image.frombytes("1", size, dots)))

    def _print(self) -> Iterator[Image.Image]:
        label = Image.new("1", (self._size[0], self._size[1]), 255)
        for at, burn in self._fields:
            label.paste(0, at, burn)
        if self._fields:
            yield from (label.copy() for _ in range(self._copies))
        self._begin()
