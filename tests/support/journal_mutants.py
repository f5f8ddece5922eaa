"""Journals that are wrong, each in one way that a fault of the disk must bring to light."""

import time
from collections.abc import Sequence

import apsw

from kiosk.ids import uuid7
from kiosk.journal import Journal, StorageFault
from kiosk.runner import Runner

Rows = Sequence[tuple[bytes, bytes]]


def synchronous_normal() -> None:
    """A commit is not synced before people are told."""
    prepare = Journal._prepare

    def fast(self: Journal, **options: bool) -> None:
        prepare(self, **options)
        self._db.pragma("synchronous", "normal")

    Journal._prepare = fast


def new_ids() -> None:
    """A step whose commit failed is written again under new ids."""

    def append(self: Journal, rows: Rows) -> int:
        try:
            if self._lost:
                self._reconnect()
            self._write(rows)
        except apsw.Error:
            self._lost = True
            self._reconnect()
            return append(self, [(uuid7(time.time_ns() // 1_000_000), body) for _, body in rows])
        return self.head

    Journal.append = append


def torn_steps() -> None:
    """Each fact of a step in a transaction of its own."""
    append = Journal.append

    def one_by_one(self: Journal, rows: Rows) -> int:
        for row in rows:
            append(self, [row])
        return self.head

    Journal.append = one_by_one


def no_lookup() -> None:
    """A step whose commit failed is taken for not written."""

    def append(self: Journal, rows: Rows) -> int:
        if self._lost:
            self._reconnect()
        try:
            self._write(rows)
        except apsw.Error as error:
            self._lost = True
            raise StorageFault(str(error)) from None
        return self.head

    async def recover(self: Runner) -> None:
        try:
            self._folded = await self._journal.probe()
        except StorageFault:
            return
        self.storage_fault = ""
        if not self.ready:
            await self._begin()

    Journal.append, Runner._recover = append, recover


def trusts_a_failed_sync() -> None:
    """What is found in the -wal after a failed sync is taken for written."""
    connect = Journal._connect

    def reconnect(self: Journal) -> None:
        self._db.close(force=True)
        try:
            connect(self)
        except Exception as error:
            raise StorageFault(str(error)) from None
        self._lost = False

    Journal._reconnect = reconnect


MUTANTS = {
    mutant.__name__: mutant for mutant in (synchronous_normal, new_ids, torn_steps, no_lookup, trusts_a_failed_sync)
}
