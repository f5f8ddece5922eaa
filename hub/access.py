"""Whoever opens the seals is on record, before the first line is out."""

import contextlib
import getpass
import logging
from collections.abc import Iterator
from dataclasses import dataclass

from hub.intake import wall_ms
from hub.store import Store

log = logging.getLogger(__name__)


@dataclass
class Access:
    """``opened``: people that were named in the end; -1 as long as nobody knows."""

    opened: int = -1


@contextlib.contextmanager
def on_record(store: Store, what: str) -> Iterator[Access]:
    """Raises apsw.Error where it cannot be written down: then nothing is opened."""
    who, access = getpass.getuser(), Access()
    with store.transaction():
        store.rows("INSERT INTO access (at, who, what, opened) VALUES (?, ?, ?, -1)", wall_ms(), who, what)
        number = store.rows("SELECT max(access) FROM access").fetchone()[0]
    yield access
    with store.transaction():
        store.rows("UPDATE access SET opened = ? WHERE access = ?", access.opened, number)
    log.info("opened %d people for %s (%s); this is on record", access.opened, who, what)
