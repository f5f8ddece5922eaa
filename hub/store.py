"""What the command post has received, in one embedded database: facts, and everything that had to be kept apart.

WAL with synchronous=FULL: what is committed survives a power cut. Nothing received is ever deleted or overwritten.
"""

import contextlib
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import apsw
import msgspec

from hub import ranges
from hub.ranges import Ranges
from kiosk.frames import Fact, Frame, State, link

_APPLICATION_ID = 0x4B484231  # "KHB1"
_SCHEMA = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE device (site TEXT, kiosk INT, key BLOB NOT NULL, state BLOB, at INT NOT NULL, PRIMARY KEY (site, kiosk))
  WITHOUT ROWID;
CREATE TABLE rival (site TEXT, kiosk INT, key BLOB, at INT NOT NULL, PRIMARY KEY (site, kiosk, key)) WITHOUT ROWID;
CREATE TABLE journal (journal INTEGER PRIMARY KEY, site TEXT, kiosk INT, epoch BLOB, ranges BLOB NOT NULL,
  UNIQUE (site, kiosk, epoch));
CREATE TABLE fact (journal INT, seq INT, id BLOB NOT NULL, chain BLOB NOT NULL, kid BLOB NOT NULL, body BLOB NOT NULL,
  at INT NOT NULL, PRIMARY KEY (journal, seq)) WITHOUT ROWID;
CREATE TABLE fork (journal INT, seq INT, id BLOB NOT NULL, chain BLOB NOT NULL, kid BLOB NOT NULL, body BLOB NOT NULL,
  at INT NOT NULL, PRIMARY KEY (journal, seq, chain)) WITHOUT ROWID;
CREATE TABLE apart (apart INTEGER PRIMARY KEY, digest BLOB UNIQUE, topic TEXT, why TEXT, data BLOB, at INT NOT NULL);
CREATE TABLE alarm (alarm INTEGER PRIMARY KEY, site TEXT, kiosk INT, what TEXT, at INT NOT NULL,
  UNIQUE (site, kiosk, what));
CREATE TABLE access (access INTEGER PRIMARY KEY, at INT NOT NULL, who TEXT, what TEXT, opened INT NOT NULL);
"""
_SINCE = """
CREATE TABLE IF NOT EXISTS expected (site TEXT, kiosk INT, id TEXT NOT NULL, at INT NOT NULL,
  PRIMARY KEY (site, kiosk)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS command (command INTEGER PRIMARY KEY, site TEXT, kiosk INT, n INT, do TEXT, until INT,
  envelope BLOB NOT NULL, at INT NOT NULL, UNIQUE (site, kiosk, n));
CREATE TABLE IF NOT EXISTS result (site TEXT, kiosk INT, addressee INT, n INT, outcome TEXT, text TEXT, told INT,
  at INT NOT NULL, PRIMARY KEY (site, kiosk, addressee, n)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS roster (site TEXT, kiosk INT, made INT NOT NULL, data BLOB NOT NULL,
  PRIMARY KEY (site, kiosk)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS verdict (code BLOB PRIMARY KEY, box BLOB NOT NULL) WITHOUT ROWID;
"""
"""Tables that the first databases do not have."""
MAX_APART = 10_000
"""Unusable messages of nobody sure that are kept, so that a flood does not fill the disk."""


class StoreError(Exception):
    """The database cannot be used; the text tells a technician why."""


class Kept(NamedTuple):
    """What became of the facts of one frame."""

    new: int
    known: int
    forked: int


class Journal(NamedTuple):
    number: int
    site: str
    kiosk: int
    epoch: bytes
    ranges: Ranges


class Store:
    """Not for use from two threads at once. Times are ms since 1970 UTC."""

    def __init__(self, path: Path, *, create: bool = False) -> None:
        if not create and not path.exists():
            raise StoreError(f"{path}: there is no such database")
        try:
            self._db = db = apsw.Connection(str(path))
            db.set_busy_timeout(20_000)
            if not db.pragma("application_id") and not db.pragma("schema_version"):
                with self.transaction():
                    if not db.pragma("schema_version"):  # nobody else was faster
                        db.execute(_SCHEMA)
                        db.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
                        self.renew_epoch()
            if db.pragma("application_id") != _APPLICATION_ID:
                raise StoreError(f"{path}: is a database of another program")
            db.pragma("journal_mode", "wal")
            db.pragma("synchronous", 2)
            with self.transaction():
                db.execute(_SINCE)
            db.pragma("wal_autocheckpoint", 8000)
        except apsw.Error as error:
            raise StoreError(f"{path}: {error}") from None
        if (db.pragma("journal_mode"), db.pragma("synchronous")) != ("wal", 2):
            raise StoreError(f"{path}: this file system cannot hold the database safely (WAL, FULL)")

    def close(self) -> None:
        self._db.close()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing of what happens inside. Raises apsw.Error."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def attempt(self) -> contextlib.AbstractContextManager[Any]:
        """Inside a transaction: what raises in here is undone by itself, what came before it stays."""
        return self._db

    def rows(self, query: str, *values: Any) -> Any:
        """An apsw cursor over the result."""
        return self._db.execute(query, values)

    @property
    def epoch(self) -> bytes:
        """Names this database; another one after it was found to be restored to an earlier state."""
        return bytes(self._one("SELECT value FROM meta WHERE name = 'epoch'")[0])

    def renew_epoch(self) -> None:
        self.rows("INSERT OR REPLACE INTO meta VALUES ('epoch', ?)", os.urandom(8))

    def key(self, site: str, kiosk: int) -> bytes | None:
        """The verify key this kiosk's frames must be signed with."""
        row = self._one("SELECT key FROM device WHERE site = ? AND kiosk = ?", site, kiosk)
        return bytes(row[0]) if row else None

    def enrol(self, site: str, kiosk: int, key: bytes, at: int) -> None:
        self.rows(
            "INSERT INTO device VALUES (?, ?, ?, NULL, ?)"
            " ON CONFLICT DO UPDATE SET key = excluded.key, at = excluded.at",
            *(site, kiosk, key, at),
        )
        self.rows("DELETE FROM rival WHERE site = ? AND kiosk = ? AND key = ?", site, kiosk, key)
        self.rows("DELETE FROM expected WHERE site = ? AND kiosk = ?", site, kiosk)

    def rival(self, site: str, kiosk: int, key: bytes, at: int) -> None:
        self.rows("INSERT OR IGNORE INTO rival VALUES (?, ?, ?, ?)", site, kiosk, key, at)

    def rivals(self, site: str, kiosk: int) -> list[bytes]:
        """Keys that claim this number and are not enrolled, as they came."""
        query = "SELECT key FROM rival WHERE site = ? AND kiosk = ? ORDER BY at, key"
        return [bytes(row[0]) for row in self.rows(query, site, kiosk)]

    def expect(self, site: str, kiosk: int, id_: str, at: int) -> None:
        """The next device that proves to know this one-time id is this kiosk, and no other is."""
        self.rows("INSERT OR REPLACE INTO expected VALUES (?, ?, ?, ?)", site, kiosk, id_, at)

    def expected(self, site: str, kiosk: int) -> str | None:
        row = self._one("SELECT id FROM expected WHERE site = ? AND kiosk = ?", site, kiosk)
        return str(row[0]) if row else None

    def set_state(self, state: State) -> None:
        row = msgspec.msgpack.encode(state)
        self.rows("UPDATE device SET state = ? WHERE site = ? AND kiosk = ?", row, state.site, state.kiosk)

    def alarm(self, site: str, kiosk: int, what: str, at: int) -> bool:
        """Whether this alarm is a new one."""
        self.rows("INSERT OR IGNORE INTO alarm (site, kiosk, what, at) VALUES (?, ?, ?, ?)", site, kiosk, what, at)
        return self._db.changes() > 0

    def set_apart(self, topic: str, why: str, data: bytes, at: int, *, signed: bool) -> bool:
        """Keeps a message that cannot be used, once. Whether it was new."""
        if not signed and (self._one("SELECT max(apart) FROM apart")[0] or 0) >= MAX_APART:
            return False
        digest = hashlib.sha256(topic.encode() + b"\0" + data).digest()
        self.rows(
            "INSERT OR IGNORE INTO apart (digest, topic, why, data, at) VALUES (?, ?, ?, ?, ?)",
            digest,
            topic,
            why,
            data,
            at,
        )
        return self._db.changes() > 0

    def journal(self, site: str, kiosk: int, epoch: bytes) -> Journal:
        """What is there of this journal; an empty one when nothing is."""
        query = "SELECT journal, ranges FROM journal WHERE site = ? AND kiosk = ? AND epoch = ?"
        row = self._one(query, site, kiosk, epoch)
        if row is None:
            return Journal(0, site, kiosk, epoch, [])
        return Journal(row[0], site, kiosk, epoch, msgspec.msgpack.decode(row[1], type=Ranges))

    def received(self, frame: Frame) -> Journal:
        """Counts the frame's sequence numbers as received."""
        journal = self.journal(frame.site, frame.kiosk, frame.epoch)
        together = ranges.add(journal.ranges, frame.first, frame.last)
        packed = msgspec.msgpack.encode(together)
        if not journal.number:
            query = "INSERT INTO journal (site, kiosk, epoch, ranges) VALUES (?, ?, ?, ?)"
            self.rows(query, frame.site, frame.kiosk, frame.epoch, packed)
            return journal._replace(number=self._db.last_insert_rowid(), ranges=together)
        if together != journal.ranges:
            self.rows("UPDATE journal SET ranges = ? WHERE journal = ?", packed, journal.number)
        return journal._replace(ranges=together)

    def keep(self, frame: Frame, facts: list[Fact], at: int) -> Kept:
        """Stores what is new. A fact whose place is taken by another one, or whose history is another, is a fork."""
        number = self.received(frame).number
        query = "SELECT seq, chain, id, body FROM fact WHERE journal = ? AND seq BETWEEN ? AND ?"
        there = {row[0]: row[1:] for row in self.rows(query, number, frame.first - 1, frame.last + 1)}
        before, after = there.pop(frame.first - 1, None), there.pop(frame.last + 1, None)
        known = {seq for seq, row in there.items() if row[0] == facts[seq - frame.first].chain}
        strange = (before is not None and before[0] != frame.prev) or (
            after is not None and after[0] != link(frame.tip, after[1], after[2])
        )
        taken = {fact.seq for fact in facts} if strange else there.keys()
        forked = [fact for fact in facts if fact.seq in taken and fact.seq not in known]
        new = [fact for fact in facts if fact.seq not in taken]
        for table, chosen in (("fact", new), ("fork", forked)):
            if chosen:
                values = ", ".join(["(?, ?, ?, ?, ?, ?, ?)"] * len(chosen))  # one step, not one for each fact
                parts = [v for f in chosen for v in (number, f.seq, f.id, f.chain, frame.kid, f.body, at)]
                self._db.execute(f"INSERT OR IGNORE INTO {table} VALUES {values}", parts)  # noqa: S608
        return Kept(len(new), len(known), len(forked))

    def _one(self, query: str, *values: Any) -> Any:
        return self._db.execute(query, values).fetchone()
