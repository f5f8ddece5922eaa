"""The same frames as files, for a site without a line: a USB stick carries them to the command post.

One file per frame, ``<site>-<number>-<epoch>-<first fact>.frame``, and one ``<site>-<number>-<epoch>.state`` that tells
whose they are. An export may be repeated at will, onto the same stick or another: the receiver takes each fact once.
"""

import errno
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from nacl.signing import SigningKey

from kiosk import files, frames
from kiosk.frames import Row, State


class ExportError(Exception):
    """The export is not complete. The text says what to do; files already there are whole and of use."""


class ReadableJournal(Protocol):
    @property
    def epoch(self) -> bytes: ...
    @property
    def head(self) -> int: ...
    def read(self, after: int, _limit: int, _max_bytes: int, /) -> Sequence[Row]: ...


class Summary(NamedTuple):
    """Facts ``first`` to ``last`` are on the stick; ``frames`` files hold them, ``written`` of these are new."""

    first: int
    last: int
    frames: int
    written: int


def export(
    journal: ReadableJournal, device_key: SigningKey, site: str, number: int, kid: bytes, folder: Path, after: int = 0
) -> Summary:
    """Writes all facts behind ``after`` into ``folder``, which is made if need be.

    Raises ExportError, and what the journal raises when it cannot be read.
    """
    if not 0 <= after <= journal.head:
        raise ExportError(f"there are {journal.head} facts, none behind {after}")
    epoch, stem, seq, count, written = journal.epoch, f"{site}-{number}-{journal.epoch.hex()}", after, 0, 0
    prev = journal.read(after - 1, 1, frames.MAX_BODIES)[0].chain if after else frames.genesis(epoch)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        files.put(folder / f"{stem}.state", _state(journal, device_key, site, number))
        while rows := journal.read(seq, frames.MAX_FACTS, frames.MAX_BODIES):
            data = frames.pack(rows, site=site, kiosk=number, epoch=epoch, prev=prev, kid=kid, key=device_key)
            written += files.put(folder / f"{stem}-{rows[0].seq:012d}.frame", data)
            count, seq, prev = count + 1, rows[-1].seq, rows[-1].chain
    except OSError as error:
        if error.errno is None:  # the journal's own fault, not the stick's
            raise
        done = f"facts {after + 1} to {seq} are there" if count else "nothing is there yet"
        raise ExportError(f"{folder}: {advice(error)}; {done}") from None
    return Summary(after + 1, seq, count, written)


def _state(journal: ReadableJournal, device_key: SigningKey, site: str, number: int) -> bytes:
    state = State(
        site=site,
        kiosk=number,
        online=False,
        epoch=journal.epoch,
        head=journal.head,
        depth=journal.head,
        acked=0,
        key=bytes(device_key.verify_key),
    )
    return frames.pack_state(state, device_key)


def advice(error: OSError) -> str:
    """What to do about a stick that fails."""
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            return "no room left, take a larger stick or delete other files"
        case errno.EROFS | errno.EACCES | errno.EPERM:
            return "cannot be written, is the stick's write protection on?"
        case errno.ENOTDIR | errno.EEXIST:
            return "is not a folder"
        case errno.EIO | errno.ENODEV | errno.ENXIO:
            return "the stick failed or was pulled out"
        case _:
            return error.strerror or type(error).__name__
