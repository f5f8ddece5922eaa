"""The program as a kiosk has it: locked wheels for its processor, lgpio and the kernel module cross-built, this tree.

Nothing of it runs under emulation, so that a change of the program takes seconds.
"""

import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import trees

ROOT = Path(__file__).parent.parent
HERE = Path(__file__).parent
PYTHON = "3.13"
LEAST_LGPIO_BYTES = 50_000
"""The stub that the index offers for this Python has no compiled part at all."""
_GLIBC = ("2_17", "2_26", "2_27", "2_28", "2_34")
_FOREIGN = [
    "--only-binary=:all:",
    *(f"--platform=manylinux_{version}_aarch64" for version in _GLIBC),
    "--platform=manylinux2014_aarch64",
    *("--implementation=cp", f"--python-version={PYTHON}", "--abi=cp313", "--abi=abi3", "--abi=none"),
]
"""Lets this machine's pip fetch and unpack the wheels of another one."""
_BUILD_ONLY = ("hatchling", "editables", "pathspec", "pluggy", "tomlkit", "trove_classifiers", "packaging")
_LAUNCHER = """#!/usr/bin/python3 -sP
import sys

sys.path.insert(0, "/opt/kiosk/lib")
from kiosk.cli import main

sys.exit(main())
"""
_MODULE = """
cd /build/module
make -s -C /usr/src/linux-headers-"$1"-arm64 ARCH=arm64 CROSS_COMPILE=aarch64-linux-gnu- \
    CONFIG_DEBUG_INFO_BTF_MODULES= M=/build/module modules
aarch64-linux-gnu-strip -g kiosk_rpi.ko
"""
_LGPIO = """
cd /build/lgpio
swig -python -o lgpio_wrap.c lgpio.i
aarch64-linux-gnu-gcc -O2 -fPIC -shared -pthread -Wl,--build-id=none -Isrc -I/usr/include/python"$1" \
    -o "_lgpio.cpython-$2-aarch64-linux-gnu.so" lgpio_wrap.c src/lg*.c src/rgpiod.c -lrt -ldl
aarch64-linux-gnu-strip _lgpio.*.so
"""


def pip(*arguments: str) -> None:
    """Raises OSError with pip's last line."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise OSError(f"pip: {done.stderr.strip()[-1000:] or 'failed'}")


def wheels(into: Path) -> None:
    """What requirements-kiosk.lock names, as wheels for a kiosk, by hash; and lgpio's source. Raises OSError."""
    lock = str(ROOT / "requirements-kiosk.lock")
    pip("download", "--no-deps", "--require-hashes", *_FOREIGN, "-d", str(into), "-r", lock)
    source = (
        "--no-deps",
        "--no-binary=:all:",
        "--require-hashes",
    )  # pip asks even a source it only downloads for its name
    pip("download", *source, "-d", str(into), "-r", str(HERE / "lgpio.lock"))


def cross_built(into: Path, builder: Path, wheelhouse: Path, epoch: int) -> None:
    """``kiosk_rpi.ko``, ``lgpio.py`` and ``_lgpio….so`` for arm64. Raises OSError."""
    work = builder / "build"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    try:
        shutil.copytree(HERE / "module", work / "module")
        trees.run_in(builder, _MODULE, trees.KERNEL, epoch=epoch)
        with tarfile.open(next(wheelhouse.glob("lgpio-*.tar.gz"))) as archive:
            archive.extractall(work, filter="data")
        next(work.glob("lgpio-*")).rename(work / "lgpio")
        trees.run_in(builder, _LGPIO, PYTHON, PYTHON.replace(".", ""), epoch=epoch)
        made = [work / "module/kiosk_rpi.ko", work / "lgpio/lgpio.py", *(work / "lgpio").glob("_lgpio.*.so")]
        for path in made:
            shutil.copyfile(path, into / path.name)
    finally:
        shutil.rmtree(work)
    if len(made) != 3 or (into / made[2].name).stat().st_size < LEAST_LGPIO_BYTES:
        raise OSError("lgpio came out without its compiled part")


def install(into: Path, wheelhouse: Path, built: Path) -> None:
    """Lays /opt/kiosk and what belongs to it below ``into``. Raises OSError."""
    library = into / "opt/kiosk/lib"
    library.mkdir(parents=True)
    found = [str(path) for path in sorted(wheelhouse.glob("*.whl")) if not path.name.startswith(_BUILD_ONLY)]
    pip("install", "--no-deps", "--no-compile", "--no-index", *_FOREIGN, "--target", str(library), *found)
    shutil.rmtree(library / "bin", ignore_errors=True)
    for name in ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json"):  # pip's notes, with paths of this machine
        for path in library.glob(f"*.dist-info/{name}"):
            path.unlink()
    shutil.copytree(ROOT / "kiosk", library / "kiosk", ignore=shutil.ignore_patterns("__pycache__"))
    for path in built.glob("*lgpio*"):
        shutil.copyfile(path, library / path.name)
    launcher = into / "opt/kiosk/bin/kiosk"
    launcher.parent.mkdir()
    launcher.write_text(_LAUNCHER)
    launcher.chmod(0o755)
    shutil.copytree(ROOT / "config/profiles", into / "usr/share/kiosk/profiles")
