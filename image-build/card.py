"""A finished card image, read as it is: its partition table, its FATs, its roots. Nothing is mounted or written.

Needs mtools, dosfstools, e2fsprogs and squashfs-tools.
"""

import os
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import layout

_EXTENDED = (0x05, 0x0F)
_SIGNATURE = b"\x55\xaa"


class CardError(Exception):
    """The image cannot be read any further. The text says what and where, and what to do."""


class Entry(NamedTuple):
    """A line of the partition table. ``start`` and ``size`` in sectors of 512 bytes."""

    number: int
    kind: int
    start: int
    size: int


class Node(NamedTuple):
    """One file of a root. ``mode`` as ls(1) writes it; ``path`` without a leading slash; ``target`` of a link."""

    mode: str
    uid: int
    gid: int
    path: str
    target: str


class Card:
    """``work``: a folder for what is taken out of the image. ``path`` may be a device too. Raises CardError."""

    def __init__(self, path: Path, work: Path) -> None:
        self.path, self.work = path, work
        self._env = os.environ | {"MTOOLS_SKIP_CHECK": "1", "LC_ALL": "C.UTF-8", "TZ": "UTC"}
        self._env["PATH"] += ":/usr/sbin:/sbin"

    def read(self, start: int, size: int) -> bytes:
        """Raises CardError where the image is shorter."""
        with self.path.open("rb") as file:
            file.seek(start)
            data = file.read(size)
        if len(data) < size:
            raise CardError(f"{self.path.name} ends at byte {start + len(data)}, {start + size} were expected")
        return data

    def disk_id(self) -> int:
        return int.from_bytes(self.read(440, 4), "little")

    def table(self) -> list[Entry]:
        """The partitions of the MBR and of the chain of logical ones. Raises CardError."""
        found, extended = [], 0
        for number, (kind, start, size) in enumerate(self._sector(0), 1):
            if kind:
                found.append(Entry(number, kind, start, size))
                extended = start if kind in _EXTENDED else extended
        number, at = 5, extended
        while at and number < 64:
            (kind, start, size), (_, following, _) = self._sector(at)[:2]
            found.append(Entry(number, kind, at + start, size))
            number, at = number + 1, extended + following if following else 0
        return found

    def _sector(self, sector: int) -> list[tuple[int, int, int]]:
        """(type, start, size) of the four lines of a table."""
        data = self.read(sector * layout.SECTOR, layout.SECTOR)
        if data[510:] != _SIGNATURE:
            raise CardError(f"{self.path.name}: no partition table in sector {sector}: this is no image of a kiosk")
        lines = [struct.unpack_from("<4xB3xII", data, 446 + 16 * line) for line in range(4)]
        return [(kind, start, size) for kind, start, size in lines]

    def part(self, number: int) -> Path:
        """The content of a partition as a file of its own."""
        part, path = layout.partition(number), self.work / f"p{number}"
        if not path.exists():
            with self.path.open("rb") as source, path.open("wb") as target:
                source.seek(part.start * layout.MIB)
                for _ in range(part.size):
                    block = source.read(layout.MIB)
                    if block.count(0) == len(block):
                        target.seek(len(block), os.SEEK_CUR)
                    else:
                        target.write(block)
                target.truncate()
        return path

    def tool(self, *command: str, allowed: tuple[int, ...] = (0,)) -> str:
        """What a program prints. Raises CardError with its last words, or when it is not installed."""
        try:
            done = subprocess.run(command, capture_output=True, env=self._env)
        except FileNotFoundError:
            raise CardError(f"{command[0]} is missing: sh scripts/need.sh image-check") from None
        if done.returncode not in allowed:
            words = (done.stdout + done.stderr).decode("utf-8", "replace").strip().splitlines()
            raise CardError(f"{command[0]} ended with {done.returncode}: {'; '.join(words[-4:]) or 'no word'}")
        return done.stdout.decode("utf-8", "replace")

    def fat_files(self, number: int) -> dict[str, bytes]:
        """Path to content of all files of a FAT partition. Raises CardError."""
        folder = self.work / f"files-{number}"
        if not folder.exists():
            folder.mkdir()
            self.tool("mcopy", "-s", "-n", "-i", str(self.part(number)), "::*", str(folder))
        return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    def root(self, number: int) -> tuple[list[Node], Path]:
        """All files of a root, and the folder into which it was unpacked. Raises CardError."""
        offset = str(layout.partition(number).start * layout.MIB)
        squash, tree = str(self.path), self.work / f"root-{number}"
        listing = self.tool("unsquashfs", "-offset", offset, "-lln", squash)
        self.tool("unsquashfs", "-quiet", "-no-progress", "-offset", offset, "-d", str(tree), squash)
        return list(_nodes(listing)), tree


def _nodes(listing: str) -> Iterator[Node]:
    """Lines of ``unsquashfs -lln``: mode, uid/gid, size or device, date, time, path, and of a link its target."""
    for line in listing.splitlines():
        words = line.split(maxsplit=2)
        if len(words) < 3 or len(words[0]) != 10 or "squashfs-root" not in line:
            continue
        uid, _, gid = words[1].partition("/")
        path, _, target = line.partition("squashfs-root")[2].partition(" -> ")
        yield Node(words[0], int(uid), int(gid), path.removeprefix("/"), target)
