"""Where everything lies on the card, and how an image of it is put together: files only, no loop device, no mount.

The partition table is an MBR: the boot ROM of a Raspberry Pi 3 reads no other. Firmware selects the boot partition by
autoboot.txt on the first one (raspberrypi.com/documentation/computers/config_txt.html#autoboot-txt).
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

MIB = 1 << 20
SECTOR = 512
DISK_ID = 0x4B494F53
DISK_ID_BYTES = DISK_ID.to_bytes(4, "little").hex()
AUTOBOOT_BYTES = 512
"""The firmware reads no more of it, and one sector is written whole or not at all."""


class Partition(NamedTuple):
    """``start`` and ``size`` in MiB; ``kind``: the MBR's type."""

    number: int
    name: str
    start: int
    size: int
    kind: str


PARTITIONS = (
    Partition(1, "KIOSK", 4, 64, "c"),
    Partition(2, "BOOT_A", 68, 128, "c"),
    Partition(3, "BOOT_B", 196, 128, "c"),
    Partition(4, "extended", 324, 1156, "f"),
    Partition(5, "root A", 325, 384, "83"),
    Partition(6, "root B", 710, 384, "83"),
    Partition(7, "KIOSK_SPARE", 1095, 128, "83"),
    Partition(8, "KIOSK_DATA", 1224, 256, "83"),
)
IMAGE_MIB = 1480
BOOT = {"A": 2, "B": 3}
ROOT = {"A": 5, "B": 6}


class TooLargeError(ValueError):
    """What should go into a partition is larger than it."""


def partition(number: int) -> Partition:
    return PARTITIONS[number - 1]


def autoboot(default: str) -> bytes:
    """autoboot.txt with ``default`` ("A" or "B") for every start and the other slot for the next one only."""
    other = "B" if default == "A" else "A"
    text = f"[all]\ntryboot_a_b=1\nboot_partition={BOOT[default]}\n[tryboot]\nboot_partition={BOOT[other]}\n"
    return text.encode().ljust(AUTOBOOT_BYTES, b"\n")


def sfdisk_script() -> str:
    """What sfdisk(8) must be told."""
    lines = ["label: dos", f"label-id: {DISK_ID:#010x}", "unit: sectors"]
    for part in PARTITIONS:
        start, size = part.start * MIB // SECTOR, part.size * MIB // SECTOR
        boot = ", bootable" if part.number == 1 else ""
        lines.append(f"{part.number} : start={start}, size={size}, type={part.kind}{boot}")
    return "\n".join(lines) + "\n"


def put(image: Path, contents: Mapping[int, Path]) -> None:
    """Writes each file to the start of its partition; blocks of zeros stay holes. Raises TooLargeError, OSError."""
    with image.open("r+b") as target:
        for number, path in contents.items():
            part = partition(number)
            if path.stat().st_size > part.size * MIB:
                megabytes = path.stat().st_size / MIB
                raise TooLargeError(f"{path.name} has {megabytes:.0f} MiB, partition {part.name} holds {part.size}")
            with path.open("rb") as source:
                at = part.start * MIB
                while block := source.read(MIB):
                    if block.count(0) != len(block):
                        target.seek(at)
                        target.write(block)
                    at += len(block)


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
