"""Builds the image of a sampling kiosk for Raspberry Pi 3, 4 and 5: `make image`. Needs root, for chroot and packages.

The stages builder, root, wheels and cross are kept in the cache; the image itself takes seconds. The same inputs make
the same bytes.
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import application
import debian
import initramfs
import layout
import manifest
import packages
import stages
import system
import trees

ROOT = Path(__file__).parent.parent
HERE = Path(__file__).parent
LOCK = HERE / "packages.lock"
PACKAGES = [line for line in (HERE / "packages.txt").read_text().split("\n") if line and not line.startswith("#")]
EPOCH = 1_795_651_200
"""2026-11-26: the time of every file in the image, and the earliest a kiosk's clock can show."""

INITRD_MODULES = (
    *("squashfs", "overlay", "mmc_block", "bcm2835", "sdhci_iproc", "sdhci_brcmstb", "sdhci_pci", "bcm2835_dma"),
    *("gpio_regulator", "virtio_blk"),
)
_FIRMWARE = ("bootcode.bin", "start.elf", "fixup.dat", "start4.elf", "fixup4.dat")
_BOARDS = ("bcm2837-rpi-3*", "bcm2711-rpi-4*", "bcm2711-rpi-cm4*", "bcm2712*")
CMDLINE = (
    "console=tty0 console=serial0,115200 kiosk.slot={slot} ro quiet panic=10 loglevel=4 systemd.show_status=0"
    " rd.systemd.show_status=0 consoleblank=0"
)

_SQUASH = """
# The file system's own time is SOURCE_DATE_EPOCH; its files' times are set here.
find /build/root -exec touch -h -d @"$SOURCE_DATE_EPOCH" {} +
mksquashfs /build/root /build/root.squashfs -noappend -quiet -no-progress -comp zstd -Xcompression-level 12 -b 256K \
    -no-xattrs -no-exports
"""
_FAT = """
# name size(MiB) sectors-per-cluster serial label folder
rm -f /build/"$1"
truncate -s "$2"M /build/"$1"
mkfs.vfat --invariant -F 32 -s "$3" -i "$4" -n "$5" /build/"$1" >/dev/null
cd /build/"$6"
find . -exec touch -h -d @"$SOURCE_DATE_EPOCH" {} +
find . -mindepth 1 -type d | sort | while read -r folder; do mmd -i /build/"$1" "::$folder"; done
find . -type f | sort | while read -r file; do mcopy -m -i /build/"$1" "$file" "::$file"; done
"""
_EXT4 = """
# name size(MiB) uuid label folder
rm -f /build/"$1"
truncate -s "$2"M /build/"$1"
find /build/"$5" -exec touch -h -d @"$SOURCE_DATE_EPOCH" {} +
mkfs.ext4 -q -F -L "$4" -U "$3" -O metadata_csum -d /build/"$5" \
    -E hash_seed="$3",lazy_itable_init=0,lazy_journal_init=0,root_owner=0:0 /build/"$1"
"""
_OVERLAYS = """
# the kernel's device trees
cd /build/overlays
for source in *.dts; do
    dtc -q -@ -I dts -O dtb -o "${source%.dts}.dtbo" "$source"
done
rm -- *.dts
fdtoverlay -i "$1"/bcm2712-rpi-5-b.dtb -o /build/d0.dtb bcm2712d0.dtbo
for tree in /build/d0.dtb "$1"/bcm2712-d-rpi-5-b.dtb; do
    dtc -q -s -I dtb -O dts -o "/build/$(basename "$tree" .dtb).dts" "$tree"
done
cmp /build/d0.dts /build/bcm2712-d-rpi-5-b.dts || {
    echo "overlays/bcm2712d0.dts does not make the kernel's D0 tree of its C0 tree any more: adapt it" >&2
    exit 1
}
"""
_TABLE = 'sfdisk --quiet --no-reread --no-tell-kernel /build/"$1"'


class Build:
    """One run. ``out``: where the image and what belongs to it go."""

    def __init__(self, out: Path, mirror: str | None, locked: bool = False) -> None:
        self.out = out
        self._mirror_asked, self._locked = mirror, locked
        self.version = manifest.version()

    @property
    def mirror(self) -> str:
        return self._mirror_asked or debian.host_mirror()

    def run(self) -> Path:
        """Raises stages.StageError."""
        network = "the mirror cannot be reached or lacks a package: try again, or name another one with --mirror URL"
        lock = LOCK.read_text("utf-8") if LOCK.exists() else ""
        builder = stages.stage(
            "builder",
            stages.fingerprint(trees.BUILDER, trees.KERNEL, debian.SUITE, debian.native(), lock),
            lambda folder: trees.builder(folder, self.mirror, EPOCH),
            network,
        )
        debian_tree = stages.stage(
            "root",
            stages.fingerprint(PACKAGES, debian.SUITE, EPOCH, lock),
            lambda folder: trees.root(folder, PACKAGES, self.mirror, EPOCH),
            f"{network}; emulation of arm64 needs root and binfmt_misc",
        )
        kernel = debian.kernel("arm64", self._mirror_asked)
        firmware = stages.stage(
            "firmware",
            stages.fingerprint(trees.FIRMWARE, lock),
            lambda folder: trees.firmware(folder, self.mirror),
            network,
        )
        made_of = [builder, debian_tree, kernel, firmware]
        self._compare(made_of, lock)
        wheelhouse = stages.stage(
            "wheels",
            stages.fingerprint(ROOT / "requirements-kiosk.lock", HERE / "lgpio.lock"),
            application.wheels,
            "the package index cannot be reached, or a hash of requirements-kiosk.lock is not there any more",
        )
        cross = stages.stage(
            "cross",
            stages.fingerprint(HERE / "module", HERE / "lgpio.lock", builder.name),
            lambda folder: application.cross_built(folder, builder / "tree", wheelhouse, EPOCH),
            "the compiler's last words are above; the sources are image-build/module and lgpio's",
        )
        self._tree = builder / "tree"
        began = time.monotonic()
        print("image    …", flush=True)
        try:
            root = system.assemble(self._tree, debian_tree / "tree", kernel, wheelhouse, cross, EPOCH)
            image = self._image(root, kernel, firmware)
            manifest.write(image, self.version, EPOCH, made_of, wheelhouse, cross)
        except (OSError, ValueError) as error:
            raise stages.StageError(f"stage image: {error}") from error
        finally:
            shutil.rmtree(self._tree / "build", ignore_errors=True)
        print(f"image    {time.monotonic() - began:.0f} s: {image} ({image.stat().st_size >> 20} MiB)", flush=True)
        return image

    def _compare(self, made_of: Sequence[Path], lock: str) -> None:
        """Says how the packages differ from the lock. Raises StageError where they must not."""
        lines = packages.differences(packages.parse(lock, LOCK.name), manifest.debian_packages(made_of))
        for line in lines:
            print(f"         {line}", flush=True)
        if lines and self._locked:
            raise stages.StageError(
                f"{len(lines)} packages are not as in {LOCK.name}: name a mirror that still has them with --mirror URL,"
                " take the new ones with `make image-lock`, or build without --locked"
            )

    def _image(self, root: Path, kernel: Path, firmware: Path) -> Path:
        work, modules = self._tree / "build", debian.modules_root(kernel)
        script = (HERE / "init").read_text().replace("@DISK@", layout.DISK_ID_BYTES)
        kernel_modules = root / "usr/lib/modules" / modules.name
        busybox = root / "usr/bin/busybox"
        initrd = work / "initrd.img"
        initramfs.build(initrd, modules_root=kernel_modules, modules=INITRD_MODULES, busybox=busybox, init=script)
        shutil.copytree(HERE / "overlays", work / "overlays")
        shutil.copytree(modules / "dtb/broadcom", work / "dtb")
        self._in(_OVERLAYS, "/build/dtb")
        self._in(_SQUASH)
        squash = work / "root.squashfs"
        contents = {5: squash, 6: squash}
        for slot, number in layout.BOOT.items():
            folder = work / f"boot-{slot}"
            self._boot_folder(folder, slot, modules, firmware / "tree/usr/lib/raspi-firmware", initrd, squash)
            contents[number] = self._fat(f"boot-{slot}.fat", number, 2, folder.name)
        contents[1] = self._technician(work, firmware / "tree/usr/lib/raspi-firmware")
        for number, tail in ((7, "07"), (8, "08")):
            folder = work / f"data-{number}"
            folder.mkdir()
            part = layout.partition(number)
            name, uuid = f"{folder.name}.ext4", f"6b696f73-6b00-4000-8000-0000000000{tail}"
            self._in(_EXT4, name, str(part.size), uuid, part.name, folder.name)
            contents[number] = work / name
        raw = work / "card.img"
        with raw.open("wb") as file:
            file.truncate(layout.IMAGE_MIB * layout.MIB)
        done = subprocess.run(
            ["chroot", str(self._tree), "/bin/sh", "-c", _TABLE, "sh", raw.name],
            input=layout.sfdisk_script(),
            text=True,
            capture_output=True,
        )
        if done.returncode:
            raise OSError(f"sfdisk: {done.stderr.strip()}")
        layout.put(raw, contents)
        self.out.mkdir(parents=True, exist_ok=True)
        image = self.out / f"sampling-kiosk-{self.version}.img"
        for old in self.out.glob("sampling-kiosk-*.img*"):
            old.unlink()
        subprocess.run(["cp", "--sparse=always", str(raw), str(image)], check=True)
        for name in ("root.squashfs", "boot-A.fat"):
            shutil.copyfile(work / name, self.out / name.replace("boot-A", "boot"))
        return image

    def _boot_folder(self, folder: Path, slot: str, modules: Path, firmware: Path, initrd: Path, squash: Path) -> None:
        shutil.copytree(self._tree / "build/overlays", folder / "overlays")
        for name in _FIRMWARE[1:]:
            shutil.copyfile(firmware / name, folder / name)
        for pattern in _BOARDS:
            for path in (modules / "dtb/broadcom").glob(f"{pattern}.dtb"):
                shutil.copyfile(path, folder / path.name)
        shutil.copyfile(modules / "vmlinuz", folder / "kernel8.img")
        shutil.copyfile(initrd, folder / "initrd.img")
        shutil.copyfile(HERE / "config.txt", folder / "config.txt")
        (folder / "cmdline.txt").write_text(CMDLINE.format(slot=slot) + "\n")
        (folder / "slot.json").write_text(manifest.slot(self.version, squash))

    def _technician(self, work: Path, firmware: Path) -> Path:
        folder = work / "technician"
        folder.mkdir()
        (folder / "autoboot.txt").write_bytes(layout.autoboot("A"))
        shutil.copyfile(firmware / "bootcode.bin", folder / "bootcode.bin")
        example = (ROOT / "config/kiosk-provision.example.toml").read_text("utf-8")
        (folder / "kiosk-provision.example.toml").write_bytes(example.replace("\n", "\r\n").encode())
        readme = (HERE / "README.card.txt").read_text("utf-8")
        (folder / "README.txt").write_bytes(b"\xef\xbb\xbf" + readme.replace("\n", "\r\n").encode())
        return self._fat("technician.fat", 1, 1, folder.name)

    def _fat(self, name: str, number: int, cluster: int, folder: str) -> Path:
        part = layout.partition(number)
        self._in(_FAT, name, str(part.size), str(cluster), f"4b494f5{number}", part.name, folder)
        return self._tree / "build" / name

    def _in(self, script: str, *arguments: str) -> None:
        trees.run_in(self._tree, script, *arguments, epoch=EPOCH)


def main() -> int:
    parser = argparse.ArgumentParser("build.py", description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "build", metavar="DIR", help="default ./build")
    parser.add_argument("--mirror", metavar="URL", help="Debian mirror; default: that of this machine's own apt")
    parser.add_argument("--locked", action="store_true", help=f"refuse packages that are not as in {LOCK.name}")
    parser.add_argument("--write-lock", action="store_true", help=f"only write {LOCK.name}, as the mirror is today")
    parser.add_argument("--compress", action="store_true", help="also make what Raspberry Pi Imager downloads")
    parser.add_argument("--url", default="", help="where Imager will find the files: goes into os-list.json")
    options = parser.parse_args()
    if os.geteuid() != 0:
        print("build.py: needs root: sudo make image", file=sys.stderr)
        return 1
    try:
        if options.write_lock:
            LOCK.write_text(packages.lock_text(trees.planned(PACKAGES, options.mirror or debian.host_mirror())))
            return 0
        image = Build(options.out, options.mirror, options.locked).run()
        if options.compress:
            manifest.publish(image, EPOCH, options.url)
    except (stages.StageError, debian.FetchError, packages.LockError) as error:
        print(f"build.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
