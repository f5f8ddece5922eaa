"""The one place that causes effects: inbox, flows, commit, orders. One consumer, total order."""

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol, cast

import msgspec

from kiosk.clock import Clock
from kiosk.domain import Drilled, Stamp
from kiosk.events import Event, PowerOn, Tick
from kiosk.facts import ENTRY_VERSION, AnyFact, DeskCleared, Entry, Fact, Order
from kiosk.ids import uuid7
from kiosk.intake import Intake
from kiosk.journal import StorageFault
from kiosk.site import SCHEMA, Site, decide, fold, refold, resume

log = logging.getLogger(__name__)

INBOX = 1000
SNAPSHOT_EVERY = 5000
"""Facts between two snapshots: bounds what a start must fold."""

_encode = msgspec.msgpack.Encoder().encode


def rows(facts: list[Fact], at: Stamp) -> list[tuple[bytes, bytes]]:
    """What the journal takes of one step: an id and a body for each fact."""
    return [(uuid7(at.wall), _encode(Entry(ENTRY_VERSION, at, cast(AnyFact, fact)))) for fact in facts]


class Store(Protocol):
    """What the runner needs of the journal's thread."""

    head: int

    async def append(self, rows: list[tuple[bytes, bytes]]) -> int: ...
    async def entries(self, after: int) -> list[tuple[int, Entry]]: ...
    async def probe(self) -> int: ...
    async def save_snapshot(self, seq: int, schema: int, blob: bytes) -> None: ...


class Runner:
    """Owns the state. ``carry_out`` gets each order after its commit; ``changed`` is told the facts of each step, also
    when there are none."""

    def __init__(
        self,
        site: Site,
        journal: Store,
        clock: Clock,
        intake: Intake,
        carry_out: Callable[[Order], None],
        changed: Callable[[list[Fact]], None],
    ) -> None:
        self.site = site
        self.storage_fault = ""
        self.ready = False
        self._journal = journal
        self._clock = clock
        self._intake = intake
        self._carry_out = carry_out
        self._changed = changed
        self._inbox: asyncio.Queue[Event | asyncio.Future[None]] = asyncio.Queue(INBOX)
        self._flooded = False
        self._folded = self._snapshot_at = journal.head

    def post(self, event: Event) -> None:
        """Takes an event from a driver. Never blocks; a flood is cut, not stored."""
        try:
            self._inbox.put_nowait(event)
        except asyncio.QueueFull:
            if not self._flooded:
                log.warning("inbox full: events are dropped, first a %s", type(event).__name__)
            self._flooded = True

    async def answer(self) -> None:
        """Returns when everything posted before has been handled and the journal can be written."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        await self._inbox.put(done)
        await done

    async def run(self, version: str, kept: int = 0, drilled: Drilled | None = None) -> None:
        """Works until cancelled, or until the site is `away`; ready once the journal has taken the start. ``kept``:
        journals set aside so far; ``drilled``: the drill that is over."""
        self._start = PowerOn(version, kept, drilled)
        await self._begin()
        while not (self.ready and self.site.away):
            self._flooded = self._flooded and not self._inbox.empty()
            item = await self._inbox.get()
            if isinstance(item, asyncio.Future):
                if not item.done():
                    item.set_result(None)
            else:
                await self.step(item)

    async def _begin(self) -> None:
        await self._step(self._start)
        if not self.storage_fault:
            self.ready = True
            self._resume()

    def _resume(self) -> None:
        for order in resume(self.site):
            self._carry_out(order)
        self._changed([])

    async def step(self, event: Event) -> None:
        """One event, its facts committed in one transaction, its orders carried out. While the journal is out of order
        nothing is decided: the state may lack what the last step wrote."""
        if self.storage_fault:
            if isinstance(event, Tick):
                await self._recover()
            return
        await self._step(event)

    async def _step(self, event: Event) -> None:
        at = self._clock.now()
        try:
            site, facts, orders = decide(self.site, self._intake.admit(event, at), at)
        except Exception:
            log.exception("a fault while deciding about %s: the event is dropped", type(event).__name__)
            return
        if facts and not await self._commit(facts, at):
            self.site = fold(self.site, DeskCleared(), at)
            self._changed([])
            return
        self.site = site
        self._changed(facts)
        for order in orders:
            self._carry_out(order)
        self._intake.prepare()
        if self._journal.head - self._snapshot_at >= SNAPSHOT_EVERY and self._inbox.empty():
            await self._snapshot()

    async def _commit(self, facts: list[Fact], at: Stamp) -> bool:
        try:
            await self._journal.append(rows(facts, at))
        except StorageFault as fault:
            log.error("the journal cannot be written, nobody is registered: %s", fault)
            self.storage_fault = str(fault)
            return False
        self._folded = self._journal.head
        return True

    async def _recover(self) -> None:
        """Tries the journal. Once it works, a step that is in it though its commit failed is folded like any other."""
        try:
            head = await self._journal.probe()
            while self._folded < head:
                missed = await self._journal.entries(self._folded)
                self.site, self._folded = refold(self.site, missed), missed[-1][0]
                self._changed([entry.fact for _, entry in missed])
        except StorageFault:
            return
        log.warning("the journal can be written again")
        self.storage_fault = ""
        if self.ready:
            self._resume()
        else:
            await self._begin()

    async def _snapshot(self) -> None:
        self._snapshot_at = self._journal.head
        try:
            await self._journal.save_snapshot(self._snapshot_at, SCHEMA, self.site.dump())
        except StorageFault as fault:
            log.warning("no snapshot: %s", fault)
