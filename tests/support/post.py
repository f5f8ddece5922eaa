"""Both ends of the wire for tests: a journal with facts, a kiosk's uplink, a command post's receiver."""

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, Self

import msgspec
import paho.mqtt.client as paho
from nacl.signing import SigningKey

from hub.intake import Intake
from hub.receiver import Broker, Receiver
from hub.report import JournalReport, report
from hub.store import Store
from hub.verdicts import Answers
from kiosk import frames
from kiosk.config import Mqtt
from kiosk.domain import Stamp
from kiosk.facts import Entry, Refused
from kiosk.seal import PrivateKeys
from kiosk.uplink import Uplink

SITE, NUMBER = "360481", 1
DEVICE = SigningKey(bytes(range(32)))
PRIVATE = PrivateKeys(PrivateKeys.generate().unseal, SigningKey(bytes(range(32, 64))))
PATIENCE_S = 30


class Row(NamedTuple):
    seq: int
    id: bytes
    chain: bytes
    body: bytes


class Rows:
    """A journal in RAM: what export reads. ``async_`` is the same for the uplink."""

    def __init__(self, epoch: bytes = b"epoch-01") -> None:
        self.epoch = epoch
        self.rows: list[Row] = []
        self.marks: dict[str, bytes] = {}

    @property
    def head(self) -> int:
        return len(self.rows)

    def add(self, count: int = 1, body: bytes | None = None) -> None:
        for _ in range(count):
            seq = self.head + 1
            id_ = self.epoch[:8] + seq.to_bytes(8)
            chain = self.rows[-1].chain if self.rows else frames.genesis(self.epoch)
            text = body or msgspec.msgpack.encode(Entry(1, Stamp(seq, seq), Refused("red", digest=seq.to_bytes(16))))
            self.rows.append(Row(seq, id_, frames.link(chain, id_, text), text))

    def read(self, after: int, limit: int, max_bytes: int) -> list[Row]:
        out, size = [], 0
        for row in self.rows[after : after + limit]:
            size += len(row.body)
            if out and size > max_bytes:
                break
            out.append(row)
        return out

    def copy(self, head: int) -> "Rows":
        other = Rows(self.epoch)
        other.rows = self.rows[:head]
        return other


class AsyncRows:
    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    @property
    def epoch(self) -> bytes:
        return self._rows.epoch

    @property
    def head(self) -> int:
        return self._rows.head

    async def read(self, after: int, limit: int, max_bytes: int) -> list[Row]:
        await asyncio.sleep(0)
        return self._rows.read(after, limit, max_bytes)

    async def mark(self, name: str) -> bytes | None:
        return self._rows.marks.get(name)

    async def set_mark(self, name: str, value: bytes) -> None:
        self._rows.marks[name] = value


def make_uplink(rows: Rows, port: int, key: SigningKey = DEVICE) -> Uplink:
    config = Mqtt(host="127.0.0.1", port=port, keepalive_s=5)
    return Uplink(config, SITE, NUMBER, AsyncRows(rows), key, PRIVATE.public, lambda: {"version": "1", "issues": []})


@contextlib.asynccontextmanager
async def running(uplink: Uplink) -> AsyncIterator[Uplink]:
    task = asyncio.create_task(uplink.run())
    try:
        yield uplink
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def until(condition: Callable[[], Any], what: str = "") -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"in vain: {what or condition}"
        await asyncio.sleep(0.005)


@contextlib.contextmanager
def hub(
    db: Path, port: int, at: Callable[[str], None] = lambda _: None, store: type[Store] = Store
) -> Iterator[Receiver]:
    """A receiver in a thread. What it raises is raised here."""
    opened = store(db, create=True)
    there = Broker(host="127.0.0.1", port=port)
    receiver = Receiver(Intake(opened, PRIVATE.public.kid), PRIVATE.sign, there, at, Answers(opened, PRIVATE))
    errors: list[BaseException] = []

    def work() -> None:
        try:
            receiver.run()
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.stop()
        thread.join()
        opened.close()
        if errors:
            raise errors[0]


class Client:
    """A bystander on the broker: hears these topics, may publish."""

    def __init__(self, port: int, *topics: str) -> None:
        self.heard: list[tuple[str, bytes]] = []
        self._ready = threading.Event()
        self._client = client = paho.Client(paho.CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
        client.on_connect = lambda c, *_: c.subscribe([(topic, paho.SubscribeOptions(qos=1)) for topic in topics])
        client.on_subscribe = lambda *_: self._ready.set()
        client.on_message = lambda _c, _u, message: self.heard.append((message.topic, message.payload))
        client.connect("127.0.0.1", port)

    def __enter__(self) -> Self:
        self._client.loop_start()
        assert self._ready.wait(PATIENCE_S)
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def publish(self, topic: str, data: bytes, *, retain: bool = False) -> None:
        self._client.publish(topic, data, qos=1, retain=retain).wait_for_publish(PATIENCE_S)


def told(db: Path, epoch: bytes = b"epoch-01") -> JournalReport:
    store = Store(db)
    try:
        journals = [journal for journal in report(store).journals if journal.epoch == epoch.hex()]
    finally:
        store.close()
    return journals[0] if journals else JournalReport(SITE, NUMBER, epoch.hex())


def stored(db: Path) -> list[bytes]:
    """Ids in the order of their sequence."""
    store = Store(db)
    try:
        return [row[0] for row in store.rows("SELECT id FROM fact ORDER BY journal, seq").fetchall()]
    finally:
        store.close()


def check(db: Path, rows: Rows) -> None:
    """Every fact is there exactly once, and nothing else."""
    assert stored(db) == [row.id for row in rows.rows]
    journal = told(db, rows.epoch)
    assert (journal.sound, journal.upto, journal.doubled) == (True, rows.head, 0)
