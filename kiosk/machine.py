"""What the board and its card say of themselves. All of it is read from files; what cannot be read says nothing."""

import contextlib
import json
import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from kiosk import files

log = logging.getLogger(__name__)

DAY_S = 24 * 3600
MUCH_WRITTEN = 2 * 2**30
"""Bytes a day. A busy day at the desk writes about a thirtieth of it (docs/benchmarks.md, "Wear")."""
BOARD_NAME = "board.json"

_SECTOR = 512
_WORN_LIFE, _WORN_SPARES = 0x0A, 0x02
"""eMMC: 90 % of its life is used; 80 % of its spare blocks are (JEDEC JESD84-B51, EXT_CSD 267 to 269)."""
_UNDER_VOLTAGE_NOW, _UNDER_VOLTAGE_PAST = 1 << 0, 1 << 16


class Look(NamedTuple):
    """``disk_free``: bytes for the journal; ``written``: bytes the whole card took in the last day, or since the start;
    None where unknown. ``issues``: code to hint."""

    disk_free: int | None
    written: int | None
    issues: dict[str, str]


class Board(msgspec.Struct, frozen=True):
    """The board this card is in. ``before``: the model it was in until the boot ``moved``, if that was another one."""

    model: str
    serial: str
    before: str = ""
    moved: str = ""


class Machine:
    """Looked at once a second; made once, since it counts. ``root``: of the file system, for tests."""

    def __init__(self, data_dir: Path, root: Path = Path("/")) -> None:
        self._data_dir = data_dir
        self._sys, self._proc = root / "sys", root / "proc"
        self._disk, self._partition = _block_device(data_dir, self._sys)
        self._counted: tuple[float, int] | None = None  # when the day began, and the card's counter then
        self._board = _board(data_dir, self._proc)

    def look(self) -> Look:
        try:
            disk = os.statvfs(self._data_dir)
            free: int | None = disk.f_bavail * disk.f_frsize
            read_only = bool(disk.f_flag & os.ST_RDONLY) or self._emergency()
        except OSError:
            free, read_only = None, False
        written = self._written(time.monotonic())
        return Look(free, written, dict(self._issues(written, read_only=read_only)))

    def _issues(self, written: int | None, *, read_only: bool) -> Iterator[tuple[str, str]]:
        now, past = voltage(self._sys)
        advice = "stronger supply, shorter cable, printer on its own supply"
        if now:
            yield "under-voltage", f"the board gets too little voltage: {advice}"
        elif past:
            yield "under-voltage-past", f"the board got too little voltage since it was switched on: {advice}"
        if read_only:
            yield "data-read-only", "the data partition takes no more writes, its card fails or is locked: change it"
        if errors := _number(self._sys / "fs/ext4" / self._partition / "errors_count"):
            yield "card-errors", f"the data partition had {errors} errors: export, then put in a new card"
        if worn := self._worn():
            yield "card-worn", f"{worn}: export, then put in a new card"
        if written is not None and written > MUCH_WRITTEN:
            yield "card-writes", f"{written >> 20} MB were written in one day, which wears the card: send in the log"
        if self._board is not None and self._board.before and self._board.moved == _boot(self._proc):
            was = f"it was in a {self._board.before}, now {self._board.model}"
            yield "board-moved", f"the card is in another board: {was}; look at lamps, buttons and the supply"

    def _emergency(self) -> bool:
        """Since Linux 6.15 ext4 stops writing after an error without turning read-only for all to see."""
        try:
            device = self._data_dir.stat().st_dev
            lines = (self._proc / "self/mountinfo").read_text("utf-8", "replace").splitlines()
        except OSError:
            return False
        wanted = f"{os.major(device)}:{os.minor(device)}"
        options = (line.rpartition(" ")[2].split(",") for line in lines if line.split(" ", 3)[2] == wanted)
        return any({"emergency_ro", "shutdown"} & {*each} for each in options)

    def _worn(self) -> str:
        """What an eMMC module says; an SD card says nothing."""
        device = self._sys / "block" / self._disk / "device"
        life = max(_numbers(device / "life_time"), default=0)
        spares = max(_numbers(device / "pre_eol_info"), default=0)
        if spares >= _WORN_SPARES:
            return "the memory is running out of spare blocks"
        return f"the memory has used {min(life - 1, 10) * 10} % of its life" if life >= _WORN_LIFE else ""

    def _written(self, now: float) -> int | None:
        """Field 7 of the disk's stat counts sectors (Documentation/block/stat.rst)."""
        try:
            fields = (self._sys / "block" / self._disk / "stat").read_text().split()
            sectors = int(fields[6])
        except (OSError, ValueError, IndexError):
            return None
        if self._counted is None or now - self._counted[0] >= DAY_S:
            self._counted = (now, sectors)
        return (sectors - self._counted[1]) * _SECTOR


def voltage(sys: Path) -> tuple[bool, bool]:
    """Too little now, and at any time since the power came: the firmware's flags, by our own kernel module or by the
    Raspberry Pi's kernel; else the alarm of that kernel's sensor."""
    for path in ("devices/platform/kiosk_rpi/get_throttled", "devices/platform/soc/soc:firmware/get_throttled"):
        with contextlib.suppress(OSError, ValueError):
            flags = int((sys / path).read_text().strip(), 16)
            return bool(flags & _UNDER_VOLTAGE_NOW), bool(flags & _UNDER_VOLTAGE_PAST)
    for sensor in sys.glob("class/hwmon/hwmon*"):
        with contextlib.suppress(OSError):
            if (sensor / "name").read_text().strip() == "rpi_volt":
                return (sensor / "in0_lcrit_alarm").read_text().strip() == "1", False
    return False, False


def _block_device(path: Path, sys: Path) -> tuple[str, str]:
    """The names of disk and partition the path is on, as in /sys/block; "-" where there is none."""
    try:
        device = path.stat().st_dev
        found = (sys / "dev/block" / f"{os.major(device)}:{os.minor(device)}").resolve(strict=True)
    except OSError:
        return "-", "-"
    return (found.parent.name if (found / "partition").exists() else found.name), found.name


def _board(data_dir: Path, proc: Path) -> Board | None:
    """This board, compared with the one the card was in before, and remembered. None where the machine has no name."""
    model, serial = (_text(proc / "device-tree" / name) for name in ("model", "serial-number"))
    if not model:
        return None
    path = data_dir / BOARD_NAME
    last: Board | None = None
    with contextlib.suppress(OSError, msgspec.MsgspecError):
        last = msgspec.json.decode(path.read_bytes(), type=Board)
    if last is not None and (last.model, last.serial) == (model, serial):
        return last
    now = Board(model, serial)
    if last is not None and last.model != model:
        now = Board(model, serial, last.model, _boot(proc))
    elif last is not None:
        log.info("the card was in another board of this model before")
    try:
        files.put(path, json.dumps(msgspec.to_builtins(now)).encode())
    except OSError as error:
        log.warning("the board cannot be remembered: %s", error)
    return now


def _boot(proc: Path) -> str:
    return _text(proc / "sys/kernel/random/boot_id")


def _text(path: Path) -> str:
    """A short text of the kernel or of the device tree, whose texts end with a zero byte."""
    try:
        return path.read_text("utf-8", "replace").strip("\0\n ")
    except OSError:
        return ""


def _number(path: Path) -> int:
    return next(iter(_numbers(path)), 0)


def _numbers(path: Path) -> list[int]:
    """Numbers parted by blanks, decimal or with 0x."""
    try:
        return [int(word, 0) for word in path.read_text().split()]
    except (OSError, ValueError):
        return []
