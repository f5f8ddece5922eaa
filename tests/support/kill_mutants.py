"""Kiosks that are wrong, each in one way that a kill must bring to light: `python -m tests.support.kill_mutants NAME
run --config FILE`. A commit that is never synced is none of them: what a killed process wrote, the kernel still has.
"""

import asyncio
import sys
from collections.abc import Iterator

from kiosk import cli, records, runner
from kiosk.facts import PrintLabel
from kiosk.flows.labelling import resume
from kiosk.journal_thread import JournalThread
from kiosk.site import Site
from kiosk.tube import TubeNumber

BEHIND_S = 0.1


def write_behind() -> None:
    """People are told first; what they are told is written a little later."""
    append, waiting, tasks = JournalThread.append, [], set()

    async def later(journal: JournalThread) -> None:
        await asyncio.sleep(BEHIND_S)
        rows = waiting.copy()
        waiting.clear()
        if rows:
            await append(journal, rows)

    async def at_once(journal: JournalThread, rows: list[tuple[bytes, bytes]]) -> int:
        waiting.extend(rows)
        task = asyncio.create_task(later(journal))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        return journal.head + len(waiting)

    JournalThread.append = at_once


def forgets_labels() -> None:
    """After a start the labels that are missing are not printed."""
    runner.resume = lambda site: ()


def numbers_anew() -> None:
    """A label that is missing after a start gets a new number."""

    def renumbered(site: Site) -> Iterator[PrintLabel]:
        for label in resume(site):
            number = TubeNumber.parse(label.tube)
            tube = str(TubeNumber(number.site, number.kiosk, number.day, number.serial + 5000))
            yield PrintLabel(tube, label.members, label.size, label.at, label.attempt, label.name_of)

    runner.resume = renumbered


def starts_from_nothing() -> None:
    """The journal is written and not read."""

    async def nothing(_: JournalThread, site: Site) -> Site:
        return site

    records.folded = nothing


MUTANTS = {each.__name__: each for each in (write_behind, forgets_labels, numbers_anew, starts_from_nothing)}

if __name__ == "__main__":
    MUTANTS[sys.argv.pop(1)]()
    sys.exit(cli.main())
