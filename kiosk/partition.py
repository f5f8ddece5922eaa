"""`kiosk data prepare`: before the data partition is mounted, it is grown once, checked, mended, or set aside.

Records outlive the card they are on only if nobody formats it: what can be neither read nor mended stays as it is, and
the kiosk goes on with the spare partition, loudly. Order of the card: image-build/layout.py.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from kiosk import issue_folder

DISK_ID = bytes.fromhex("534f494b")  # of the MBR, little-endian: "KIOS"
EXTENDED, SPARE, DATA = 4, 7, 8
LINK = Path("/run/kiosk-data")
ISSUES = Path("/run") / issue_folder.NAME
_SECTOR = 512
_MENDED, _REBOOT = 1, 2  # e2fsck(8): bits of its exit status


class Ran(NamedTuple):
    status: int
    output: str


Run = Callable[..., Ran]


class NoCardError(OSError):
    """This machine has no card of a kiosk."""


def run(*command: str, given: str = "") -> Ran:
    """Runs a program and returns its status and what it said."""
    done = subprocess.run(command, input=given, capture_output=True, text=True, errors="replace", check=False)
    return Ran(done.returncode, done.stdout + done.stderr)


class Disk(NamedTuple):
    """A block device (or an image of one) with the kiosk's partition table. ``sectors``: its size."""

    path: Path
    sectors: int

    def partition(self, number: int) -> Path:
        name = self.path.name
        return self.path.with_name(f"{name}p{number}" if name[-1].isdigit() else f"{name}{number}")


def find_disk(sys_block: Path = Path("/sys/class/block"), dev: Path = Path("/dev")) -> Disk:
    """The disk with the kiosk's signature. Raises NoCardError."""
    for entry in sorted(sys_block.iterdir()):
        if (entry / "partition").exists() or not (dev / entry.name).exists():
            continue
        try:
            with (dev / entry.name).open("rb") as device:
                device.seek(440)
                if device.read(4) == DISK_ID:
                    return Disk(dev / entry.name, int((entry / "size").read_text()))
        except OSError:
            continue
    raise NoCardError("no disk with the kiosk's signature: is this a card made from the image?")


def grow(disk: Disk, run: Run = run) -> bool:
    """Lets the data partition reach to the end of the card, once. Whether it grew.

    Each of the two entries is one sector; with the first one alone the table is whole, and the next start goes on.
    """
    told = run("sfdisk", "--json", str(disk.path))
    if told.status:
        raise OSError(f"{disk.path}: sfdisk: {told.output.strip()}")
    table = {_number(each["node"]): each for each in json.loads(told.output)["partitiontable"]["partitions"]}
    grew = False
    for number in (EXTENDED, DATA):
        end = table[number]["start"] + table[number]["size"]
        if disk.sectors - end > 2048:
            size = disk.sectors - table[number]["start"]
            done = run(
                *("sfdisk", "--no-reread", "--no-tell-kernel", "-N", str(number), str(disk.path)), given=f",{size}\n"
            )
            if done.status:
                raise OSError(f"{disk.path}: partition {number} cannot grow: {done.output.strip()}")
            grew = True
    if grew:
        run("partx", "--update", "--nr", f"{EXTENDED}:{DATA}", str(disk.path))
    return grew


def _number(node: str) -> int:
    digits = node[len(node.rstrip("0123456789")) :]
    return int(digits)


class Finding(NamedTuple):
    """``usable``: it can be mounted; ``mended``: it had damage that is gone; ``said``: e2fsck's words."""

    usable: bool
    mended: bool
    said: str


def check(partition: Path, run: Run = run) -> Finding:
    """Replays the journal and mends what can be mended without asking, then, if that is not enough, everything: a file
    that e2fsck cannot place goes to lost+found."""
    first = run("e2fsck", "-p", str(partition))
    if first.status & ~(_MENDED | _REBOOT) == 0:
        mended = bool(first.status & _MENDED) and "recovering journal" not in first.output
        return Finding(True, mended, first.output)
    second = run("e2fsck", "-f", "-y", str(partition))
    said = first.output + second.output
    if second.status & ~(_MENDED | _REBOOT) == 0:
        return Finding(True, True, said)
    return Finding(False, False, said)


def fit(partition: Path, run: Run = run) -> None:
    """Lets the file system fill its partition. What cannot grow goes on at its old size."""
    done = run("resize2fs", str(partition))
    if done.status and "e2fsck" in done.output:
        run("e2fsck", "-f", "-y", str(partition))
        run("resize2fs", str(partition))


def choose(disk: Disk, issues: Path = ISSUES, run: Run = run) -> Path:
    """The partition to work on, checked; what is wrong is told as an issue. Raises OSError when neither can be used."""
    data, spare = disk.partition(DATA), disk.partition(SPARE)
    finding = check(data, run)
    if finding.usable:
        if finding.mended:
            issue_folder.tell(
                issues, "data-repaired", "the data partition was damaged and is mended: export, then change it"
            )
        fit(data, run)
        return data
    issue_folder.tell(
        issues,
        "data-set-aside",
        "the data partition can be neither read nor mended; it is kept as it is, and the kiosk works on the spare one:"
        " collect now, put in a new card, send this one in",
    )
    second = check(spare, run)
    if not second.usable:
        raise OSError(f"neither data nor spare partition can be used: {finding.said[-300:]} {second.said[-300:]}")
    return spare


def prepare() -> int:
    """The command. Raises OSError when there is no partition to work on."""
    disk = find_disk()
    try:
        if grow(disk):
            print(f"data: the partition reaches to the end of the card, {disk.sectors * _SECTOR >> 20} MiB")
    except OSError as error:  # it works as it is
        print(f"data: {error}", file=sys.stderr)
    chosen = choose(disk)
    LINK.unlink(missing_ok=True)
    LINK.symlink_to(chosen)
    print(f"data: {chosen}")
    return 0
