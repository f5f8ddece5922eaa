"""One folder for each format of the journal, so that a program which comes back after an update finds its own.

    v1/journal.db      what a program of format 1 wrote
    v1/superseded      and another program has taken over; the name of that one's folder is in it
    v2/journal.db      the copy it made, brought to format 2, and what came after

`journal.FORMAT` rises whenever an older program could not read what a newer one writes, be it only a new kind of fact.
Exactly one folder counts: the one that is not superseded. A program older than that one was put back: it must not go on
where it stopped, since the numbers behind that are taken. It sets its journal aside and begins another; tubes and
records then leave a gap, and none comes twice. Nothing is deleted but a copy that never counted.
"""

import contextlib
import logging
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from kiosk import files, journal_file
from kiosk.journal import FORMAT, Journal

log = logging.getLogger(__name__)

NAME = "journal.db"
SUPERSEDED, PUT_BACK = "superseded", "put-back"
NOT_YET = "does-not-count"
"""In a copy until it counts: a program on trial works in such a one, and registers nobody."""

Migration = Callable[[Path], None]
"""Brings a journal that was closed in order to the next format, where it lies, for sure. Raises OSError."""


MIGRATIONS: Mapping[int, Migration] = {1: Journal.raise_format}
"""By the format they start from."""


class Place(NamedTuple):
    """``journal``: where this program's is. ``older``: the folder that counts as long as this program is on trial; what
    it writes must not leave the kiosk before `take_over`. ``issues``: code to hint."""

    journal: Path
    older: Path | None
    issues: dict[str, str]

    def take_over(self) -> None:
        """The trial is over; from now on people may be registered here. Raises OSError."""
        if self.older is not None:
            _supersede(self.older, self.journal.parent)


class _Folder(NamedTuple):
    format: int
    path: Path

    @property
    def counts(self) -> bool:
        return not (self.path / SUPERSEDED).exists() and any(self.path.glob(f"{NAME}*"))


def journal(data_dir: Path, format_: int = FORMAT) -> Path:
    """The journal of now, for those who read beside a running kiosk, or before it has started for the first time."""
    loose, found = data_dir / NAME, _found(data_dir)
    if found is not None and found.format <= format_:
        return found.path / NAME
    return loose if loose.exists() else data_dir / f"v{format_}" / NAME


def journals(data_dir: Path, format_: int = FORMAT) -> list[Path]:
    """All journals on this card, the one of now first: also those set aside and those of other formats; not the copy of
    a program on trial, which knows no more than what it was copied from."""
    now = journal(data_dir, format_)
    files = sorted(
        path
        for path in (*data_dir.glob(f"{NAME}*"), *data_dir.glob(f"v*/{NAME}*"))
        if path == now or not (path.parent / NOT_YET).exists()
    )
    whole = [path for path in files if (path.name == NAME or path.name[-1].isdigit()) and path.stat().st_size]
    return [path for path in whole if path == now] + [path for path in whole if path != now]


def prepare(
    data_dir: Path, *, trial: bool = False, format_: int = FORMAT, migrations: Mapping[int, Migration] = MIGRATIONS
) -> Place:
    """Makes the folder of this program ready, by the one process that holds the lock. A power cut at any point leaves
    something from which the next start goes on. Raises OSError."""
    _take_in_loose(data_dir)
    mine, found = data_dir / f"v{format_}", _found(data_dir)
    older = None
    if found is not None and found.format < format_:
        _clear_the_way(mine)
        _copy(found, mine, migrations)
        older = found.path
        if not trial:
            _supersede(older, mine)
    elif found is not None and found.path == mine:
        files.remove(mine / NOT_YET)
    else:
        _begin_anew(data_dir, mine, found)
    return Place(mine / NAME, older if trial else None, dict(_issues(mine)))


def _issues(mine: Path) -> Iterator[tuple[str, str]]:
    with contextlib.suppress(OSError):
        newer = (mine / PUT_BACK).read_text("utf-8").strip()
        advice = "install that one again and export, or send the card in"
        yield "journal-rolled-back", f"an older program came back; what the newer one wrote is in {newer}: {advice}"


def _folders(data_dir: Path) -> list[_Folder]:
    found = [path for path in data_dir.glob("v*") if path.name[1:].isdecimal()]
    return sorted(_Folder(int(path.name[1:]), path) for path in found)


def _found(data_dir: Path) -> _Folder | None:
    """The folder that counts; of several, the newest that is no mere copy."""
    counting = [folder for folder in _folders(data_dir) if folder.counts]
    proper = [folder for folder in counting if not (folder.path / NOT_YET).exists()]
    return next(reversed(proper or counting), None)


def _take_in_loose(data_dir: Path) -> None:
    """Format 1 once lay in the data folder itself. The journal proper goes last: as long as it is there, this is not
    finished."""
    loose = sorted(data_dir.glob(f"{NAME}*"), key=lambda path: path.name == NAME)
    if not loose:
        return
    first = data_dir / "v1"
    if (first / NAME).exists():
        log.error("%s holds a journal that belongs nowhere: it is left there, an export takes it", data_dir)
        return
    first.mkdir(exist_ok=True)
    for path in loose:
        path.rename(first / path.name)
    journal_file.sync(first)
    journal_file.sync(data_dir)


def _begin_anew(data_dir: Path, mine: Path, newer: _Folder | None) -> None:
    """The first start on this card, or the first after a newer program."""
    mine.mkdir(exist_ok=True)
    path = mine / NAME
    others = max((journal_file.kept(each / NAME) for each in data_dir.glob("v*") if each != mine), default=-1)
    if path.exists() or journal_file.wal(path).exists() or journal_file.kept(path) <= others:
        journal_file.set_aside(path, above=others)
    if newer is not None:
        log.error("a program older than that of %s works on this card: it begins a new journal", newer.path.name)
        files.put(mine / PUT_BACK, f"{newer.path.name}\n".encode())
        files.put(newer.path / SUPERSEDED, f"{mine.name}\n".encode())
    files.remove(mine / SUPERSEDED)
    journal_file.sync(data_dir)


def _clear_the_way(mine: Path) -> None:
    """What lies there is no copy of what the older program wrote since."""
    if (mine / NOT_YET).exists():
        shutil.rmtree(mine.rename(_unfinished(mine)))
    elif mine.exists():
        number = 1 + sum(1 for _ in mine.parent.glob(f"{mine.name}.kept-*"))
        mine.rename(mine.with_name(f"{mine.name}.kept-{number}"))
        journal_file.sync(mine.parent)


def _copy(source: _Folder, mine: Path, migrations: Mapping[int, Migration]) -> None:
    """Whole before it gets its name."""
    new, path = _unfinished(mine), source.path / NAME
    new.mkdir()
    try:
        for part in (path, journal_file.wal(path)):
            if part.exists():
                shutil.copyfile(part, new / part.name)
                (new / part.name).chmod(0o600)
                journal_file.sync(new / part.name)
        for aside in journal_file.aside(path):  # their numbers count on
            os.link(aside, new / aside.name)
        (new / NOT_YET).touch()
        if path.exists() or journal_file.wal(path).exists():
            _bring_up(new / NAME, [migrations[number] for number in range(source.format, int(mine.name[1:]))])
        journal_file.sync(new)
        new.rename(mine)
    except OSError:
        shutil.rmtree(new, ignore_errors=True)  # a full card gets its room back
        raise
    journal_file.sync(mine.parent)


def _bring_up(path: Path, steps: Iterable[Migration]) -> None:
    try:
        Journal.settle(path)
    except ValueError as error:
        log.error("%s: it stays there, a new one begins", error)
        journal_file.set_aside(path)
    else:
        for step in steps:
            step(path)


def _unfinished(mine: Path) -> Path:
    """The name of a folder that is being made, or thrown away."""
    path = mine.with_name(f"{mine.name}.new")
    if path.exists():
        shutil.rmtree(path)
    return path


def _supersede(older: Path, mine: Path) -> None:
    files.put(older / SUPERSEDED, f"{mine.name}\n".encode())
    files.remove(mine / NOT_YET)
