"""Where a small file lies in a FAT32 image: enough of the format to find one in the root folder, no more.

Microsoft, FAT32 File System Specification 1.03. Free clusters keep what deleted files held, so a search through the
whole image would find what is gone.
"""

import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

_ENTRY = 32
_LONG_NAME, _VOLUME, _FOLDER = 0x0F, 0x08, 0x10
_DELETED, _END = 0xE5, 0x00
_LAST = 0x0FFFFFF8
_MAX_CLUSTERS = 256
"""Of the root folder: thousands of files."""


class FatError(ValueError):
    """This is no FAT32 image, or the file is not in it."""


class Place(NamedTuple):
    """First byte and length of a file within one cluster."""

    at: int
    size: int


def find(image: BinaryIO, name: str) -> Place:
    """``name`` as in 8.3, "SLOT.JSO" also for slot.json. Raises FatError, OSError."""
    image.seek(0)
    front = image.read(512)
    if len(front) < 512 or front[510:] != b"\x55\xaa" or front[82:87] != b"FAT32":
        raise FatError("no FAT32 image")
    sector, per_cluster, reserved, tables = struct.unpack_from("<HBHB", front, 11)
    table_size, root = struct.unpack_from("<I4xI", front, 36)[:2]
    cluster = sector * per_cluster
    data = (reserved + tables * table_size) * sector
    stem, _, ending = name.partition(".")
    for number in _chain(image, reserved * sector, root):
        image.seek(data + (number - 2) * cluster)
        for short, attributes, first, size in _entries(image.read(cluster)):
            same = short[:8].split(b"~")[0].strip() == stem.encode() and short[8:].strip() == ending.encode()
            if same and not attributes & (_VOLUME | _FOLDER):
                if not 0 < size <= cluster:
                    raise FatError(f"{name}: found {size} bytes, expected 1 to {cluster}")
                return Place(data + (first - 2) * cluster, size)
    raise FatError(f"{name}: is not in the root folder")


def _chain(image: BinaryIO, table: int, cluster: int) -> Iterator[int]:
    for _ in range(_MAX_CLUSTERS):
        if not 2 <= cluster < _LAST:
            return
        yield cluster
        image.seek(table + 4 * cluster)
        found = image.read(4)
        cluster = int.from_bytes(found, "little") & 0x0FFFFFFF


def _entries(folder: bytes) -> Iterator[tuple[bytes, int, int, int]]:
    """Short name, attributes, first cluster and size of each file."""
    for at in range(0, len(folder) - _ENTRY + 1, _ENTRY):
        entry = folder[at : at + _ENTRY]
        if entry[0] == _END:
            return
        if entry[0] != _DELETED and entry[11] != _LONG_NAME:
            high, low, size = struct.unpack_from("<H4xHI", entry, 20)
            yield entry[:11], entry[11], high << 16 | low, size
