"""The journal: one SQLite file that is the truth, the audit trail, the outbox and the backup.

WAL with synchronous=FULL costs one fsync a step and is the cheapest mode that loses nothing at a power cut
(https://sqlite.org/wal.html). SQLite before 3.51.3 can corrupt a WAL that is reset while it is read: the version is
checked at every open. Facts are never changed or deleted; triggers hold that, too.
"""

import logging
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import apsw
import msgspec

from kiosk.facts import Entry
from kiosk.frames import Row, genesis, link

log = logging.getLogger(__name__)

APPLICATION_ID = 0x4B494F53  # "KIOS"
FORMAT = 1
FIRST_SAFE_SQLITE = (3, 51, 3)
CHECK_WHOLE_BYTES = 64 * 1024 * 1024
"""A larger file is not walked page by page at each start; its chain still is, from the last snapshot on."""

_SCHEMA = f"""
CREATE TABLE meta(epoch BLOB NOT NULL);
CREATE TABLE facts(seq INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, chain BLOB NOT NULL, body BLOB NOT NULL);
CREATE TABLE snapshot(only INTEGER PRIMARY KEY CHECK (only = 1), seq INTEGER NOT NULL, schema INTEGER NOT NULL,
    chain BLOB NOT NULL, state BLOB NOT NULL);
CREATE TABLE marks(name TEXT PRIMARY KEY, value BLOB NOT NULL);
CREATE TRIGGER facts_stay BEFORE UPDATE ON facts BEGIN SELECT raise(ABORT, 'facts are never changed'); END;
CREATE TRIGGER facts_remain BEFORE DELETE ON facts BEGIN SELECT raise(ABORT, 'facts are never deleted'); END;
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {FORMAT};
"""

_decode = msgspec.msgpack.Decoder(Entry).decode


class StorageFault(OSError):
    """The journal cannot be written or read now. Nothing of the step that raised it is in the journal."""


class JournalTooNewError(OSError):
    """The journal was written by a newer version of this program: run that one. The file is left alone."""


class _UnusableError(Exception):
    """The file is damaged or is no journal."""


class Journal:
    """An open journal; one thread uses it. Make it with `open` or `open_readonly`.

    ``epoch``: 8 random bytes made with the file: a fresh, cloned or restored card shows. ``head``: last sequence
    number, 0 when empty; ``tip``: its chain value. ``set_aside``: files kept because they could not be used.
    """

    epoch: bytes
    head: int
    tip: bytes

    def __init__(self, path: Path, flags: int) -> None:
        self._path, self._flags = path, flags
        self._connect()

    @classmethod
    def open(cls, path: Path) -> Self:
        """Opens or makes the journal. A damaged or foreign file is set aside under another name, never deleted.

        Raises JournalTooNewError, StorageFault.
        """
        if tuple(map(int, apsw.sqlite_lib_version().split("."))) < FIRST_SAFE_SQLITE:
            raise StorageFault(f"SQLite {apsw.sqlite_lib_version()} can corrupt a journal; 3.51.3 or newer is needed")
        flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
        try:
            return cls(path, flags)
        except _UnusableError as why:
            log.error("the journal %s cannot be used and is set aside: %s", path, why)
            _set_aside(path)
        return cls(path, flags)

    @classmethod
    def open_readonly(cls, path: Path) -> Self:
        """For reading beside a running kiosk. Raises StorageFault when there is no journal."""
        try:
            return cls(path, apsw.SQLITE_OPEN_READONLY)
        except _UnusableError as why:
            raise StorageFault(f"{path}: {why}") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._db.close(force=True)

    # Writing ------------------------------------------------------------------------------------------------------

    def append(self, rows: Sequence[tuple[bytes, bytes]]) -> int:
        """One step in one transaction: (id, body) each, ids minted by the caller before. Returns the new head.

        An exception from COMMIT leaves it unknown whether the step is in; it is then looked up under its ids, so that a
        retry with the same ids never doubles it. Raises StorageFault when it is not in.
        """
        try:
            self._write(rows)
        except apsw.Error as error:
            if not self._is_in(rows, error):
                raise StorageFault(_plain(error)) from None
        return self.head

    def _write(self, rows: Sequence[tuple[bytes, bytes]]) -> None:
        if self._lost:
            self._reconnect()
        seq, chain = self.head, self.tip
        records = []
        for id_, body in rows:
            seq, chain = seq + 1, link(chain, id_, body)
            records.append((seq, id_, chain, body))
        with self._db:
            self._db.executemany("INSERT INTO facts VALUES (?, ?, ?, ?)", records)
        self.head, self.tip = seq, chain

    def _is_in(self, rows: Sequence[tuple[bytes, bytes]], error: apsw.Error) -> bool:
        """After a failure: opens the file anew and looks whether the step is in it."""
        log.warning("the journal failed (%s): looking what is in it", _plain(error))
        self._lost = True
        try:
            self._reconnect()
            found = [self._one("SELECT body FROM facts WHERE id = ?", id_) for id_, _ in rows]
        except (apsw.Error, StorageFault, _UnusableError):
            return False
        return bool(rows) and found == [(body,) for _, body in rows]

    def probe(self) -> None:
        """Proves by a write that the journal works again. Raises StorageFault."""
        self.set_mark("probe", b"")

    def save_snapshot(self, seq: int, schema: int, state: bytes) -> None:
        """Keeps the state at ``seq`` so that a start folds only what follows. Raises StorageFault."""
        row = self._one("SELECT chain FROM facts WHERE seq = ?", seq)
        if row is not None:
            self._upsert("REPLACE INTO snapshot VALUES (1, ?, ?, ?, ?)", (seq, schema, row[0], state))

    def set_mark(self, name: str, value: bytes) -> None:
        """Keeps a small value that is no fact. Raises StorageFault."""
        self._upsert("REPLACE INTO marks VALUES (?, ?)", (name, value))

    def _upsert(self, statement: str, values: tuple[object, ...]) -> None:
        try:
            if self._lost:
                self._reconnect()
            with self._db:
                self._db.execute(statement, values)
        except (apsw.Error, _UnusableError) as error:
            self._lost = True
            raise StorageFault(_plain(error)) from None

    # Reading ------------------------------------------------------------------------------------------------------

    def read(self, after: int, limit: int = 100, max_bytes: int = 32 * 1024) -> list[Row]:
        """The rows after ``after``: at most ``limit``, and no more than ``max_bytes`` of bodies but always one.

        Raises StorageFault.
        """
        rows: list[Row] = []
        size = 0
        try:
            found = self._db.execute(
                "SELECT seq, id, chain, body FROM facts WHERE seq > ? ORDER BY seq LIMIT ?", (after, limit)
            )
            for row in map(Row._make, found):
                size += len(row.body)
                if rows and size > max_bytes:
                    break
                rows.append(row)
        except apsw.Error as error:
            raise StorageFault(_plain(error)) from None
        return rows

    def entries(self, after: int = 0) -> Iterator[tuple[int, Entry]]:
        """Sequence number and decoded body of all facts after ``after``. Raises StorageFault, JournalTooNewError."""
        try:
            for seq, body in self._db.execute("SELECT seq, body FROM facts WHERE seq > ? ORDER BY seq", (after,)):
                try:
                    yield seq, _decode(body)
                except msgspec.ValidationError as error:
                    why = f"fact {seq} is of a kind this version does not know ({error}): install the newer version"
                    raise JournalTooNewError(why) from None
        except apsw.Error as error:
            raise StorageFault(_plain(error)) from None

    def snapshot(self, schema: int) -> tuple[int, bytes] | None:
        """Sequence number and state of the snapshot, if there is one of this ``schema``."""
        row = self._one("SELECT seq, state FROM snapshot WHERE schema = ?", schema)
        return (row[0], row[1]) if row else None

    def mark(self, name: str) -> bytes | None:
        row = self._one("SELECT value FROM marks WHERE name = ?", name)
        return row[0] if row else None

    def _one(self, statement: str, *values: object) -> tuple[Any, ...] | None:
        row: tuple[Any, ...] | None = self._db.execute(statement, values).fetchone()
        return row

    # Opening ------------------------------------------------------------------------------------------------------

    @property
    def set_aside(self) -> list[Path]:
        return sorted(self._path.parent.glob(f"{self._path.name}.damaged-*[0-9]"))

    def _connect(self) -> None:
        self._lost = False
        try:
            self._db = apsw.Connection(str(self._path), flags=self._flags)
        except apsw.Error as error:
            raise StorageFault(f"{self._path}: {_plain(error)}") from None
        try:
            self._prepare()
        except (apsw.NotADBError, apsw.CorruptError) as error:
            self._db.close(force=True)
            raise _UnusableError(_plain(error)) from None
        except apsw.Error as error:
            self._db.close(force=True)
            raise StorageFault(f"{self._path}: {_plain(error)}") from None
        except BaseException:
            self._db.close(force=True)
            raise

    def _prepare(self) -> None:
        db = self._db
        db.set_busy_timeout(5000)
        writes = bool(self._flags & apsw.SQLITE_OPEN_READWRITE)
        if writes and self._one("SELECT 1 FROM sqlite_schema") is None:
            self._make()
        if db.pragma("application_id") != APPLICATION_ID:
            raise _UnusableError("not a journal of this kiosk")
        if db.pragma("user_version") > FORMAT:
            raise JournalTooNewError(
                f"{self._path} has format {db.pragma('user_version')}, this version knows {FORMAT}"
            )
        meta = self._one("SELECT epoch FROM meta")
        if meta is None:
            raise _UnusableError("it has no epoch")
        self.epoch = meta[0]
        if writes:
            db.pragma("journal_mode", "wal")
            db.pragma("synchronous", "full")
            if db.pragma("journal_mode") != "wal" or db.pragma("synchronous") != 2:
                raise StorageFault(f"{self._path}: SQLite did not take journal_mode=WAL and synchronous=FULL")
            self._check()
        self.head, self.tip = self._last()

    def _make(self) -> None:
        with self._db:
            self._db.execute(_SCHEMA)
            self._db.execute("INSERT INTO meta VALUES (?)", (os.urandom(8),))

    def _last(self) -> tuple[int, bytes]:
        row = self._one("SELECT seq, chain FROM facts ORDER BY seq DESC LIMIT 1")
        return (row[0], row[1]) if row else (0, genesis(self.epoch))

    def _check(self) -> None:
        """Every page of a file of ordinary size, and the chain from the last snapshot on. Raises _UnusableError."""
        if self._path.stat().st_size <= CHECK_WHOLE_BYTES and self._db.pragma("integrity_check") != "ok":
            raise _UnusableError("its pages do not fit together")
        saved = self._one("SELECT s.seq, s.chain FROM snapshot s JOIN facts f ON f.seq = s.seq AND f.chain = s.chain")
        seq, chain = saved or (0, genesis(self.epoch))
        facts = self._db.execute("SELECT seq, id, chain, body FROM facts WHERE seq > ? ORDER BY seq", (seq,))
        for row in map(Row._make, facts):
            seq, chain = seq + 1, link(chain, row.id, row.body)
            if (row.seq, row.chain) != (seq, chain):
                raise _UnusableError(f"its chain breaks at fact {seq}")

    def _reconnect(self) -> None:
        self._db.close(force=True)
        try:
            self._connect()
        except (_UnusableError, JournalTooNewError) as error:
            raise StorageFault(f"{self._path}: {error}") from None


def _set_aside(path: Path) -> None:
    number = 1 + max(
        (int(old.name.rpartition("-")[2]) for old in path.parent.glob(f"{path.name}.damaged-*[0-9]")), default=0
    )
    for suffix in ("", "-wal", "-shm"):
        if (part := path.with_name(path.name + suffix)).exists():
            part.rename(path.with_name(f"{path.name}.damaged-{number}{suffix}"))


def _plain(error: BaseException) -> str:
    return f"{type(error).__name__.removesuffix('Error')}: {error}"
