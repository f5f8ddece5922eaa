"""Every fact arrives exactly once, whatever happens to broker, receiver and line. The same checks catch the mutants."""

import asyncio
import random
import shutil
import signal
import sys
from pathlib import Path

import pytest

from hub.store import Kept, Store
from kiosk import frames
from kiosk.frames import Fact, Frame
from kiosk.uplink import Uplink
from kiosk.uplink import window as uplink_window
from kiosk.uplink.link import Taken
from tests.support.mosquitto import Mosquitto, mosquitto
from tests.support.post import (
    NUMBER,
    SITE,
    Client,
    Rows,
    check,
    hub,
    make_uplink,
    running,
    stored,
    told,
    until,
)
from tests.support.proxy import Proxy


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same rules on a shorter scale."""
    monkeypatch.setattr("kiosk.uplink._RECONNECT_S", (0.1, 0.4))
    monkeypatch.setattr(uplink_window, "_PATIENCE_S", (0.5, 2.0))
    monkeypatch.setattr(uplink_window, "_WAIT_S", (0.1, 0.4))


@pytest.fixture
def db(tmp_path: Path) -> Path:
    return tmp_path / "hub.db"


async def drained(uplink: Uplink, rows: Rows) -> None:
    await until(lambda: uplink.acked == rows.head, f"acked {uplink.acked} of {rows.head}, {uplink.issue}")


async def test_broker_and_receiver_away_for_long(broker: Mosquitto, db: Path) -> None:
    rows = Rows()
    broker.stop()
    async with running(make_uplink(rows, broker.port)) as uplink:
        rows.add(3000)
        uplink.wake()
        await until(lambda: uplink.issue is not None)
        broker.start()
        await until(lambda: uplink.issue is not None and "No matching subscribers" in uplink.issue)
        assert uplink.acked == 0
        with hub(db, broker.port):
            await drained(uplink, rows)
        assert uplink.issue is None
    check(db, rows)


async def test_broker_killed_again_and_again(broker: Mosquitto, db: Path) -> None:
    rows, chance = Rows(), random.Random(1)
    with hub(db, broker.port):
        async with running(make_uplink(rows, broker.port)) as uplink:
            for _ in range(4):
                rows.add(chance.randrange(500, 1500))
                uplink.wake()
                goal = chance.randrange(uplink.acked, rows.head)
                await until(lambda goal=goal: uplink.acked >= goal)
                broker.restart()
            await drained(uplink, rows)
    check(db, rows)


async def test_denied_by_the_broker_is_an_issue_and_no_success(tmp_path: Path, db: Path) -> None:
    acl = f"topic readwrite kiosk/v1/{SITE}/{NUMBER}/ack\ntopic readwrite kiosk/v1/{SITE}/{NUMBER}/state\n"
    rows = Rows()
    rows.add(10)
    with mosquitto(tmp_path, acl) as broker, hub(db, broker.port):
        async with running(make_uplink(rows, broker.port)) as uplink:
            await until(lambda: uplink.issue is not None and "Not authorized" in uplink.issue)
            assert uplink.acked == 0


@pytest.mark.parametrize("step", ["received", "before-commit", "after-commit", "after-puback", "after-ack"])
async def test_receiver_killed_between_any_two_steps(broker: Mosquitto, db: Path, step: str) -> None:
    rows = Rows()
    rows.add(900)
    async with running(make_uplink(rows, broker.port)) as uplink:
        command = [sys.executable, "-m", "tests.support.hub_process", str(db), str(broker.port), step, "3"]
        process = await asyncio.create_subprocess_exec(*command)
        await until(lambda: uplink.connected)
        code = asyncio.create_task(process.wait())
        while not code.done():
            rows.add(20)
            uplink.wake()
            await asyncio.wait([code], timeout=0.05)
        assert code.result() == -signal.SIGKILL
        assert uplink.acked <= len(stored(db))
        with hub(db, broker.port):
            await drained(uplink, rows)
    check(db, rows)


async def test_receiver_restored_to_an_earlier_state(broker: Mosquitto, db: Path, tmp_path: Path) -> None:
    rows, backup = Rows(), tmp_path / "backup.db"
    rows.add(300)
    async with running(make_uplink(rows, broker.port)) as uplink:
        with hub(db, broker.port):
            await drained(uplink, rows)
        shutil.copy(db, backup)
        with hub(db, broker.port):
            rows.add(400)
            uplink.wake()
            await drained(uplink, rows)
        with hub(backup, broker.port):
            await until(lambda: len(stored(backup)) == 700)
            await drained(uplink, rows)
    check(backup, rows)


async def test_what_is_sent_twice_is_stored_once(broker: Mosquitto, db: Path) -> None:
    rows = Rows()
    rows.add(400)
    facts = frames.topic(SITE, NUMBER, "facts")
    with hub(db, broker.port), Client(broker.port, facts, frames.topic(SITE, NUMBER, "ack")) as client:
        async with running(make_uplink(rows, broker.port)) as uplink:
            await drained(uplink, rows)
        sent = [data for topic, data in client.heard if topic == facts]
        acks = len(client.heard) - len(sent)
        random.Random(2).shuffle(sent)
        for data in sent:
            await asyncio.to_thread(client.publish, facts, data)
        await until(lambda: sum(topic != facts for topic, _ in client.heard) > acks)
    check(db, rows)


async def test_forged_and_damaged_frames_are_kept_apart_and_block_nobody(broker: Mosquitto, db: Path) -> None:
    rows, chance = Rows(), random.Random(3)
    rows.add(150)
    facts = frames.topic(SITE, NUMBER, "facts")
    with hub(db, broker.port), Client(broker.port, facts) as client:
        async with running(make_uplink(rows, broker.port)) as uplink:
            await drained(uplink, rows)
            good = client.heard[0][1]
            for _ in range(30):
                at = chance.randrange(len(good))
                bad = good[:at] + bytes([good[at] ^ (1 << chance.randrange(8))]) + good[at + 1 :]
                await asyncio.to_thread(client.publish, facts, bad)
            rows.add(10)
            uplink.wake()
            await drained(uplink, rows)
    check(db, rows)


@pytest.mark.parametrize("seed", range(8))
async def test_a_line_that_is_cut_anywhere(broker: Mosquitto, db: Path, seed: int) -> None:
    rows, chance = Rows(), random.Random(seed)
    async with Proxy(broker.port) as line:
        with hub(db, broker.port):
            async with running(make_uplink(rows, line.port)) as uplink:
                for _ in range(4):
                    line.cut_up = chance.choice([chance.randrange(1, 300), chance.randrange(300, 30_000)])
                    line.cut_down = chance.choice([None, chance.randrange(1, 600)])
                    line.cut()
                    rows.add(chance.randrange(100, 500))
                    uplink.wake()
                    await drained(uplink, rows)
    check(db, rows)


async def test_a_line_that_swallows_everything(broker: Mosquitto, db: Path) -> None:
    rows = Rows()
    async with Proxy(broker.port) as line:
        with hub(db, broker.port):
            async with running(make_uplink(rows, line.port)) as uplink:
                rows.add(200)
                uplink.wake()
                await drained(uplink, rows)
                line.stalled = True
                rows.add(200)
                uplink.wake()
                before = line.connections
                await until(lambda: line.connections > before)  # it does not wait for the keep-alive
                line.stalled = False
                line.cut()
                await drained(uplink, rows)
    check(db, rows)


async def test_a_copied_card_is_an_alarm_and_loses_nothing(broker: Mosquitto, db: Path) -> None:
    rows = Rows()
    rows.add(50)
    with hub(db, broker.port):
        async with running(make_uplink(rows, broker.port)) as uplink:
            await drained(uplink, rows)
        copy = rows.copy(30)
        copy.add(40, body=b"\x93another life")
        async with running(make_uplink(copy, broker.port)) as uplink:
            await drained(uplink, copy)
    journal = told(db)
    assert stored(db) == [row.id for row in rows.rows]
    assert journal.upto == 70
    assert journal.forks > 0
    assert not journal.sound


# Mutants: the checks above must fail on each --------------------------------------------------------------------------


class TrustsTheBroker(Uplink):
    """Moves the mark on PUBACK."""

    def _handle(self, link, item, now) -> None:
        super()._handle(link, item, now)
        if isinstance(item, Taken) and self._window.flights:
            self._window._progress(self._window.flights[0].last, now)


class TakesAllTwice(Store):
    """Stores without looking what is there."""

    def keep(self, frame: Frame, facts: list[Fact], at: int) -> Kept:
        number = self.received(frame).number
        base = 1_000_000 * self.rows("SELECT 1 + count(*) FROM fact").fetchone()[0]
        for fact in facts:
            row = (number, base + fact.seq, fact.id, fact.chain, frame.kid, fact.body, at)
            self.rows("INSERT INTO fact VALUES (?, ?, ?, ?, ?, ?, ?)", *row)
        return Kept(len(facts), 0, 0)


async def test_mutant_that_trusts_the_broker_is_caught(broker: Mosquitto, db: Path) -> None:
    rows = Rows()
    rows.add(900)
    with Client(broker.port, "#"):  # somebody listens, so that the broker says "Success"
        honest = make_uplink(rows, broker.port)
        honest.__class__ = TrustsTheBroker
        async with running(honest) as uplink:
            await drained(uplink, rows)
        with hub(db, broker.port), pytest.raises(AssertionError):
            check(db, rows)


async def test_mutant_that_takes_all_twice_is_caught(broker: Mosquitto, db: Path) -> None:
    rows = Rows()
    rows.add(120)
    facts = frames.topic(SITE, NUMBER, "facts")
    with hub(db, broker.port, store=TakesAllTwice), Client(broker.port, facts) as client:
        async with running(make_uplink(rows, broker.port)) as uplink:
            await drained(uplink, rows)
            await asyncio.to_thread(client.publish, facts, client.heard[0][1])
            rows.add()
            uplink.wake()
            await drained(uplink, rows)
    with pytest.raises(AssertionError):
        check(db, rows)
