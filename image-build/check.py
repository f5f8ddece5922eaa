"""Opens a finished image without starting it: `make image-check`. Exit status 1: something is wrong, 2: no image.

Each check is a function that yields what is wrong, with its place; nothing yielded is good.
"""

import argparse
import contextlib
import hashlib
import json
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import check_root
import device_trees
import layout
import manifest
from card import Card, CardError

ROOT = Path(__file__).parent.parent
AGAIN = "write or download it anew"
ARM64_KERNEL = (0x38, b"ARM\x64")
"""Offset and magic of a kernel image (the kernel's Documentation/arch/arm64/booting.rst)."""
BOARDS = {"3": "bcm2837-rpi-3-b.dtb", "4": "bcm2711-rpi-4-b.dtb", "5": "bcm2712-rpi-5-b.dtb"}
UNUSED = {"hci_uart", "pisp_be", "v3d", "vc4", "vchiq"}
"""Drivers that a kiosk does not want: Bluetooth, camera, picture."""
SLOT_FILES = ("config.txt", "start4.elf", "fixup4.dat", "start.elf", "fixup.dat", "kernel8.img", "initrd.img")
TECHNICIAN_FILES = ("autoboot.txt", "bootcode.bin", "kiosk-provision.example.toml", "README.txt")


def size(card: Card) -> Iterator[str]:
    """As long as its partitions."""
    there, whole = card.path.stat().st_size, layout.IMAGE_MIB * layout.MIB
    for part in sorted(layout.PARTITIONS, key=lambda part: part.start + part.size):
        if there < (end := (part.start + part.size) * layout.MIB):
            yield (
                f"is cut off at byte {there} of {whole}, before the end of partition {part.number} ({part.name})"
                f" at byte {end}: {AGAIN}"
            )
            return


def table(card: Card) -> Iterator[str]:
    """The disk signature, and each partition in its place."""
    if card.disk_id() != layout.DISK_ID:
        yield f"disk signature is {card.disk_id():#010x}, expected {layout.DISK_ID:#010x}: no kiosk's image, or damaged"
    found = {entry.number: entry for entry in card.table()}
    for part in layout.PARTITIONS:
        entry = found.pop(part.number, None)
        want = int(part.kind, 16), part.start * layout.MIB, part.size * layout.MIB
        have = entry and (entry.kind, entry.start * layout.SECTOR, entry.size * layout.SECTOR)
        if have != want:
            yield f"partition {part.number} ({part.name}): type, start, size are {have}, expected {want}"
    yield from (f"partition {number} is not in the plan" for number in found)


def contents(card: Card) -> Iterator[str]:
    """Each partition byte for byte as it was built, by the sbom.json beside the image."""
    path = card.path.with_name("sbom.json")
    try:
        expected = manifest.partitions(json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, KeyError, TypeError) as error:
        yield f"{path.name} beside the image cannot be read ({error}): it came with the image, put it there"
        return
    for name, sha256 in manifest.partition_sums(card.path).items():
        if sha256 != expected.get(name):
            yield f"{name}: not what was built (sha256 {sha256}, expected {expected.get(name, 'none')}): {AGAIN}"


def technician(card: Card) -> Iterator[str]:
    """The FAT partition that a laptop shows."""
    files = yield from _fat(card, 1, TECHNICIAN_FILES)
    if files.get("autoboot.txt") != layout.autoboot("A"):
        yield f"KIOSK/autoboot.txt is not the {layout.AUTOBOOT_BYTES} bytes that choose slot A"
    for name in files:
        if name.startswith("kiosk-provision") and "example" not in name:
            yield f"KIOSK/{name}: an image for everyone holds the settings of one kiosk"


def slots(card: Card) -> Iterator[str]:
    """Kernel, initramfs, firmware and the root's hash in both boot partitions."""
    seen = {}
    for slot, number in layout.BOOT.items():
        where = layout.partition(number).name
        files = yield from _fat(card, number, (*SLOT_FILES, *BOARDS.values(), "cmdline.txt", "slot.json"))
        words = files.pop("cmdline.txt", b"").decode().split()
        if f"kiosk.slot={slot}" not in words:
            yield f"{where}/cmdline.txt does not say kiosk.slot={slot}: {' '.join(words)}"
        yield from (f"{where}/cmdline.txt opens a shell: {word}" for word in words if "debug_shell" in word)
        at, magic = ARM64_KERNEL
        if "kernel8.img" in files and files["kernel8.img"][at : at + 4] != magic:
            yield f"{where}/kernel8.img is no arm64 kernel"
        if not files.get("initrd.img", b"070701").startswith(b"070701"):
            yield f"{where}/initrd.img is no initramfs"
        config = files.get("config.txt", b"").decode()
        for kind, name in re.findall(r"^(kernel|initramfs)[= ](\S+)", config, re.MULTILINE):
            if name not in files:
                yield f"{where}/config.txt names {kind} {name}, which is not there"
        # The firmware lays bcm2712d0 on a Raspberry Pi 5 of the D0 stepping without being told.
        for name in ("bcm2712d0", *re.findall(r"^dtoverlay=([\w-]+)", config, re.MULTILINE)):
            if f"overlays/{name}.dtbo" not in files:
                yield f"{where}: overlay {name} is not there"
        if re.search(r"^gpu_mem=16$", config, re.MULTILINE) and "start_cd.elf" not in files:
            yield f"{where}/config.txt asks with gpu_mem=16 for start_cd.elf, which is not there"
        yield from _slot_json(card, slot, files.get("slot.json", b""))
        seen[slot] = files
    for name in sorted(seen["A"].keys() | seen["B"].keys()):
        if seen["A"].get(name) != seen["B"].get(name):
            yield f"{name} is not the same in BOOT_A and BOOT_B"


def _slot_json(card: Card, slot: str, text: bytes) -> Iterator[str]:
    part, where = layout.partition(layout.ROOT[slot]), f"BOOT_{slot}/slot.json"
    try:
        told = json.loads(text)
        length, expected = int(told["root_size"]), str(told["root_sha256"])
    except (ValueError, KeyError, TypeError):
        yield f"{where} cannot be read"
        return
    start = part.start * layout.MIB
    found = hashlib.sha256(card.read(start, min(length, part.size * layout.MIB))).hexdigest()
    if found != expected:
        place = f"partition {part.number} ({part.name}), bytes {start} to {start + length}"
        yield f"{place}: damaged, sha256 {found}, {where} says {expected}: {AGAIN}"


def boards(card: Card, tree: Path) -> Iterator[str]:
    """All drivers of all boards: those of the card in the initramfs, the rest in the root ``tree``."""
    files = card.fat_files(layout.BOOT["A"])
    for root in (tree / "usr/lib/modules").iterdir():
        known = device_trees.aliases(root)
        there = [line.partition(":")[0] for line in (root / "modules.dep").read_text().splitlines()]
        in_root = {Path(name).name.split(".")[0].replace("-", "_") for name in there}
        packed = re.findall(rb"modules/([\w-]+)\.ko\0", files.get("initrd.img", b""))
        in_initrd = {name.decode().replace("-", "_") for name in packed}
        for name, content in sorted(files.items()):
            if not name.endswith(".dtb"):
                continue
            try:
                for_card = device_trees.card_modules(content, known)
                for_all = device_trees.board_modules(content, known)
            except (ValueError, IndexError) as error:
                yield f"{name}: {error}"
                continue
            for module in sorted(for_card - in_initrd):
                yield f"{name}: {module} is not in the initramfs, no card would be found"
            for module in sorted(for_all - in_root - UNUSED):
                yield f"{name}: its driver {module} is not in the root"


def data(card: Card) -> Iterator[str]:
    """Both data partitions: whole, journaled and empty."""
    for number in (7, 8):
        part = layout.partition(number)
        path = str(card.part(number))
        try:
            card.tool("e2fsck", "-f", "-n", path)
            features = card.tool("dumpe2fs", "-h", path)
            names = card.tool("debugfs", "-R", "ls -p /", path)
        except CardError as error:
            yield f"partition {number} ({part.name}): {error}"
            continue
        if not re.search(rf"^Filesystem volume name:\s+{part.name}$", features, re.MULTILINE):
            yield f"partition {number}: its label is not {part.name}"
        if not re.search(r"^Filesystem features:.* has_journal ", f"{features} ", re.MULTILINE):
            yield f"partition {number} ({part.name}) has no journal: a power cut would damage it"
        found = {line.split("/")[5] for line in names.splitlines() if line.count("/") > 5} - {".", "..", "lost+found"}
        yield from (f"partition {number} ({part.name}) is not empty: {name}" for name in sorted(found))


def _fat(card: Card, number: int, wanted: tuple[str, ...]) -> Iterator[str]:
    """Returns the files."""
    where = layout.partition(number).name
    try:
        card.tool("fsck.vfat", "-n", str(card.part(number)))
        label = card.part(number).read_bytes()[71:82].decode("ascii", "replace").strip()
        if label != where:
            yield f"partition {number}: its label is {label!r}, expected {where}"
        files = card.fat_files(number)
    except CardError as error:
        yield f"partition {number} ({where}): {error}"
        return {}
    for name in wanted:
        if not files.get(name):
            yield f"{where}/{name} is missing or empty"
    return files


CHECKS: dict[str, Callable[[Card], Iterator[str]]] = {
    "size": size,
    "partition table": table,
    "contents": contents,
    "technician's partition": technician,
    "boot slots": slots,
    "data partitions": data,
}


def check(card: Card, say: Callable[[str], None] = print) -> int:
    """Runs all checks and says each result. The number of faults."""
    faults = 0
    for name, look in CHECKS.items():
        faults += (found := _report(name, look(card), say))
        if found and name in ("size", "partition table"):
            say("      the rest cannot be looked at")
            return faults
    try:
        nodes, tree = card.root(layout.ROOT["A"])
    except CardError as error:
        return faults + _report("root", iter([f"partition {layout.ROOT['A']} (root A): {error}"]), say)
    faults += _report("drivers of all boards", boards(card, tree), say)
    for name, look_at_root in check_root.CHECKS.items():
        faults += _report(name, look_at_root(nodes, tree), say)
    return faults


def _report(name: str, faults: Iterator[str], say: Callable[[str], None]) -> int:
    found = []
    try:
        found.extend(faults)
    except CardError as error:
        found.append(str(error))
    say(f"{'WRONG' if found else 'ok':5} {name}")
    for fault in found:
        say(f"      {fault}")
    return len(found)


def main() -> int:
    parser = argparse.ArgumentParser("check.py", description=__doc__)
    parser.add_argument("image", type=Path, nargs="?", help="default: the newest build/sampling-kiosk-*.img")
    options = parser.parse_args()
    built = sorted((ROOT / "build").glob("sampling-kiosk-*.img"), key=lambda path: path.stat().st_mtime)
    path = options.image or (built[-1] if built else None)
    if path is None or not path.exists():
        print(f"check.py: no image{f' {path}' if path else ' in build'}: make image", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="kiosk-image-") as work:
        faults = check(Card(path, Path(work)))
    print(f"{path}: {f'{faults} faults' if faults else 'good'}")
    return 1 if faults else 0


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main())
    sys.exit(130)
