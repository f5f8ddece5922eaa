"""The two slots of a card, and which of them the firmware starts.

The firmware reads autoboot.txt on the first partition: the slot under [all] at every start, the one under [tryboot] at
a start that was asked for with "tryboot", once (raspberrypi.com/documentation/computers/config_txt.html#autoboot-txt).
The file is one sector, replaced where it lies: a card writes a sector whole or not at all, so there is never a start
without a slot.
"""

import contextlib
import hashlib
import os
import re
from pathlib import Path
from typing import Literal, get_args

import msgspec

from kiosk import files
from kiosk.update.bundle import Bundle

Slot = Literal["A", "B"]
AUTOBOOT_BYTES = 512
_FRONT = 4096
"""Of a FAT: its first sector, without which it is none, and the spare copy of that."""
_BOOT = {"A": 2, "B": 3}
_ROOT = {"A": 5, "B": 6}
_CARD = "4b494f53"  # the signature of the partition table, in the names below /dev/disk/by-partuuid
_DEFAULT = re.compile(r"\[all\]\n(?:[a-z_0-9]+=[0-9]+\n)*?boot_partition=([0-9]+)\n")


class SlotError(OSError):
    """The card's slots are not what they must be; the text says what and what to do."""


class Card(msgspec.Struct, frozen=True):
    """Where everything is. ``devices`` has the partitions as CARD-NN; ``boot``: the first one, mounted."""

    devices: Path = Path("/dev/disk/by-partuuid")
    boot: Path = Path("/boot/kiosk")
    cmdline: Path = Path("/proc/cmdline")
    tree: Path = Path("/proc/device-tree")

    # Which slot -------------------------------------------------------------------------------------------------------

    def running(self) -> Slot:
        """The slot whose root is in use. Raises SlotError."""
        found = re.search(r"(?:^|\s)kiosk\.slot=([AB])(?:\s|$)", self.cmdline.read_text())
        if found is None:
            raise SlotError("the kernel's command line names no kiosk.slot: this machine does not run a kiosk's image")
        return _slot(found[1])

    def default(self) -> Slot:
        """The slot of the next ordinary start. Raises SlotError."""
        path = self.boot / "autoboot.txt"
        try:
            raw = path.read_bytes()
        except OSError as error:
            raise SlotError(f"{path}: {error.strerror}: the first partition cannot be read") from None
        found = _DEFAULT.search(raw.decode("ascii", "replace"))
        chosen = [slot for slot, number in _BOOT.items() if found is not None and int(found[1]) == number]
        if len(raw) != AUTOBOOT_BYTES or not chosen:
            expected = f"{AUTOBOOT_BYTES} bytes with boot_partition=2 or 3 under [all]"
            raise SlotError(f"{path}: expected {expected}: write the card anew")
        return _slot(chosen[0])

    def set_default(self, slot: Slot) -> None:
        """One sector, in place. Raises SlotError, OSError."""
        self.default()  # a file that is not ours is not written over
        files.overwrite(self.boot / "autoboot.txt", autoboot(slot))

    def is_trial(self) -> bool:
        """Whether this start is a try: the slot that runs is not the default one. Raises SlotError."""
        return self.running() != self.default()

    # What it is written to --------------------------------------------------------------------------------------------

    def board(self) -> tuple[str, ...]:
        """What the device tree says this board is; nothing where there is none."""
        with contextlib.suppress(OSError):
            return tuple((self.tree / "compatible").read_text("ascii").strip("\0").split("\0"))
        return ()

    def boot_partition(self, slot: Slot) -> Path:
        return self.devices / f"{_CARD}-{_BOOT[slot]:02}"

    def root_partition(self, slot: Slot) -> Path:
        return self.devices / f"{_CARD}-{_ROOT[slot]:02}"


def _slot(name: str) -> Slot:
    return next(slot for slot in get_args(Slot) if slot == name)


def other(slot: Slot) -> Slot:
    return "B" if slot == "A" else "A"


def autoboot(default: Slot) -> bytes:
    """autoboot.txt with ``default`` for every start and the other slot for a try."""
    lines = (
        f"[all]\ntryboot_a_b=1\nboot_partition={_BOOT[default]}\n[tryboot]\nboot_partition={_BOOT[other(default)]}\n"
    )
    return lines.encode().ljust(AUTOBOOT_BYTES, b"\n")


def room(partition: Path) -> int:
    """Bytes a partition holds. Raises OSError."""
    with partition.open("rb") as file:
        return file.seek(0, os.SEEK_END)


def write(bundle: Bundle, card: Card, slot: Slot) -> None:
    """Both partitions of a slot. Until the last write the slot cannot be started, and shows it: the front of its boot
    partition is empty. Raises BundleError for a damaged source, SlotError when the card does not keep what was written,
    OSError."""
    boot, manifest = card.boot_partition(slot), bundle.manifest
    _Target(boot).put(0, bytes(_FRONT))
    root = _Target(card.root_partition(slot))
    for offset, data in bundle.chunks(manifest.root):
        root.put(offset, data)
    root.check()
    target, first = _Target(boot), b""
    for offset, data in bundle.chunks(manifest.boot):
        data = _lettered(data, offset, manifest.slot_at, slot)
        if offset:
            target.put(offset, data)
        else:
            first = data
    target.check()
    target.put(0, first)
    target.check()


class _Target:
    """A partition that is written. Each piece is on the card before the next one, so that a registration meanwhile
    waits for one piece at most."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._written: dict[int, tuple[int, bytes]] = {}

    def put(self, offset: int, data: bytes) -> None:
        """Raises OSError."""
        descriptor = os.open(self._path, os.O_WRONLY)
        try:
            at, view = offset, memoryview(data)
            while view:
                done = os.pwrite(descriptor, view, at)
                view, at = view[done:], at + done
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        self._written[offset] = len(data), hashlib.sha256(data).digest()

    def check(self) -> None:
        """Reads back from the card what was written. Raises SlotError, OSError."""
        with self._path.open("rb") as source:
            os.posix_fadvise(source.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            for offset, (size, digest) in self._written.items():
                source.seek(offset)
                if hashlib.sha256(source.read(size)).digest() != digest:
                    where = f"{self._path}: byte {offset} to {offset + size - 1}"
                    raise SlotError(f"{where}: reads otherwise than it was written: the card is worn out, change it")


def _lettered(data: bytes, offset: int, at: int, slot: Slot) -> bytes:
    """A piece that begins at ``offset``, with the letter of the slot at ``at`` if that is in it."""
    place = at - offset
    if not 0 <= place < len(data):
        return data
    return data[:place] + slot.encode() + data[place + 1 :]
