"""kill -9 of the real daemon around the beginning and the end of drills. The seed of what fails is in its name."""

import asyncio
import contextlib
import random
from pathlib import Path

import pytest

from hub.store import Store
from kiosk import data_folder, seal
from kiosk.domain import Do
from kiosk.facts import AnyFact, DrillBegun, DrillEnded, Registered, TubeOpened
from kiosk.journal import Journal
from kiosk.people import person
from kiosk.records import DRILLS
from kiosk.simulate.brokers import open_broker
from kiosk.simulate.rig import Rig
from kiosk.tube import TubeNumber
from tests.support.post import until
from tests.support.staff_desk import badge, command_code

KILLS = 12
WITHIN_S = 4.0
PRACTISING = 1000
"""From this number on people come in drills only."""


class Shift:
    """One kiosk, those who come in earnest and those who practise; nobody is told which of the two goes on but by the
    status."""

    def __init__(self, rig: Rig, seed: int) -> None:
        self.rig = rig
        self.chance = random.Random(seed)
        self.next = {False: 0, True: PRACTISING}
        self.between: set[int] = set()  # who was at the reader when a drill was to begin

    @property
    def drill(self) -> bool:
        return bool(self.rig.status()["drill"])

    async def work(self) -> None:
        while self.rig.status()["waiting"]:  # those of before the kill: no drill begins as long as they stand there
            await self.rig.release()
        while True:
            if self.chance.random() < 0.6:
                await self._switch()
            else:
                await self._somebody_comes()

    async def _somebody_comes(self) -> None:
        drill = self.drill
        who, self.next[drill] = self.next[drill], self.next[drill] + 1
        await self.rig.visit(person(who), f"HC1:0:phone-{who}")
        await self.rig.release()

    async def _switch(self) -> None:
        """The next in line is at the reader before the kiosk has changed over."""
        before, practised = self.drill, self.next[True]
        rig = self.rig
        await rig.visit(code=badge(rig))
        since = len(rig.panel.history)
        await rig.scanner.scan(command_code(rig, Do.DRILL_OFF if before else Do.DRILL_ON))
        if not before:
            rig.reader.place(person(practised))
            self.next[True] += 1
            self.between.add(practised)
        await until(lambda: self.drill != before and rig.status()["ready"], "it has changed over")
        rig.reader.remove()
        await until(lambda: "offline" not in rig.status()["devices"].values(), "its devices are there again")
        await rig.panel.wait_for(lambda panel: panel.signal == 0 and panel.lamps["stop"] == "off", since=since)

    async def killed_once(self) -> None:
        work = asyncio.create_task(self.work())
        await asyncio.wait([work], timeout=self.chance.uniform(0, WITHIN_S))
        await self.rig.kill()
        await self.rig.panel.wait_online(False)
        work.cancel()
        with contextlib.suppress(asyncio.CancelledError, ConnectionError):
            await work
        self.rig.reader.remove()
        await self.rig.start()


def facts(path: Path) -> list[AnyFact]:
    with Journal.open_readonly(path) as journal:
        return [entry.fact for _, entry in journal.entries(0)]


def check(rig: Rig, between: set[int]) -> None:
    """Each journal holds what belongs into it, and both say the same of which one is written."""
    data = rig.config.kiosk.data_dir
    public = seal.PublicKeys.parse(rig.config.seal.public_key)
    sealer = seal.Sealer(public, seal.digest_key("file", data / "digest.key"))
    practice = {sealer.digest(person(who).number) for who in range(PRACTISING, PRACTISING + 500)}
    proper = facts(data_folder.journal(data))
    begun = [fact.number for fact in proper if isinstance(fact, DrillBegun)]
    ended = [fact.number for fact in proper if isinstance(fact, DrillEnded)]
    assert begun == list(range(1, len(begun) + 1))
    assert ended == begun[: len(ended)]
    assert len(begun) - len(ended) <= 1
    assert bool(rig.status()["drill"]) == (len(begun) > len(ended))
    in_earnest = {fact.subject.digest for fact in proper if isinstance(fact, Registered)}
    assert in_earnest & practice <= {sealer.digest(person(who).number) for who in between}
    assert not any(TubeNumber.parse(fact.tube).drill for fact in proper if isinstance(fact, TubeOpened))
    for path in (data / DRILLS).glob("*/v*/journal.db"):
        drilled = facts(path)
        assert {fact.subject.digest for fact in drilled if isinstance(fact, Registered)} <= practice
        assert all(TubeNumber.parse(fact.tube).drill for fact in drilled if isinstance(fact, TubeOpened))
        over = any(isinstance(fact, DrillEnded) for fact in drilled)
        assert over == (int(path.parts[-3]) in ended) or not drilled


def ids(db: Path) -> set[bytes]:
    store = Store(db)
    try:
        return {row[0] for row in store.rows("SELECT id FROM fact")}
    finally:
        store.close()


@pytest.mark.parametrize("seed", [1, 2])
async def test_whatever_is_killed_when_nothing_of_a_drill_is_among_what_counts(tmp_path: Path, seed: int) -> None:
    tables = {"policy": {"pool_size": 1, "group_size": 1}, "devices.card": {"poll_s": 0.01, "same_card_s": 0.05}}
    async with open_broker() as broker, Rig(tmp_path, tables, mqtt_port=broker.port) as rig:
        await rig.start_hub()
        await rig.start()
        shift = Shift(rig, seed)
        for _ in range(KILLS):
            await shift.killed_once()
            check(rig, shift.between)
        data = rig.config.kiosk.data_dir
        drilled = [fact for path in (data / DRILLS).glob("*/v*/journal.db") for fact in facts(path)]
        assert len([fact for fact in drilled if isinstance(fact, DrillBegun)]) > 1
        assert [fact for fact in drilled if isinstance(fact, Registered)]
        with Journal.open_readonly(data_folder.journal(data)) as journal:
            counting = {row.id for row in journal.read(0, journal.head, 1 << 30)}
        await until(lambda: ids(rig.hub_db) >= counting, "all that counts is at the command post")
        assert ids(rig.hub_db) == counting
        assert not ids(tmp_path / "hub.drill.db") & counting
