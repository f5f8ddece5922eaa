"""The small initramfs: read back by cpio, the kernel's own format, and in the order insmod needs."""

import lzma
import shutil
import stat
import subprocess
from pathlib import Path

import initramfs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

needs_cpio = pytest.mark.skipif(shutil.which("cpio") is None, reason="cpio is not installed")
names = st.text("abcdefgh.-", min_size=1, max_size=30).filter(lambda name: name.strip("."))


def kernel(folder: Path) -> Path:
    """A module tree: usb_printer needs usbcore, a needs b and c, c needs b; ext4 is built in."""
    root = folder / "lib/modules/7.0"
    for name in ("a", "b", "c", "usb-printer"):
        path = root / f"kernel/{name}.ko.xz"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(lzma.compress(f"module {name}".encode()))
    (root / "kernel/usbcore.ko").write_bytes(b"module usbcore")
    # modules.dep lists what is needed from the nearest to the farthest
    (root / "modules.dep").write_text(
        "kernel/b.ko.xz:\n"
        "kernel/c.ko.xz: kernel/b.ko.xz\n"
        "kernel/a.ko.xz: kernel/c.ko.xz kernel/b.ko.xz\n"
        "kernel/usbcore.ko:\n"
        "kernel/usb-printer.ko.xz: kernel/usbcore.ko\n"
    )
    (root / "modules.builtin").write_text("kernel/fs/ext4/ext4.ko\n")
    return root


def made(folder: Path, modules: list[str], **more: bytes) -> tuple[Path, list[str]]:
    busybox = folder / "busybox"
    busybox.write_bytes(b"\x7fELF busybox")
    out = folder / "initrd.img"
    order = initramfs.build(
        out, modules_root=kernel(folder), modules=modules, busybox=busybox, init="#!/bin/sh\n", extra=more
    )
    return out, order


def test_each_module_comes_after_what_it_needs_and_once(tmp_path: Path) -> None:
    _, order = made(tmp_path, ["a", "usb_printer", "c", "ext4"])
    assert order == ["b.ko", "c.ko", "a.ko", "usbcore.ko", "usb-printer.ko"]


def test_a_module_the_kernel_does_not_have_is_named(tmp_path: Path) -> None:
    with pytest.raises(initramfs.ModuleMissingError, match=r"kernel 7\.0 has no module nonesuch"):
        made(tmp_path, ["a", "nonesuch"])


def test_the_same_inputs_give_the_same_bytes(tmp_path: Path) -> None:
    first, _ = made(tmp_path, ["a"])
    before = first.read_bytes()
    (tmp_path / "busybox").touch()
    second, _ = made(tmp_path, ["a"])
    assert second.read_bytes() == before


@needs_cpio
def test_cpio_unpacks_what_was_packed(tmp_path: Path) -> None:
    out, order = made(tmp_path, ["a"], **{"etc/deep/name": b"content"})
    into = tmp_path / "unpacked"
    into.mkdir()
    with out.open("rb") as archive:
        subprocess.run(["cpio", "--extract", "--quiet"], stdin=archive, cwd=into, check=True)
    assert (into / "init").read_bytes() == b"#!/bin/sh\n"
    assert (into / "init").stat().st_mode & 0o777 == 0o755
    assert (into / "bin/sh").readlink() == Path("busybox")
    assert (into / "etc/deep/name").read_bytes() == b"content"
    assert (into / "modules/order").read_text().split() == order
    assert (into / "modules/a.ko").read_bytes() == b"module a"
    assert {path.name for path in into.iterdir()} >= set(initramfs.FOLDERS)


@needs_cpio
@settings(max_examples=20, deadline=None)
@given(st.dictionaries(names, st.binary(max_size=600), max_size=8))
def test_any_files_come_back_from_cpio(tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]) -> None:
    into = tmp_path_factory.mktemp("cpio")
    data = b"".join(initramfs.archive({name: (stat.S_IFREG | 0o644, content) for name, content in files.items()}))
    assert len(data) % 512 == 0
    subprocess.run(["cpio", "--extract", "--quiet"], input=data, cwd=into, check=True)
    assert {path.name: path.read_bytes() for path in into.iterdir()} == files


def test_the_bytes_of_one_entry() -> None:
    """Header and padding as buffer-format.rst has them: 13 fields of 8 hexadecimal digits, all aligned to 4."""
    data = b"".join(initramfs.archive({"ab": (stat.S_IFREG | 0o600, b"xyz")}))
    head = b"070701" + b"00000001" + b"00008180" + b"00000000" * 2 + b"00000001" + b"00000000"
    head += b"00000003" + b"00000000" * 4 + b"00000003" + b"00000000"
    assert data.startswith(head + b"ab\0" + bytes(3) + b"xyz\0" + b"070701" + b"00000000" * 4 + b"00000001")
    assert b"0000000B00000000TRAILER!!!\0" in data
