"""The papers of an image: sizes and hashes are those of the files, and nothing depends on the day or the folder."""

import hashlib
import json
import lzma
import shutil
from pathlib import Path
from typing import Any

import layout
import manifest
import packages
import pytest
from packages import Package

from tests.image import small_card

EPOCH = 1_795_651_200


@pytest.fixture
def image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    small_card.lay_small(monkeypatch)
    path = tmp_path / "build" / "sampling-kiosk-9.9.9.img"
    path.parent.mkdir()
    with path.open("wb") as file:
        file.truncate(small_card.MIB * layout.MIB)
        file.seek(113 * layout.MIB)
        file.write(b"root")
    return path


def stage(folder: Path, *found: Package) -> Path:
    folder.mkdir()
    (folder / "packages").write_text(packages.lock_text(found))
    return folder


def written(image: Path, tmp_path: Path) -> dict[str, Any]:
    libc = Package("libc6", "2:2.41-12+deb13u5", "arm64", "a" * 64)
    stages = [
        stage(tmp_path / "root", libc),
        stage(tmp_path / "builder", Package("zstd", "1.5", "amd64", "b" * 64), libc),
    ]
    wheelhouse, cross = tmp_path / "wheels", tmp_path / "cross"
    wheelhouse.mkdir()
    cross.mkdir()
    (wheelhouse / "zxing_cpp-3.1.1-cp312-abi3-manylinux_2_26_aarch64.whl").write_bytes(b"wheel")
    (wheelhouse / "lgpio-0.2.2.0.tar.gz").write_bytes(b"source")
    (cross / "kiosk_rpi.ko").write_bytes(b"module")
    (cross / ".complete").touch()
    manifest.write(image, "9.9.9", EPOCH, stages, wheelhouse, cross)
    told: dict[str, Any] = json.loads(image.with_name("sbom.json").read_text())
    return told


def test_the_bill_of_materials_names_everything_once(image: Path, tmp_path: Path) -> None:
    sbom = written(image, tmp_path)
    assert (sbom["bomFormat"], sbom["specVersion"]) == ("CycloneDX", "1.6")
    assert sbom["metadata"]["timestamp"] == "2026-11-26T00:00:00Z"
    components = {it["name"]: it for it in sbom["components"]}
    assert len(components) == len(sbom["components"])
    assert components["libc6"]["purl"] == "pkg:deb/debian/libc6@2%3A2.41-12%2Bdeb13u5?arch=arm64"
    assert components["libc6"]["hashes"] == [{"alg": "SHA-256", "content": "a" * 64}]
    assert components["zxing-cpp"]["version"] == "3.1.1"
    assert components["lgpio"]["hashes"][0]["content"] == hashlib.sha256(b"source").hexdigest()
    assert components["kiosk_rpi.ko"]["hashes"][0]["content"] == hashlib.sha256(b"module").hexdigest()
    assert ".complete" not in components


def test_the_bill_names_the_place_and_hash_of_each_partition(image: Path, tmp_path: Path) -> None:
    found = manifest.partitions(written(image, tmp_path))
    assert found == manifest.partition_sums(image)
    data = image.read_bytes()
    assert len(found) == 8
    for name, sha256 in found.items():
        start, end = (int(word) for word in name.split("bytes ")[1].split(" to "))
        assert hashlib.sha256(data[start:end]).hexdigest() == sha256


def test_the_checksum_is_one_that_sha256sum_reads(image: Path, tmp_path: Path) -> None:
    written(image, tmp_path)
    sha256, name = image.with_name(f"{image.name}.sha256").read_text().rstrip("\n").split("  ")
    assert (sha256, name) == (hashlib.sha256(image.read_bytes()).hexdigest(), image.name)


@pytest.mark.skipif(shutil.which("xz") is None, reason="xz is not installed")
def test_imagers_entry_has_the_sizes_and_hashes_of_the_files(image: Path) -> None:
    packed = manifest.publish(image, EPOCH, "https://images.example.org/kiosk/")
    (entry,) = json.loads(image.with_name("os-list.json").read_text("utf-8"))["os_list"]
    plain = image.read_bytes()
    assert lzma.decompress(packed.read_bytes()) == plain
    assert entry["url"] == f"https://images.example.org/kiosk/{packed.name}"
    assert (entry["extract_size"], entry["extract_sha256"]) == (len(plain), hashlib.sha256(plain).hexdigest())
    assert entry["image_download_size"] == packed.stat().st_size
    assert entry["image_download_sha256"] == hashlib.sha256(packed.read_bytes()).hexdigest()
    assert entry["release_date"] == "2026-11-26"
    assert entry["init_format"] == "none"
    assert entry["devices"] == ["pi3-64bit", "pi4-64bit", "pi5-64bit"]
    # What Imager's own schema (its doc/json-schema/os-list-schema.json) requires of an entry.
    required = {"name", "description", "icon", "url", "extract_size", "extract_sha256", "image_download_size"}
    assert entry.keys() >= required | {"release_date"}
    assert all(entry[key] for key in required)


def test_a_slot_says_what_its_root_must_be(tmp_path: Path) -> None:
    root = tmp_path / "root.squashfs"
    root.write_bytes(b"squashfs")
    told = json.loads(manifest.slot("9.9.9", root))
    assert told == {"version": "9.9.9", "root_size": 8, "root_sha256": hashlib.sha256(b"squashfs").hexdigest()}
