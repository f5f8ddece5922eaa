"""(d) Draining a backlog, stored and acknowledged, against what the broker takes from its own publisher."""

import asyncio
import contextlib
import random
import statistics
import string
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from hub.store import Store
from kiosk import frames, seal
from kiosk.config import Mqtt
from kiosk.journal import Journal
from kiosk.journal_thread import JournalThread
from kiosk.simulate.brokers import open_broker
from kiosk.uplink import MARK, Uplink
from tests.bench import history
from tests.bench.measure import Section, Target, number

PEOPLE = 20_000
ROUNDS = 7
PATIENCE_S = 120.0

ABOUT = """\
The backlog of 20,000 people, made by the real flows, a real mosquitto on loopback, the receiver (`hub`) as a process of
its own with its database on disk, and the uplink: from its start (the connection included) to the receiver's signed
acknowledgement of the last fact; each turn is another kiosk, and in the end the receiver's database is counted. Peer:
`mosquitto_pub -l -q 1` to the same broker, one message per fact, each as long as that fact's body, from its start to
its end; nobody subscribes to them and nobody stores them. Both take turns."""


@contextlib.asynccontextmanager
async def _hub(folder: Path, port: int) -> AsyncIterator[Path]:
    """The receiver at work; its database."""
    database, private, output = folder / "hub.db", folder / "keys/private.key", folder / "hub.log"
    command = [sys.executable, "-m", "hub", "run", "--db", str(database), "--private-key", str(private)]
    with output.open("wb") as log:
        hub = await asyncio.create_subprocess_exec(
            *command, "--host", "127.0.0.1", "--port", str(port), stdout=log, stderr=log
        )
    try:
        async with asyncio.timeout(PATIENCE_S):
            while b"receiving from" not in output.read_bytes():
                await asyncio.sleep(0.01)
        yield database
    finally:
        hub.terminate()
        await hub.wait()


async def _drain(folder: Path, public: seal.PublicKeys, port: int, number_: int) -> float:
    """Seconds until the whole journal in ``folder`` is acknowledged to kiosk ``number_``."""
    journal = await JournalThread.open(folder / "journal.db")
    key = seal.device_key(folder / f"device{number_}.key")
    uplink = Uplink(Mqtt(host="127.0.0.1", port=port), "360481", number_, journal, key, public, dict)
    began = time.perf_counter()
    task = asyncio.create_task(uplink.run())
    async with asyncio.timeout(PATIENCE_S):
        while uplink.acked < journal.head:
            await asyncio.sleep(0.002)
    took = time.perf_counter() - began
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await journal.set_mark(MARK, b"\x92\x00\xc4\x00")  # the next kiosk with this journal begins at its beginning
    await journal.close()
    return took


async def _publish(lines: bytes, port: int) -> float:
    began = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        *("mosquitto_pub", "-h", "127.0.0.1", "-p", str(port), "-t", "bench", "-q", "1", "-l"), stdin=subprocess.PIPE
    )
    await process.communicate(lines)
    return time.perf_counter() - began


def _frame_bytes(journal: Journal, sizes: Sequence[int]) -> float:
    """Per fact, over the first frames."""
    key, after, sent, prev = seal.SigningKey.generate(), 0, 0, frames.genesis(journal.epoch)
    while after < min(5000, len(sizes)):
        rows = journal.read(after)
        sent += len(frames.pack(rows, site="360481", kiosk=1, epoch=journal.epoch, prev=prev, kid=bytes(8), key=key))
        after, prev = rows[-1].seq, rows[-1].chain
    return sent / after


async def _measure(folder: Path, scale: float) -> Section:
    seal.write_pair(folder / "keys")
    source = folder / "source"
    history.build(source / "journal.db", max(1000, round(PEOPLE * scale)), snapshot=False)
    with Journal.open_readonly(source / "journal.db") as journal:
        sizes = [len(row.body) for at in range(0, journal.head, 100) for row in journal.read(at, 100, 1 << 20)]
        on_wire = _frame_bytes(journal, sizes)
    letters = string.ascii_letters + string.digits
    lines = b"\n".join("".join(random.choices(letters, k=size)).encode() for size in sizes) + b"\n"
    drains: list[float] = []
    pubs: list[float] = []
    public = seal.PublicKeys.parse((folder / "keys/public.key").read_text())
    async with open_broker() as broker, _hub(folder, broker.port) as database:
        for turn in range(ROUNDS):
            pubs.append(len(sizes) / await _publish(lines, broker.port))
            drains.append(len(sizes) / await _drain(source, public, broker.port, turn + 1))
    store = Store(database)
    stored = store.rows("SELECT count(*) FROM fact").fetchone()[0]
    store.close()
    if stored != ROUNDS * len(sizes):
        raise RuntimeError(f"{stored} facts are stored, of {ROUNDS * len(sizes)}")
    ours, theirs = statistics.median(drains), statistics.median(pubs)
    rows = [
        ("uplink → mosquitto → hub, acknowledged", number(ours), number(min(drains)), f"{number(ours / theirs)}×"),
        ("mosquitto_pub -l -q 1", number(theirs), number(min(pubs)), "1.00×"),
    ]
    about = (
        f"{ABOUT} {len(sizes):,} facts, {ROUNDS} turns. A fact's body has {number(statistics.mean(sizes))} bytes in "
        f"the journal and {number(on_wire)} on the wire, its share of the frame included; sealed boxes do not compress."
    )
    target = Target("facts/s against messages/s", ours / theirs, 1, "×", least=True)
    return Section("(d) Backlog", about, ("path", "median per s", "slowest per s", "ratio"), rows, [target])


def run(folder: Path, scale: float) -> Section:
    return asyncio.run(_measure(folder, scale))
