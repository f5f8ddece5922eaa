"""Programs of several formats at work on one data folder, each a process that may be killed at any file operation.

    python -m tests.support.programs FOLDER

waits for lines ``FORMAT TRIAL FACTS``: a program of that format starts, on trial ("given-up", "kept") or not ("no"),
and writes so many facts. It answers with a line ``EPOCH SEQ ID KEPT`` for each fact that it was told is in the journal
and that may have left the kiosk, and at last ``end STATUS``.
"""

import logging
import os
import sys
from pathlib import Path

import msgspec

from kiosk import data_folder, journal
from kiosk.domain import Stamp
from kiosk.facts import ENTRY_VERSION, Entry, Started
from kiosk.ids import uuid7
from kiosk.journal import Journal

FORMATS = range(1, 4)


MIGRATIONS = dict.fromkeys(FORMATS, Journal.raise_format)


def prepare(folder: Path, format_: int, *, trial: bool = False) -> data_folder.Place:
    """As a program of that format does."""
    journal.FORMAT = format_
    return data_folder.prepare(folder, trial=trial, format_=format_, migrations=MIGRATIONS)


def open_as(path: Path, format_: int) -> Journal:
    """The tables of format 1 are those of all."""
    journal.FORMAT = format_
    return Journal.open(path)


def append(opened: Journal) -> bytes:
    """One more fact; its id."""
    id_ = uuid7(1_660_000_000_000)
    body = msgspec.msgpack.encode(Entry(ENTRY_VERSION, Stamp(0, 0), Started("0", opened.kept)))
    opened.append([(id_, body)])
    return id_


def work(folder: Path, format_: int, trial: str, facts: int) -> None:
    place = prepare(folder, format_, trial=trial != "no")
    with open_as(place.journal, format_) as opened:
        append(opened)  # that it has started
        if trial == "given-up" and place.older is not None:
            return
        if trial == "kept":
            place.take_over()
        for _ in range(facts):
            id_ = append(opened)
            os.write(1, f"{opened.epoch.hex()} {opened.head} {id_.hex()} {opened.kept}\n".encode())


def main(folder: str) -> None:
    logging.disable()
    for line in sys.stdin:
        format_, trial, facts = line.split()
        if (child := os.fork()) == 0:
            status = 1
            try:
                work(Path(folder), int(format_), trial, int(facts))
                status = 0
            except OSError as error:
                print(f"{type(error).__name__}: {error}", file=sys.stderr)
            os._exit(status)
        _, status = os.waitpid(child, 0)
        os.write(1, f"end {os.waitstatus_to_exitcode(status)}\n".encode())


if __name__ == "__main__":
    main(sys.argv[1])
