"""The printer's driver against simulated printers on real ptys, sockets and files."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from kiosk.config import TsplPrinter
from kiosk.drivers.printer.driver import LabelPrinter
from kiosk.drivers.printer.sim import SimPrinter
from kiosk.events import DeviceOffline, DeviceOnline, Event, PrintFailed, PrintSucceeded
from kiosk.labels import render
from tests.support.labels import label, number, read
from tests.support.printing import KINDS, Kind, same

IMAGES = {serial: render(label(serial), (50, 30), 203) for serial in range(1, 7)}
PATIENCE_S = 30
every_language = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    """A second of patience with a printer is a twentieth here."""
    monkeypatch.setattr("kiosk.drivers.base.REOPEN_AFTER", (0.02,))
    monkeypatch.setattr("kiosk.drivers.printer.conversation.LOOK_EVERY_S", 0.05)
    monkeypatch.setattr("kiosk.drivers.printer.conversation.ANSWER_S", 0.2)
    monkeypatch.setattr("kiosk.drivers.printer.conversation.BUSY_S", 0.01)


class Desk:
    """A driver at work, and all it has posted."""

    def __init__(self, config) -> None:
        self.events: list[Event] = []
        self._news = asyncio.Event()
        self.driver = LabelPrinter(config, self._post)

    def _post(self, event: Event) -> None:
        self.events.append(event)
        self._news.set()

    def submit(self, *serials: int) -> None:
        for serial in serials:
            self.driver.submit(number(serial), 1, IMAGES[serial])

    async def until(self, condition: Callable[[list[Event]], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not condition(self.events):
                self._news.clear()
                await self._news.wait()

    async def until_posted(self, event: Event) -> None:
        await self.until(lambda events: event in events)

    def of(self, *kinds: type[Event]) -> list[Event]:
        return [event for event in self.events if isinstance(event, kinds)]


@contextlib.asynccontextmanager
async def at_work(config) -> AsyncIterator[Desk]:
    desk = Desk(config)
    running = asyncio.create_task(desk.driver.run())
    try:
        yield desk
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@contextlib.asynccontextmanager
async def on_a_tty(kind: Kind, tmp_path: Path, **settings) -> AsyncIterator[tuple[SimPrinter, Desk]]:
    config = kind.config(port=str(tmp_path / "printer"), **{"timeout_s": 5.0} | settings)
    sim = SimPrinter(config)
    sim.plug(tmp_path / "printer")
    try:
        async with at_work(config) as desk:
            yield sim, desk
    finally:
        sim.close()


def succeeded(serial: int, attempt: int = 1, *, confirmed: bool = True) -> PrintSucceeded:
    return PrintSucceeded(number(serial), attempt, confirmed)


def printed(sim: SimPrinter) -> list[str]:
    return [code for picture in sim.labels for code in read(picture)]


@every_language
async def test_labels_come_out_in_order_and_are_confirmed(kind, tmp_path):
    async with on_a_tty(kind, tmp_path) as (sim, desk):
        desk.submit(1, 2, 3)
        await desk.until_posted(succeeded(3))
        assert desk.events == [DeviceOnline("printer"), succeeded(1), succeeded(2), succeeded(3)]
        assert printed(sim) == [number(1), number(2), number(3)]
        assert all(same(picture, IMAGES[i]) for i, picture in enumerate(sim.labels, 1))


@every_language
async def test_the_same_over_tcp(kind):
    sim = SimPrinter(kind.config())
    port = sim.listen()
    try:
        async with at_work(kind.config(port=f"tcp://127.0.0.1:{port}")) as desk:
            desk.submit(1, 2)
            await desk.until_posted(succeeded(2))
            assert printed(sim) == [number(1), number(2)]
    finally:
        sim.close()


@every_language
async def test_two_copies_of_each(kind, tmp_path):
    async with on_a_tty(kind, tmp_path, copies=2) as (sim, desk):
        desk.submit(1, 2)
        await desk.until_posted(succeeded(2))
        assert printed(sim) == [number(1), number(1), number(2), number(2)]


@every_language
async def test_out_of_paper_half_way_and_refilled(kind, tmp_path):
    async with on_a_tty(kind, tmp_path) as (sim, desk):
        sim.refill(2)
        desk.submit(1, 2, 3, 4)
        await desk.until_posted(DeviceOffline("printer", "out of paper"))
        desk.submit(5, 3)  # 3 waits already
        sim.refill()
        await desk.until_posted(succeeded(5))
        assert printed(sim) == [number(serial) for serial in (1, 2, 3, 4, 5)]
        assert desk.events == [
            DeviceOnline("printer"),
            succeeded(1),
            succeeded(2),
            PrintFailed(number(3), 1, "out of paper"),
            DeviceOffline("printer", "out of paper"),
            DeviceOnline("printer"),
            succeeded(3, attempt=2),
            succeeded(4),
            succeeded(5),
        ]


@every_language
async def test_an_open_head_is_seen_before_anybody_prints(kind, tmp_path):
    async with on_a_tty(kind, tmp_path) as (sim, desk):
        await desk.until_posted(DeviceOnline("printer"))
        sim.head_open = True
        await desk.until_posted(DeviceOffline("printer", "head open"))
        desk.submit(1)
        sim.head_open = False
        await desk.until_posted(succeeded(1))
        assert not desk.of(PrintFailed)


@every_language
async def test_a_printer_that_never_answers_is_printed_on_without_proof(kind, tmp_path):
    async with on_a_tty(kind, tmp_path) as (sim, desk):
        sim.mute = True
        desk.submit(1, 2)
        await desk.until_posted(succeeded(2, confirmed=False))
        assert desk.events[0] == DeviceOnline("printer")
        assert not desk.of(DeviceOffline, PrintFailed)
        await eventually(lambda: printed(sim) == [number(1), number(2)])


async def test_a_printer_that_falls_silent_is_printed_on(tmp_path):
    async with on_a_tty(KINDS[0], tmp_path) as (sim, desk):
        desk.submit(1)
        await desk.until_posted(succeeded(1))
        sim.mute = True
        desk.submit(2)
        await desk.until_posted(succeeded(2, confirmed=False))
        assert not desk.of(DeviceOffline, PrintFailed)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.name != "escpos"], ids=lambda kind: kind.name)
async def test_a_printer_that_is_never_done(kind, tmp_path):
    async with on_a_tty(kind, tmp_path, timeout_s=0.3) as (sim, desk):
        sim.busy = True
        desk.submit(1)
        await desk.until_posted(PrintFailed(number(1), 1, "busy for more than 0.3 s"))
        sim.busy = False
        await desk.until(lambda _: bool(desk.of(PrintSucceeded)))
        assert set(printed(sim)) == {number(1)}


@every_language
async def test_a_printer_that_stalls_within_a_label(kind, tmp_path):
    """At 300 dpi: of the 12 KB of a label at 203 a pty may hold all."""
    async with on_a_tty(kind, tmp_path, timeout_s=0.3, dpi=300) as (sim, desk):
        await desk.until_posted(DeviceOnline("printer"))
        sim.stalled = True
        desk.driver.submit(number(1), 1, render(label(1), (50, 30), 300))
        if kind.name == "zpl":  # small enough for the kernel to take it: nobody can tell
            await desk.until_posted(succeeded(1, confirmed=False))
        else:
            await desk.until(lambda _: bool(desk.of(PrintFailed)))
            assert [event.tube for event in desk.of(PrintFailed)] == [number(1)]
        sim.stalled = False
        desk.submit(2)
        await desk.until(lambda events: any(isinstance(e, PrintSucceeded) and e.tube == number(2) for e in events))
        await eventually(lambda: number(2) in printed(sim))
        assert set(printed(sim)) == {number(1), number(2)}


@every_language
async def test_unplugged_within_a_label_and_back(kind, tmp_path):
    async with on_a_tty(kind, tmp_path) as (sim, desk):
        desk.submit(1)
        await desk.until_posted(succeeded(1))
        sim.stalled = True
        desk.submit(2, 3)
        await asyncio.sleep(0)
        sim.unplug()
        await desk.until(lambda _: bool(desk.of(DeviceOffline)))
        desk.submit(4)
        sim.stalled = False
        sim.plug()
        await desk.until_posted(succeeded(4))
        assert printed(sim) == [number(serial) for serial in (1, 2, 3, 4)]
        assert len(desk.of(PrintFailed)) <= 1
        assert desk.of(DeviceOnline, DeviceOffline)[-1] == DeviceOnline("printer")


async def test_an_idle_printer_that_goes_away_is_noticed_and_one_not_there_yet_is_no_crash(tmp_path):
    (tmp_path / "printer").symlink_to("/dev/unplugged")
    config = TsplPrinter(port=str(tmp_path / "printer"))
    sim = SimPrinter(config)
    async with at_work(config) as desk:
        await desk.until(lambda _: bool(desk.of(DeviceOffline)))
        desk.submit(1)
        sim.plug(tmp_path / "printer")
        await desk.until_posted(succeeded(1))
        sim.unplug()
        await desk.until(lambda events: len(desk.of(DeviceOffline)) == 2)
        assert not (tmp_path / "printer").exists()
    sim.close()


async def test_tcp_printer_switched_off_and_on(tmp_path):
    config = KINDS[0].config()
    sim = SimPrinter(config)
    port = sim.listen()
    async with at_work(KINDS[0].config(port=f"tcp://127.0.0.1:{port}")) as desk:
        desk.submit(1)
        await desk.until_posted(succeeded(1))
        sim.unplug()
        await desk.until(lambda _: bool(desk.of(DeviceOffline)))
        desk.submit(2)
        sim.listen(port)
        await desk.until_posted(succeeded(2))
        assert printed(sim) == [number(1), number(2)]
    sim.close()


@every_language
async def test_a_file_takes_labels_one_behind_the_other_without_proof(kind, tmp_path):
    target = tmp_path / "labels.bin"
    config = kind.config(port=str(target))
    async with at_work(config) as desk:
        desk.submit(1, 2)
        await desk.until_posted(succeeded(2, confirmed=False))
        assert desk.events[0] == DeviceOnline("printer")
    assert [read(picture) for picture in kind.paper(config).feed(target.read_bytes())] == [[number(1)], [number(2)]]


async def test_a_reprint_of_a_printed_tube_is_printed(tmp_path):
    async with at_work(TsplPrinter(port=str(tmp_path / "labels.bin"))) as desk:
        desk.submit(1)
        await desk.until_posted(succeeded(1, confirmed=False))
        desk.driver.submit(number(1), 2, IMAGES[1])
        await desk.until_posted(succeeded(1, attempt=2, confirmed=False))


async def test_another_picture_of_a_tube_takes_the_place_of_the_one_that_waits_or_that_failed(tmp_path):
    async with on_a_tty(KINDS[0], tmp_path) as (sim, desk):
        sim.refill(0)
        desk.submit(1, 2)
        await desk.until_posted(PrintFailed(number(1), 1, "out of paper"))
        for serial in (1, 2):  # somebody has left: the count is another
            desk.driver.submit(number(serial), 3, render(label(serial, members=9), (50, 30), 203))
        sim.refill()
        await desk.until_posted(succeeded(2, attempt=3))
        assert succeeded(1, attempt=3) in desk.events
        assert [read(picture) for picture in sim.labels] == [[number(1)], [number(2)]]
        wanted = [render(label(serial, members=9), (50, 30), 203) for serial in (1, 2)]
        assert all(same(*pair) for pair in zip(sim.labels, wanted, strict=True))


@pytest.mark.parametrize("port", ["printer", "labels.bin"])
async def test_a_second_owner_is_refused(port, tmp_path):
    config = TsplPrinter(port=str(tmp_path / port))
    sim = SimPrinter(config)
    if port == "printer":
        sim.plug(tmp_path / port)
    async with at_work(config) as desk:
        await desk.until_posted(DeviceOnline("printer"))
        async with at_work(config) as other:
            await other.until(lambda _: bool(other.of(DeviceOffline)))
            other.submit(1)
            desk.submit(2)
            await desk.until(lambda _: bool(desk.of(PrintSucceeded)))
            assert not other.of(DeviceOnline, PrintSucceeded)
    sim.close()


def test_settings_that_do_not_go_together_stop_at_the_start():
    with pytest.raises(ValueError, match="cannot print 400 dots"):
        LabelPrinter(KINDS[1].config(profile="POS-5890"), lambda event: None)


async def eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.01)
