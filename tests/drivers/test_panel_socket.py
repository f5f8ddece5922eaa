"""The panel socket, with real sockets and the lamp box as the far side."""

import asyncio
import contextlib
import json
import logging
import os
import socket
import time

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.config import SocketPanel as Config
from kiosk.domain import Signal
from kiosk.drivers.panel_socket import codec, driver
from kiosk.drivers.panel_socket.driver import SocketPanel
from kiosk.drivers.panel_socket.sim import SimPanel
from kiosk.events import ButtonPressed, DeviceOffline, DeviceOnline, Event
from kiosk.panel import STARTING, Panel, View, show

IDLE = show(View(ready=True, accepting=True), 0)
ACCEPTED = show(View(ready=True, accepting=True, signal=Signal.ACCEPTED, signal_count=1, members=7), 0)
PATIENCE_S = 30


class Kiosk:
    """A running driver and what it posted."""

    def __init__(self, path):
        self.events: list[Event] = []
        self._news = asyncio.Event()
        self.driver = SocketPanel(Config(path=str(path)), self._post)
        self.task = asyncio.create_task(self.driver.run())

    def _post(self, event: Event) -> None:
        self.events.append(event)
        self._news.set()

    async def event(self, kind: type[Event], count: int = 1) -> list[Event]:
        """Waits for ``count`` events of a kind."""
        async with asyncio.timeout(PATIENCE_S):
            while len(found := [event for event in self.events if isinstance(event, kind)]) < count:
                self._news.clear()
                await self._news.wait()
        return found

    async def stop(self):
        self.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.task


@pytest.fixture
async def kiosk(tmp_path):
    running = Kiosk(tmp_path / "panel.sock")
    await running.event(DeviceOnline)
    yield running
    await running.stop()


async def connect(tmp_path):
    return await asyncio.open_unix_connection(tmp_path / "panel.sock")


async def line(reader) -> dict:
    async with asyncio.timeout(PATIENCE_S):
        return json.loads(await reader.readline())


async def closed(reader) -> None:
    async with asyncio.timeout(PATIENCE_S):
        with contextlib.suppress(ConnectionError):
            while await reader.read(4096):
                pass


# The wire -----------------------------------------------------------------------------------------------------------


def test_golden_line():
    assert codec.encode(ACCEPTED) == (
        b'{"lamps":{"stop":"off","wait":"off","go":"on","release":"off","alarm":"off","fault":"off","door":"off"},'
        b'"bar":7,"buzzer":"accepted","signal":1,"last":0}\n'
    )
    assert codec.encode(codec.Edge("release", "down")) == b'{"button":"release","edge":"down"}\n'
    assert codec.decode_panel(codec.encode(ACCEPTED)) == ACCEPTED
    assert codec.decode_edge(b'{"edge": "up", "button": "ack", "newer": [1]}') == codec.Edge("ack", "up")


@given(st.lists(st.binary(max_size=30).map(lambda text: text.replace(b"\n", b"").replace(b"\r", b""))), st.data())
def test_any_split_gives_the_same_lines(texts, data):
    stream = b"".join(text + data.draw(st.sampled_from((b"\n", b"\r\n"))) for text in texts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    lines, found = codec.Lines(), []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found += lines.feed(stream[start:end])
    assert found == [text for text in texts if text]


@given(st.binary(max_size=200))
def test_garbage_is_one_kind_of_error(text):
    with contextlib.suppress(codec.CodecError):
        codec.decode_edge(text)


def test_an_endless_line_is_refused_early():
    lines = codec.Lines()
    assert lines.feed(b"x" * codec.MAX_LINE) == []
    with pytest.raises(codec.CodecError, match="longer than 4096 bytes"):
        lines.feed(b"x")


# Lamps --------------------------------------------------------------------------------------------------------------


async def test_state_on_connect_and_on_each_change(kiosk, tmp_path):
    reader, writer = await connect(tmp_path)
    assert await line(reader) == msgspec.to_builtins(STARTING)
    for panel in (IDLE, IDLE, ACCEPTED, msgspec.structs.replace(ACCEPTED, signal=2)):
        kiosk.driver.show(panel, 0)
    assert [(await line(reader))["signal"] for _ in range(3)] == [0, 1, 2]
    late, late_writer = await connect(tmp_path)
    assert (await line(late))["signal"] == 2
    for each in (writer, late_writer):
        each.close()
        await each.wait_closed()


async def test_lamp_box_sees_every_state_in_order(kiosk, tmp_path):
    async with SimPanel(tmp_path / "panel.sock") as box:
        await box.wait_for(lambda panel: panel == STARTING)
        for number in range(300):
            kiosk.driver.show(msgspec.structs.replace(ACCEPTED, signal=number), 0)
        await box.wait_for(lambda panel: panel.signal == 299)
        assert [panel.signal for panel in box.history] == [0, *range(300)]
        assert (await box.wait_for(lambda panel: panel.signal == 7, since=0)).buzzer == "accepted"


# Buttons ------------------------------------------------------------------------------------------------------------


async def test_a_press_lasts_as_long_as_it_lasts(kiosk, tmp_path):
    async with SimPanel(tmp_path / "panel.sock") as box:
        await box.wait_online()
        began = time.monotonic()
        await box.press("release", 300)
        (press,) = await kiosk.event(ButtonPressed)
        assert press.button == "release"
        assert 300 <= press.held_ms + 1 <= (time.monotonic() - began) * 1000 + 2
        await box.press("ack", 0)
        assert (await kiosk.event(ButtonPressed, 2))[1].button == "ack"


async def test_peers_have_buttons_of_their_own_and_a_cut_press_never_happened(kiosk, tmp_path):
    _, one = await connect(tmp_path)
    two_reader, two = await connect(tmp_path)
    down, up = (codec.encode(codec.Edge("release", edge)) for edge in ("down", "up"))
    one.write(down)
    two.write(up)
    two.write(codec.encode(codec.Edge("ack", "down")) + codec.encode(codec.Edge("ack", "up")))
    assert [event.button for event in await kiosk.event(ButtonPressed)] == ["ack"]
    one.close()
    await one.wait_closed()
    two.write(up + down + up)
    assert [event.button for event in await kiosk.event(ButtonPressed, 2)] == ["ack", "release"]
    two.close()
    await closed(two_reader)


async def test_a_jammed_button_is_reported(kiosk, tmp_path, monkeypatch, caplog):
    _, writer = await connect(tmp_path)
    ack = codec.encode(codec.Edge("ack", "down")) + codec.encode(codec.Edge("ack", "up"))
    writer.write(codec.encode(codec.Edge("release", "down")) + ack)
    await kiosk.event(ButtonPressed)
    now = driver._now()
    monkeypatch.setattr(driver, "_now", lambda: now + 61_000)
    kiosk.driver._look_for_stuck_buttons()
    assert kiosk.driver.fault == "button stuck: release"
    writer.write(codec.encode(codec.Edge("release", "up")) + ack)
    await kiosk.event(ButtonPressed, 2)
    kiosk.driver._look_for_stuck_buttons()
    assert kiosk.driver.fault == ""
    assert all(event.button == "ack" for event in await kiosk.event(ButtonPressed))
    writer.close()


# Bad peers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "garbage",
    [
        b"\xff\x00\xfe\n",
        b"hello\n",
        b"[]\n",
        b'{"button": "launch", "edge": "down"}\n',
        b'{"button": "release"}\n',
        b"[" * 4000 + b"\n",
        b"x" * 5000,
    ],
)
async def test_a_peer_that_sends_garbage_is_closed_with_a_short_log(kiosk, tmp_path, caplog, garbage):
    good_reader, good = await connect(tmp_path)
    await line(good_reader)
    reader, writer = await connect(tmp_path)
    writer.write(garbage)
    await closed(reader)
    writer.close()
    kiosk.driver.show(IDLE, 0)
    assert await line(good_reader) == msgspec.to_builtins(IDLE)
    (record,) = [each for each in caplog.records if each.levelno >= logging.WARNING]
    assert len(record.getMessage()) < 100
    good.close()


async def test_a_peer_that_does_not_read_is_dropped_and_blocks_nobody(kiosk, tmp_path, caplog):
    slow = socket.socket(socket.AF_UNIX)
    slow.connect(os.fspath(tmp_path / "panel.sock"))
    async with SimPanel(tmp_path / "panel.sock") as box:
        await box.wait_online()
        for number in range(20_000):
            kiosk.driver.show(msgspec.structs.replace(ACCEPTED, signal=number), 0)
            if number % 100 == 0:
                await asyncio.sleep(0)
                await box.wait_for(lambda panel, number=number: panel.signal == number)
            if "reads too slowly" in caplog.text:
                break
        assert "reads too slowly" in caplog.text
        assert box.online
    slow.close()


async def test_no_more_peers_than_bargained_for(kiosk, tmp_path):
    peers = [await connect(tmp_path) for _ in range(driver.MAX_PEERS)]
    for reader, _ in peers:
        await line(reader)
    reader, writer = await connect(tmp_path)
    await closed(reader)
    for _, each in [*peers, (reader, writer)]:
        each.close()


# The socket itself --------------------------------------------------------------------------------------------------


async def test_a_stale_socket_is_replaced(tmp_path):
    path = tmp_path / "panel.sock"
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(os.fspath(path))
    kiosk = Kiosk(path)
    await kiosk.event(DeviceOnline)
    assert path.stat().st_mode & 0o777 == 0o660
    await kiosk.stop()
    assert not path.exists()


async def test_a_second_daemon_is_refused_until_the_first_is_gone(kiosk, tmp_path):
    second = Kiosk(tmp_path / "panel.sock")
    (offline,) = await second.event(DeviceOffline)
    assert "another daemon listens here" in offline.why
    async with SimPanel(tmp_path / "panel.sock") as box:
        kiosk.driver.show(IDLE, 0)
        await box.wait_for(lambda panel: panel == IDLE)
    await kiosk.stop()
    await second.event(DeviceOnline)
    await second.stop()


async def test_a_file_in_the_way_is_left_alone(tmp_path):
    path = tmp_path / "panel.sock"
    path.write_text("precious")
    kiosk = Kiosk(path)
    (offline,) = await kiosk.event(DeviceOffline)
    assert "exists and is no socket" in offline.why
    assert path.read_text() == "precious"
    path.unlink()
    await kiosk.event(DeviceOnline)
    await kiosk.stop()


@pytest.mark.parametrize("path", ["missing/panel.sock", "x" * 120])
async def test_a_path_that_cannot_be_used_is_said(tmp_path, path):
    kiosk = Kiosk(tmp_path / path)
    await kiosk.event(DeviceOffline)
    await kiosk.stop()


async def test_a_socket_that_was_deleted_is_made_again(kiosk, tmp_path, monkeypatch):
    async with SimPanel(tmp_path / "panel.sock") as box:
        await box.wait_online()
        (tmp_path / "panel.sock").unlink()
        await kiosk.event(DeviceOffline)
        await kiosk.event(DeviceOnline, 2)
        await box.wait_online()
        kiosk.driver.show(IDLE, 0)
        await box.wait_for(lambda panel: panel == IDLE)


async def test_lamp_box_comes_back_after_a_restart_of_the_daemon(tmp_path):
    async with SimPanel(tmp_path / "panel.sock") as box:
        first = Kiosk(tmp_path / "panel.sock")
        await box.wait_online()
        await first.stop()
        await box.wait_online(False)
        with pytest.raises(ConnectionError):
            await box.press("release")
        second = Kiosk(tmp_path / "panel.sock")
        second.driver.show(ACCEPTED, 0)
        await box.wait_for(lambda panel: panel == ACCEPTED)
        await second.stop()


async def test_waiting_in_vain_ends(kiosk, tmp_path):
    async with SimPanel(tmp_path / "panel.sock") as box:
        with pytest.raises(TimeoutError):
            await box.wait_for(lambda panel: panel.bar == 10, within=0.05)
        assert box.state is None or isinstance(box.state, Panel)
