"""The facts of a journal as this version reads them."""

from collections.abc import Iterator

import msgspec

from hub.store import Store
from kiosk.facts import Entry


def decode(body: bytes) -> Entry | None:
    """None for a fact of a kind that this version cannot read: `report` counts them."""
    try:
        return msgspec.msgpack.decode(body, type=Entry)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def entries(store: Store, journal: int) -> Iterator[tuple[Entry, int]]:
    """All that can be read, in order, each with the time it was received (ms since 1970 UTC)."""
    for body, at in store.rows("SELECT body, at FROM fact WHERE journal = ? ORDER BY seq", journal).fetchall():
        if (entry := decode(body)) is not None:
            yield entry, at
