"""What a disk may hold after the power was cut: what was synced for sure, of the rest any part.

The model of "All File Systems Are Not Created Equal" (Pillai et al., OSDI 2014), for one folder: sectors of 512 bytes
are written whole or not, in any order, until their file is synced; names change in order, for sure once the folder is
synced. A sync that failed may have dropped what it should have written, and later syncs do not bring it back, as on
Linux (Rebello et al., "Can Applications Recover from fsync Failures?", ATC 2020).
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tests.support.shim.shim import Operation

SECTOR = 512
Keeps = Callable[[], bool]
"""Asked for each unsynced sector, and name, whether it is on the disk."""


class _Change(NamedTuple):
    """Bytes within one sector, or a new size when there is no data."""

    start: int
    data: bytes | None

    def apply(self, content: bytearray) -> None:
        if self.data is None:
            _resize(content, self.start)
            return
        end = self.start + len(self.data)
        if len(content) < end:
            _resize(content, end)
        content[self.start : end] = self.data

    def replaces(self, older: "_Change") -> bool:
        if self.data is None or older.data is None:
            return self.data is None and self.start <= older.start
        return self.start <= older.start and self.start + len(self.data) >= older.start + len(older.data)


class _File:
    def __init__(self) -> None:
        self._unsynced: list[_Change] = []
        self._durable = bytearray()
        self._dropped: list[_Change] = []  # by a sync that failed

    def change(self, operation: Operation) -> None:
        if operation.kind != "w":
            self._unsynced.append(_Change(operation.offset, None))
            return
        at, end = operation.offset, operation.offset + len(operation.data)
        while at < end:
            until = min(end, (at // SECTOR + 1) * SECTOR)
            self._unsynced.append(_Change(at, operation.data[at - operation.offset : until - operation.offset]))
            at = until

    def sync(self) -> None:
        for change in self._unsynced:
            change.apply(self._durable)
            self._dropped = [older for older in self._dropped if not change.replaces(older)]
        self._unsynced = []

    def fail_to_sync(self) -> None:
        self._dropped += self._unsynced
        self._unsynced = []

    def after_cut(self, keeps: Keeps) -> bytes:
        content = self._durable.copy()
        for change in self._dropped + self._unsynced:
            if keeps():
                change.apply(content)
        return bytes(content)


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
                file.fail_to_sync()
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
            file.change(operation)

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


def _resize(content: bytearray, size: int) -> None:
    del content[size:]
    content.extend(bytes(size - len(content)))
