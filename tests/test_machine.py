"""The board and its card, played by files of /sys and /proc."""

import os
from pathlib import Path

import pytest

from kiosk.machine import BOARD_NAME, DAY_S, MUCH_WRITTEN, Machine, voltage

FIRMWARE = "sys/devices/platform/soc/soc:firmware/get_throttled"
OWN_MODULE = "sys/devices/platform/kiosk_rpi/get_throttled"


class Board:
    """A machine whose data is on the eighth partition of mmcblk0."""

    def __init__(self, root: Path) -> None:
        self.root, self.data = root, root / "data"
        self.data.mkdir()
        device = self.data.stat().st_dev
        self.number = f"{os.major(device)}:{os.minor(device)}"
        self.put("sys/devices/mmc0/block/mmcblk0/mmcblk0p8/partition", "8")
        self.put("sys/devices/mmc0/block/mmcblk0/stat", "1 2 3 4 5 6 1000 8 9 10 11")
        for name, to in (("dev/block/" + self.number, "mmcblk0/mmcblk0p8"), ("block/mmcblk0", "mmcblk0")):
            link = root / "sys" / name
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(root / "sys/devices/mmc0/block" / to)
        self.put("proc/sys/kernel/random/boot_id", "boot-1")

    def put(self, path: str, text: str) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)

    def machine(self) -> Machine:
        return Machine(self.data, self.root)

    def issues(self) -> dict[str, str]:
        return self.machine().look().issues


@pytest.fixture
def board(tmp_path: Path) -> Board:
    return Board(tmp_path)


def test_a_board_that_is_well(board: Board) -> None:
    look = board.machine().look()
    assert look.issues == {}
    assert look.written == 0
    assert look.disk_free is not None
    assert look.disk_free > 0


def test_a_machine_that_tells_nothing(tmp_path: Path) -> None:
    assert Machine(tmp_path / "missing", tmp_path / "nothing").look() == (None, None, {})


# Voltage ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [FIRMWARE, OWN_MODULE])
@pytest.mark.parametrize(
    ("flags", "code"),
    [
        ("0\n", None),
        ("50005\n", "under-voltage"),
        ("0x1\n", "under-voltage"),
        ("50000\n", "under-voltage-past"),
        ("40000\n", None),
        ("?\n", None),
    ],
)
def test_voltage_as_the_firmware_tells_it(board: Board, path: str, flags: str, code: str | None) -> None:
    board.put(path, flags)
    assert list(board.issues()) == ([] if code is None else [code])


@pytest.mark.parametrize(
    ("name", "alarm", "low"), [("rpi_volt", "1", True), ("rpi_volt", "0", False), ("cpu", "1", False)]
)
def test_voltage_as_the_kernel_tells_it(tmp_path: Path, name: str, alarm: str, low: bool) -> None:
    sensor = tmp_path / "class/hwmon/hwmon1"
    sensor.mkdir(parents=True)
    (sensor / "name").write_text(f"{name}\n")
    (sensor / "in0_lcrit_alarm").write_text(f"{alarm}\n")
    assert voltage(tmp_path) == (low, False)


# The card -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("life", "spares", "said"),
    [
        ("0x01 0x01", "0x01", None),
        ("0x09 0x02", "0x01", None),
        ("0x02 0x0a", "0x01", "used 90 % of its life"),
        ("0x0b 0x0b", "0x01", "used 100 % of its life"),
        ("0x01 0x01", "0x02", "running out of spare blocks"),
        ("?", "", None),
    ],
)
def test_a_worn_memory(board: Board, life: str, spares: str, said: str | None) -> None:
    board.put("sys/devices/mmc0/block/mmcblk0/device/life_time", life + "\n")
    board.put("sys/devices/mmc0/block/mmcblk0/device/pre_eol_info", spares + "\n")
    found = board.issues()
    assert list(found) == ([] if said is None else ["card-worn"])
    assert said is None or said in found["card-worn"]


@pytest.mark.parametrize(("count", "codes"), [("0\n", []), ("3\n", ["card-errors"])])
def test_errors_of_the_file_system(board: Board, count: str, codes: list[str]) -> None:
    board.put("sys/fs/ext4/mmcblk0p8/errors_count", count)
    assert list(board.issues()) == codes


@pytest.mark.parametrize(
    ("options", "codes"),
    [
        ("rw,errors=remount-ro", []),
        ("rw,errors=remount-ro,emergency_ro", ["data-read-only"]),
        ("rw,shutdown", ["data-read-only"]),
    ],
)
def test_a_file_system_that_stopped_writing(board: Board, options: str, codes: list[str]) -> None:
    mounts = f"""\
22 27 0:21 / /proc rw,relatime - proc proc rw,emergency_ro
36 27 {board.number} /kiosk {board.data} rw,noatime shared:1 - ext4 /dev/mmcblk0p8 {options}
"""
    board.put("proc/self/mountinfo", mounts)
    assert list(board.issues()) == codes


def test_a_locked_card(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    found = list(os.statvfs(board.data))
    found[8] |= os.ST_RDONLY
    monkeypatch.setattr(os, "statvfs", lambda _: os.statvfs_result(found))
    assert list(board.issues()) == ["data-read-only"]


def test_what_a_day_wrote(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    machine = board.machine()

    def look(sectors: int, after: float) -> tuple[int | None, list[str]]:
        board.put("sys/devices/mmc0/block/mmcblk0/stat", f"1 2 3 4 5 6 {sectors} 8 9 10 11")
        now[0] = 1000.0 + after
        found = machine.look()
        return found.written, list(found.issues)

    much = MUCH_WRITTEN // 512
    assert look(5000, 0) == (0, []), "what was written before the start is not known to be of today"
    assert look(5100, 60) == (51_200, [])
    assert look(5001 + much, 3600) == (MUCH_WRITTEN + 512, ["card-writes"])
    assert look(5001 + much, DAY_S) == (0, [])


def test_a_whole_disk_without_partitions(tmp_path: Path) -> None:
    board = Board(tmp_path)
    (tmp_path / "sys/devices/mmc0/block/mmcblk0/mmcblk0p8/partition").unlink()
    (tmp_path / "sys/block/mmcblk0p8").symlink_to(tmp_path / "sys/devices/mmc0/block/mmcblk0/mmcblk0p8")
    board.put("sys/devices/mmc0/block/mmcblk0/mmcblk0p8/stat", "1 2 3 4 5 6 77 8")
    assert board.machine().look().written == 0


# The board ----------------------------------------------------------------------------------------------------------


def name(board: Board, model: str, serial: str, boot: str) -> None:
    board.put("proc/device-tree/model", model + "\0")
    board.put("proc/device-tree/serial-number", serial + "\0")
    board.put("proc/sys/kernel/random/boot_id", boot + "\n")


def test_a_card_in_another_model_is_said_until_the_next_boot(board: Board) -> None:
    name(board, "Raspberry Pi 3 Model B", "00000000aaaaaaaa", "boot-1")
    assert board.issues() == {}
    name(board, "Raspberry Pi 4 Model B", "10000000bbbbbbbb", "boot-2")
    for _ in range(2):  # a restart of the daemon alone forgets nothing
        found = board.issues()
        assert list(found) == ["board-moved"]
        assert "was in a Raspberry Pi 3 Model B, now Raspberry Pi 4 Model B" in found["board-moved"]
    name(board, "Raspberry Pi 4 Model B", "10000000bbbbbbbb", "boot-3")
    assert board.issues() == {}


def test_a_card_in_another_board_of_the_model_is_noted(board: Board, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    name(board, "Raspberry Pi 3 Model B", "00000000aaaaaaaa", "boot-1")
    board.machine()
    name(board, "Raspberry Pi 3 Model B", "00000000cccccccc", "boot-2")
    for _ in range(2):
        assert board.issues() == {}
    assert caplog.text.count("another board of this model") == 1
    assert "aaaa" not in caplog.text


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff", b'{"model": 7}'])
def test_a_damaged_memory_of_the_board_starts_anew(board: Board, content: bytes) -> None:
    (board.data / BOARD_NAME).write_bytes(content)
    name(board, "Raspberry Pi 3 Model B", "00000000aaaaaaaa", "boot-1")
    assert board.issues() == {}
    assert b"Raspberry Pi 3" in (board.data / BOARD_NAME).read_bytes()


def test_a_board_that_cannot_be_remembered_is_no_fault(board: Board, caplog: pytest.LogCaptureFixture) -> None:
    (board.data / (BOARD_NAME + ".new")).mkdir()
    name(board, "Raspberry Pi 3 Model B", "00000000aaaaaaaa", "boot-1")
    assert board.issues() == {}
    assert "cannot be remembered" in caplog.text
