import logging
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kiosk.config import SerialCode
from kiosk.drivers.code_serial.codec import GM65_ACK
from kiosk.drivers.code_serial.driver import SerialScanner
from kiosk.drivers.code_serial.sim import SerialScannerSim
from kiosk.drivers.codes import TOO_LONG
from kiosk.events import CodeFailed, CodeScanned, DeviceOffline, DeviceOnline, Event
from tests.support.inbox import Inbox, running

ONLINE = DeviceOnline("code")
NEVER_S = 3600  # a loaded machine must not look like a silent scanner


@pytest.fixture
def sim(tmp_path: Path):
    sim = SerialScannerSim(tmp_path / "kiosk-code")
    yield sim
    sim.unplug()


@pytest.fixture
async def inbox(sim: SerialScannerSim) -> AsyncIterator[Inbox]:
    """Of a scanner that is online."""
    inbox = Inbox()
    async with running(SerialScanner(SerialCode(port=str(sim.link), idle_s=NEVER_S), inbox.post)):
        assert await inbox.take() == [ONLINE]
        yield inbox


def is_offline(event: Event) -> bool:
    return isinstance(event, DeviceOffline) and event.device == "code"


@pytest.mark.parametrize("terminator", [b"\r", b"\n", b"\r\n"])
@pytest.mark.parametrize(
    ("encoding", "text"), [("utf-8", "HC1:0:朝阳"), ("gb18030", "HC1:0:朝阳"), ("ascii", "HC1:0:a")]
)
async def test_a_code_is_read(sim: SerialScannerSim, inbox: Inbox, terminator: bytes, encoding: str, text: str):
    await sim.scan(text, encoding=encoding, terminator=terminator)
    assert await inbox.take() == [CodeScanned(text)]


async def test_silence_ends_a_code_without_terminator(sim: SerialScannerSim):
    inbox = Inbox()
    async with running(SerialScanner(SerialCode(port=str(sim.link)), inbox.post)):
        await inbox.take()
        await sim.scan("HC1:0:a", terminator=b"")
        assert await inbox.take() == [CodeScanned("HC1:0:a")]


async def test_a_code_that_comes_byte_by_byte(sim: SerialScannerSim, inbox: Inbox):
    await sim.send(GM65_ACK)
    await sim.scan("HC1:0:abc", chunk=1)
    assert await inbox.take() == [CodeScanned("HC1:0:abc")]


async def test_several_at_once_keep_their_order(sim: SerialScannerSim, inbox: Inbox):
    await sim.send(b"a\rb\r\xff\xff\rc\r")
    assert await inbox.take(4) == [
        CodeScanned("a"),
        CodeScanned("b"),
        CodeFailed("neither UTF-8 nor GB18030"),
        CodeScanned("c"),
    ]


async def test_unplugged_and_back_without_the_half_line(tmp_path: Path):
    sim = SerialScannerSim(tmp_path / "kiosk-code")
    inbox = Inbox()
    async with running(SerialScanner(SerialCode(port=str(sim.link), idle_s=NEVER_S), inbox.post)):
        await inbox.take()
        for _ in range(2):
            await sim.send(b"HC1:0:half of it")
            sim.unplug()
            (lost,) = await inbox.take()
            assert is_offline(lost)
            sim.plug()
            assert await inbox.take() == [ONLINE]
            await sim.scan("HC1:0:whole")
            assert await inbox.take() == [CodeScanned("HC1:0:whole")]
    sim.unplug()


async def test_missing_at_the_start_and_plugged_in_later(tmp_path: Path):
    sim = SerialScannerSim(tmp_path / "kiosk-code")
    sim.unplug()
    inbox = Inbox()
    async with running(SerialScanner(SerialCode(port=str(sim.link), idle_s=NEVER_S), inbox.post)):
        (missing,) = await inbox.take()
        assert is_offline(missing)
        sim.plug()
        assert await inbox.take() == [ONLINE]
    sim.unplug()


async def test_what_was_scanned_while_nobody_listened_is_not_read_later(sim: SerialScannerSim):
    await sim.scan("HC1:0:old")
    inbox = Inbox()
    async with running(SerialScanner(SerialCode(port=str(sim.link), idle_s=NEVER_S), inbox.post)):
        await inbox.take()
        await sim.scan("HC1:0:new")
        assert await inbox.take() == [CodeScanned("HC1:0:new")]


async def test_a_ten_megabyte_barcode(sim: SerialScannerSim, inbox: Inbox, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    await sim.scan("A1" * 5_000_000, chunk=65_536)
    await sim.scan("HC1:0:good")
    assert await inbox.take(2) == [CodeFailed(TOO_LONG), CodeScanned("HC1:0:good")]
    assert [record.getMessage() for record in caplog.records] == ["code: refused: " + TOO_LONG]


async def test_noise_waits_in_the_kernel_and_the_next_code_is_read(sim: SerialScannerSim, inbox: Inbox):
    await sim.send(random.Random(2).randbytes(8000))
    await sim.scan("\rHC1:0:good")
    events = await inbox.until(lambda events: CodeScanned("HC1:0:good") in events)
    assert events[-1] == CodeScanned("HC1:0:good")
    assert all(isinstance(event, CodeScanned | CodeFailed) for event in events)


async def test_one_cause_is_logged_once_in_a_row(sim: SerialScannerSim, inbox: Inbox, caplog: pytest.LogCaptureFixture):
    await sim.send(b"\xff\xff\r" * 5 + b"secret\r" + b"\xff\xff\r")
    await inbox.take(7)
    lines = [record.getMessage() for record in caplog.records]
    assert lines == ["code: refused: neither UTF-8 nor GB18030"] * 2
