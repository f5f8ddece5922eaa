"""Real e2fsck, sfdisk and resize2fs on image files: grown once, mended, or set aside and kept."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from kiosk import partition
from kiosk.partition import Disk, Ran, check, choose, find_disk, grow

MIB = 1 << 20
TABLE = """label: dos
label-id: 0x4b494f53
unit: sectors
1 : start=2048, size=2048, type=c
2 : start=4096, size=2048, type=c
3 : start=6144, size=2048, type=c
4 : start=8192, size=61440, type=f
5 : start=10240, size=2048, type=83
6 : start=14336, size=2048, type=83
7 : start=18432, size=16384, type=83
8 : start=36864, size=32768, type=83
"""
os.environ["PATH"] += ":/usr/sbin:/sbin"


def card(folder: Path, mib: int) -> Disk:
    path = folder / "card"
    with path.open("wb") as file:
        file.truncate(mib * MIB)
    subprocess.run(["sfdisk", "-q", path], input=TABLE, text=True, check=True)
    return Disk(path, mib * MIB // 512)


def file_system(path: Path, mib: int = 16) -> Path:
    """An ext4 with one file in it."""
    content = path.with_name(f"{path.name}.content")
    content.mkdir()
    (content / "journal.db").write_bytes(b"facts " * 4096)
    with path.open("wb") as file:
        file.truncate(mib * MIB)
    subprocess.run(["mkfs.ext4", "-q", "-F", "-d", content, path], check=True)
    return path


def content(path: Path, name: str) -> bytes:
    return subprocess.run(["debugfs", "-R", f"cat {name}", path], capture_output=True, check=True).stdout


def entries(disk: Disk) -> dict[int, tuple[int, int]]:
    told = json.loads(subprocess.run(["sfdisk", "--json", disk.path], capture_output=True, check=True).stdout)
    found = told["partitiontable"]["partitions"]
    return {number: (each["start"], each["size"]) for number, each in enumerate(found, 1)}


def test_the_data_partition_grows_to_the_end_of_the_card_once(tmp_path: Path) -> None:
    disk = card(tmp_path, 64)
    before = entries(disk)
    assert grow(disk)
    after = entries(disk)
    assert after[8] == (36864, 64 * MIB // 512 - 36864)
    assert {number: after[number] for number in (1, 2, 3, 5, 6, 7)} == {n: before[n] for n in (1, 2, 3, 5, 6, 7)}
    assert not grow(disk)
    assert entries(disk) == after


def test_a_cut_between_the_two_entries_is_made_good(tmp_path: Path) -> None:
    disk = card(tmp_path, 64)
    written = []

    def cut(*command: str, given: str = "") -> Ran:
        if given and written:
            return Ran(1, "the power is gone")
        written.extend([given] * bool(given))
        return partition.run(*command, given=given)

    with pytest.raises(OSError, match="partition 8 cannot grow: the power is gone"):
        grow(disk, cut)
    assert entries(disk)[8] == (36864, 32768)
    assert grow(disk)
    assert entries(disk)[8][1] > 32768


def test_a_card_as_large_as_the_image_stays(tmp_path: Path) -> None:
    disk = card(tmp_path, 34)
    assert not grow(disk)


def test_a_clean_file_system_is_left_alone(tmp_path: Path) -> None:
    finding = check(file_system(tmp_path / "data"))
    assert (finding.usable, finding.mended) == (True, False)


@pytest.mark.parametrize(
    "damage",
    [(1024, bytes(1024)), (1024 + 0x38, b"\0\0"), (8192, os.urandom(2048)), (4 * MIB, os.urandom(65536))],
    ids=["superblock zeroed", "magic gone", "group descriptors", "noise in the middle"],
)
def test_damage_that_can_be_mended_is_mended_and_the_file_is_there(tmp_path: Path, damage: tuple[int, bytes]) -> None:
    data = file_system(tmp_path / "data")
    with data.open("r+b") as file:
        file.seek(damage[0])
        file.write(damage[1])
    assert check(data).usable
    assert not check(data).mended
    assert len(content(data, "journal.db")) in (0, 6 * 4096)


def pair(tmp_path: Path) -> Disk:
    """A disk whose partitions are files of their own."""
    disk = Disk(tmp_path / "mmcblk0", 0)
    file_system(disk.partition(partition.DATA))
    file_system(disk.partition(partition.SPARE))
    return disk


def issues(tmp_path: Path) -> dict[str, str]:
    return {path.stem: json.loads(path.read_text())["hint"] for path in (tmp_path / "issues").glob("*.json")}


def test_the_data_partition_is_chosen_and_nothing_is_said(tmp_path: Path) -> None:
    disk = pair(tmp_path)
    assert choose(disk, tmp_path / "issues") == disk.partition(8)
    assert issues(tmp_path) == {}


def test_it_fills_its_partition(tmp_path: Path) -> None:
    disk = pair(tmp_path)
    os.truncate(disk.partition(8), 48 * MIB)
    choose(disk, tmp_path / "issues")
    told = subprocess.run(["dumpe2fs", "-h", disk.partition(8)], capture_output=True, text=True, check=True).stdout
    blocks = int(next(line for line in told.splitlines() if line.startswith("Block count")).split(":")[1])
    size = int(next(line for line in told.splitlines() if line.startswith("Block size")).split(":")[1])
    assert blocks * size == 48 * MIB


def test_a_mended_one_is_used_and_told(tmp_path: Path) -> None:
    disk = pair(tmp_path)
    with disk.partition(8).open("r+b") as file:
        file.seek(1024)
        file.write(bytes(1024))
    assert choose(disk, tmp_path / "issues") == disk.partition(8)
    assert "export" in issues(tmp_path)["data-repaired"]


@pytest.mark.parametrize("content_of", ["noise", "empty", "photos"])
def test_what_cannot_be_mended_is_kept_as_it_is(tmp_path: Path, content_of: str) -> None:
    disk = pair(tmp_path)
    data = disk.partition(8)
    match content_of:
        case "noise":
            data.write_bytes(os.urandom(4 * MIB))
        case "empty":
            data.write_bytes(b"")
        case _:
            data.write_bytes(b"\xff\xd8\xff\xe0 a photo " * 100_000)
    kept = data.read_bytes()
    assert choose(disk, tmp_path / "issues") == disk.partition(7)
    assert data.read_bytes() == kept
    assert "kept as it is" in issues(tmp_path)["data-set-aside"]


def test_without_any_partition_the_reason_is_named(tmp_path: Path) -> None:
    disk = pair(tmp_path)
    for number in (7, 8):
        disk.partition(number).write_bytes(b"nothing")
    with pytest.raises(OSError, match="neither data nor spare partition can be used"):
        choose(disk, tmp_path / "issues")


def test_the_disk_is_found_by_its_signature(tmp_path: Path) -> None:
    sys_block, dev = tmp_path / "sys", tmp_path / "dev"
    dev.mkdir()
    for name in ("sda", "mmcblk0", "mmcblk0p1"):
        (sys_block / name).mkdir(parents=True)
        (sys_block / name / "size").write_text("4096\n")
    (sys_block / "mmcblk0p1/partition").write_text("1\n")
    (dev / "sda").write_bytes(bytes(1024))
    shutil.copy(card(tmp_path, 34).path, dev / "mmcblk0")
    assert find_disk(sys_block, dev) == Disk(dev / "mmcblk0", 4096)
    (dev / "mmcblk0").unlink()
    with pytest.raises(partition.NoCardError, match="card made from the image"):
        find_disk(sys_block, dev)
