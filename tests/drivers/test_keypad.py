"""A numeric keypad: what fingers press, and what is typed by it."""

import itertools
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.config import HidKeypad
from kiosk.drivers.code_hid.codec import EV_SYN, RECORD, SYN_DROPPED
from kiosk.drivers.code_hid.sim import TYPED, records
from kiosk.drivers.keypad.codec import KEY_BACKSPACE, LOST, MAX_TYPED, TOO_LONG, KeypadCodec
from kiosk.drivers.keypad.driver import Keypad
from kiosk.drivers.keypad.sim import KeypadSim, strokes
from kiosk.events import CodeFailed, DeviceOffline, DeviceOnline, NumberTyped
from tests.support.inbox import Inbox, running

START_US = 1_000_000_000
NUMBER = "11010519491231002X"


def fed(*presses: tuple[int, int], step_us: int = 90_000, codec: KeypadCodec | None = None) -> list[object]:
    return list((codec or KeypadCodec(30.0)).feed(records(presses, START_US, step_us)))


def tap(key: int) -> list[tuple[int, int]]:
    return [(key, 1), (key, 0)]


def test_a_number_with_its_x() -> None:
    assert fed(*strokes(NUMBER)) == [NumberTyped(NUMBER)]


def test_the_point_and_the_digits_of_the_main_block_do_as_well() -> None:
    keys = [press for digit in "110105" for press in tap(TYPED[digit][0])]
    assert fed(*keys, *tap(83), *tap(28)) == [NumberTyped("110105X")]


def test_backspace_and_minus() -> None:
    wrong = list(strokes("1381"))[:-2]
    assert fed(*wrong, *tap(KEY_BACKSPACE), *tap(KEY_BACKSPACE), *strokes("9")) == [NumberTyped("139")]
    assert fed(*wrong, *tap(74), *strokes("7")) == [NumberTyped("7")]


def test_enter_alone_and_other_keys_say_nothing() -> None:
    assert fed(*tap(96), *tap(TYPED["q"][0]), *tap(78), *tap(96)) == []


def test_what_was_left_half_typed_is_not_the_beginning_of_the_next() -> None:
    codec = KeypadCodec(30.0)
    codec.feed(records(list(strokes("110"))[:-2], START_US))
    assert codec.feed(records(strokes("138"), START_US + 31_000_000)) == [NumberTyped("138")]


def test_lost_keys_and_a_key_that_sticks_are_told() -> None:
    codec = KeypadCodec(30.0)
    codec.feed(records(list(strokes("110"))[:-2], START_US))
    assert codec.feed(RECORD.pack(1000, 0, EV_SYN, SYN_DROPPED, 0)) == [CodeFailed(LOST)]
    assert fed(*list(strokes("1" * (MAX_TYPED + 1)))[:-2]) == [CodeFailed(TOO_LONG)]


@given(st.text("0123456789X", min_size=1, max_size=MAX_TYPED), st.lists(st.integers(1, 200), min_size=1, max_size=5))
def test_however_the_records_are_split_the_same_number_comes_out(number: str, sizes: list[int]) -> None:
    raw, codec, events = records(strokes(number), START_US), KeypadCodec(30.0), []
    for size in itertools.cycle(sizes):
        if not raw:
            break
        events += codec.feed(raw[:size])
        raw = raw[size:]
    assert events == [NumberTyped(number)]


@pytest.fixture
def sim(tmp_path: Path):
    sim = KeypadSim(tmp_path / "kiosk-keypad")
    yield sim
    sim.unplug()


@pytest.fixture
async def inbox(sim: KeypadSim) -> AsyncIterator[Inbox]:
    inbox = Inbox()
    async with running(Keypad(HidKeypad(device=str(sim.path)), inbox.post)):
        assert await inbox.take() == [DeviceOnline("keypad")]
        yield inbox


async def test_what_is_typed_arrives_and_is_shown_to_nobody(
    sim: KeypadSim, inbox: Inbox, caplog: pytest.LogCaptureFixture
) -> None:
    await sim.type(NUMBER)
    await sim.type("13800138000")
    typed = await inbox.take(2)
    assert typed == [NumberTyped(NUMBER), NumberTyped("13800138000")]
    assert NUMBER not in f"{typed}{caplog.text}"


async def test_unplugged_and_back(sim: KeypadSim, inbox: Inbox) -> None:
    await sim.press(list(strokes("110"))[:-2])
    sim.unplug()
    (lost,) = await inbox.take()
    assert isinstance(lost, DeviceOffline)
    sim.plug()
    assert await inbox.take() == [DeviceOnline("keypad")]
    await sim.type("7")
    assert await inbox.take() == [NumberTyped("7")]
