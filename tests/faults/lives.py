"""The real daemon at work, killed at random instants, and what must hold after each kill."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from pathlib import Path

from PIL import Image

from hub.report import report
from hub.store import Store
from kiosk import data_folder, seal
from kiosk.facts import Bound, LabelPrinted, TubeClosed, TubeOpened
from kiosk.journal import Journal
from kiosk.people import person
from kiosk.simulate.brokers import RunningBroker
from kiosk.simulate.main import tables_of
from kiosk.simulate.rig import Rig, StartError
from kiosk.site import Setup, Site, refold
from tests.faults.invariants import audit, registered
from tests.support.labels import read
from tests.support.post import until

LOAD_S = 0.4
"""A kill comes within this time of work, or of a start."""
TOLD = ("held", "repeat", "refused")
"""To a card alone."""


class Life:
    """One kiosk and its residents. ``green``: who saw it. Who saw nothing comes again after the restart."""

    def __init__(self, rig: Rig, seed: int) -> None:
        self.rig = rig
        self.kills = 0
        self.green: set[bytes] = set()
        self.labels: list[str] = []
        self._chance = random.Random(seed)
        self._resident = 0
        data = rig.config.kiosk.data_dir
        data.mkdir(parents=True)
        public = seal.PublicKeys.parse(rig.config.seal.public_key)
        self._sealer = seal.Sealer(public, seal.digest_key("file", data / "digest.key"))
        self._setup = Setup.of(rig.config)

    @property
    def people(self) -> int:
        return len(self.green)

    async def killed_once(self) -> None:
        """A start, work, a kill, and the checks after the next start, which is left running."""
        if self.rig.kiosk is None:
            await self.rig.start()
        await self._work_until_killed()
        self.kills += 1
        if self._chance.random() < 0.2:
            await self._killed_while_starting()
        self.rig.printer.stalled = False
        await self.rig.start()
        await self.check()

    async def _work_until_killed(self) -> None:
        self.rig.printer.stalled = self._chance.random() < 0.3
        work = asyncio.create_task(self._work())
        await asyncio.wait([work], timeout=self._chance.uniform(0, LOAD_S))
        await self.rig.kill()
        await self.rig.panel.wait_online(False)
        work.cancel()
        with contextlib.suppress(asyncio.CancelledError, ConnectionError):
            await work

    async def _killed_while_starting(self) -> None:
        with contextlib.suppress(TimeoutError, StartError):
            async with asyncio.timeout(self._chance.uniform(0, 2 * LOAD_S)):
                await self.rig.start()
        await self.rig.kill()
        self.kills += 1

    async def _work(self) -> None:
        """One after the other, so that every answer is to the one who is there."""
        knows = False  # who was there at the kill may be registered without knowing, and shows the card alone
        while True:
            if self.rig.panel.state.lamps["release"] == "blink" and self._chance.random() < 0.2:
                await self.rig.release()
            answer = await self._resident_comes(with_code=knows)
            if answer == "refused":  # too many groups wait for their labels
                assert self.rig.printer.stalled, f"resident {self._resident} was refused"
                await asyncio.Event().wait()
            assert answer == "accepted" or not knows, f"resident {self._resident} was told {answer}"
            self._resident, knows = self._resident + 1, True

    async def _resident_comes(self, *, with_code: bool) -> str:
        who, panel = person(self._resident), self.rig.panel
        code = f"HC1:0:phone-{self._resident}:139{self._resident:08}"
        since, before = len(panel.history), panel.state.signal
        try:
            async with self.rig.presented(who, code if with_code else None) as answer:
                if not with_code:
                    told = await panel.wait_for(lambda it: it.signal > before and it.buzzer in TOLD, since=since)
                    if told.buzzer == "held":
                        await self.rig.scanner.scan(code)
                return (await answer).buzzer
        finally:
            if any(each.buzzer == "accepted" and each.signal > before for each in panel.history[since:]):
                self.green.add(self._sealer.digest(who.number))

    # What must hold -----------------------------------------------------------------------------------------------

    async def check(self) -> None:
        """After a start, before anybody comes: the labels that are missing come out, and nothing else happens."""
        entries = self.rig.entries()
        audit(entries)
        people = registered(entries)
        assert self.green <= people.keys(), "somebody was told green and is not in the journal"
        assert max(people.values(), default=1) == 1, "somebody is in the journal twice"
        positions: dict[str, list[int]] = {}
        for entry in entries:
            if isinstance(entry.fact, Bound):
                positions.setdefault(entry.fact.tube, []).append(entry.fact.position)
        assert all(each == list(range(1, len(each) + 1)) for each in positions.values()), "a tube with a gap"
        await until(lambda: not self._unlabelled(), "a label for every closed tube")
        try:
            await until(lambda: self._status() == self._folded())
        except AssertionError:
            raise AssertionError(f"the status {self._status()} is not the journal's {self._folded()}") from None

    def _unlabelled(self) -> set[str]:
        """The closed tubes without a label, by the paper and by the journal."""
        while self.rig.labels:
            self.labels.append(_number(self.rig.labels.pop(0)))
        facts = [entry.fact for entry in self.rig.entries()]
        closed = [fact.tube for fact in facts if isinstance(fact, TubeClosed)]
        assert len(set(closed)) == len(closed), "a tube was closed twice"
        at_open = self.rig.config.policy.label_at == "open"
        known = [fact.tube for fact in facts if isinstance(fact, TubeOpened)] if at_open else closed
        assert set(self.labels) <= set(known), "a label of a tube that was not closed"
        told = {fact.tube for fact in facts if isinstance(fact, LabelPrinted)}
        return set(closed) - (set(self.labels) & told)

    def _status(self) -> dict[str, object]:
        status = self.rig.status()
        keys = ("people", "waiting", "tubes_closed", "unlabelled", "groups_released")
        return {key: status.get(key) for key in keys} | {
            "members": status.get("group", {}).get("members"),
            "seq": status.get("journal", {}).get("seq"),
        }

    def _folded(self) -> dict[str, object]:
        entries = list(enumerate(self.rig.entries(), 1))
        site = refold(Site(self._setup), entries)
        return {
            "people": site.registration.people,
            "waiting": site.release.waiting,
            "tubes_closed": site.pooling.closed,
            "unlabelled": len(site.labelling.wanted),
            "groups_released": site.release.released,
            "members": site.release.open.people,
            "seq": len(entries),
        }

    async def check_command_post(self) -> None:
        """Every fact arrives, once."""

        def acknowledged() -> bool:
            journal = self.rig.status()["journal"]
            return journal["acked"] == journal["seq"]

        await until(acknowledged, "all facts acknowledged")
        await self.rig.stop_hub()
        store = Store(self.rig.hub_db)
        try:
            (told,) = report(store).journals
            ids = [row[0] for row in store.rows("SELECT id FROM fact ORDER BY seq").fetchall()]
        finally:
            store.close()
        assert (told.sound, told.doubled) == (True, 0)
        with Journal.open_readonly(data_folder.journal(self.rig.config.kiosk.data_dir)) as journal:
            assert ids == [row.id for row in journal.read(0, journal.head, 1 << 30)]


@contextlib.asynccontextmanager
async def open_life(
    folder: Path, seed: int, *, broker: RunningBroker | None = None, mutant: str = "", profile: str | None = None
) -> AsyncIterator[Life]:
    """``mutant``: of tests.support.kill_mutants."""
    pool = {"policy": {"pool_size": random.Random(seed).choice((1, 5, 10)), "group_size": 10}}
    fast = {"devices.card": {"poll_s": 0.01, "same_card_s": 0.05}}
    tables = (pool if profile is None else tables_of(profile)) | fast
    tables["policy"] |= {"pair_window_s": 10.0}
    command = ("-m", "tests.support.kill_mutants", mutant) if mutant else ("-m", "kiosk")
    async with Rig(folder, tables, mqtt_port=broker.port if broker else None, command=command) as rig:
        if broker is not None:
            await rig.start_hub()
        yield Life(rig, seed)


def _number(label: Image.Image) -> str:
    numbers = read(label)
    assert len(numbers) == 1, f"a label that reads as {numbers}"
    return numbers[0]
