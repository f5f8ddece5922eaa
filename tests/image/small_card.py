"""A card image as `make image` lays it out, with small partitions and next to nothing in them."""

import json
import subprocess
from pathlib import Path

import layout
import manifest
import pytest
from check import BOARDS, SLOT_FILES
from layout import Partition

TOOLS = ("mkfs.vfat", "fsck.vfat", "mcopy", "mdir", "mkfs.ext4", "e2fsck", "mksquashfs", "unsquashfs", "sfdisk")
PARTITIONS = (
    Partition(1, "KIOSK", 4, 36, "c"),
    Partition(2, "BOOT_A", 40, 36, "c"),
    Partition(3, "BOOT_B", 76, 36, "c"),
    Partition(4, "extended", 112, 44, "f"),
    Partition(5, "root A", 113, 2, "83"),
    Partition(6, "root B", 116, 2, "83"),
    Partition(7, "KIOSK_SPARE", 119, 16, "83"),
    Partition(8, "KIOSK_DATA", 136, 20, "83"),
)
MIB = 156


def lay_small(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(layout, "PARTITIONS", PARTITIONS)
    patch.setattr(layout, "IMAGE_MIB", MIB)


def tool(*command: str, told: str | None = None) -> None:
    done = subprocess.run(command, input=told, capture_output=True, text=True)
    assert done.returncode == 0, f"{command[0]}: {done.stdout}{done.stderr}"


def fat(work: Path, number: int, files: dict[str, bytes]) -> Path:
    path, part = work / f"fat-{number}", layout.partition(number)
    with path.open("wb") as file:
        file.truncate(part.size * layout.MIB)
    tool("mkfs.vfat", "--invariant", "-F", "32", "-s", "1", "-n", part.name, str(path))
    for name, content in files.items():
        (work / "content").write_bytes(content)
        for folder in list(Path(name).parents)[-2::-1]:
            subprocess.run(["mmd", "-D", "s", "-i", str(path), f"::{folder}"], capture_output=True)
        tool("mcopy", "-o", "-i", str(path), str(work / "content"), f"::{name}")
    return path


def ext4(work: Path, number: int, *options: str) -> Path:
    path, part = work / f"ext4-{number}", layout.partition(number)
    tool("mkfs.ext4", "-q", "-F", "-L", part.name, *options, str(path), f"{part.size}M")
    return path


def squash(work: Path) -> Path:
    tree, path = work / "tree", work / "root.squashfs"
    (tree / "etc").mkdir(parents=True)
    (tree / "etc/hostname").write_text("kiosk\n")
    (tree / "etc/link").symlink_to("hostname")
    tool("mksquashfs", str(tree), str(path), "-noappend", "-quiet", "-no-progress", "-comp", "zstd", "-all-root")
    return path


def slot_files(slot: str, root: Path) -> dict[str, bytes]:
    files = dict.fromkeys((*SLOT_FILES, *BOARDS.values()), b"some content")
    files["config.txt"] = b"kernel=kernel8.img\ninitramfs initrd.img followkernel\ndtoverlay=i2c-rtc,ds3231\n"
    files |= {"overlays/i2c-rtc.dtbo": b"overlay", "overlays/bcm2712d0.dtbo": b"overlay"}
    files["kernel8.img"] = bytes(0x38) + b"ARM\x64" + bytes(100)
    files["initrd.img"] = b"070701" + bytes(100)
    files["cmdline.txt"] = f"quiet kiosk.slot={slot} ro\n".encode()
    told = {"version": "0.1.0", "root_size": root.stat().st_size, "root_sha256": layout.sha256(root)}
    return files | {"slot.json": json.dumps(told).encode()}


def technician_files() -> dict[str, bytes]:
    some = {"bootcode.bin": b"boot", "kiosk-provision.example.toml": b"# example\r\n", "README.txt": b"read\r\n"}
    return some | {"autoboot.txt": layout.autoboot("A")}


def make(folder: Path) -> Path:
    """The image, and the sbom.json beside it."""
    work = folder / "work"
    work.mkdir()
    root = squash(work)
    contents = {
        1: fat(work, 1, technician_files()),
        2: fat(work, 2, slot_files("A", root)),
        3: fat(work, 3, slot_files("B", root)),
        5: root,
        6: root,
        7: ext4(work, 7),
        8: ext4(work, 8),
    }
    image = folder / "card.img"
    with image.open("wb") as file:
        file.truncate(MIB * layout.MIB)
    tool("sfdisk", "--quiet", "--no-reread", "--no-tell-kernel", str(image), told=layout.sfdisk_script())
    layout.put(image, contents)
    components = [
        {"type": "data", "name": name, "hashes": [{"alg": "SHA-256", "content": sha256}]}
        for name, sha256 in manifest.partition_sums(image).items()
    ]
    (folder / "sbom.json").write_text(json.dumps({"components": components}))
    return image
