"""An update in a process of its own, on a card whose partitions and files all lie in one folder: written, tried, kept.
It marks in the log of the shim what it has come to."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

from kiosk.update import bundle, install, slots, trial
from kiosk.update.attempt import Places
from kiosk.update.slots import Card
from tests.support.shim.shim import mark
from tests.support.updates import KEYS, MODEL, fill, runs

SMALL = 4096
"""Bytes of a chunk, so that there are few sectors and many writes."""


def card_of(folder: Path, beside: Path) -> tuple[Card, Places]:
    """The card that lies flat in ``folder``; ``beside``: what is no part of it."""
    beside.mkdir(parents=True, exist_ok=True)
    (beside / "compatible").write_bytes("\0".join(MODEL).encode() + b"\0")
    return Card(folder, folder, beside / "cmdline", beside), Places(folder, beside / "run", beside / "run" / "kiosk")


def fresh(folder: Path, beside: Path) -> tuple[Card, Places]:
    card, at = card_of(folder, beside)
    fill(card, SMALL)
    (folder / "autoboot.txt").write_bytes(slots.autoboot("A"))
    runs(card, "A")
    for path in folder.iterdir():
        descriptor = os.open(path, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)
    slots.files.sync(folder)
    return card, at


def never_syncs() -> None:
    """What was written is on the card some day."""
    os.fsync = lambda _descriptor: None


def default_first() -> None:
    """The new slot is the default before it is written."""
    write = slots.write

    def early(opened: bundle.Bundle, card: Card, slot: slots.Slot) -> None:
        card.set_default(slot)
        write(opened, card, slot)

    slots.write = early


def same_slot() -> None:
    """Writes over the slot that runs."""
    slots.other = lambda slot: slot


MUTANTS: dict[str, Callable[[], None]] = {each.__name__: each for each in (never_syncs, default_first, same_slot)}


def main(folder: Path, beside: Path, path: Path, log: Path, mutant: str) -> None:
    bundle.CHUNK = SMALL
    card, at = fresh(folder, beside)
    mark(log, "begin")
    if mutant:
        MUTANTS[mutant]()
    with path.open("rb") as file:
        install.install(file, KEYS.public.verify, card, at)
    mark(log, "written")
    runs(card, "B")
    trial.begin(card, at)
    trial.keep(card, at)
    mark(log, "kept")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:5]), sys.argv[5] if len(sys.argv) > 5 else "")
