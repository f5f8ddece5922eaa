"""The journal: one SQLite file that is the truth, the audit trail, the outbox and the backup.

WAL with synchronous=FULL costs one fsync a step and is the cheapest mode that loses nothing at a power cut
(https://sqlite.org/wal.html). SQLite before 3.51.3 can corrupt a WAL that is reset while it is read: the version is
checked at every open. Facts are never changed or deleted; triggers hold that, too.

After an error nothing is believed before the file was opened anew and its whole -wal was copied into the main file and
synced: an fsync that failed may have dropped what it should have written, and the next one says nothing of it.
"""

import contextlib
import hashlib
import logging
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import apsw
import msgspec

from kiosk import journal_file
from kiosk.facts import ENTRY_VERSION, JOURNAL_FORMAT, Entry
from kiosk.frames import Row, genesis, link

log = logging.getLogger(__name__)

APPLICATION_ID = 0x4B494F53  # "KIOS"
FORMAT = JOURNAL_FORMAT
FIRST_SAFE_SQLITE = (3, 51, 3)
CHECK_WHOLE_BYTES = 64 * 1024 * 1024
"""A larger file is not walked page by page at each start, and its chain from the last snapshot on only."""

BUSY_MS = 5000
"""How long another reader or writer is waited for."""

_SCHEMA = f"""
CREATE TABLE meta(epoch BLOB NOT NULL);
CREATE TABLE facts(seq INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, chain BLOB NOT NULL, body BLOB NOT NULL);
CREATE TABLE snapshot(only INTEGER PRIMARY KEY CHECK (only = 1), seq INTEGER NOT NULL, schema INTEGER NOT NULL,
    chain BLOB NOT NULL, digest BLOB NOT NULL, state BLOB NOT NULL);
CREATE TABLE marks(name TEXT PRIMARY KEY, value BLOB NOT NULL);
CREATE TRIGGER facts_stay BEFORE UPDATE ON facts BEGIN SELECT raise(ABORT, 'facts are never changed'); END;
CREATE TRIGGER facts_remain BEFORE DELETE ON facts BEGIN SELECT raise(ABORT, 'facts are never deleted'); END;
PRAGMA application_id = {APPLICATION_ID};
"""
_IN_USE = "in use"
"""The mark in the main file of a journal that has a -wal: found without one, it has lost facts."""

_decode = msgspec.msgpack.Decoder(Entry).decode


class StorageFault(OSError):
    """The journal cannot be written or read now. Whether the step that raised it is in, `Journal.probe` tells later."""


class JournalTooNewError(OSError):
    """The journal was written by a newer version of this program: run that one. The file is left alone."""


class _UnusableError(Exception):
    """The file is damaged or is no journal."""


class Journal:
    """An open journal; one thread uses it. Make it with `open` or `open_readonly`.

    ``epoch``: 8 random bytes made with the file: a fresh, cloned or restored card shows. ``head``: last sequence
    number, 0 when empty; ``tip``: its chain value. ``set_aside``: files kept because they could not be used, this start
    or earlier; ``kept``: how often that happened.
    """

    epoch: bytes
    head: int
    tip: bytes

    def __init__(self, path: Path, *, writes: bool) -> None:
        self._path, self._writes = path, writes
        self._lost = False
        self._connect()
        if writes:
            try:
                self._mark_in_use()
            except BaseException:
                self._db.close(force=True)
                raise

    @classmethod
    def open(cls, path: Path) -> Self:
        """Opens or makes the journal. A damaged or foreign file is set aside under another name, never deleted.

        Raises JournalTooNewError, StorageFault, OSError.
        """
        if tuple(map(int, (found := sqlite_version()).split("."))) < FIRST_SAFE_SQLITE:
            raise StorageFault(f"SQLite {found} can corrupt a journal; 3.51.3 or newer is needed")
        try:
            return cls._open(path)
        except _UnusableError as why:
            name = journal_file.set_aside(path).name
            log.error("the journal %s cannot be used (%s) and is kept as %s; a new one begins", path, why, name)
        try:
            return cls._open(path)
        except _UnusableError as why:
            raise StorageFault(f"{path}: a new journal cannot be used: {why}") from None

    @classmethod
    def _open(cls, path: Path) -> Self:
        if why := journal_file.fault(path):
            raise _UnusableError(why)
        if not path.exists():
            _make(path)
        return cls(path, writes=True)

    @classmethod
    def settle(cls, path: Path) -> None:
        """Checks a journal as a start does, copies its -wal into the main file and closes it in order. Raises
        ValueError for one that cannot be used, and as `open` does."""
        try:
            cls._open(path).close()
        except _UnusableError as why:
            raise ValueError(f"{path}: {why}") from None

    @staticmethod
    def raise_format(path: Path) -> None:
        """Makes a closed journal one of the next format whose tables are the same: an older program must not read the
        facts that are new in it."""
        db = apsw.Connection(str(path))
        db.pragma("user_version", int(db.pragma("user_version")) + 1)
        db.close()

    @classmethod
    def open_readonly(cls, path: Path) -> Self:
        """For reading beside a running kiosk. Raises StorageFault when there is no journal."""
        try:
            return cls(path, writes=False)
        except _UnusableError as why:
            raise StorageFault(f"{path}: {why}") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if self._writes and not self._lost:
            with contextlib.suppress(apsw.Error):
                self._db.execute("DELETE FROM marks WHERE name = ?", (_IN_USE,))
                self._db.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0)
        self._db.close(force=True)

    # Writing ------------------------------------------------------------------------------------------------------

    def append(self, rows: Sequence[tuple[bytes, bytes]]) -> int:
        """One step in one transaction: (id, body) each, ids minted by the caller before. Returns the new head.

        An exception from COMMIT leaves it unknown whether the step is in; it is then looked up under its ids, so that a
        retry with the same ids never doubles it. Raises StorageFault when it is not in, or nobody can tell.
        """
        if self._lost:
            self._reconnect()
        try:
            self._write(rows)
        except apsw.Error as error:
            log.warning("the journal failed (%s): looking what is in it", _plain(error))
            self._lost = True
            self._reconnect()
            if not self._is_in(rows):
                raise StorageFault(_plain(error)) from None
        return self.head

    def _write(self, rows: Sequence[tuple[bytes, bytes]]) -> None:
        seq, chain = self.head, self.tip
        records = []
        for id_, body in rows:
            seq, chain = seq + 1, link(chain, id_, body)
            records.append((seq, id_, chain, body))
        with self._db:
            self._db.executemany("INSERT INTO facts VALUES (?, ?, ?, ?)", records)
        self.head, self.tip = seq, chain

    def _is_in(self, rows: Sequence[tuple[bytes, bytes]]) -> bool:
        found = [self._one("SELECT body FROM facts WHERE id = ?", id_) for id_, _ in rows]
        return bool(rows) and found == [(body,) for _, body in rows]

    def probe(self) -> int:
        """Proves by a write that the journal works again, and returns its head. Raises StorageFault."""
        self.set_mark("probe", b"")
        return self.head

    def save_snapshot(self, seq: int, schema: int, state: bytes) -> None:
        """Keeps the state at ``seq`` so that a start folds only what follows. Raises StorageFault."""
        row = self._one("SELECT chain FROM facts WHERE seq = ?", seq)
        if row is not None:
            digest = hashlib.sha256(state).digest()
            self._upsert("REPLACE INTO snapshot VALUES (1, ?, ?, ?, ?, ?)", (seq, schema, row[0], digest, state))

    def set_mark(self, name: str, value: bytes) -> None:
        """Keeps a small value that is no fact. Raises StorageFault."""
        self._upsert("REPLACE INTO marks VALUES (?, ?)", (name, value))

    def _upsert(self, statement: str, values: tuple[object, ...]) -> None:
        if self._lost:
            self._reconnect()
        try:
            with self._db:
                self._db.execute(statement, values)
        except apsw.Error as error:
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
                yield seq, _entry(seq, body)
        except apsw.Error as error:
            raise StorageFault(_plain(error)) from None

    def snapshot(self, schema: int) -> tuple[int, bytes] | None:
        """Sequence number and state of the snapshot, if there is one of this ``schema``, whole. Raises StorageFault."""
        row = self._one("SELECT seq, state, digest FROM snapshot WHERE schema = ?", schema)
        if row is not None and hashlib.sha256(row[1]).digest() != row[2]:
            log.error("the snapshot in %s is damaged and not used: all facts are folded", self._path)
            row = None
        return (row[0], row[1]) if row else None

    def mark(self, name: str) -> bytes | None:
        """Raises StorageFault."""
        row = self._one("SELECT value FROM marks WHERE name = ?", name)
        return row[0] if row else None

    def _one(self, statement: str, *values: object) -> tuple[Any, ...] | None:
        try:
            row: tuple[Any, ...] | None = self._db.execute(statement, values).fetchone()
        except apsw.Error as error:
            raise StorageFault(_plain(error)) from None
        return row

    # Opening ------------------------------------------------------------------------------------------------------

    @property
    def set_aside(self) -> list[Path]:
        return journal_file.aside(self._path)

    @property
    def kept(self) -> int:
        return journal_file.kept(self._path)

    def _connect(self) -> None:
        """Raises _UnusableError, JournalTooNewError, StorageFault."""
        had_wal = journal_file.wal(self._path).exists()
        try:
            flags = apsw.SQLITE_OPEN_READWRITE if self._writes else apsw.SQLITE_OPEN_READONLY
            self._db = apsw.Connection(str(self._path), flags=flags)
        except apsw.Error as error:
            raise StorageFault(f"{self._path}: {_plain(error)}") from None
        try:
            self._db.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)  # a file that is refused stays as it is
            self._prepare(had_wal=had_wal)
        except (apsw.NotADBError, apsw.CorruptError, apsw.SQLError) as error:
            self._db.close(force=True)
            raise _UnusableError(_plain(error)) from None
        except apsw.Error as error:
            self._db.close(force=True)
            raise StorageFault(f"{self._path}: {_plain(error)}") from None
        except BaseException:
            self._db.close(force=True)
            raise

    def _prepare(self, *, had_wal: bool) -> None:
        db = self._db
        db.set_busy_timeout(BUSY_MS)
        if db.pragma("application_id") != APPLICATION_ID:
            raise _UnusableError("not a journal of this kiosk")
        if (found := db.pragma("user_version")) > FORMAT:
            raise JournalTooNewError(f"{self._path} has format {found}, this version knows {FORMAT}")
        self.epoch = db.execute("SELECT epoch FROM meta").get
        if not isinstance(self.epoch, bytes):
            raise _UnusableError("it has no epoch")
        if self._writes:
            self._check(had_wal=had_wal)
            db.pragma("journal_mode", "wal")
            db.pragma("synchronous", "full")
            if db.pragma("journal_mode") != "wal" or db.pragma("synchronous") != apsw.SQLITE_SYNC_FULL - 1:
                raise StorageFault(f"{self._path}: SQLite did not take journal_mode=WAL and synchronous=FULL")
        row = db.execute("SELECT seq, chain FROM facts ORDER BY seq DESC LIMIT 1").fetchone()
        self.head, self.tip = row or (0, genesis(self.epoch))

    def _check(self, *, had_wal: bool) -> None:
        """Every page and the whole chain of a file of ordinary size, of a larger one the chain from the last snapshot
        on; and that no fact that was in the -wal is missing. Raises _UnusableError."""
        seq, chain = 0, genesis(self.epoch)
        if self._path.stat().st_size <= CHECK_WHOLE_BYTES:
            if self._db.pragma("integrity_check") != "ok":
                raise _UnusableError("its pages do not fit together")
        elif saved := self._db.execute("SELECT seq, chain FROM snapshot JOIN facts USING (seq, chain)").fetchone():
            seq, chain = saved
        rows = self._db.execute("SELECT seq, id, chain, body FROM facts WHERE seq > ? ORDER BY seq", (seq,))
        for found_seq, id_, found_chain, body in rows:
            seq, chain = seq + 1, link(chain, id_, body)
            if (found_seq, found_chain) != (seq, chain):
                raise _UnusableError(f"its chain breaks at fact {seq}")
        if not had_wal and self._db.execute("SELECT 1 FROM marks WHERE name = ?", (_IN_USE,)).fetchone():
            raise _UnusableError("its -wal file, with the last facts, is missing")
        whole, _ = self._db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_NOOP)
        if (lost := journal_file.lost_steps(self._path, max(whole, 0))) > 1:
            raise _UnusableError(f"the last {lost} steps in its -wal file cannot be read")

    def _mark_in_use(self) -> None:
        """Makes the -wal, says so in the main file, and moves everything there that a crash left in the -wal. SQLite
        syncs the folder only when it made the -wal itself, not when a crash came in between."""
        self.set_mark(_IN_USE, b"")
        journal_file.sync(self._path.parent)
        try:
            self._empty_wal()
        except apsw.BusyError:
            pass  # somebody reads: then a later checkpoint does it
        except apsw.Error as error:
            raise StorageFault(f"{self._path}: {_plain(error)}") from None

    def _empty_wal(self) -> None:
        """Copies the -wal into the main file. It must be empty for sure afterwards: what is left of one whose sync had
        failed would hide newer pages. Raises apsw.Error, OSError."""
        self._db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        journal_file.sync(journal_file.wal(self._path))

    def _reconnect(self) -> None:
        """After a failure. Raises StorageFault; then nothing is known but what was committed before."""
        epoch, head, tip = self.epoch, self.head, self.tip
        self._db.close(force=True)
        try:
            self._connect()
            self._empty_wal()
            found = self._one("SELECT chain FROM facts WHERE seq = ?", head) if head else (tip,)
        except (apsw.Error, OSError, _UnusableError) as error:
            raise StorageFault(f"{self._path}: {error}") from None
        if self.epoch != epoch or found != (tip,):
            raise StorageFault(f"{self._path}: this is another journal than before")
        self._lost = False


def sqlite_version() -> str:
    return apsw.sqlite_lib_version()


def _make(path: Path) -> None:
    """A new journal, whole or not at all: a crash leaves nothing under its name."""
    new = path.with_name(path.name + ".new")
    for left in (new, new.with_name(new.name + "-journal")):
        left.unlink(missing_ok=True)
    try:
        with contextlib.closing(apsw.Connection(str(new))) as db, db:
            db.execute(_SCHEMA)
            db.pragma("user_version", FORMAT)
            db.execute("INSERT INTO meta VALUES (?)", (os.urandom(8),))
    except apsw.Error as error:
        raise StorageFault(f"{new}: {_plain(error)}") from None
    new.chmod(0o600)  # the -wal takes it over
    new.rename(path)
    journal_file.sync(path.parent)


def _entry(seq: int, body: bytes) -> Entry:
    try:
        entry = _decode(body)
    except msgspec.ValidationError as error:
        why = f"fact {seq} is of a kind this version does not know ({error}): install the newer version"
        raise JournalTooNewError(why) from None
    if entry.version > ENTRY_VERSION:
        raise JournalTooNewError(f"fact {seq} is written in version {entry.version}: install the newer version")
    return entry


def _plain(error: BaseException) -> str:
    return f"{type(error).__name__.removesuffix('Error')}: {error}"
