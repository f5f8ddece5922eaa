"""(a) From a scan to the signal at the desk, against one bare commit of the same bytes on the same disk."""

import asyncio
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import apsw

from kiosk import panel
from kiosk.clock import SystemClock
from kiosk.config import Policy
from kiosk.drivers.idcard import card
from kiosk.drivers.idcard.codec import Decoder, Response, Status, encode_response
from kiosk.drivers.idcard.sim import PHOTO
from kiosk.drivers.panel_socket import codec as panel_codec
from kiosk.events import ButtonPressed, CardRead, PrintSucceeded
from kiosk.facts import Fact, PrintLabel
from kiosk.intake import Intake
from kiosk.journal import Journal
from kiosk.journal_thread import JournalThread
from kiosk.overview import Surroundings, view
from kiosk.people import person
from kiosk.runner import Runner
from kiosk.seal import PrivateKeys, Sealer
from kiosk.site import Setup, Site
from tests.bench.desk import Desk
from tests.bench.measure import MS, Samples, Section, Target, times
from tests.support.shim.shim import Shim

POLICY = {"health_code": "off"}
SLOW_US = 20_000

ABOUT = """\
One card is one step here (`health_code = "off"`): Registered and Bound, now and then the facts of a tube and a group.

- Floor: one `INSERT` and `COMMIT` of as many bytes as such a step has, by bare apsw with the journal's pragmas, in a
  file beside it.
- In the process: from the bytes of the card's frame (1,299, with the photo) given to the decoder to the bytes of the
  panel's line: decoded, checked, sealed, decided, committed by the journal's thread, panel computed and encoded, by the
  daemon's own classes on an event loop.
- The daemon, wire to wire: from the last byte of the same frame written to the reader's pseudo-terminal to the changed
  line read from the panel's socket. The daemon is a process of its own: this adds the kernel and the waking of two
  processes.
- Label on the wire: from the last byte of the card that fills a tube to the first byte of its label on the printer's
  line; group and tube are closed and committed between.

Floor and path take turns, one by one, and the daemon is at rest when the floor is measured. "fsync + 20 ms": every
fsync and fdatasync, of floor and path alike, takes 20 ms longer (a preloaded library), as on a memory card."""


class Floor:
    """One bare transaction at a time, in a database of its own."""

    def __init__(self, path: Path, size: int) -> None:
        self._db = apsw.Connection(str(path))
        self._db.pragma("journal_mode", "wal")
        self._db.pragma("synchronous", "full")
        self._db.execute("CREATE TABLE t(seq INTEGER PRIMARY KEY, body BLOB NOT NULL)")
        self._body = os.urandom(size)

    def commit(self) -> float:
        began = time.perf_counter()
        with self._db:
            self._db.execute("INSERT INTO t(body) VALUES (?)", (self._body,))
        return time.perf_counter() - began


def frame(n: int) -> bytes:
    """What the reader answers to READ for the nth person's card."""
    return encode_response(Response(Status.OK, card.encode_payload(card.encode_text(person(n)), PHOTO)))


class Core:
    """The daemon's path without the kernel around it: bytes in, line out."""

    def __init__(self, journal: JournalThread) -> None:
        sealer = Sealer(PrivateKeys.generate().public, bytes(32))
        intake = Intake((), "360481", sealer)
        self._clock = SystemClock()
        site = Site(Setup("360481", 1, Policy(**POLICY)))
        self.runner = Runner(site, journal, self._clock, intake, self._order, self._changed)
        self._around = Surroundings(devices={"card": True})
        self._decoder = Decoder()
        self._line = b""
        self._out = asyncio.Event()
        self._at = 0.0

    def _order(self, order: PrintLabel) -> None:
        """The printer is quick here, and so is the volunteer at the release button."""
        self.runner.post(PrintSucceeded(order.tube, order.attempt, confirmed=True))
        self.runner.post(ButtonPressed("release", 500))

    def _changed(self, facts: list[Fact]) -> None:
        seen = view(self.runner.site, (), self._around, self.runner.storage_fault, ready=True)
        self._line = panel_codec.encode(panel.show(seen, self._clock.mono()))
        self._at = time.perf_counter()
        if facts:
            self._out.set()

    async def scan(self, data: bytes) -> float:
        self._out.clear()
        began = time.perf_counter()
        for answer in self._decoder.feed(data):
            self.runner.post(CardRead(card.decode_text(card.text_block(answer.data))))
        await self._out.wait()
        took = self._at - began
        await self.runner.answer()
        return took


def step_bytes(path: Path) -> int:
    """Mean bytes (id and body) of the steps with a person in them."""
    with Journal.open_readonly(path) as journal:
        rows = [row for after in range(0, journal.head, 100) for row in journal.read(after, 100, 1 << 20)]
        people = sum(entry.fact.__struct_config__.tag == "registered" for _, entry in journal.entries())
    return sum(len(row.id) + len(row.body) for row in rows) // people


async def core(folder: Path, count: int) -> tuple[Samples, Samples]:
    journal = await JournalThread.open(folder / "core" / "journal.db")
    made = Core(journal)
    task = asyncio.create_task(made.runner.run("0"))
    await made.runner.answer()
    for n in range(20):
        await made.scan(frame(n))
    floor = Floor(folder / "floor.db", step_bytes(folder / "core" / "journal.db"))
    bare, path = Samples("bare INSERT + COMMIT"), Samples("in the process")
    for n in range(count):
        data = frame(20 + n)
        bare.add(floor.commit())
        path.add(await made.scan(data))
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await journal.close()
    return bare, path


def daemon(folder: Path, count: int) -> tuple[Samples, Samples, Samples]:
    bare, path = Samples("bare INSERT + COMMIT"), Samples("the daemon, wire to wire")
    label = Samples("label on the wire")
    floor = Floor(folder / "floor2.db", step_bytes(folder / "core" / "journal.db"))
    with Desk(folder / "kiosk", {"policy": POLICY}) as desk:
        for n in range(count):
            desk.rest()
            bare.add(floor.commit())
            path.add(desk.visit(person(n)))
            if n % 10 == 9:
                label.add(desk.wait_for_label())
                desk.release()
    return bare, path, label


def measure(folder: Path, count: int) -> dict[str, dict[str, list[float]]]:
    (folder / "core").mkdir(parents=True)
    bare, inner = asyncio.run(core(folder, count))
    bare2, outer, label = daemon(folder, count)
    return {
        "core": {each.name: each.values for each in (bare, inner)},
        "daemon": {each.name: each.values for each in (bare2, outer, label)},
    }


def in_its_own_process(folder: Path, count: int, slow_us: int) -> dict[str, dict[str, list[float]]]:
    """`measure`, with every fsync of that process and of the daemon it starts slowed."""
    shim = Shim(folder, folder.with_suffix(".shim"))
    shim.control.sync_us = slow_us
    command = [sys.executable, "-m", "tests.bench.scan", str(folder), str(count)]
    env = os.environ | (shim.env if slow_us else {})
    done = subprocess.run(command, check=True, env=env, stdout=subprocess.PIPE)
    found: dict[str, dict[str, list[float]]] = json.loads(done.stdout)
    return found


def run(folder: Path, scale: float) -> Section:
    rows: list[tuple[str, ...]] = []
    targets: list[Target] = []
    for slow_us, count, limit in ((0, 500, 2.0), (SLOW_US, 200, 1.1)):
        how = f"fsync + {slow_us // 1000} ms" if slow_us else "this disk"
        found = in_its_own_process(folder / f"scan{slow_us}", max(30, round(count * scale)), slow_us)
        for which, series in found.items():
            samples = [Samples(name, values) for name, values in series.items()]
            rows += [(how, each.name, str(len(each.values)), *times(each, samples[0])) for each in samples]
            ratio = samples[1].median / samples[0].median
            if which == "core" or slow_us:
                targets.append(Target(f"{how}: {samples[1].name} / bare commit, medians", ratio, limit, "×"))
            if which == "daemon":
                targets.append(Target(f"{how}: scan to green, p99", samples[1].p99 * MS, 300, " ms"))
            if which == "daemon" and not slow_us:
                targets.append(Target(f"{how}: full tube to label bytes, p99", samples[2].p99 * MS, 50, " ms"))
    return Section("(a) Scan to signal", ABOUT, ("disk", "path", "n", "median ms", "p99 ms", "ratio"), rows, targets)


if __name__ == "__main__":
    with_folder, with_count = sys.argv[1:]
    print(json.dumps(measure(Path(with_folder), int(with_count))))
