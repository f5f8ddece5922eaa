"""The file systems of the card, made by the builder's tools below its /build, the same bytes for the same files."""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import layout
import trees

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
cd /build/overlays
for source in *.dts; do
    dtc -q -@ -I dts -O dtb -o "${source%.dts}.dtbo" "$source"
done
rm -- *.dts
fdtoverlay -i /build/dtb/bcm2712-rpi-5-b.dtb -o /build/d0.dtb bcm2712d0.dtbo
for tree in /build/d0.dtb /build/dtb/bcm2712-d-rpi-5-b.dtb; do
    dtc -q -s -I dtb -O dts -o "/build/$(basename "$tree" .dtb).dts" "$tree"
done
cmp /build/d0.dts /build/bcm2712-d-rpi-5-b.dts || {
    echo "overlays/bcm2712d0.dts does not make the kernel's D0 tree of its C0 tree any more: adapt it" >&2
    exit 1
}
"""
_TABLE = ("sfdisk", "--quiet", "--no-reread", "--no-tell-kernel")


class Tools:
    """The builder's. All file names are relative to ``work``, its /build. Everything raises OSError."""

    def __init__(self, builder: Path, epoch: int) -> None:
        self.work = builder / "build"
        self._builder, self._epoch = builder, epoch

    def command(self, *words: str) -> Sequence[str]:
        """How a program of the builder is started."""
        return ["chroot", str(self._builder), *words]

    def squashfs(self) -> Path:
        """Of ``work/root``."""
        self._in(_SQUASH)
        return self.work / "root.squashfs"

    def fat(self, number: int, folder: str, cluster: int) -> Path:
        """Of a folder, for a partition; ``cluster`` in sectors, so that FAT32 has enough of them."""
        part, name = layout.partition(number), f"{folder}.fat"
        self._in(_FAT, name, str(part.size), str(cluster), f"4b494f5{number}", part.name, folder)
        return self.work / name

    def ext4(self, number: int) -> Path:
        """An empty one, for a partition."""
        part, folder = layout.partition(number), f"data-{number}"
        (self.work / folder).mkdir()
        name, uuid = f"{folder}.ext4", f"6b696f73-6b00-4000-8000-00000000000{number}"
        self._in(_EXT4, name, str(part.size), uuid, part.name, folder)
        return self.work / name

    def overlays(self, sources: Path, device_trees: Path) -> Path:
        """The folder of compiled overlays. That of the Raspberry Pi 5's D0 stepping must make of the kernel's tree for
        the C0 stepping exactly the kernel's tree for the D0 one."""
        shutil.copytree(sources, self.work / "overlays")
        shutil.copytree(device_trees, self.work / "dtb")
        self._in(_OVERLAYS)
        return self.work / "overlays"

    def card(self) -> Path:
        """An empty card with its partition table."""
        card = self.work / "card.img"
        with card.open("wb") as file:
            file.truncate(layout.IMAGE_MIB * layout.MIB)
        command = self.command(*_TABLE, f"/build/{card.name}")
        done = subprocess.run(command, input=layout.sfdisk_script(), text=True, capture_output=True)
        if done.returncode:
            raise OSError(f"sfdisk: {done.stderr.strip()}")
        return card

    def _in(self, script: str, *arguments: str) -> None:
        trees.run_in(self._builder, script, *arguments, epoch=self._epoch)
