"""What lies beside the image: the bill of materials, the checksum, and the entry for Raspberry Pi Imager."""

import hashlib
import json
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import debian
import layout
import packages

ROOT = Path(__file__).parent.parent
NAME = "采样登记机 Sampling kiosk"
DEVICES = ["pi3-64bit", "pi4-64bit", "pi5-64bit"]


def version() -> str:
    """The program's own version."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    return str(project["project"]["version"])


def slot(version: str, squash: Path) -> str:
    """slot.json of a boot partition: what its root must be, so that bit rot and a torn update show."""
    told = {"version": version, "root_size": squash.stat().st_size, "root_sha256": layout.sha256(squash)}
    return json.dumps(told) + "\n"


def write(
    out: Path, image: Path, debian_tree: Path, wheelhouse: Path, kernel: Path, firmware: Path, version: str
) -> None:
    """``sbom.json``, CycloneDX 1.6 (cyclonedx.org/docs/1.6/json), and the checksum of the image."""
    components = [*_debian(debian_tree), *_kernel(kernel), *_firmware(firmware), *_wheels(wheelhouse)]
    told = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"type": "firmware", "name": "sampling-kiosk", "version": version}},
        "components": sorted(components, key=lambda each: (each["name"], each["version"])),
    }
    (out / "sbom.json").write_text(json.dumps(told, indent=1) + "\n")
    (out / f"{image.name}.sha256").write_text(f"{layout.sha256(image)}  {image.name}\n")


def _component(name: str, version: str, purl: str, sha256: str = "") -> dict[str, Any]:
    told: dict[str, Any] = {"type": "library", "name": name, "version": version, "purl": purl}
    return told | ({"hashes": [{"alg": "SHA-256", "content": sha256}]} if sha256 else {})


def _debian(tree: Path) -> Iterator[dict[str, Any]]:
    found = packages.installed((tree / "var/lib/dpkg/status").read_text("utf-8"))
    records = debian.records([name for name, _, _ in found])
    for package in packages.with_hashes(found, records):
        yield _deb(*package)


def _deb(name: str, version: str, architecture: str, sha256: str) -> dict[str, Any]:
    return _component(name, version, f"pkg:deb/debian/{name}@{version}?arch={architecture}", sha256)


def _kernel(kernel: Path) -> Iterator[dict[str, Any]]:
    for line in (kernel / "debs/sums").read_text().splitlines():
        sha256, file = line.split()
        yield _deb(*_parts(file), sha256)


def _firmware(firmware: Path) -> Iterator[dict[str, Any]]:
    for path in (firmware / "debs").glob("*.deb"):
        yield _deb(*_parts(path.name), layout.sha256(path))


def _parts(file: str) -> tuple[str, str, str]:
    name, version, architecture = file.removesuffix(".deb").split("_")
    return name, version.replace("%3a", ":"), architecture


def _wheels(wheelhouse: Path) -> Iterator[dict[str, Any]]:
    for path in sorted(wheelhouse.glob("*.whl")) + sorted(wheelhouse.glob("*.tar.gz")):
        name, version = path.name.removesuffix(".tar.gz").split("-")[:2]
        yield _component(name, version, f"pkg:pypi/{name.replace('_', '-')}@{version}", layout.sha256(path))


def publish(image: Path) -> Path:
    """Compresses the image for Raspberry Pi Imager, and writes ``os-list.json``, an entry of its repository format
    (github.com/raspberrypi/rpi-imager, doc/schema-v4.json). Both sizes and hashes are those of the files."""
    packed = image.with_name(image.name + ".xz")
    subprocess.run(["xz", "--force", "--keep", "--threads=0", "-2", str(image)], check=True)
    entry = {
        "name": NAME,
        "description": "Registration, pooled tubes, labels and queue for mass sampling; no screen, no network needed",
        "url": packed.name,
        "icon": "",
        "release_date": "2025-11-26",
        "extract_size": image.stat().st_size,
        "extract_sha256": layout.sha256(image),
        "image_download_size": packed.stat().st_size,
        "image_download_sha256": layout.sha256(packed),
        "init_format": "none",
        "devices": DEVICES,
    }
    os_list = image.with_name("os-list.json")
    os_list.write_text(json.dumps({"os_list": [entry]}, ensure_ascii=False, indent=1) + "\n", "utf-8")
    sums = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in (packed, os_list)]
    (image.parent / "SHA256SUMS").write_text("".join(sums))
    return packed
