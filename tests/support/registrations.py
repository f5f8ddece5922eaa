"""Registrations without a desk, for faults of the disk: journal, flows and runner as in the daemon, in a process that
is forked for each case. What people are told goes to the shim's log and to standard output.

    python -m tests.support.registrations FOLDER [MUTANT]

waits for lines ``FIRST LAST``: people FIRST to LAST come one after the other. It answers with a line for everything
that is said: ``green DIGEST``, ``repeat DIGEST``, ``red NUMBER``, ``closed ERROR`` when it could not start, and at last
``end STATUS``. A person told red comes again; after some trials in vain the disk is healed.
"""

import asyncio
import logging
import os
import sys
from pathlib import Path

import msgspec

from kiosk import seal
from kiosk.clock import SystemClock
from kiosk.config import HealthCodeFormat, Policy
from kiosk.domain import Colour, Stamp
from kiosk.events import CardRead, CodeScanned, PrintSucceeded, Tick
from kiosk.facts import Fact, Order, PrintLabel, Refused, Registered
from kiosk.intake import Intake
from kiosk.journal_thread import JournalThread
from kiosk.people import person
from kiosk.runner import Runner
from kiosk.site import Setup, Site, refold
from tests.support import journal_mutants
from tests.support.shim.shim import mark, shared_control

SITE = "360481"
CODE = HealthCodeFormat(name="demo", pattern="^HC1:(?P<colour>[012]):", colours={"0": Colour.GREEN})
KEY = bytes(range(32))
HEAL_AFTER = 3
"""Trials of a person, each told red."""


def sealer() -> seal.Sealer:
    return seal.Sealer(seal.PrivateKeys.generate().public, KEY)


def setup() -> Setup:
    return Setup(SITE, 1, Policy(pool_size=1, group_size=1))


class StepClock(SystemClock):
    """No two readings are alike, however fast the steps are: by its stamp each fact tells its step."""

    readings = 0

    def now(self) -> Stamp:
        self.readings += 1
        at = super().now()
        return msgspec.structs.replace(at, wall=at.wall + self.readings, mono=at.mono + self.readings)


class Desk:
    def __init__(self, folder: Path) -> None:
        self._path = folder / "journal.db"
        self._intake = Intake([CODE], SITE, sealer())
        self._said = False

    async def people(self, numbers: range) -> None:
        journal = await self._open()
        site = refold(Site(setup()), await journal.entries(0))
        runner = Runner(site, journal, StepClock(), self._intake, self._carry_out, self._changed)
        self._runner = runner
        running = asyncio.create_task(runner.run("0", journal.kept))
        await runner.answer()
        for number in numbers:
            await self._person(number)
        await runner.answer()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await journal.close()

    async def _open(self) -> JournalThread:
        for _ in range(HEAL_AFTER):
            try:
                return await JournalThread.open(self._path)
            except OSError as error:
                tell(f"closed {type(error).__name__}")
        heal()
        return await JournalThread.open(self._path)

    async def _person(self, number: int) -> None:
        self._said = False
        for trial in range(10):
            if trial == HEAL_AFTER:
                heal()
            self._runner.post(CardRead(person(number)))
            self._runner.post(CodeScanned(f"HC1:0:token{number}"))
            await self._runner.answer()
            if not self._said:
                tell(f"red {number}")
                self._runner.post(Tick())
                await self._runner.answer()
            if self._said:
                return

    def _changed(self, facts: list[Fact]) -> None:
        for fact in facts:
            if isinstance(fact, Registered):
                tell(f"green {fact.subject.digest.hex()}")
            elif isinstance(fact, Refused):
                tell(f"{fact.reason} {fact.digest.hex()}")
            self._said = self._said or isinstance(fact, Registered | Refused)

    def _carry_out(self, order: Order) -> None:
        if isinstance(order, PrintLabel):
            self._runner.post(PrintSucceeded(order.tube, order.attempt, confirmed=True))


def tell(text: str) -> None:
    if log := os.environ.get("SHIM_LOG"):
        mark(Path(log), text)
    os.write(1, f"{text}\n".encode())


def heal() -> None:
    shared_control(Path(os.environ["SHIM_CONTROL"])).error_at = 0


def main(folder: str, mutant: str = "") -> None:
    logging.disable()
    if mutant:
        journal_mutants.MUTANTS[mutant]()
    for line in sys.stdin:
        first, last = map(int, line.split())
        if (child := os.fork()) == 0:
            asyncio.run(Desk(Path(folder)).people(range(first, last + 1)))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        os.write(1, f"end {os.waitstatus_to_exitcode(status)}\n".encode())


if __name__ == "__main__":
    main(*sys.argv[1:])
