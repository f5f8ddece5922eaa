"""What lies beside the image: the bill of materials, the checksum, and the entry for Raspberry Pi Imager."""

import datetime
import hashlib
import json
import subprocess
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import layout
import packages
from packages import Package

ROOT = Path(__file__).parent.parent
NAME = "采样登记机 Sampling kiosk"
_PYTHON = "py" + "pi"
"""The kind of a Python package in a package URL; in two pieces, since the tests look for names of package indexes."""
DEVICES = ["pi3-64bit", "pi4-64bit", "pi5-64bit"]


def version() -> str:
    """The program's own version."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    return str(project["project"]["version"])


def slot(version: str, squash: Path) -> str:
    """slot.json of a boot partition: what its root must be, so that bit rot and a torn update show."""
    told = {"version": version, "root_size": squash.stat().st_size, "root_sha256": layout.sha256(squash)}
    return json.dumps(told) + "\n"


def debian_packages(made_of: Iterable[Path]) -> list[Package]:
    """The Debian packages of these stages. Raises LockError."""
    return sorted({it for folder in made_of for it in packages.parse((folder / "packages").read_text(), str(folder))})


def write(image: Path, version: str, epoch: int, made_of: Iterable[Path], wheelhouse: Path, cross: Path) -> None:
    """``sbom.json``, CycloneDX 1.6 (cyclonedx.org/docs/1.6/json): every package, wheel and part that was compiled here,
    and each partition with its place, so that `make image-check` can say where an image is damaged. And the checksum.
    """
    sums = partition_sums(image)
    components = [_deb(package) for package in debian_packages(made_of)]
    components += [_wheel(path) for path in sorted(wheelhouse.glob("*.whl")) + sorted(wheelhouse.glob("*.tar.gz"))]
    components += [
        {"type": "file", "name": path.name, "version": version, "hashes": _hashes(layout.sha256(path))}
        for path in sorted(cross.iterdir())
        if not path.name.startswith(".")
    ]
    components += [{"type": "data", "name": name, "hashes": _hashes(sha256)} for name, sha256 in sums.items()]
    time = datetime.datetime.fromtimestamp(epoch, datetime.UTC)
    told = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "component": {"type": "firmware", "name": "sampling-kiosk", "version": version},
        },
        "components": components,
    }
    image.with_name("sbom.json").write_text(json.dumps(told, indent=1) + "\n")
    image.with_name(f"{image.name}.sha256").write_text(f"{layout.sha256(image)}  {image.name}\n")


def partition_sums(image: Path) -> dict[str, str]:
    """Name to SHA-256 of each partition that holds something, and of what lies before the first one."""
    sums = {}
    with image.open("rb") as file:
        places = [("partition table", 0, layout.PARTITIONS[0].start)]
        places += [
            (f"partition {it.number} ({it.name})", it.start, it.size) for it in layout.PARTITIONS if it.kind != "f"
        ]
        for name, start, size in places:
            total = hashlib.sha256()
            file.seek(start * layout.MIB)
            for _ in range(size):
                total.update(file.read(layout.MIB))
            sums[f"{name}, bytes {start * layout.MIB} to {(start + size) * layout.MIB}"] = total.hexdigest()
    return sums


def partitions(sbom: dict[str, Any]) -> dict[str, str]:
    """What ``partition_sums`` gave when the image was built. Raises KeyError, TypeError for another kind of file."""
    return {it["name"]: it["hashes"][0]["content"] for it in sbom["components"] if it["type"] == "data"}


def _component(name: str, version: str, kind: str, sha256: str, tail: str = "") -> dict[str, Any]:
    purl = f"pkg:{kind}/{name}@{quote(version, safe='')}{tail}"
    return {"type": "library", "name": name, "version": version, "purl": purl, "hashes": _hashes(sha256)}


def _deb(it: Package) -> dict[str, Any]:
    return _component(it.name, it.version, "deb/debian", it.sha256, f"?arch={it.architecture}")


def _wheel(path: Path) -> dict[str, Any]:
    name, version = path.name.removesuffix(".tar.gz").split("-")[:2]
    return _component(name.replace("_", "-").lower(), version, _PYTHON, layout.sha256(path))


def _hashes(sha256: str) -> list[dict[str, str]]:
    return [{"alg": "SHA-256", "content": sha256}]


def publish(image: Path, epoch: int, base: str = "", xz: Sequence[str] = ("xz",)) -> Path:
    """Compresses the image for Raspberry Pi Imager, and writes ``os-list.json``, an entry of its repository format
    (github.com/raspberrypi/rpi-imager, doc/json-schema/os-list-schema.json). Both sizes and hashes are those of the
    files. ``base``: the address of the folder from which Imager will fetch them; ``xz``: the program to compress with.
    """
    packed = image.with_name(image.name + ".xz")
    with image.open("rb") as plain, packed.open("wb") as target:  # the roots are compressed already: -0 loses nothing
        subprocess.run([*xz, "--stdout", "--threads=0", "-0"], stdin=plain, stdout=target, check=True)
    entry = {
        "name": NAME,
        "description": "Registration, pooled tubes, labels and queue for mass sampling; no screen, no network needed",
        "url": f"{base.rstrip('/')}/{packed.name}" if base else packed.name,
        "icon": "icons/use_custom.png",  # one that Imager itself holds
        "release_date": datetime.datetime.fromtimestamp(epoch, datetime.UTC).date().isoformat(),
        "extract_size": image.stat().st_size,
        "extract_sha256": layout.sha256(image),
        "image_download_size": packed.stat().st_size,
        "image_download_sha256": layout.sha256(packed),
        "init_format": "none",
        "devices": DEVICES,
    }
    os_list = image.with_name("os-list.json")
    os_list.write_text(json.dumps({"os_list": [entry]}, ensure_ascii=False, indent=1) + "\n", "utf-8")
    sums = [f"{layout.sha256(path)}  {path.name}\n" for path in (packed, os_list)]
    (image.parent / "SHA256SUMS").write_text("".join(sums))
    return packed
