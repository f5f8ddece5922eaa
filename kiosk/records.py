"""Which journal is written: that of the work, or during a drill (演练) one of its own (`kiosk.flows.drill`).

    v2/…          the journal proper
    drill/3/v2/…  that of the third drill

What a drill writes is in another file, under another epoch, signed in another name and sent to other topics; export and
report know the journal proper alone.
"""

import contextlib
import fcntl
import os
from pathlib import Path
from typing import NamedTuple

from kiosk import data_folder
from kiosk.config import Config
from kiosk.data_folder import Place
from kiosk.domain import Drilled
from kiosk.flows.staff import Staff
from kiosk.journal_thread import JournalThread
from kiosk.site import SCHEMA, Setup, Site, refold

DRILLS = "drill"
"""Of the folder, in the data folder."""
LOCK_NAME = "lock"


class AlreadyRunningError(OSError):
    """Another program works on this data directory."""


class Records(NamedTuple):
    """``journal`` is the one that is written, ``site`` what it tells; ``proper``: the journal proper, where it is
    another. ``drilled``: the drill that it does not yet know to be over."""

    places: tuple[Place, ...]
    journal: JournalThread
    site: Site
    proper: JournalThread | None = None
    drilled: Drilled | None = None

    @property
    def issues(self) -> dict[str, str]:
        return {code: hint for place in self.places for code, hint in place.issues.items()}

    @property
    def on_trial(self) -> bool:
        """They are copies of what an older program wrote."""
        return any(place.older is not None for place in self.places)

    def take_over(self) -> None:
        """The trial is over. Raises OSError."""
        for place in self.places:
            place.take_over()


def folder(data_dir: Path, drill: int) -> Path:
    """Of a drill."""
    return data_dir / DRILLS / str(drill)


def locked(data_dir: Path) -> int:
    """The lock of a data directory; it ends with the process. Raises AlreadyRunningError."""
    lock = os.open(data_dir / LOCK_NAME, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise AlreadyRunningError(f"another kiosk is running on {data_dir}: stop it first") from None
    return lock


async def open_records(config: Config, closing: contextlib.AsyncExitStack, *, trial: bool) -> Records:
    """Opens what is to be written, by the one process that holds the lock. Raises JournalTooNewError, StorageFault and
    any other OSError."""
    data_dir = config.kiosk.data_dir
    place = data_folder.prepare(data_dir, trial=trial)
    proper = await _opened(place, closing)
    site = await folded(proper, Site(Setup.of(config)))
    if not site.drill.on:
        return Records((place,), proper, site)
    number = site.drill.number
    folder(data_dir, number).mkdir(parents=True, exist_ok=True)
    apart = data_folder.prepare(folder(data_dir, number), trial=trial)
    journal = await _opened(apart, closing)
    staff = Staff(revoked=site.staff.revoked, drills=site.staff.drills, key=site.staff.key)
    drill = await folded(journal, Site(Setup.of(config, number), staff=staff))
    if drill.drill.number and not drill.drill.on:
        return Records((place, apart), proper, site, drilled=_summary(drill))
    return Records((place, apart), journal, drill, proper)


async def _opened(place: Place, closing: contextlib.AsyncExitStack) -> JournalThread:
    journal = await JournalThread.open(place.journal)
    closing.push_async_callback(journal.close)
    return journal


def _summary(drill: Site) -> Drilled:
    return Drilled(drill.registration.people, tuple(sorted(drill.drill.badges)))


async def folded(journal: JournalThread, site: Site) -> Site:
    """The state the journal tells, from its snapshot onward where one fits. ``site``: before the first fact."""
    after = 0
    if (saved := await journal.snapshot(SCHEMA)) is not None:
        with contextlib.suppress(ValueError):
            site, after = Site.load(site.setup, saved[1]), saved[0]
    while entries := await journal.entries(after):
        site, after = refold(site, entries), entries[-1][0]
    return site
