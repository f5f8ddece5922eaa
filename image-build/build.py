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
import device_trees
import filesystems
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

INITRD_MODULES = ("squashfs", "overlay", "mmc_block", "bcm2835_dma", "sdhci_pci", "virtio_blk")
"""Besides what the boards' card controllers need, by their device trees. The last two are for emulators."""
_BOOT_CODE = "bootcode.bin"
"""A Raspberry Pi 3 starts with it, from the first partition; later boards have it in a chip."""
_FIRMWARE = ("start.elf", "fixup.dat", "start4.elf", "fixup4.dat")
_BOARDS = ("bcm2837-rpi-3*", "bcm2711-rpi-4*", "bcm2711-rpi-cm4*", "bcm2712*")
CMDLINE = (
    "console=tty0 console=serial0,115200 kiosk.slot={slot} ro quiet panic=10 loglevel=4 systemd.show_status=0"
    " rd.systemd.show_status=0 consoleblank=0"
)


class Build:
    """One run. ``out``: where the image and what belongs to it go."""

    def __init__(self, out: Path, mirror: str | None, locked: bool = False) -> None:
        self.out = out
        self._mirror, self._locked = mirror, locked
        self.version = manifest.version()

    @property
    def mirror(self) -> str:
        return self._mirror or debian.host_mirror()

    def run(self) -> Path:
        """The image. Raises stages.StageError."""
        with stages.alone():
            return self._run()

    def _run(self) -> Path:
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
        kernel = stages.stage(
            "kernel",
            stages.fingerprint(trees.KERNEL, lock),
            lambda folder: debian.unpack_kernel(folder, debian.apt_root("arm64", self.mirror)),
            network,
        )
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
        self.tools = filesystems.Tools(builder / "tree", EPOCH)
        began = time.monotonic()
        print("image    …", flush=True)
        try:
            root = system.assemble(builder / "tree", debian_tree / "tree", kernel, wheelhouse, cross, EPOCH)
            image = self._image(root, kernel, firmware / "tree/usr/lib/raspi-firmware")
            manifest.write(image, self.version, EPOCH, made_of, wheelhouse, cross)
        except (OSError, ValueError) as error:
            raise stages.StageError(f"stage image: {error}") from error
        finally:
            shutil.rmtree(self.tools.work, ignore_errors=True)
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
        tools, modules = self.tools, debian.modules_root(kernel)
        boards = [path for pattern in _BOARDS for path in sorted((modules / "dtb/broadcom").glob(f"{pattern}.dtb"))]
        kept = root / "usr/lib/modules" / modules.name
        initrd = tools.work / "initrd.img"
        initramfs.build(
            initrd,
            modules_root=kept,
            modules=[*INITRD_MODULES, *device_trees.all_card_modules(boards, device_trees.aliases(kept))],
            busybox=root / "usr/bin/busybox",
            init=(HERE / "init").read_text().replace("@DISK@", layout.DISK_ID_BYTES),
        )
        overlays, squash = tools.overlays(HERE / "overlays", modules / "dtb/broadcom"), tools.squashfs()
        contents = {1: self._technician(firmware), 5: squash, 6: squash, 7: tools.ext4(7), 8: tools.ext4(8)}
        for slot, number in layout.BOOT.items():
            folder = tools.work / f"boot-{slot}"
            shutil.copytree(overlays, folder / "overlays")
            for path in (*boards, *(firmware / name for name in _FIRMWARE)):
                shutil.copyfile(path, folder / path.name)
            shutil.copyfile(modules / "vmlinuz", folder / "kernel8.img")
            shutil.copyfile(initrd, folder / initrd.name)
            shutil.copyfile(HERE / "config.txt", folder / "config.txt")
            (folder / "cmdline.txt").write_text(CMDLINE.format(slot=slot) + "\n")
            (folder / "slot.json").write_text(manifest.slot(self.version, squash))
            contents[number] = tools.fat(number, folder.name, 2)
        card = tools.card()
        layout.put(card, contents)
        self.out.mkdir(parents=True, exist_ok=True)
        for old in self.out.glob("sampling-kiosk-*.img*"):
            old.unlink()
        image = self.out / f"sampling-kiosk-{self.version}.img"
        subprocess.run(["cp", "--sparse=always", str(card), str(image)], check=True)
        # What an update bundle is made of.
        shutil.copyfile(squash, self.out / "root.squashfs")
        shutil.copyfile(contents[layout.BOOT["A"]], self.out / "boot.fat")
        return image

    def _technician(self, firmware: Path) -> Path:
        folder = self.tools.work / "technician"
        folder.mkdir()
        (folder / "autoboot.txt").write_bytes(layout.autoboot("A"))
        shutil.copyfile(firmware / _BOOT_CODE, folder / _BOOT_CODE)
        example = (ROOT / "config/kiosk-provision.example.toml").read_text("utf-8")
        (folder / "kiosk-provision.example.toml").write_bytes(example.replace("\n", "\r\n").encode())
        readme = (HERE / "README.card.txt").read_text("utf-8")
        (folder / "README.txt").write_bytes(b"\xef\xbb\xbf" + readme.replace("\n", "\r\n").encode())
        return self.tools.fat(1, folder.name, 1)


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
        build = Build(options.out, options.mirror, options.locked)
        image = build.run()
        if options.compress:
            manifest.publish(image, EPOCH, options.url, build.tools.command("xz"))
    except (stages.StageError, debian.FetchError, packages.LockError) as error:
        print(f"build.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
