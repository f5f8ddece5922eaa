"""What a disk may hold after the power was cut: what was synced for sure, of the rest any part.

The model of "All File Systems Are Not Created Equal" (Pillai et al., OSDI 2014), for one folder: sectors of 512 bytes are
written whole or not, in any order, until their file is synced; names change in order, and for sure once the folder is
synced. A sync that failed may have dropped what it should have written, and later syncs do not bring it back, as on
Linux (Rebello et al., "Can Applications Recover from fsync Failures?", ATC 2020).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.shim.shim import Operation

SECTOR = 512
Keeps = Callable[[], bool]
"""Asked for each unsynced sector, and name, whether it is on the disk."""


@dataclass
class _File:
    durable: bytearray = field(default_factory=bytearray)
    unsynced: list[Operation] = field(default_factory=list)
    dropped: list[Operation] = field(default_factory=list)  # by a sync that failed

    def sync(self) -> None:
        for operation in self.unsynced:
            _apply(self.durable, operation, lambda: True)
        self.unsynced = []

    def after_cut(self, keeps: Keeps) -> bytes:
        data = bytearray(self.durable)
        for operation in self.dropped + self.unsynced:
            _apply(data, operation, keeps)
        return bytes(data)


class Disk:
    """Fed with operations in order; `cut` can be called at any point."""

    def __init__(self) -> None:
        self._names: dict[str, _File] = {}
        self._durable_names: dict[str, _File] = {}
        self._changes: list[dict[str, _File]] = []  # the names after each change that is not synced

    def feed(self, operation: Operation) -> None:
        name, file = operation.name, self._names.get(operation.name)
        if operation.kind == "s" and operation.failed:
            if file is not None:
                file.dropped, file.unsynced = file.dropped + file.unsynced, []
        elif operation.failed:
            return
        elif operation.kind == "s" and not name:
            self._durable_names, self._changes = self._names, []
        elif operation.kind == "s" and file is not None:
            file.sync()
        elif operation.kind == "c" and file is None:
            self._rename(self._names | {name: _File()})
        elif operation.kind == "u":
            self._rename({key: value for key, value in self._names.items() if key != name})
        elif operation.kind == "r" and file is not None:
            left = {key: value for key, value in self._names.items() if key != name}
            self._rename(left | {operation.other: file})
        elif operation.kind in "cwt" and file is not None:
            file.unsynced.append(operation)

    def _rename(self, names: dict[str, _File]) -> None:
        self._names = names
        self._changes.append(names)

    def cut(self, folder: Path, keeps: Keeps) -> None:
        """Writes what is left into the folder, which is emptied first."""
        names = self._durable_names
        for changed in self._changes:
            if not keeps():
                break
            names = changed
        for old in folder.iterdir():
            old.unlink()
        for name, file in names.items():
            (folder / name).write_bytes(file.after_cut(keeps))


def _apply(data: bytearray, operation: Operation, keeps: Keeps) -> None:
    if operation.kind != "w":
        if keeps():
            _resize(data, operation.offset)
        return
    start, end = operation.offset, operation.offset + len(operation.data)
    while start < end:
        until = min(end, (start // SECTOR + 1) * SECTOR)
        if keeps():
            if len(data) < until:
                _resize(data, until)
            piece = start - operation.offset
            data[start:until] = operation.data[piece : piece + until - start]
        start = until


def _resize(data: bytearray, size: int) -> None:
    del data[size:]
    data.extend(bytes(size - len(data)))
