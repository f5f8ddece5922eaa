"""The journal as files: whether they are whole, and where they go when they are not."""

import os
import struct
from pathlib import Path

_WAL_HEADER, _FRAME_HEADER = 32, 24


def wal(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def fault(path: Path) -> str:
    """Why this cannot be a journal, seen from outside; "" when it can be one. SQLite itself would take an empty file
    for a new database and throw its -wal away, and a damaged version for a file that is read-only."""
    if not path.exists():
        return "its -wal file is there, itself it is missing" if wal(path).exists() else ""
    with path.open("rb") as file:
        head = file.read(20)
    if not head:
        return "it is empty"
    return "" if head[:16] == b"SQLite format 3\0" and {*head[18:20]} <= {1, 2} else "it is no database"


def lost_steps(path: Path, whole_frames: int) -> int:
    """Commits in the -wal behind the part that SQLite found whole. A power cut leaves one at most, the step that nobody
    was told of: each is synced before the next is written. More are damage. https://sqlite.org/fileformat2.html#walformat
    """
    try:
        data = memoryview(wal(path).read_bytes())
    except FileNotFoundError:
        return 0
    if len(data) < _WAL_HEADER + _FRAME_HEADER:
        return 0
    magic, _, page_size, _ = struct.unpack_from(">4I", data)
    known = magic & ~1 == 0x377F0682 and page_size in (1 << n for n in range(9, 17)) and _sound(data, magic)
    size = page_size if known else 4096
    frames = [
        struct.unpack_from(">2I8s", data, at)
        for at in range(_WAL_HEADER, len(data) - _FRAME_HEADER - size + 1, _FRAME_HEADER + size)
    ]
    if not frames:
        return 0
    salts = bytes(data[16:24]) if known else frames[0][2]
    return sum(commit > 0 and salt == salts for _, commit, salt in frames[whole_frames:])


def _sound(data: memoryview, magic: int) -> bool:
    """The header's own checksum."""
    order = ">" if magic & 1 else "<"
    a = b = 0
    words = struct.unpack_from(f"{order}6I", data)
    for x, y in zip(words[::2], words[1::2], strict=True):
        a = (a + x + b) & 0xFFFFFFFF
        b = (b + y + a) & 0xFFFFFFFF
    return (a, b) == struct.unpack_from(">2I", data, 24)


def aside(path: Path) -> list[Path]:
    """The journals set aside so far, oldest first."""
    return sorted(path.parent.glob(f"{path.name}.damaged-*[0-9]"), key=_number)


def kept(path: Path) -> int:
    """How often a journal was set aside here."""
    return max(map(_number, aside(path)), default=0)


def _number(path: Path) -> int:
    return int(path.name.rpartition("-")[2])


def set_aside(path: Path, above: int = 0) -> Path:
    """Gives the files of a journal another name, with a number greater than ``above``, and returns it. Raises
    OSError."""
    new = path.with_name(f"{path.name}.damaged-{max(kept(path), above) + 1}")
    if not path.exists():
        path.touch()  # the name that counts
    for suffix in ("-shm", "-journal", "-wal", ""):
        if (part := path.with_name(path.name + suffix)).exists():
            part.rename(new.with_name(new.name + suffix))
    sync(path.parent)
    return new


def sync(path: Path) -> None:
    """Syncs a file or folder. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
