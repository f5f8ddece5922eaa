"""A bundle tells what is wrong with it before anything is written."""

import shutil
import struct
import subprocess
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk import frames
from kiosk.seal import PrivateKeys
from kiosk.update import bundle
from kiosk.update.bundle import CHUNK, BundleError
from tests.support.updates import CMDLINE, KEYS, NEW, boot_image, make, manifest_of, root_image

KEY = KEYS.public.verify


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("good"))


def check(path: Path) -> None:
    with path.open("rb") as file:
        bundle.read(file, KEY).check()


def test_it_holds_what_went_in(good: Path, tmp_path: Path) -> None:
    root = root_image(tmp_path / "root")
    boot = boot_image(tmp_path / "boot", root=root)
    with good.open("rb") as file:
        opened = bundle.read(file, KEY)
        opened.check()
        parts = [b"".join(data for _, data in opened.chunks(part)) for part in opened.manifest.parts]
    assert parts[1] == root.read_bytes()
    assert boot.read_bytes() == parts[0].ljust(3 * CHUNK, b"\0")
    assert len(parts[0]) == 3 * CHUNK
    assert opened.manifest.version == NEW
    assert boot.read_bytes()[opened.manifest.slot_at - 11 : opened.manifest.slot_at + 1] == b"kiosk.slot=A"


def test_the_free_end_of_a_partition_is_left_out(tmp_path: Path) -> None:
    root = root_image(tmp_path / "root")
    boot = boot_image(tmp_path / "boot", root=root, free=40 * CHUNK)
    manifest = bundle.write(tmp_path / "b", boot, root, KEYS.sign, version="1.0", created=0, schema=1)
    assert manifest.boot.size == 3 * CHUNK
    assert (tmp_path / "b").stat().st_size < 5 * CHUNK


@given(st.data())
def test_a_flipped_byte_is_named_by_its_place(
    good: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    whole = good.read_bytes()
    at, flip = data.draw(st.integers(0, len(whole) - 1)), data.draw(st.integers(1, 255))
    path = tmp_path_factory.mktemp("flipped") / "b"
    path.write_bytes(whole[:at] + bytes([whole[at] ^ flip]) + whole[at + 1 :])
    with pytest.raises(BundleError) as caught:
        check(path)
    with good.open("rb") as file:
        begin = bundle.read(file, KEY).at
    if at >= begin:
        words = str(caught.value).split()
        first, last = int(words[words.index("byte") + 1]), int(words[words.index("to") + 1].rstrip(":"))
        assert first <= at <= last
    shutil.rmtree(path.parent)


@pytest.mark.parametrize("left", [0, 1, 15, 16, 19, 20, 100, 400, 100_000, CHUNK, 4 * CHUNK, -1])
def test_a_short_one_is_refused(good: Path, tmp_path: Path, left: int) -> None:
    (tmp_path / "b").write_bytes(good.read_bytes()[:left])
    with pytest.raises(BundleError):
        check(tmp_path / "b")


def test_what_is_wrong_is_said(good: Path, tmp_path: Path) -> None:
    whole, path = good.read_bytes(), tmp_path / "b"
    for content, says in (
        (b"", "no bundle of a kiosk"),
        (b"\xff\xd8\xff photograph", "no bundle of a kiosk"),
        (whole.replace(b"\r\n", b"\n", 1), "no bundle of a kiosk"),
        (whole[:300], "cut short: found 300 bytes: copy the bundle anew"),
        (whole[:-7], f"cut short: found {len(whole) - 7} bytes, expected {len(whole)}"),
        (whole + b"\0", "followed by something else"),
        (whole[:16] + struct.pack(">I", 1 << 30) + whole[20:], "manifest: found 1073741824 bytes"),
    ):
        path.write_bytes(content)
        with pytest.raises(BundleError, match=says):
            check(path)


def test_another_post_s_bundle_is_refused(tmp_path: Path) -> None:
    path = make(tmp_path, keys=PrivateKeys.generate())
    with pytest.raises(BundleError, match=r"signature: not made by this key.*the command post this kiosk belongs to"):
        check(path)


def test_a_signature_of_another_kind_of_message_is_none(good: Path, tmp_path: Path) -> None:
    manifest = manifest_of(good)
    envelope = frames.sign(b"kiosk-command-1\0", manifest, KEYS.sign)
    (tmp_path / "b").write_bytes(bundle.MAGIC + struct.pack(">I", len(envelope)) + envelope)
    with pytest.raises(BundleError, match="signature"):
        check(tmp_path / "b")


def test_a_manifest_that_does_not_agree_with_itself(good: Path, tmp_path: Path) -> None:
    replace, manifest = msgspec.structs.replace, manifest_of(good)
    boot, root = manifest.parts
    for wrong, says in (
        (replace(manifest, parts=(root, boot)), "expected boot and root"),
        (replace(manifest, parts=(boot, replace(root, size=root.size + CHUNK))), "root: expected one hash"),
        (replace(manifest, slot_at=boot.size), "slot_at"),
        (replace(manifest, version="new"), r"\$.version"),
        (replace(manifest, v=2), "v: version 2"),
    ):
        envelope = frames.sign(b"kiosk-bundle-1\0", wrong, KEYS.sign)
        (tmp_path / "b").write_bytes(bundle.MAGIC + struct.pack(">I", len(envelope)) + envelope)
        with pytest.raises(BundleError, match=says):
            check(tmp_path / "b")


@pytest.mark.parametrize(
    ("cmdline", "found"),
    [(b"ro quiet\n", 0), (CMDLINE + CMDLINE, 2), (b"kiosk.slot=C ro\n", 0), (b"xkiosk.slot=A kiosk.slot=AB\n", 0)],
)
def test_a_command_line_without_its_one_letter_is_refused(tmp_path: Path, cmdline: bytes, found: int) -> None:
    boot = boot_image(tmp_path / "boot", root=root_image(tmp_path / "root"), cmdline=cmdline)
    with pytest.raises(BundleError, match=f"cmdline.txt: found {found} times kiosk.slot"):
        bundle.slot_letter(boot)


def test_an_image_that_is_no_fat_or_lacks_a_file_is_refused(tmp_path: Path) -> None:
    boot = tmp_path / "boot"
    boot.write_bytes(b"photograph" * 1000)
    with pytest.raises(BundleError, match="boot: no FAT32 image: expected the boot part that `make image` leaves"):
        bundle.slot_letter(boot)
    boot_image(boot, root=root_image(tmp_path / "root"))
    boot.write_bytes(boot.read_bytes().replace(b"CMDLINE TXT", b"CMDLINE BAK"))
    with pytest.raises(BundleError, match=r"CMDLINE\.TXT: is not in the root folder"):
        bundle.slot_letter(boot)


def test_the_letter_is_found_in_a_real_fat(tmp_path: Path) -> None:
    path = "/usr/sbin:/sbin:/usr/bin:/bin"
    if not (shutil.which("mkfs.vfat", path=path) and shutil.which("mcopy", path=path)):
        pytest.skip("dosfstools and mtools are not installed")
    image, env = tmp_path / "fat", {"PATH": path, "MTOOLS_SKIP_CHECK": "1"}
    image.write_bytes(bytes(40 * CHUNK))
    subprocess.run(["mkfs.vfat", "-F", "32", "-s", "1", image], check=True, capture_output=True, env=env)
    (tmp_path / "kernel8.img").write_bytes(b"\0 kiosk.slot=A ro\n\0" * 5000)
    (tmp_path / "slot.json").write_bytes(b"{}")
    for line in (b"older kiosk.slot=A line\n", CMDLINE):
        (tmp_path / "cmdline.txt").write_bytes(line)
        for name in ("kernel8.img", "slot.json", "cmdline.txt"):
            subprocess.run(["mcopy", "-o", "-i", image, tmp_path / name, "::"], check=True, env=env)
    at = bundle.slot_letter(image)
    with image.open("r+b") as file:
        file.seek(at)
        file.write(b"B")
    typed = subprocess.run(["mtype", "-i", image, "::cmdline.txt"], check=True, capture_output=True, env=env)
    assert typed.stdout == CMDLINE.replace(b"slot=A", b"slot=B")


def test_a_root_of_another_build_is_refused(tmp_path: Path) -> None:
    root = root_image(tmp_path / "root")
    boot = boot_image(tmp_path / "boot", root=root)
    root_image(root, seed=77)
    with pytest.raises(BundleError, match=r"its slot.json does not name this root: take both from the same"):
        bundle.write(tmp_path / "b", boot, root, KEYS.sign, version="1.0", created=0, schema=1)


def test_an_empty_boot_image_is_refused(tmp_path: Path) -> None:
    (tmp_path / "boot").write_bytes(bytes(CHUNK))
    with pytest.raises(BundleError, match="is empty"):
        bundle.write(tmp_path / "b", tmp_path / "boot", root_image(tmp_path / "root"), KEYS.sign)


def test_a_wrong_description_is_refused(tmp_path: Path) -> None:
    root = root_image(tmp_path / "root")
    boot = boot_image(tmp_path / "boot", root=root)
    with pytest.raises(BundleError, match=r"manifest: .*version"):
        bundle.write(tmp_path / "b", boot, root, KEYS.sign, version="new", created=0, schema=1)
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize(
    ("older", "newer"), [("0.9.0", "0.10.0"), ("1.0", "1.0.1"), ("0.1.0", "1.0.0rc1"), ("0.1", "0.1.0")]
)
def test_versions_go_by_their_numbers(older: str, newer: str) -> None:
    assert bundle.numbers(older) < bundle.numbers(newer)
