"""The panel on GPIO lines, on gpiozero's mock pins and on a stub of lgpio."""

import asyncio
import contextlib
import sys
import types

import pytest

from kiosk.config import GpioPanel as Config
from kiosk.domain import Signal
from kiosk.drivers.base import DeviceLost
from kiosk.drivers.panel_gpio.driver import EDGES_KEPT, GpioPanel, find_chip, open_factory
from kiosk.events import ButtonPressed, DeviceOffline, DeviceOnline
from kiosk.panel import LAMPS, View, show

CONFIG = Config(factory="mock")
WIRED = [lamp for lamp in LAMPS if getattr(CONFIG, lamp) is not None]
IDLE = View(ready=True, accepting=True)
PATIENCE_S = 30


async def until(condition) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.005)


class Kiosk:
    def __init__(self, config=CONFIG):
        self.events = []
        self.driver = GpioPanel(config, self.events.append)
        self.task = asyncio.create_task(self.driver.run())

    def pin(self, name):
        return self.driver.factory.pin(getattr(CONFIG, name))

    def outputs(self):
        pins = [getattr(CONFIG, lamp) for lamp in WIRED] + [CONFIG.buzzer, *CONFIG.bar]
        return [self.driver.factory.pin(pin) for pin in pins]

    def burning(self):
        return {lamp for lamp in WIRED if self.pin(lamp).state}

    async def press(self, button, held_s=0.1):
        self.pin(button).drive_low()
        await asyncio.sleep(held_s)
        self.pin(button).drive_high()

    def presses(self):
        return [event for event in self.events if isinstance(event, ButtonPressed)]

    async def stop(self):
        self.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.task


@pytest.fixture
async def kiosk():
    running = Kiosk()
    await until(lambda: DeviceOnline("panel") in running.events)
    yield running
    await running.stop()


async def test_lamps_follow_the_panel(kiosk):
    await until(lambda: kiosk.burning() == {"stop", "fault"})
    kiosk.driver.show(show(View(ready=True, accepting=True, signal=Signal.ACCEPTED, signal_count=1, members=4), 0), 0)
    await until(lambda: kiosk.burning() == {"go"})
    bar = [kiosk.driver.factory.pin(pin).state for pin in CONFIG.bar]
    assert bar[:4] == [1] * 4
    assert bar[5:] == [0] * 5
    await until(lambda: len(kiosk.pin("buzzer").states) >= 3)
    assert [state.state for state in kiosk.pin("buzzer").states][-2:] == [True, False]


async def test_a_lamp_at_the_door_is_lit_where_one_is_wired():
    running = Kiosk(Config(factory="mock", door=19))
    await until(lambda: DeviceOnline("panel") in running.events)
    running.driver.show(show(View(ready=True, door_closed=True), 0), 0)
    await until(lambda: running.driver.factory.pin(19).state)
    await running.stop()


async def test_a_blinking_lamp_goes_on_and_off_by_itself(kiosk):
    kiosk.driver.show(show(View(ready=True, accepting=True, release_ready=True), 0), 0)
    await until(lambda: len(kiosk.pin("release").states) >= 4)


async def test_every_output_is_off_after_the_stop():
    kiosk = Kiosk()
    await until(lambda: DeviceOnline("panel") in kiosk.events)
    await until(lambda: kiosk.burning() == {"stop", "fault"})
    pins = kiosk.outputs()
    await kiosk.stop()
    assert not any(pin.state for pin in pins)


async def test_a_press_with_its_length(kiosk):
    await kiosk.press("release_button", 0.3)
    await until(kiosk.presses)
    (press,) = kiosk.presses()
    assert press.button == "release"
    assert 250 <= press.held_ms <= 5000
    await kiosk.press("ack_button")
    await until(lambda: len(kiosk.presses()) == 2)
    assert kiosk.presses()[1].button == "ack"


async def test_a_bouncing_button_presses_once(kiosk):
    pin = kiosk.pin("release_button")
    for _ in range(5):
        pin.drive_low()
        pin.drive_high()
    await kiosk.press("release_button")
    for _ in range(5):
        pin.drive_low()
        pin.drive_high()
    await until(kiosk.presses)
    await kiosk.press("ack_button")
    await until(lambda: len(kiosk.presses()) == 2)
    assert [press.button for press in kiosk.presses()] == ["release", "ack"]


async def test_a_storm_of_edges_costs_bounded_memory(kiosk):
    pin = kiosk.pin("release_button")
    for _ in range(10 * EDGES_KEPT):
        pin.drive_low()
        pin.drive_high()
    await kiosk.press("ack_button")
    await until(kiosk.presses)
    assert [press.button for press in kiosk.presses()] == ["ack"]


async def test_presses_arrive_even_when_the_event_thread_is_dead(kiosk):
    for button in ("release_button", "ack_button"):
        kiosk.pin(button).when_changed = None
    await kiosk.press("release_button", 0.3)
    await until(kiosk.presses)
    assert kiosk.presses()[0].held_ms >= 200


async def test_a_fault_of_the_chip_is_a_lost_device_and_it_comes_back(kiosk, monkeypatch):
    pin = kiosk.pin("stop")

    def broken(_):
        raise RuntimeError("chip gone")

    monkeypatch.setattr(pin, "_set_state", broken)
    kiosk.driver.show(show(IDLE, 0), 0)
    await until(lambda: any(isinstance(event, DeviceOffline) for event in kiosk.events))
    assert DeviceOffline("panel", "GPIO: chip gone") in kiosk.events
    await until(lambda: kiosk.events.count(DeviceOnline("panel")) == 2)


# No silent fall-back ------------------------------------------------------------------------------------------------


@pytest.fixture
def no_lgpio(monkeypatch):
    for name in ("lgpio", "gpiozero.pins.lgpio"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return monkeypatch


def test_a_missing_lgpio_is_said(no_lgpio, tmp_path):
    no_lgpio.chdir(tmp_path)
    no_lgpio.setitem(sys.modules, "lgpio", None)
    with pytest.raises(DeviceLost, match="install python3-lgpio"):
        open_factory(Config())


def test_the_empty_stub_of_lgpio_is_said(no_lgpio, tmp_path):
    no_lgpio.chdir(tmp_path)
    no_lgpio.setitem(sys.modules, "lgpio", types.ModuleType("lgpio"))
    with pytest.raises(DeviceLost, match="stub"):
        open_factory(Config())


def test_a_missing_chip_is_said(no_lgpio, tmp_path):
    class Error(Exception):
        pass

    def gpiochip_open(chip):
        raise Error("can not open gpiochip")

    lgpio = types.ModuleType("lgpio")
    lgpio.gpiochip_open = gpiochip_open
    for number, name in enumerate(("SET_PULL_NONE", "SET_PULL_UP", "SET_PULL_DOWN")):
        setattr(lgpio, name, number)
    for number, name in enumerate(("BOTH_EDGES", "RISING_EDGE", "FALLING_EDGE")):
        setattr(lgpio, name, number)
    no_lgpio.chdir(tmp_path)
    no_lgpio.setitem(sys.modules, "lgpio", lgpio)
    with pytest.raises(DeviceLost, match="/dev/gpiochip4: can not open gpiochip"):
        open_factory(Config(chip=4))


def test_a_working_directory_that_lgpio_cannot_use_is_said(no_lgpio):
    no_lgpio.setattr("os.access", lambda *_: False)
    with pytest.raises(DeviceLost, match="writable working directory"):
        open_factory(Config())


async def test_a_missing_library_is_an_offline_device_not_a_crash(no_lgpio, tmp_path):
    no_lgpio.chdir(tmp_path)
    no_lgpio.setitem(sys.modules, "lgpio", None)
    kiosk = Kiosk(Config())
    await until(lambda: kiosk.events)
    (event,) = kiosk.events
    assert isinstance(event, DeviceOffline)
    assert not kiosk.task.done()
    await kiosk.stop()


@pytest.fixture
def chips(no_lgpio, tmp_path):
    """/dev with the GPIO chips of these labels, by number; one without a label cannot be opened."""

    def dev(labels):
        def gpiochip_open(chip):
            if labels[chip] is None:
                raise RuntimeError("'can not open gpiochip'")
            return chip

        lgpio = types.ModuleType("lgpio")
        lgpio.gpiochip_open, lgpio.gpiochip_close = gpiochip_open, lambda handle: None
        lgpio.gpio_get_chip_info = lambda handle: [0, 54, f"gpiochip{handle}", labels[handle]]
        no_lgpio.setitem(sys.modules, "lgpio", lgpio)
        for number in labels:
            (tmp_path / f"gpiochip{number}").touch()
        return tmp_path

    return dev


@pytest.mark.parametrize("label", ["pinctrl-bcm2835", "pinctrl-bcm2711", "pinctrl-rp1"])
def test_the_chip_of_the_board_is_found_whatever_its_number(chips, label):
    assert find_chip(chips({0: "raspberrypi-exp-gpio", 2: None, 11: label})) == 11


def test_a_machine_without_the_chip_of_a_board_is_said(chips):
    dev = chips({0: "gpio-brcmstb", 1: None})
    with pytest.raises(DeviceLost) as said:
        find_chip(dev)
    found = f"{dev}/gpiochip0: gpio-brcmstb, {dev}/gpiochip1: 'can not open gpiochip'"
    assert str(said.value) == f"no GPIO chip of a Raspberry Pi: {found}"


def test_a_machine_without_any_chip_is_said(chips):
    with pytest.raises(DeviceLost, match="has no gpiochip at all"):
        find_chip(chips({}))


class Chip(types.ModuleType):
    """lgpio on one chip that can go away, as far as gpiozero calls it. ``levels`` of the outputs by line."""

    error = RuntimeError

    def __init__(self):
        super().__init__("lgpio")
        self.levels = {}
        self.plugged = True
        for number, name in enumerate(("SET_PULL_NONE", "SET_PULL_UP", "SET_PULL_DOWN")):
            setattr(self, name, number)
        for number, name in enumerate(("BOTH_EDGES", "RISING_EDGE", "FALLING_EDGE")):
            setattr(self, name, number)
        self.handle, self.modes = 0, {}

    def _use(self, handle=None):
        if not self.plugged or handle not in (None, self.handle):
            raise RuntimeError("No such device")

    def gpiochip_open(self, chip):
        self._use()
        self.handle += 1
        return self.handle

    def gpiochip_close(self, handle):
        self.modes.clear()

    def gpio_claim_input(self, handle, line, flags=0):
        self._use(handle)
        self.modes[line] = 1 << 5 if flags == self.SET_PULL_UP else 0

    def gpio_claim_output(self, handle, line):
        self._use(handle)
        self.modes[line] = 1 << 1

    def gpio_free(self, handle, line):
        self._use(handle)

    def gpio_claim_alert(self, handle, line, *_):
        self._use(handle)

    def gpio_set_debounce_micros(self, handle, line, micros):
        self._use(handle)

    def callback(self, *_):
        return types.SimpleNamespace(cancel=lambda: None)

    def gpio_get_mode(self, handle, line):
        self._use(handle)
        return self.modes[line]

    def gpio_read(self, handle, line):
        self._use(handle)
        return self.levels.get(line, 1)

    def gpio_write(self, handle, line, level):
        self._use(handle)
        self.levels[line] = level


async def test_a_chip_that_was_away_works_again(no_lgpio, tmp_path):
    chip = Chip()
    no_lgpio.chdir(tmp_path)
    no_lgpio.setitem(sys.modules, "lgpio", chip)
    no_lgpio.setattr("gpiozero.pins.local.LocalPiFactory._get_revision", lambda _: 0xA02082)
    kiosk = Kiosk(Config(chip=0))
    await until(lambda: kiosk.events.count(DeviceOnline("panel")) == 1)
    chip.plugged = False
    await until(lambda: DeviceOffline("panel", "GPIO: No such device") in kiosk.events)
    chip.plugged = True
    chip.levels.clear()
    await until(lambda: kiosk.events.count(DeviceOnline("panel")) == 2)
    await until(lambda: chip.levels.get(CONFIG.stop) is True)
    await kiosk.stop()


async def test_two_things_on_one_pin_are_said():
    kiosk = Kiosk(Config(factory="mock", go=17))
    await until(lambda: kiosk.events)
    assert "GPIO17" in kiosk.events[0].why
    await kiosk.stop()
