import errno
import os
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from kiosk.config import HidCode
from kiosk.drivers.code_hid.codec import ALT_MODE, NO_ENTER
from kiosk.drivers.code_hid.driver import HidScanner
from kiosk.drivers.code_hid.sim import TYPED, HidScannerSim, presses, records
from kiosk.drivers.input_device import NEEDED_KEYS, InputDevice
from kiosk.events import CodeFailed, CodeScanned, DeviceOffline, DeviceOnline
from tests.support.inbox import Inbox, running

ONLINE = DeviceOnline("code")


@pytest.fixture
def sim(tmp_path: Path):
    sim = HidScannerSim(tmp_path / "kiosk-code")
    yield sim
    sim.unplug()


@pytest.fixture
async def inbox(sim: HidScannerSim) -> AsyncIterator[Inbox]:
    """Of a scanner that is online."""
    inbox = Inbox()
    async with running(HidScanner(HidCode(device=str(sim.path)), inbox.post)):
        assert await inbox.take() == [ONLINE]
        yield inbox


async def test_codes_are_read(sim: HidScannerSim, inbox: Inbox):
    await sim.scan("HC1:0:aB-_9")
    await sim.scan("HC1:1:aB", caps=True)
    assert await inbox.take(2) == [CodeScanned("HC1:0:aB-_9"), CodeScanned("HC1:1:aB")]


async def test_alt_mode_is_refused_and_logged(sim: HidScannerSim, inbox: Inbox, caplog: pytest.LogCaptureFixture):
    await sim.scan("朝阳")
    assert await inbox.take() == [CodeFailed(ALT_MODE)]
    assert [record.getMessage() for record in caplog.records] == [f"code: refused: {ALT_MODE}"]


async def test_a_code_without_enter_is_told_and_the_next_is_read(sim: HidScannerSim, inbox: Inbox):
    await sim.press([(TYPED["a"][0], 1), (TYPED["a"][0], 0)])
    assert await inbox.take() == [CodeFailed(NO_ENTER)]
    await sim.scan("b")
    assert await inbox.take() == [CodeScanned("b")]


async def test_unplugged_and_back_without_the_half_code(sim: HidScannerSim, inbox: Inbox):
    await sim.press([(TYPED["a"][0], 1), (TYPED["a"][0], 0)])
    sim.unplug()
    (lost,) = await inbox.take()
    assert isinstance(lost, DeviceOffline)
    sim.plug()
    assert await inbox.take() == [ONLINE]
    await sim.scan("whole")
    assert await inbox.take() == [CodeScanned("whole")]


async def test_what_was_typed_while_nobody_listened_is_not_read_later(sim: HidScannerSim):
    await sim.scan("old")
    inbox = Inbox()
    async with running(HidScanner(HidCode(device=str(sim.path)), inbox.post)):
        await inbox.take()
        await sim.scan("new")
        assert await inbox.take() == [CodeScanned("new")]


@pytest.mark.parametrize("make", [Path.touch, Path.mkdir, lambda path: None])
async def test_what_is_no_device_is_told(tmp_path: Path, make: Callable[[Path], None]):
    path = tmp_path / "kiosk-code"
    make(path)
    assert str(path) in await offline_reason(path)


async def offline_reason(path: Path) -> str:
    inbox = Inbox()
    async with running(HidScanner(HidCode(device=str(path)), inbox.post)):
        (event,) = await inbox.take()
    assert isinstance(event, DeviceOffline)
    return event.why


class FakeEvdev:
    """Stands in for the module and for its one device: a pipe behind a character device's name."""

    def __init__(self) -> None:
        self.reading, self.writing = os.pipe2(os.O_NONBLOCK)
        self.keys = {0: [0, 1], 1: sorted(NEEDED_KEYS), 17: [0, 1]}
        self.grab_error = 0
        self.log: list[str] = []

    def InputDevice(self, path: str) -> SimpleNamespace:  # noqa: N802 - the library's name
        self.log.append("open")
        return SimpleNamespace(
            fd=self.reading,
            capabilities=lambda: self.keys,
            grab=self._grab,
            set_led=lambda led, value: self.log.append(f"led {led} {value}"),
            close=self._close,
        )

    def _grab(self) -> None:
        if self.grab_error:
            raise OSError(self.grab_error, os.strerror(self.grab_error))
        self.log.append("grab")

    def _close(self) -> None:
        self.log.append("close")

    def type(self, text: str) -> None:
        os.write(self.writing, records(presses(text), time.monotonic_ns() // 1000))


@pytest.fixture
def evdev(monkeypatch: pytest.MonkeyPatch):
    fake = FakeEvdev()
    monkeypatch.setitem(sys.modules, "evdev", fake)
    yield fake
    os.close(fake.reading)
    if fake.writing >= 0:
        os.close(fake.writing)


@pytest.fixture
def node(tmp_path: Path) -> Path:
    """A character device that is always there."""
    path = tmp_path / "kiosk-code"
    path.symlink_to("/dev/null")
    return path


async def test_a_device_is_grabbed_read_and_closed(evdev: FakeEvdev, node: Path):
    inbox = Inbox()
    async with running(HidScanner(HidCode(device=str(node)), inbox.post)):
        assert await inbox.take() == [ONLINE]
        evdev.type("HC1:0:a")
        assert await inbox.take() == [CodeScanned("HC1:0:a")]
    assert evdev.log == ["open", "grab", "led 1 0", "close"]


async def test_what_was_typed_before_the_grab_is_not_read(evdev: FakeEvdev, node: Path):
    evdev.type("old")
    async with InputDevice(str(node)) as device:
        assert device.read_now() == b""


async def test_held_by_another_program(evdev: FakeEvdev, node: Path):
    evdev.grab_error = errno.EBUSY
    assert await offline_reason(node) == f"{node}: another program holds it"
    assert evdev.log == ["open", "close"]


async def test_gone_between_open_and_grab(evdev: FakeEvdev, node: Path):
    evdev.grab_error = errno.ENODEV
    assert "No such device" in await offline_reason(node)
    assert evdev.log == ["open", "close"]


@pytest.mark.parametrize("broken", ["mouse", "half"])
async def test_no_keyboard(evdev: FakeEvdev, node: Path, broken: str):
    if broken == "mouse":
        evdev.keys[2] = [0, 1]
    else:
        evdev.keys[1] = [116, 142, 28]
    assert "not a keyboard-like scanner" in await offline_reason(node)
    assert evdev.log == ["open", "close"]


async def test_unplugged_while_reading(evdev: FakeEvdev, node: Path, monkeypatch: pytest.MonkeyPatch):
    inbox = Inbox()
    read = os.read

    def gone(fd: int, size: int) -> bytes:
        if fd == evdev.reading and evdev.unplugged:
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
        return read(fd, size)

    evdev.unplugged = False
    async with running(HidScanner(HidCode(device=str(node)), inbox.post)):
        await inbox.take()
        evdev.unplugged = True
        monkeypatch.setattr("os.read", gone)
        evdev.type("half")
        assert await inbox.take() == [DeviceOffline("code", f"{node}: No such device")]
        evdev.unplugged = False
        assert await inbox.take() == [ONLINE]
        evdev.type("whole")
        assert await inbox.take() == [CodeScanned("whole")]


async def test_without_the_library(node: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "evdev", None)
    assert "needs python-evdev" in await offline_reason(node)
