"""From a bundle to a slot that is ready to be tried."""

import errno
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from nacl.signing import VerifyKey

from kiosk import __version__, health
from kiosk.journal import FORMAT
from kiosk.update import bundle, slots
from kiosk.update.attempt import FAILED, Attempt, Places
from kiosk.update.bundle import Bundle, BundleError, Manifest, numbers
from kiosk.update.slots import Card, SlotError


class NothingToDoError(Exception):
    """The kiosk runs this version; the text says so."""


class FailedBeforeError(BundleError):
    """This very bundle was tried on this kiosk and given up."""


def install(
    file: BinaryIO,
    key: VerifyKey,
    card: Card,
    at: Places,
    *,
    again: bool = False,
    older: bool = False,
    say: Callable[[str], None] = lambda _text: None,
) -> Attempt:
    """Writes the bundle into the slot that does not run, and remembers that it is to be tried.

    Nothing is written before the whole bundle was read and found right. ``again``: also one that failed here before;
    ``older``: also one older than what runs. Raises NothingToDoError, BundleError, SlotError, OSError.
    """
    running = card.running()
    if card.is_trial():
        raise SlotError(f"slot {running} runs on trial: wait until it is kept or given up, five minutes at most")
    opened = bundle.read(file, key)
    slot = slots.other(running)
    _admit(opened.manifest, card, slot, older=older)
    if not again:
        _known(opened.manifest, at.attempt(), running)
    say(f"version {opened.manifest.version}: checking the bundle")
    opened.check()
    say(f"writing slot {slot}")
    return _write(opened, card, at, slot)


def _write(opened: Bundle, card: Card, at: Places, slot: slots.Slot) -> Attempt:
    at.keep(None)  # what was written before into that slot is about to go
    slots.write(opened, card, slot)
    devices, facts = answering(at.runtime)
    manifest = opened.manifest
    attempt = Attempt(slot, manifest.version, manifest.root.sha256.hex(), __version__, devices, facts)
    at.keep(attempt)
    at.issue(FAILED, "")
    return attempt


def _admit(manifest: Manifest, card: Card, slot: slots.Slot, *, older: bool) -> None:
    """Whether this bundle fits this kiosk. Raises NothingToDoError, BundleError, OSError."""
    board = card.board()
    if not set(manifest.boards) & set(board):
        made = ", ".join(manifest.boards)
        raise BundleError(f"boards: found one for {made}, this board is {', '.join(board) or 'unknown'}")
    mine = numbers(__version__)
    if manifest.version == __version__:
        raise NothingToDoError(f"this kiosk runs version {__version__} already")
    if numbers(manifest.version) < mine and not (older or manifest.older):
        raise BundleError(
            f"version: found {manifest.version}, this kiosk runs {__version__}: going back takes a bundle made for it"
            " with --older"
        )
    if manifest.schema < FORMAT and not (older or manifest.older):
        raise BundleError(
            f"schema: found {manifest.schema}, this kiosk's records have {FORMAT}, which its program cannot read: going"
            " back takes a bundle made for it with --older"
        )
    if mine < numbers(manifest.from_version):
        raise BundleError(
            f"from_version: found {__version__} on this kiosk, expected {manifest.from_version}: install that one first"
        )
    for part, partition in (
        (manifest.boot, card.boot_partition(slot)),
        (manifest.root, card.root_partition(slot)),
    ):
        if part.size > (there := slots.room(partition)):
            raise BundleError(
                f"{part.name}: found {part.size} bytes, its partition holds {there}: the card must be written anew"
            )


def _known(manifest: Manifest, last: Attempt | None, running: slots.Slot) -> None:
    """A stick that stays in must not make a kiosk try the same for ever. Raises NothingToDoError, FailedBeforeError."""
    if last is None or last.root != manifest.root.sha256.hex() or last.version != manifest.version:
        return
    if last.kept and last.slot == running:
        raise NothingToDoError(f"this kiosk runs version {last.version} already")
    if last.failed:
        raise FailedBeforeError(f"version {last.version} was tried on this kiosk and given up: {last.failed}")


def answering(runtime: Path) -> tuple[tuple[str, ...], int]:
    """The devices that answer now, and the facts in the journal; nothing where no daemon runs."""
    try:
        status = health.read_status(runtime / health.STATUS_NAME)
    except health.StatusError:
        return (), 0
    if status["state"] != "running":
        return (), 0
    return tuple(name for name, is_ in status["devices"].items() if is_ == "online"), status["journal"]["seq"]


def advice(error: Exception) -> str:
    """One line for whoever stands at the kiosk."""
    if not isinstance(error, OSError) or isinstance(error, SlotError):
        return str(error)
    where = f"{error.filename}: " if error.filename else ""
    match error.errno:
        case errno.EIO | errno.ENODEV | errno.ENXIO | errno.ENOMEDIUM:
            return f"{where}the stick failed or was pulled out: plug it in again"
        case errno.ENOSPC:
            return f"{where}no room left on the data partition: export the records, then try again"
        case errno.ENOENT:
            return f"{where}is not there: this machine does not run from a card made from the image"
    return where + (error.strerror or str(error) or type(error).__name__)
