"""Faults of the disk, made by a library that is preloaded into a process (shim.c)."""

import atexit
import ctypes
import functools
import mmap
import os
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

SOURCE = Path(__file__).with_name("shim.c")
_HEAD = struct.Struct("=BBHHQq")


class Control(ctypes.Structure):
    """``struct control`` of shim.c."""

    _fields_ = tuple(
        (name, ctypes.c_int64)
        for name in ("count", "kill_before", "kill_after", "error_at", "error", "error_stays", "sync_us", "syncs")
    )


class Operation(NamedTuple):
    """``kind``: c create, w write, t truncate, s sync, u unlink, r rename, m a mark of the test's own in ``data``.
    ``name`` is below the folder, "" the folder itself; ``other``: the new name."""

    kind: str
    failed: bool
    name: str
    other: str
    offset: int
    data: bytes


@functools.cache
def library() -> Path:
    """The compiled shim. Raises RuntimeError when there is no C compiler."""
    if (compiler := shutil.which("cc")) is None:
        raise RuntimeError("cc is missing, these tests need it: install a C compiler (Debian, Ubuntu: gcc libc6-dev)")
    folder = tempfile.mkdtemp(prefix="kiosk-shim-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    built = Path(folder) / "shim.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-o", built, SOURCE, "-ldl", "-lpthread"], check=True)
    return built


class Shim:
    """Watches ``folder`` in every process started with `env`. ``scratch`` is for its own files, outside of it."""

    def __init__(self, folder: Path, scratch: Path, *, log: bool = False) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        scratch.mkdir(parents=True, exist_ok=True)
        self.log = scratch / "operations"
        control = scratch / "control"
        control.write_bytes(bytes(ctypes.sizeof(Control)))
        self.env = {
            "LD_PRELOAD": str(library()),
            "SHIM_DIR": os.path.realpath(folder),
            "SHIM_CONTROL": str(control),
        } | ({"SHIM_LOG": str(self.log)} if log else {})
        self.control = shared_control(control)

    def reset(self) -> None:
        """Counts from the beginning, without any fault."""
        ctypes.memset(ctypes.addressof(self.control), 0, ctypes.sizeof(Control))
        if "SHIM_LOG" in self.env:
            self.log.write_bytes(b"")

    def fail(self, error: int, *, at: int = 0, stays: bool = True) -> None:
        """The operation ``at``, by default the next one, fails with this errno, and those after it if it ``stays``."""
        self.control.error, self.control.error_stays = error, stays
        self.control.error_at = at or self.control.count + 1

    def heal(self) -> None:
        self.control.error_at = 0

    def operations(self) -> list[Operation]:
        return list(_operations(self.log.read_bytes()))


def shared_control(path: Path) -> Control:
    with path.open("r+b") as file:
        return Control.from_buffer(mmap.mmap(file.fileno(), ctypes.sizeof(Control)))


def mark(log: Path, text: str) -> None:
    """Writes what a process under the shim has done beside its files between the operations of the log."""
    data = text.encode()
    with log.open("ab", buffering=0) as file:
        file.write(_HEAD.pack(ord("m"), 0, 0, 0, len(data), 0) + data)


def _operations(log: bytes) -> Iterator[Operation]:
    at = 0
    while at < len(log):
        kind, failed, name, other, size, offset = _HEAD.unpack_from(log, at)
        at += _HEAD.size
        texts = log[at : at + name].decode(), log[at + name : at + name + other].decode()
        at += name + other
        yield Operation(chr(kind), bool(failed), *texts, offset, log[at : at + size])
        at += size
