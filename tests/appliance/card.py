"""The memory card as a technician's laptop and the board's firmware see it: an image file, no mounts."""

import json
import os
import subprocess
from pathlib import Path
from typing import NamedTuple

SECTOR = 512
TECHNICIAN, BOOT, ROOT, SPARE, DATA = 1, {"A": 2, "B": 3}, {"A": 5, "B": 6}, 7, 8
_MTOOLS = os.environ | {"MTOOLS_SKIP_CHECK": "1"}


class Extent(NamedTuple):
    """A partition: first byte and length in bytes."""

    start: int
    size: int


class Card:
    """``path``: the image as a raw file. Nothing is cached: the kiosk writes to the same file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def flashed(cls, image: Path, onto: Path, size: int) -> "Card":
        """A card of ``size`` bytes with ``image`` written to it. QEMU's cards have a power of two."""
        subprocess.run(["cp", "--sparse=always", image, onto], check=True)
        os.truncate(onto, size)
        return cls(onto)

    def copied(self, onto: Path) -> "Card":
        """The same card as it is now: what a cut of the power at this moment leaves."""
        subprocess.run(["cp", "--sparse=always", self.path, onto], check=True)
        return Card(onto)

    def partition(self, number: int) -> Extent:
        table = subprocess.run(["sfdisk", "--json", self.path], check=True, capture_output=True, text=True).stdout
        for entry in json.loads(table)["partitiontable"]["partitions"]:
            if entry["node"] == f"{self.path}{number}" or entry["node"] == f"{self.path}p{number}":
                return Extent(entry["start"] * SECTOR, entry["size"] * SECTOR)
        raise LookupError(f"{self.path} has no partition {number}")

    def read(self, number: int, name: str) -> bytes:
        """A file of a FAT partition. Raises FileNotFoundError."""
        done = self._mtools("mtype", number, name)
        if done.returncode:
            raise FileNotFoundError(f"{name} on partition {number}: {done.stderr.decode(errors='replace').strip()}")
        return done.stdout

    def names(self, number: int) -> list[str]:
        """The files in the root folder of a FAT partition."""
        done = self._mtools("mdir", number, "", "-b")
        return [line.removeprefix("::/") for line in done.stdout.decode().split()]

    def write(self, number: int, name: str, content: bytes) -> None:
        """Puts a file on a FAT partition, as a laptop does."""
        subprocess.run(
            ["mcopy", "-o", "-i", self._at(number), "-", f"::{name}"], input=content, check=True, env=_MTOOLS
        )

    def remove(self, number: int, name: str) -> None:
        self._mtools("mdel", number, name).check_returncode()

    def cut(self, number: int, onto: Path) -> Path:
        """The whole partition as a file of its own."""
        extent = self.partition(number)
        with self.path.open("rb") as source, onto.open("wb") as target:
            source.seek(extent.start)
            left = extent.size
            while left and (block := source.read(min(left, 1 << 20))):
                if block.count(0) == len(block):
                    target.seek(len(block), os.SEEK_CUR)
                else:
                    target.write(block)
                left -= len(block)
            target.truncate(extent.size)
        return onto

    def scribble(self, number: int, offset: int, content: bytes) -> None:
        """Damages a partition."""
        extent = self.partition(number)
        with self.path.open("r+b") as file:
            file.seek(extent.start + offset)
            file.write(content)

    def _at(self, number: int) -> str:
        return f"{self.path}@@{self.partition(number).start}"

    def _mtools(self, program: str, number: int, name: str, *options: str) -> subprocess.CompletedProcess[bytes]:
        command = [program, "-i", self._at(number), *options, f"::{name}"]
        return subprocess.run(command, capture_output=True, env=_MTOOLS)
