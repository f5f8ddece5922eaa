"""The runner: commit before anybody is told, one order, and no way to stop it."""

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from kiosk import seal
from kiosk.config import HealthCodeFormat, Policy
from kiosk.domain import Signal, Stamp, Trust
from kiosk.events import (
    ButtonPressed,
    CardRead,
    CodeScanned,
    DeviceOnline,
    Event,
    PrintFailed,
    PrintSucceeded,
    RoundRequested,
    Tick,
)
from kiosk.facts import Entry, Fact, GroupReleased, LabelPrinted, Order, PrintLabel, Registered, Started
from kiosk.intake import Intake
from kiosk.journal import StorageFault
from kiosk.people import person
from kiosk.runner import INBOX, SNAPSHOT_EVERY, Runner
from kiosk.site import SCHEMA, Setup, Site, refold

KEYS = seal.PrivateKeys.generate()
GREEN = HealthCodeFormat(name="demo", pattern="^HC1:(?P<colour>0):(?P<token>.+)$", colours={"0": "green"})
DAY_MS = 86_400_000


class Clock:
    """Stands still unless it is told to go on."""

    def __init__(self) -> None:
        self.mono = 1000

    def now(self) -> Stamp:
        return Stamp(20_000 * DAY_MS + self.mono, self.mono, b"boot-id-", Trust.NTP)


class Store:
    """A journal in RAM that can fail: ``broken`` before it has written, ``torn`` after it has."""

    def __init__(self) -> None:
        self.rows: list[tuple[bytes, bytes]] = []
        self.broken = self.torn = False
        self.snapshots: list[tuple[int, int]] = []
        self.head = 0

    async def append(self, rows: list[tuple[bytes, bytes]]) -> int:
        await asyncio.sleep(0)
        if self.broken:
            raise StorageFault("no space left on the card")
        self.rows += rows
        if self.torn:
            self.broken = True
            raise StorageFault("the commit failed")
        self.head = len(self.rows)
        return self.head

    async def probe(self) -> int:
        if self.broken:
            raise StorageFault("no space left on the card")
        self.head = len(self.rows)
        return self.head

    async def entries(self, after: int) -> list[tuple[int, Entry]]:
        return [(seq, entry) for seq, entry in enumerate(self.decoded(), 1) if seq > after]

    async def save_snapshot(self, seq: int, schema: int, blob: bytes) -> None:
        if self.broken:
            raise StorageFault("no space left on the card")
        self.snapshots.append((seq, schema))

    def decoded(self) -> list[Entry]:
        return [msgspec.msgpack.decode(body, type=Entry) for _, body in self.rows]

    def facts(self, kind: type[Fact]) -> list[Fact]:
        return [entry.fact for entry in self.decoded() if isinstance(entry.fact, kind)]


class Desk:
    """A runner with everything around it. ``told``: what the panel could have shown after each step."""

    def __init__(self, store: Store, **policy: Any) -> None:
        self.store, self.clock = store, Clock()
        self.orders: list[Order] = []
        self.told: list[tuple[list[Fact], Signal]] = []
        self.setup = Setup("360481", 1, msgspec.convert({"pool_size": 5, "group_size": 5} | policy, Policy))
        site = refold(Site(self.setup), enumerate(store.decoded(), 1))
        intake = Intake([GREEN], "360481", seal.Sealer(KEYS.public, bytes(32)))
        self.runner = Runner(site, store, self.clock, intake, self.orders.append, self._changed)
        self.task: asyncio.Task[None] | None = None

    def _changed(self, facts: list[Fact]) -> None:
        self.told.append((facts, self.runner.site.desk.signal))

    async def start(self) -> "Desk":
        self.task = asyncio.create_task(self.runner.run("1.0"))
        await self.runner.answer()
        return self

    async def happens(self, *events: Event) -> Signal:
        for event in events:
            self.clock.mono += 100
            self.runner.post(event)
        await self.runner.answer()
        return self.runner.site.desk.signal

    async def person(self, who: int) -> Signal:
        return await self.happens(CardRead(person(who)), CodeScanned(f"HC1:0:{who}"))

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    made = await Desk(Store()).start()
    yield made
    await made.stop()


async def test_a_person_is_in_the_journal_before_anybody_is_told(desk: Desk) -> None:
    written: list[int] = []
    changed = desk.runner._changed
    desk.runner._changed = lambda facts: (written.append(len(desk.store.facts(Registered))), changed(facts))
    assert await desk.person(1) is Signal.ACCEPTED
    assert written[-1] == 1


async def test_one_step_is_one_append_and_orders_come_after_it() -> None:
    desk = Desk(Store())
    steps: list[str] = []
    append = desk.store.append

    async def recording(rows: list[tuple[bytes, bytes]]) -> int:
        steps.append(f"append {len(rows)}")
        return await append(rows)

    desk.store.append = recording
    desk.runner._carry_out = lambda order: steps.append(type(order).__name__)
    await desk.start()
    for who in range(5):
        await desk.person(who)
    await desk.stop()
    assert steps[-2:] == ["append 4", "PrintLabel"]  # registered, bound, tube closed, group closed


async def test_what_cannot_be_written_has_not_happened(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    await desk.person(1)
    before, signals = len(desk.store.rows), desk.runner.site.desk.signals
    desk.store.broken = True
    await desk.happens(CardRead(person(2)), CodeScanned("HC1:0:2"))
    assert len(desk.store.rows) == before
    assert desk.runner.site.registration.people == 1
    assert desk.runner.site.desk.signals == signals + 1  # the card was held; nobody was accepted
    assert desk.runner.site.desk.card is None
    assert desk.runner.storage_fault == "no space left on the card"
    assert all(fact == [] for fact, _ in desk.told[-1:])
    assert "nobody is registered" in caplog.text
    assert await desk.happens(Tick(), CardRead(person(3)), CodeScanned("HC1:0:3"), Tick()) is not Signal.ACCEPTED
    assert desk.runner.site.registration.people == 1


async def test_it_recovers_by_itself_and_remembers_the_labels(desk: Desk) -> None:
    for who in range(5):
        await desk.person(who)
    (label,) = desk.orders
    desk.store.broken = True
    await desk.happens(ButtonPressed("release", 3500), RoundRequested())
    desk.store.broken = False
    desk.orders.clear()
    await desk.happens(Tick())
    assert desk.runner.storage_fault == ""
    assert desk.orders == [label]
    assert await desk.person(9) is Signal.ACCEPTED
    await desk.happens(PrintSucceeded(label.tube, 1, confirmed=True), ButtonPressed("release", 500))
    assert len(desk.store.facts(GroupReleased)) == 1


async def test_a_step_that_was_written_although_it_failed_counts_once_it_is_found(desk: Desk) -> None:
    desk.store.torn = True
    await desk.person(1)
    assert desk.runner.site.registration.people == 0
    desk.store.broken = desk.store.torn = False
    await desk.happens(Tick())
    assert desk.runner.site.registration.people == 1
    assert await desk.person(2) is Signal.ACCEPTED
    assert [fact.person for fact in desk.store.facts(Registered)] == [1, 2]


async def test_it_is_not_ready_before_the_journal_has_taken_the_start() -> None:
    store = Store()
    store.broken = True
    desk = await Desk(store).start()
    assert not desk.runner.ready
    await desk.happens(CardRead(person(1)))
    store.broken = False
    await desk.happens(Tick())
    assert desk.runner.ready
    assert len(store.facts(Started)) == 1
    await desk.stop()


async def test_a_restart_prints_what_was_promised() -> None:
    store = Store()
    before = await Desk(store).start()
    for who in range(5):
        await before.person(who)
    await before.happens(PrintFailed(before.orders[0].tube, 1, "out of paper"))
    await before.stop()
    after = await Desk(store).start()
    assert [(order.tube, order.attempt) for order in after.orders] == [(before.orders[0].tube, 2)]
    await after.happens(PrintSucceeded(before.orders[0].tube, 2, confirmed=True))
    await after.stop()
    (again,) = store.facts(LabelPrinted)
    assert again.attempt == 2
    last = await Desk(store).start()
    assert last.orders == []
    await last.stop()


async def test_a_flood_is_cut_and_what_follows_is_heard(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    for flood in (1, 2):
        for _ in range(2 * INBOX):
            desk.runner.post(DeviceOnline("card"))
        await desk.runner.answer()
        assert caplog.text.count("inbox full: events are dropped, first a DeviceOnline") == flood
    assert await desk.person(1) is Signal.ACCEPTED


async def test_a_fault_in_a_flow_costs_one_event(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    card = desk.runner._intake.admit

    def broken(event: Event, at: Stamp) -> Event:
        if isinstance(event, CardRead) and event.person == person(1):
            raise ZeroDivisionError("a fault")
        return card(event, at)

    monkeypatch.setattr(desk.runner._intake, "admit", broken)
    await desk.happens(CardRead(person(1)))
    assert "a fault while deciding about CardRead: the event is dropped" in caplog.text
    assert person(1).number not in caplog.text
    assert await desk.person(2) is Signal.ACCEPTED


async def test_a_snapshot_now_and_then_and_none_on_a_broken_card(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    desk.runner._snapshot_at = desk.store.head - SNAPSHOT_EVERY
    await desk.runner.step(Tick())
    assert desk.store.snapshots == [(desk.store.head, SCHEMA)]
    desk.runner._snapshot_at = desk.store.head - SNAPSHOT_EVERY
    desk.store.broken = True
    with caplog.at_level(logging.WARNING):
        await desk.runner.step(Tick())
    assert "no snapshot" in caplog.text
    assert not desk.runner.storage_fault


async def test_orders_are_the_flows_words(desk: Desk) -> None:
    for who in range(5):
        await desk.person(who)
    (order,) = desk.orders
    assert isinstance(order, PrintLabel)
    assert (order.members, order.size, order.attempt) == (5, 5, 1)
