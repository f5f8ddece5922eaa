"""A damaged image is named: what is wrong, and where. On small images made by the same tools as the real one."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import check
import layout
import pytest
from card import Card, CardError

from tests.image import small_card

pytestmark = pytest.mark.skipif(
    not all(shutil.which(tool, path=f"{os.environ['PATH']}:/usr/sbin:/sbin") for tool in small_card.TOOLS),
    reason="sh scripts/need.sh image-check",
)
WHOLE = small_card.MIB * layout.MIB


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{os.environ['PATH']}:/usr/sbin:/sbin")
    small_card.lay_small(monkeypatch)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{os.environ['PATH']}:/usr/sbin:/sbin")
        small_card.lay_small(patch)
        yield small_card.make(tmp_path_factory.mktemp("whole"))


@pytest.fixture
def image(whole: Path, tmp_path: Path) -> Path:
    """A copy that may be damaged."""
    subprocess.run(["cp", "--sparse=always", str(whole), str(whole.with_name("sbom.json")), str(tmp_path)], check=True)
    return tmp_path / whole.name


def faults(image: Path, name: str) -> list[str]:
    work = image.parent / "checked"
    work.mkdir(exist_ok=True)
    return list(check.CHECKS[name](Card(image, work)))


def said(image: Path) -> tuple[int, list[str]]:
    """What the whole check of the card says; roots this small have no system in them."""
    work, lines = image.parent / "checked", []
    work.mkdir()
    return check.check(Card(image, work), lines.append), lines


def scribble(image: Path, at: int, data: bytes) -> None:
    with image.open("r+b") as file:
        file.seek(at)
        file.write(data)


def test_a_good_card_is_good(image: Path) -> None:
    assert {name: faults(image, name) for name in check.CHECKS} == {name: [] for name in check.CHECKS}


def test_the_table_is_read_as_sfdisk_wrote_it(image: Path, tmp_path: Path) -> None:
    entries = Card(image, tmp_path).table()
    assert [(it.number, it.start * 512, it.size * 512) for it in entries] == [
        (it.number, it.start * layout.MIB, it.size * layout.MIB) for it in layout.PARTITIONS
    ]


def test_all_nodes_of_a_root_are_read(image: Path, tmp_path: Path) -> None:
    nodes, tree = Card(image, tmp_path).root(5)
    assert [(node.mode[0], node.path, node.target, node.uid) for node in nodes] == [
        ("d", "", "", 0),
        ("d", "etc", "", 0),
        ("-", "etc/hostname", "", 0),
        ("l", "etc/link", "hostname", 0),
    ]
    assert (tree / "etc/hostname").read_text() == "kiosk\n"


@pytest.mark.parametrize(
    ("length", "part"),
    [
        (0, "partition 1 (KIOSK)"),
        (50 * layout.MIB, "partition 2 (BOOT_A)"),
        (114 * layout.MIB, "partition 5 (root A)"),
        (WHOLE - 1, "partition 4 (extended)"),
    ],
)
def test_a_truncated_image_says_how_much_is_there(image: Path, length: int, part: str) -> None:
    os.truncate(image, length)
    found, lines = said(image)
    assert found == 1
    assert lines[0] == "WRONG size"
    assert f"is cut off at byte {length} of {WHOLE}, before the end of {part}" in lines[1]
    assert lines[2:] == ["      the rest cannot be looked at"]


@pytest.mark.parametrize("number", [1, 2, 3, 5, 6, 7, 8])
def test_a_flipped_bit_is_found_in_its_partition(image: Path, number: int) -> None:
    part = layout.partition(number)
    at = (part.start + part.size) * layout.MIB - 1
    scribble(image, at, b"\x01")
    found = faults(image, "contents")
    assert len(found) == 1
    place = f"bytes {part.start * layout.MIB} to {(part.start + part.size) * layout.MIB}"
    assert found[0].startswith(f"partition {number} ({part.name}), {place}: not what was built")
    assert found[0].endswith(check.AGAIN)


def test_a_flipped_bit_of_a_root_is_found_by_its_slot_alone(image: Path) -> None:
    image.with_name("sbom.json").unlink()
    scribble(image, layout.partition(6).start * layout.MIB + 200, b"\xff")
    assert "sbom.json beside the image cannot be read" in faults(image, "contents")[0]
    found = faults(image, "boot slots")
    assert len(found) == 1
    assert found[0].startswith(f"partition 6 (root B), bytes {116 * layout.MIB} to ")
    assert "damaged, sha256" in found[0]


def test_no_partition_table(image: Path) -> None:
    scribble(image, 0, bytes(512))
    _, lines = said(image)
    assert "WRONG partition table" in lines
    assert any("no partition table in sector 0: this is no image of a kiosk" in line for line in lines)


def test_another_disk_and_a_moved_partition_are_told(image: Path) -> None:
    scribble(image, 440, b"\x01\x02\x03\x04")
    scribble(image, 446 + 16 + 8, (999).to_bytes(4, "little"))
    found = faults(image, "partition table")
    assert found[0] == "disk signature is 0x04030201, expected 0x4b494f53: no kiosk's image, or damaged"
    assert found[1].startswith("partition 2 (BOOT_A): type, start, size are (12, 511488, ")


def test_a_broken_chain_of_logical_partitions_is_told(image: Path) -> None:
    scribble(image, 112 * layout.MIB + 510, b"\0\0")
    with pytest.raises(CardError, match=f"no partition table in sector {112 * layout.MIB // 512}"):
        list(check.table(Card(image, image.parent)))


def put(image: Path, number: int, name: str, content: bytes) -> None:
    """Writes a file into a FAT of the image."""
    (image.parent / "content").write_bytes(content)
    fat = f"{image}@@{layout.partition(number).start * layout.MIB}"
    small_card.tool("mcopy", "-o", "-i", fat, str(image.parent / "content"), f"::{name}")


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("autoboot.txt", b"[all]\n", "KIOSK/autoboot.txt is not the 512 bytes that choose slot A"),
        ("README.txt", b"", "KIOSK/README.txt is missing or empty"),
        ("kiosk-provision.toml", b"site = 1\n", "KIOSK/kiosk-provision.toml: an image for everyone holds the settings"),
    ],
)
def test_the_technicians_partition(image: Path, name: str, content: bytes, told: str) -> None:
    put(image, 1, name, content)
    assert [line for line in faults(image, "technician's partition") if told in line]


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("kernel8.img", b"MZ" + bytes(200), "BOOT_B/kernel8.img is no arm64 kernel"),
        ("initrd.img", b"x", "BOOT_B/initrd.img is no initramfs"),
        ("bcm2712-rpi-5-b.dtb", b"", "BOOT_B/bcm2712-rpi-5-b.dtb is missing or empty"),
        ("cmdline.txt", b"kiosk.slot=A", "BOOT_B/cmdline.txt does not say kiosk.slot=B"),
        ("cmdline.txt", b"kiosk.slot=B systemd.debug_shell", "opens a shell: systemd.debug_shell"),
        ("config.txt", b"kernel=other.img\n", "BOOT_B/config.txt names kernel other.img, which is not there"),
        ("config.txt", b"dtoverlay=nonesuch\n", "BOOT_B: overlay nonesuch is not there"),
        ("config.txt", b"gpu_mem=16\n", "BOOT_B/config.txt asks with gpu_mem=16 for start_cd.elf"),
        ("slot.json", b"{}", "BOOT_B/slot.json cannot be read"),
        ("extra", b"x", "extra is not the same in BOOT_A and BOOT_B"),
    ],
)
def test_a_boot_slot(image: Path, name: str, content: bytes, told: str) -> None:
    put(image, 3, name, content)
    assert [line for line in faults(image, "boot slots") if told in line]


def test_a_damaged_fat_is_told(image: Path) -> None:
    part = layout.partition(2)
    scribble(image, part.start * layout.MIB + 32 * 512, bytes(64 * 1024))
    found = faults(image, "boot slots")
    assert found[0].startswith("partition 2 (BOOT_A): fsck.vfat ended with")


def test_a_data_partition_without_journal_or_damaged(image: Path, tmp_path: Path) -> None:
    layout.put(image, {7: small_card.ext4(tmp_path, 7, "-O", "^has_journal")})
    assert faults(image, "data partitions") == [
        "partition 7 (KIOSK_SPARE) has no journal: a power cut would damage it",
    ]
    scribble(image, layout.partition(8).start * layout.MIB + 1024, bytes(1024))
    (tmp_path / "checked/p8").unlink()
    assert faults(image, "data partitions")[1].startswith("partition 8 (KIOSK_DATA): e2fsck ended with")
