"""Files that are whole or not there, whatever happens to the power; and bytes that are gone for good."""

import contextlib
import errno
import os
from pathlib import Path

NEW = ".new"
"""Behind the name of a file that is being written."""


def put(path: Path, data: bytes, mode: int | None = None) -> bool:
    """``data`` under that name, at once and for sure; a missing folder is made. Whether anything had to be written: a
    card is not worn by what is there already. ``mode``: None where the file system has none. Raises OSError."""
    if _is_there(path, data, mode):
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(path.name + NEW)
    try:
        _write(fresh, data, mode)
        fresh.rename(path)
    except OSError:
        with contextlib.suppress(OSError):  # a full disk gets its room back
            fresh.unlink()
        raise
    sync(path.parent)
    return True


def _write(path: Path, data: bytes, mode: int | None) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
    descriptor = os.open(path, flags, 0o666 if mode is None else mode)
    try:
        if mode is not None:
            os.fchmod(descriptor, mode)
        write(descriptor, data)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def overwrite(path: Path, data: bytes) -> None:
    """The file's own bytes are replaced where they lie, by as many; nothing is allocated, nothing is freed. Raises
    OSError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW)
    try:
        size = os.fstat(descriptor).st_size
        write(descriptor, data[:size].ljust(size, b"\n"))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def rename(path: Path, name: str) -> Path:
    """Gives the file another name in its folder, for sure. Raises OSError."""
    moved = path.rename(path.with_name(name))
    sync(path.parent)
    return moved


def remove(path: Path) -> None:
    """For sure; nothing happens where it is not. Raises OSError."""
    if path.exists():
        path.unlink()
        sync(path.parent)


def write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def sync(folder: Path) -> None:
    """Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # a file system that knows no such thing
            raise
    finally:
        os.close(descriptor)


def link(path: Path, target: str) -> None:
    """A symbolic link under that name, at once. Raises OSError."""
    if path.is_symlink() and str(path.readlink()) == target:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(path.name + NEW)
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(target)
    fresh.rename(path)


def _is_there(path: Path, data: bytes, mode: int | None) -> bool:
    try:
        return path.read_bytes() == data and (mode is None or path.stat().st_mode & 0o777 == mode)
    except OSError:
        return False
