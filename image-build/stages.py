"""Stages of the build, each kept in the cache under a hash of what it is made from."""

import contextlib
import fcntl
import hashlib
import json
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import debian


class StageError(Exception):
    """A stage failed; the text says what to do."""


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """One build at a time: the stages share the cache and the builder's work folder."""
    with (debian.cache_folder() / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("another build is at work: waiting for it", flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def fingerprint(*inputs: object) -> str:
    """A hash of values and of files: a Path stands for its content, a folder for all its files and their names."""
    total = hashlib.sha256()
    for each in inputs:
        for name, content in _contents(each):
            for part in (name, content):
                total.update(len(part).to_bytes(8, "big") + part)
    return total.hexdigest()[:16]


def _contents(value: object) -> Iterable[tuple[bytes, bytes]]:
    if isinstance(value, Path):
        paths = sorted(value.rglob("*")) if value.is_dir() else [value]
        for path in paths:
            if path.is_file() and "__pycache__" not in path.parts:
                mode = b"x" if path.stat().st_mode & 0o100 else b"-"
                yield str(path.relative_to(value)).encode() + mode, path.read_bytes()
    else:
        yield b"", json.dumps(value, sort_keys=True, default=str).encode()


def stage(name: str, key: str, make: Callable[[Path], None], advice: str = "") -> Path:
    """The folder of a stage: from the cache, or made by ``make`` in a folder that counts only when it is complete.

    Raises StageError with ``advice`` when ``make`` raises.
    """
    folder = debian.cache_folder() / "image" / f"{name}-{key}"
    if (folder / ".complete").exists():
        print(f"{name:8} cached", flush=True)
        return folder
    print(f"{name:8} …", end="", flush=True)
    began = time.monotonic()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        make(folder)
    except Exception as error:
        print(" failed", flush=True)
        raise StageError(f"stage {name}: {error}" + (f"\n{advice}" if advice else "")) from error
    (folder / ".complete").touch()
    for old in folder.parent.glob(f"{name}-*"):
        if old != folder:
            shutil.rmtree(old, ignore_errors=True)
    print(f" {time.monotonic() - began:.0f} s", flush=True)
    return folder
